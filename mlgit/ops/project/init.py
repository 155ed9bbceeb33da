"""Create a working project: files, repository, DVC remote, the data of the template, and a first commit.

Each step skips what is already done, so an interrupted run is completed by running it again.
"""

import os.path
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal, Protocol

import msgspec

from mlgit.domain import layout
from mlgit.domain.names import NAME_RULES, CommitId, is_name
from mlgit.errors import Finding, Location, MlgitError, refused, usage_error
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace
from mlgit.ops.project import existing_files
from mlgit.ops.project.project_files import (
    FileContents,
    InitRequest,
    OwnTable,
    Person,
    TemplateWriter,
    is_data,
    model_of,
    project_files,
    slug,
    stored_file,
)

REMOTE: Final = "storage"
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,99}")
_FITS_IN_QUOTES = re.compile(r'[^"\\\x00-\x1f\x7f]{1,200}')


class ProjectFolder(Protocol):
    """The folder that becomes a project."""

    @property
    def root(self) -> Path:
        """The absolute path; it may not exist yet."""
        ...

    def choose_base(self, requested: str | None) -> str:
        """Return the base branch: the requested one, or else the default branch of the repository.

        Raises:
            MlgitError: the folder is a file, is inside another repository, or its repository lacks the branch (`folder-is-file`,
                `repository-nested`, `base-branch-missing`).
        """
        ...

    def remote(self) -> str | None:
        """Return the name of the default remote that DVC has in the folder; None if it has none.

        Raises:
            MlgitError: DVC's configuration cannot be read (`dvc-config-invalid`).
        """
        ...

    def read(self, path: str) -> bytes | None:
        """Return the content of a file in the folder; None if there is no such file."""
        ...

    def person(self) -> Person:
        """Return the identity that Git is configured with.

        Raises:
            MlgitError: there is none (`git-identity-missing`).
        """
        ...

    def has_started(self) -> bool:
        """Return whether HEAD has a project."""
        ...

    def differing(self, files: FileContents) -> list[str]:
        """Return the paths that exist with other content."""
        ...

    def missing(self, files: FileContents) -> list[str]:
        """Return the paths that do not exist."""
        ...

    def start(self, base: str) -> None:
        """Create the folder and the repository if they do not exist."""
        ...

    def copy(self, source: Path, path: str) -> None:
        """Copy a file into the folder atomically.

        Raises:
            Inconclusive: it could not be written (`disk-io-failed`).
        """
        ...

    def set_up_data(self, remote: str, location: str) -> list[str]:
        """Set up DVC with a default remote; return the files to commit."""
        ...

    def sign_commits(self) -> dict[str, str]:
        """Set up Git to sign commits in the repository with the person's SSH key; return the settings that were made.

        There are none without a key, and none where Git signs in another way already.
        """
        ...


class ProjectCreated(Outcome, frozen=True, kw_only=True, tag="mlgit/init.v1"):
    """The created project.

    `data_files` are those of `files` that DVC stores, `kept_files` existing files that were left as they are, `extended_files`
    existing files to which lines were added. `notes` are what a person should know about how the data was described, `model` is
    the model to train first. `remote` is a location, or the name of the remote that DVC has already. `branch` is the branch that
    has the commit. `has_signing_key` is whether the person has an SSH key to sign approvals with, and `signing` are the settings
    that were made in the repository so that Git signs commits with it.
    """

    state: Literal["created", "there-already", "planned"]
    project: str
    folder: str
    template: str
    remote: str
    forge: str
    owner: str
    model: str
    base: str
    branch: str | None
    files: list[str]
    data_files: list[str]
    kept_files: list[str]
    extended_files: list[str]
    notes: list[str]
    has_signing_key: bool
    signing: dict[str, str]
    commit: CommitId | None


class _Remote(msgspec.Struct, frozen=True):
    """The DVC remote of a new project; `location` is None for one that DVC has already."""

    name: str
    location: str | None


class _Plan(msgspec.Struct, frozen=True):
    """What `run` is about to create."""

    project: str
    base: str
    remote: _Remote
    files: FileContents
    table: OwnTable | None


def name_of(folder: str) -> str:
    """Return the default name of a project in a folder: the folder's, as far as its characters are valid in names."""
    name = slug(folder)
    return name if is_name(name) else "project"


