"""The disk for `init` and `data add`: the folder that becomes a project, and data that DVC will store."""

import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from mlgit.domain import layout
from mlgit.edges.dvc import pointers, workspace
from mlgit.edges.git.command import Git
from mlgit.edges.git.settings import Settings
from mlgit.edges.ssh.commitsettings import missing_settings
from mlgit.edges.ssh.signers import render_line
from mlgit.edges.ssh.signing import SshSignatures
from mlgit.errors import MlgitError, inconclusive, refused, usage_error
from mlgit.ops.project.project_files import Person

_DVC_FILES = (".dvc/config", ".dvc/.gitignore")
_USUAL_BRANCHES = ("main", "master", "trunk", "develop")


class Folder:
    """The folder that becomes a project (see `ops.project.init.ProjectFolder`); it need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def choose_base(self, requested: str | None) -> str:
        """Return the base branch of a project in this folder.

        Where none is requested, it is the default branch: the remote's, a usual one that exists, or the one that HEAD is on;
        where there is no repository yet, the one that Git is configured to create.

        Raises:
            MlgitError: the path of the folder contains a file (`folder-is-file`), it is inside a repository without being its
                root (`repository-nested`), or its repository lacks that branch (`base-branch-missing`).
            Inconclusive: there is no DVC that is recent enough.
        """
        workspace.require()
        if not self._nearest.is_dir():
            raise usage_error("folder-is-file", f"{self._nearest} is a file", fix="choose another folder")
        configured = self._git.text("config", "init.defaultBranch", check=False)
        top = self._top
        if top is None:
            return requested or configured or _USUAL_BRANCHES[0]
        if top != self.root.resolve():
            raise refused(
                "repository-nested",
                f"{self.root} is inside the repository {top}",
                why="a project is a repository of its own, with its files at the root",
                fix=f"choose a folder outside, run this in {top}, or run `git init` in the folder first",
            )
        head = self._git.text("symbolic-ref", "--short", "HEAD", check=False)
        branches = self._git.text("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads", check=False).split("\n")
        base = requested or self._default_branch(head, branches, [configured] if configured else [])
        if not base or base not in {head, *branches}:
            raise refused(
                "base-branch-missing",
                f"the repository has no branch {base}" if base else "the default branch cannot be told",
                why=f"the desired state is on the base branch, and HEAD is on {head or 'no branch'}",
                fix=f"create it with `git switch -c {base or 'main'}`, or name another with --base",
            )
        return base

    def _default_branch(self, head: str, branches: Sequence[str], configured: Sequence[str]) -> str:
        """Return the default branch of the repository; empty if HEAD is detached and no usual branch exists."""
        remote = self._git.text("symbolic-ref", "--short", "refs/remotes/origin/HEAD", check=False)
        if remote:
            return remote.removeprefix("origin/")
        usual = [*configured, *_USUAL_BRANCHES]
        return head if head in usual else next((branch for branch in usual if branch in branches), head)

    def remote(self) -> str | None:
        """Return the name of the default remote that DVC has in the folder; None if it has none.

        Raises:
            MlgitError: DVC's configuration cannot be read (`dvc-config-invalid`).
        """
        return workspace.default_remote(self.root)

    def read(self, path: str) -> bytes | None:
        """Return the content of a regular file in the folder; None if there is none, or a link."""
        target = self.root / path
        return target.read_bytes() if target.is_file() and not target.is_symlink() else None

    def person(self) -> Person:
        """Return the identity that Git has, with the line that lets the person sign if they have a key.

        Raises:
            MlgitError: name or address is not configured (`git-identity-missing`).
        """
        settings = Settings(self._git)
        name, email = settings.identity()
        try:
            signer = render_line(email, SshSignatures(settings.get).public_key())
        except MlgitError:
            signer = None  # no usable key: comments in the file of allowed signers explain how to add one
        return Person(name, email, signer)

    def sign_commits(self) -> dict[str, str]:
        """Set up Git to sign commits in this repository with the person's SSH key; return the settings that were made.

        There are none without a key, and none where Git signs in another way already.
        """
        settings = Settings(self._git)
        try:
            missing = missing_settings(settings.get, SshSignatures(settings.get).key())
        except MlgitError:
            return {}
        settings.put(missing or {})
        return missing or {}

    def has_started(self) -> bool:
        """Tell whether HEAD has a project."""
        return (
            self._top is not None and self._git.run("cat-file", "-e", f"HEAD:{layout.PROJECT}", check=False).code == 0
        )

    def differing(self, files: Mapping[str, bytes]) -> list[str]:
        """Return the paths at which there is other content, or a file where a folder has to be."""
        return [path for path, content in files.items() if self._is_taken(path, content)]

    def missing(self, files: Mapping[str, bytes]) -> list[str]:
        """Return the paths that do not exist."""
        return [path for path in files if not (self.root / path).exists()]

    def start(self, base: str) -> None:
        """Create the folder and the repository if they do not exist.

        Raises:
            MlgitError: Git could not create the repository.
            Inconclusive: the folder could not be created (`disk-io-failed`).
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _disk_failed(self.root, error) from error
        if self._top is None:
            from mlgit.edges.git import gitpython  # noqa: PLC0415 - GitPython

            gitpython.init(self.root, base)

    def copy(self, source: Path, path: str) -> None:
        """Copy a file into the folder atomically.

        Raises:
            Inconclusive: it could not be written (`disk-io-failed`).
        """
        DataDisk(self.root).copy(source, self.root / path)

    def set_up_data(self, remote: str, location: str) -> list[str]:
        """Set up DVC with a remote; return the files to commit."""
        workspace.initialise(self.root, remote, location)
        return [path for path in _DVC_FILES if (self.root / path).is_file()]

    @property
    def _nearest(self) -> Path:
        """The folder itself, or its nearest parent that exists."""
        return next(path for path in (self.root, *self.root.parents) if path.exists())

    @property
    def _git(self) -> Git:
        return Git(self._nearest)

    @property
    def _top(self) -> Path | None:
        """The root of the repository that the folder is in, or would be in; None if there is none."""
        top = self._git.text("rev-parse", "--show-toplevel", check=False)
        return Path(top).resolve() if top else None

    def _is_taken(self, path: str, content: bytes) -> bool:
        target = self.root / path
        folders = [self.root / parent for parent in Path(path).parents][:-1]
        if any(folder.is_symlink() or (folder.exists() and not folder.is_dir()) for folder in folders):
            return True
        if target.is_symlink() or target.is_dir():
            return True
        return target.is_file() and target.read_bytes() != content


