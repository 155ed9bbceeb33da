"""Make a working project: files, repository, data remote, the data of the template, and one first commit.

Each step leaves alone what is as it would make it, so a run that was killed is completed by running it again.
"""

import hashlib
import os.path
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Final, Literal, Protocol

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import sha256
from mlgit.domain.names import NAME_RULES, CommitId, is_name
from mlgit.domain.records.version import StoredFile
from mlgit.errors import Finding, Location, MlgitError, refused, usage_error
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace

REMOTE: Final = "storage"
BASE: Final = "main"
_DATA: Final = frozenset({".csv", ".parquet"})
_FITS_IN_QUOTES = re.compile(r'[^"\\\x00-\x1f\x7f]{1,200}')
_EMAIL = re.compile(r'[^\s"\\<>,@]+@[^\s"\\<>,@]+')
_NO_KEY: Final = """\
# No SSH key of {email} was found. `ssh-keygen -t ed25519` makes one; add its line here, as above:
# {email} namespaces="git,mlgit-approval" and the content of ~/.ssh/id_ed25519.pub
"""

Files = Mapping[str, bytes]
TemplateWriter = Callable[[Mapping[str, str]], Files]
"""Gives the files of the template, by path, with the values in the places of the placeholders."""


class Person(msgspec.Struct, frozen=True):
    """Who starts the project; `signer` is the line of `allowed_signers` that lets them sign, None without a key."""

    name: str
    email: str
    signer: str | None = None


class ProjectFolder(Protocol):
    """The folder that becomes a project."""

    @property
    def root(self) -> Path:
        """The folder in full; it need not be there yet."""
        ...

    def check(self, base: str) -> None:
        """Refuse a folder that cannot become a project whose base branch is `base`."""
        ...

    def person(self) -> Person:
        """Return who is at work, as Git knows them.

        Raises:
            MlgitError: Git does not know.
        """
        ...

    def has_started(self) -> bool:
        """Tell whether the current commit has a project."""
        ...

    def differing(self, files: Files) -> list[str]:
        """Return those paths at which there is something else."""
        ...

    def missing(self, files: Files) -> list[str]:
        """Return those paths at which there is nothing."""
        ...

    def start(self, base: str) -> None:
        """Make folder and repository where there are none."""
        ...

    def set_up_data(self, remote: str, location: str) -> list[str]:
        """Set DVC up; return the files that belong into Git."""
        ...


APPROVAL_RULES: Final = {
    "none": {
        "evidence": "signed",
        "agreement": "`mlgit approve` signs with an SSH key of .mlgit/allowed_signers.",
        "logins": "",
    },
    "forge": {
        "evidence": "forge",
        "agreement": "Reviews of the pull request count, and so do the signatures of `mlgit approve`.",
        "logins": "\n    logins: []  # your name at the forge, by which your reviews count",
    },
}
"""How production is agreed to where there is a forge, and where there is none: words of the templates."""


class InitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the project is to be; without an owner, the person who starts it is."""

    name: str
    template: str
    remote: str
    owner: str | None = None
    forge: Literal["none", "github", "gitea"] = "none"


class ProjectCreated(Outcome, frozen=True, kw_only=True, tag="mlgit/init.v1"):
    """The project that there is now.

    `files` are those of the project, `data` those among them that DVC keeps, `signing` whether a key of the person was
    found, `model` the one to train first.
    """

    state: Literal["created", "there-already", "planned"]
    project: str
    folder: str
    template: str
    remote: str
    forge: str
    owner: str
    model: str
    files: list[str]
    data_files: list[str]
    kept_files: list[str]
    has_signing_key: bool
    commit: CommitId | None


def name_of(folder: str) -> str:
    """Return the name of a project in a folder: its name in the letters that names have, `project` if none is left."""
    name = _slug(folder)
    return name if is_name(name) else "project"


def run(
    workspace: Workspace,
    ground: ProjectFolder,
    wish: InitRequest,
    fill: TemplateWriter,
    schemas: Files,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> ProjectCreated:
    """Make the project, or complete one that was begun.

    Args:
        workspace: the folder as a workspace; its repository is first asked for once there is one.
        ground: the folder.
        wish: what the project is to be.
        fill: the template.
        schemas: content of each schema, by file name.
        dry_run: whether to say only what would be done.
        on_step: is told what is done next.

    Raises:
        MlgitError: the folder cannot become this project; nothing was changed.
    """
    _check(wish, ground.root)
    ground.check(BASE)
    person = ground.person()
    files, kept = _without_kept(_files(workspace, wish, person, fill, schemas), ground)
    data = [path for path in files if PurePosixPath(path).suffix in _DATA]
    started, differing = ground.has_started(), ground.differing(files)
    if started and (changed := [*differing, *ground.missing(files)]):
        raise refused(
            "project-exists",
            f"{ground.root} is a project already",
            why=f"its {layout.PROJECT} is committed, and {changed[0]} is not as `init` would write it",
            fix="go on with `mlgit status`; for another project choose another folder",
            at=Location(layout.PROJECT),
        )
    if differing:
        raise MlgitError(*(_in_the_way(path) for path in differing))
    commit = None
    if not started and not dry_run:
        commit = _make(workspace, ground, wish, files, data, on_step)
    (model,) = (path.split("/")[1] for path in files if path.startswith("models/") and path.endswith("/model.yaml"))
    return ProjectCreated(
        state="there-already" if started else "planned" if dry_run else "created",
        project=wish.name,
        folder=str(ground.root),
        template=wish.template,
        remote=wish.remote,
        forge=wish.forge,
        owner=wish.owner or person.email,
        model=model,
        files=sorted(files),
        data_files=data,
        kept_files=kept,
        has_signing_key=person.signer is not None,
        commit=commit,
    )


def _check(wish: InitRequest, root: Path) -> None:
    if not is_name(wish.name):
        raise usage_error(
            "name-invalid",
            f"{wish.name!r} does not do as a name",
            why=NAME_RULES,
            fix=f"--name {name_of(wish.name)}",
        )
    if wish.owner is not None and not _FITS_IN_QUOTES.fullmatch(wish.owner):
        raise usage_error(
            "owner-invalid",
            f"{wish.owner!r} does not do as an owner",
            why='an owner is one line of text without " and \\',
            fix="name a person or a team, for example --owner @acme/ml",
        )
    if "://" not in wish.remote and Path(os.path.normpath(root / wish.remote)).is_relative_to(root):
        raise usage_error(
            "dvc-remote-inside-repository",
            f"{wish.remote} is inside the repository",
            why="data that Git keeps pointers to has to live elsewhere, or it is lost with the folder",
            fix=f"choose a folder beside it, for example --remote ../{wish.name}-storage, or a URL",
        )


def _files(
    workspace: Workspace, wish: InitRequest, person: Person, fill: TemplateWriter, schemas: Files
) -> dict[str, bytes]:
    """Return all files of the project; mlgit.yaml comes last, so that half a project never looks like a whole one."""
    if not _EMAIL.fullmatch(person.email):
        raise refused(
            "git-identity-invalid",
            f"{person.email!r} is not an e-mail address",
            why="it is what Git is set to, and it names you in roles, approvals and commits",
            fix="git config --global user.email you@example.org",
        )
    values = {
        "project": wish.name,
        "owner": wish.owner or person.email,
        "person": _short_name(person),
        "email": person.email,
        "forge": wish.forge,
        **APPROVAL_RULES["none" if wish.forge == "none" else "forge"],
    }
    # Only the template can say what its model is called, and its texts want to know.
    (model,) = (path.split("/")[1] for path in fill(values | {"model": ""}) if path.endswith("/model.yaml"))
    files = dict(fill(values | {"model": model}))
    line = f"{person.signer}\n" if person.signer else _NO_KEY.format(email=person.email)
    files[layout.SIGNERS] += line.encode()
    files |= {f"{layout.SCHEMAS}/{name}": content for name, content in schemas.items()}
    pointers = {
        f"{path}.dvc": workspace.formats.pointer(_stored(path, files[path])) for path in files if _is_data(path)
    }
    project = files.pop(layout.PROJECT)
    return files | pointers | {layout.PROJECT: project}


def _without_kept(files: dict[str, bytes], ground: ProjectFolder) -> tuple[dict[str, bytes], list[str]]:
    """Leave out what is prose only, where the person has their own."""
    kept = ground.differing({"README.md": files["README.md"]})
    return {path: content for path, content in files.items() if path not in kept}, kept


def _make(
    workspace: Workspace,
    ground: ProjectFolder,
    wish: InitRequest,
    files: Files,
    data: Sequence[str],
    on_step: Callable[[str], None],
) -> CommitId:
    on_step("making the repository")
    ground.start(BASE)
    on_step("writing the files")
    workspace.write_files(files)
    on_step("setting DVC up")
    settings = ground.set_up_data(REMOTE, wish.remote)
    if data:
        on_step(f"pushing data to {wish.remote}")
        workspace.store(REMOTE).upload([(ground.root / path, _stored(path, files[path])) for path in data])
    on_step("committing")
    repository = workspace.repository
    in_git = {path: content for path, content in files.items() if not _is_data(path)}
    in_git |= {path: (ground.root / path).read_bytes() for path in settings}
    head = repository.resolve("HEAD")
    message = f"Start {wish.name} with mlgit\n"
    commit = repository.commit(in_git, parents=[] if head is None else [head], message=message)
    repository.move("HEAD", commit, expected=head, reason="mlgit init")
    repository.stage(list(in_git))
    return commit


def _in_the_way(path: str) -> Finding:
    return Finding(
        "file-exists",
        f"{path} is there, with other content",
        why="mlgit never overwrites what is yours",
        fix="move it away, or start in a new folder and copy your work into it",
        at=Location(path),
    )


def _stored(path: str, content: bytes) -> StoredFile:
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return StoredFile(path=PurePosixPath(path).name, sha256=sha256(content), md5=md5, size=len(content))


def _is_data(path: str) -> bool:
    return PurePosixPath(path).suffix in _DATA


def _short_name(person: Person) -> str:
    names = (_slug(person.name), _slug(person.email.partition("@")[0]))
    return next((name for name in names if is_name(name)), "owner")


def _slug(text: str) -> str:
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only)[:64].strip("-")