def run(
    workspace: Workspace,
    folder: ProjectFolder,
    request: InitRequest,
    write_template: TemplateWriter,
    schemas: FileContents,
    *,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> ProjectCreated:
    """Create a project, or complete one that an interrupted run began.

    Args:
        workspace: the workspace of the folder; its repository is first used once it exists.
        folder: the folder.
        request: what the project is to be.
        write_template: the template.
        schemas: content of each JSON Schema, by file name.
        dry_run: whether to change nothing.
        on_step: called with each step before it starts.

    Raises:
        MlgitError: the folder cannot become this project, for example because it is another one (`project-exists`) or a file
            exists with other content (`file-exists`). Nothing was changed.
    """
    _check_request(request, folder.root)
    base = folder.choose_base(request.base)
    person = folder.person()
    remote = _choose_remote(folder, request)
    written = project_files(workspace, request, person, write_template, schemas, base=base, remote=remote.name)
    fitted = existing_files.fit(written, folder.read)
    has_started = folder.has_started()
    _check_files(folder, fitted, has_started=has_started)
    commit, signing = None, {}
    if not has_started and not dry_run:
        plan = _Plan(project=request.name, base=base, remote=remote, files=fitted.files, table=request.table)
        commit = _create(workspace, folder, plan, on_step)
        signing = folder.sign_commits()
    return ProjectCreated(
        state="there-already" if has_started else "planned" if dry_run else "created",
        project=request.name,
        folder=str(folder.root),
        template=request.template,
        remote=remote.location or remote.name,
        forge=request.forge,
        owner=request.owner or person.email,
        model=model_of(written),
        base=base,
        branch=None if commit is None else workspace.repository.head_branch(),
        files=sorted(fitted.files),
        data_files=[
            *(path for path in fitted.files if is_data(path)),
            *([] if request.table is None else [request.table.path]),
        ],
        notes=[] if request.table is None else request.table.notes,
        kept_files=fitted.kept,
        extended_files=fitted.extended,
        has_signing_key=person.signer is not None,
        signing=signing,
        commit=commit,
    )


def _choose_remote(folder: ProjectFolder, request: InitRequest) -> _Remote:
    existing = folder.remote() if request.remote is None else None
    if existing is not None and existing != REMOTE:  # one of our name is set up again, if a run was interrupted there
        return _Remote(name=existing, location=None)
    return _Remote(name=REMOTE, location=request.remote or f"../{request.name}-storage")


def _check_files(folder: ProjectFolder, fitted: existing_files.FittedFiles, *, has_started: bool) -> None:
    new = {path: content for path, content in fitted.files.items() if path not in fitted.extended}
    differing = folder.differing(new)
    if has_started and (changed := [*differing, *fitted.extended, *folder.missing(fitted.files)]):
        raise refused(
            "project-exists",
            f"{folder.root} is a project already",
            why=f"its {layout.PROJECT} is committed, and {changed[0]} is not as `init` would write it",
            fix="continue with `mlgit status`, or choose another folder for another project",
            at=Location(layout.PROJECT),
        )
    if differing:
        raise MlgitError(*(_file_exists(path) for path in differing))


def _check_request(request: InitRequest, root: Path) -> None:
    if not is_name(request.name):
        raise usage_error(
            "name-invalid",
            f"{request.name!r} is not a valid name",
            why=NAME_RULES,
            fix=f"--name {name_of(request.name)}",
        )
    if request.owner is not None and not _FITS_IN_QUOTES.fullmatch(request.owner):
        raise usage_error(
            "owner-invalid",
            f"{request.owner!r} is not a valid owner",
            why='an owner is one line of text without " and \\',
            fix="name a person or a team, for example --owner @acme/ml",
        )
    if request.base is not None and (not _BRANCH.fullmatch(request.base) or ".." in request.base):
        raise usage_error(
            "name-invalid",
            f"{request.base!r} is not a valid base branch",
            why="workflows name it: letters, digits, dots, hyphens, underscores and slashes",
            fix="--base main",
        )
    if (
        request.remote is not None
        and "://" not in request.remote
        and Path(os.path.normpath(root / request.remote)).is_relative_to(root)
    ):
        raise usage_error(
            "dvc-remote-inside-repository",
            f"{request.remote} is inside the repository",
            why="the data would be lost together with the folder",
            fix=f"choose a folder beside it, for example --remote ../{request.name}-storage, or a URL",
        )


def _create(workspace: Workspace, folder: ProjectFolder, plan: _Plan, on_step: Callable[[str], None]) -> CommitId:
    files, remote = plan.files, plan.remote
    data = [path for path in files if is_data(path)]
    on_step("creating the repository")
    folder.start(plan.base)
    on_step("writing the files")
    workspace.write_files(files)
    uploads = [(folder.root / path, stored_file(path, files[path])) for path in data]
    if plan.table is not None:
        folder.copy(plan.table.source, plan.table.path)
        uploads.append((folder.root / plan.table.path, plan.table.stored))
    dvc_files: list[str] = []
    if remote.location is not None:
        on_step("setting up DVC")
        dvc_files = folder.set_up_data(remote.name, remote.location)
    if uploads:
        on_step(f"pushing data to {remote.location or remote.name}")
        workspace.store(remote.name).upload(uploads)
    on_step("committing")
    repository = workspace.repository
    in_git = {path: content for path, content in files.items() if not is_data(path)}
    in_git |= {path: (folder.root / path).read_bytes() for path in dvc_files}
    head = repository.resolve("HEAD")
    message = f"Start {plan.project} with mlgit\n"
    # A key that was only found may ask for a passphrase; one that Git is set up with is used.
    sign = repository.config("gpg.format") == "ssh" and bool(repository.config("user.signingkey"))
    commit = repository.commit(in_git, parents=[] if head is None else [head], message=message, sign=sign)
    repository.move("HEAD", commit, expected=head, reason="mlgit init")
    repository.stage(list(in_git))
    return commit


def _file_exists(path: str) -> Finding:
    return Finding(
        "file-exists",
        f"{path} exists with other content",
        why="`init` never overwrites files",
        fix="move it away, or start in a new folder and copy your work into it",
        at=Location(path),
    )
