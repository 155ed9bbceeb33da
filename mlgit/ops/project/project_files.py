"""The files of a new project, computed from a template and the answers of the person who starts it."""

import hashlib
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import msgspec

from mlgit.domain import layout
from mlgit.domain.codec import sha256
from mlgit.domain.metrics import Task
from mlgit.domain.names import is_name
from mlgit.domain.records.version import StoredFile
from mlgit.errors import refused
from mlgit.ops.kernel.ports.workspace import Workspace

_DATA_SUFFIXES: Final = frozenset({".csv", ".parquet"})
_EMAIL = re.compile(r'[^\s"\\<>,@]+@[^\s"\\<>,@]+')
_NO_KEY: Final = """\
# No SSH key of {email} was found. `ssh-keygen -t ed25519` makes one; add its line here, as above:
# {email} namespaces="git,mlgit-approval,mlgit-ledger" and the content of ~/.ssh/id_ed25519.pub
"""

FileContents = Mapping[str, bytes]
TemplateWriter = Callable[[Mapping[str, str]], FileContents]
"""Returns the files of a template by path, with placeholders replaced by the given values."""

APPROVAL_RULES: Final = {
    "none": {
        "evidence": "signed",
        "approvals": "`mlgit approve` signs with an SSH key of .mlgit/allowed_signers.",
        "logins": "",
    },
    "forge": {
        "evidence": "forge",
        "approvals": "Reviews of the pull request count, and so do the signatures of `mlgit approve`.",
        "logins": "\n    logins: []  # your name at the forge, by which your reviews count",
    },
}
"""Values of placeholders about approvals, for projects without and with a forge."""


EXAMPLE_TABLE: Final = {
    "dataset": "data",
    "data_file": "data.csv",
    "own_model": "my-model",
    "own_problem": "my-problem",
    "keys": "[id]",
    "target": "target",
    "drop": "[]",
    "slices": "[channel]",
    "task": "binary",
    "positive": "1",
    "metric": "roc_auc",
    "direction": "max",
    "inputs": "    amount: number\n    channel: string",
    "output": "probability",
}
"""Values of placeholders about the data, for projects whose data is described later."""


class Person(msgspec.Struct, frozen=True):
    """Who starts the project. `signer` is their line for `allowed_signers`; None if they have no key."""

    name: str
    email: str
    signer: str | None = None


class OwnTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table to start a project with, as far as it could be described from its content.

    Attributes:
        source: the file.
        path: where it belongs in the project.
        stored: its hashes and size.
        contract: the draft of its contract.
        values: values of the template's placeholders about the data.
        task: what is to be predicted.
        notes: what a person should know about the description.
    """

    source: Path
    path: str
    stored: StoredFile
    contract: bytes
    values: dict[str, str]
    task: Task
    notes: list[str]


class InitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What the project is to be.

    Attributes:
        name: name of the project.
        template: name of the template.
        remote: where DVC is to store data and models, as a URL or a folder; None for the remote that DVC has there, or else for
            a folder beside the project.
        owner: responsible team or person; None for whoever starts the project.
        base: the base branch; None for the default branch of the repository.
        forge: where pull requests are.
        table: the data to start with; None for that of the template, or for none yet.
    """

    name: str
    template: str
    remote: str | None = None
    owner: str | None = None
    base: str | None = None
    forge: Literal["none", "github", "gitea"] = "none"
    table: OwnTable | None = None


def project_files(
    workspace: Workspace,
    request: InitRequest,
    person: Person,
    write_template: TemplateWriter,
    schemas: FileContents,
    *,
    base: str,
    remote: str,
) -> dict[str, bytes]:
    """Return all files of the project, with data and the pointers to it.

    `mlgit.yaml` comes last: files are written in this order, and half a project must not look like a whole one.

    Args:
        workspace: the workspace of the folder.
        request: what the project is to be.
        person: who starts it.
        write_template: the template.
        schemas: content of each JSON Schema, by file name.
        base: the base branch.
        remote: name of the DVC remote.

    Raises:
        MlgitError: the address that Git is configured with is not an e-mail address (`git-identity-invalid`).
    """
    if not _EMAIL.fullmatch(person.email):
        raise refused(
            "git-identity-invalid",
            f"{person.email!r} is not an e-mail address",
            why="Git is configured with it, and it identifies you in roles, approvals and commits",
            fix="git config --global user.email you@example.org",
        )
    values = {
        "project": request.name,
        "owner": request.owner or person.email,
        "person": _short_name(person),
        "email": person.email,
        "base": base,
        "remote": remote,
        "forge": request.forge,
        **APPROVAL_RULES["none" if request.forge == "none" else "forge"],
        **(EXAMPLE_TABLE if request.table is None else request.table.values),
    }
    # The template determines the name of its model, and uses it in other files: so write it once to learn the name.
    model = model_of(write_template(values | {"model": ""}))
    files = dict(write_template(values | {"model": model}))
    signer = f"{person.signer}\n" if person.signer else _NO_KEY.format(email=person.email)
    files[layout.SIGNERS] += signer.encode()
    files |= {f"{layout.SCHEMAS}/{name}": content for name, content in schemas.items()}
    pointers = {
        f"{path}.dvc": workspace.formats.pointer(stored_file(path, files[path])) for path in files if is_data(path)
    }
    if request.table is not None:
        table = request.table
        files[layout.dataset(table.values["dataset"])] = table.contract
        pointers[f"{table.path}.dvc"] = workspace.formats.pointer(table.stored)
    project = files.pop(layout.PROJECT)
    return files | pointers | {layout.PROJECT: project}


def model_of(files: FileContents) -> str:
    """Return the name of the one model of a template."""
    (model,) = (path.split("/")[1] for path in files if path.startswith("models/") and path.endswith("/model.yaml"))
    return model


def is_data(path: str) -> bool:
    """Return whether DVC stores a file, not Git."""
    return PurePosixPath(path).suffix in _DATA_SUFFIXES


def stored_file(path: str, content: bytes) -> StoredFile:
    """Return the hashes and the size of content, as DVC would store it."""
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    return StoredFile(path=PurePosixPath(path).name, sha256=sha256(content), md5=md5, size=len(content))


def slug(text: str) -> str:
    """Return a text in the characters of names: lower-case ASCII letters, digits and hyphens; possibly empty."""
    ascii_only = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only)[:64].strip("-")


def _short_name(person: Person) -> str:
    names = (slug(person.name), slug(person.email.partition("@")[0]))
    return next((name for name in names if is_name(name)), "owner")