class DataDisk:
    """Data that DVC will store (see `ops.data.add.DataFolder`)."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def pointed(self, pointer: str) -> str | None:
        """Return the md5 that a DVC pointer in the work tree names; None if the pointer does not exist.

        Raises:
            MlgitError: the file is not a pointer.
        """
        path = self._root / pointer
        return pointers.parse(path.read_bytes(), pointer).md5 if path.is_file() else None

    def copy(self, source: Path, destination: Path) -> None:
        """Copy a file atomically, replacing the destination; a link at the destination is replaced, not followed.

        Raises:
            Inconclusive: the destination could not be written (`disk-io-failed`).
        """
        partial = destination.with_name(f".{destination.name}.{secrets.token_hex(4)}.partial")
        try:
            destination.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, partial)
            partial.replace(destination)
        except OSError as error:
            raise _disk_failed(destination, error) from error
        finally:
            partial.unlink(missing_ok=True)

    def point(self, path: str) -> str:
        """Add the file at a path of the work tree to DVC; return the path of its pointer."""
        return workspace.add(self._root, path)


def _disk_failed(path: Path, error: OSError) -> MlgitError:
    fix = "free some space or correct the permissions, then run it again"
    return inconclusive("disk-io-failed", f"{path} cannot be written", why=error.strerror or "", fix=fix)
