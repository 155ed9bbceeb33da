"""Locates the repository that a folder is in."""

import os
from pathlib import Path

import msgspec

from mlgit.edges.git.command import MINIMUM, Git, first_line
from mlgit.errors import refused


class RepositoryLocation(msgspec.Struct, frozen=True):
    """Where the parts of a repository are, and of what kind it is."""

    git_dir: Path
    common_dir: Path
    root: Path | None
    is_shallow: bool
    algorithm: str

    @property
    def objects(self) -> Path:
        """The folder of the objects."""
        return Path(os.environ.get("GIT_OBJECT_DIRECTORY") or self.common_dir / "objects").absolute()


def locate(git: Git) -> RepositoryLocation:
    """Locate the repository that the folder of `git` is in, with a single process.

    Any folder below its root will do, and so will a linked worktree, a submodule, a bare repository, or `GIT_DIR`.

    Raises:
        MlgitError: the folder is in no repository (`not-a-repository`), or Git is too old (`git-too-old`).
        Inconclusive: Git does not trust the repository (`repository-dubious-ownership`), or Git is not installed
            (`tool-missing`).
    """
    # `--show-cdup` comes last because it prints nothing where there is no work tree: a bare repository would otherwise
    # need a second process.
    options = (
        "--git-dir",
        "--git-common-dir",
        "--is-bare-repository",
        "--is-shallow-repository",
        "--show-object-format",
    )
    completed = git.run("rev-parse", "--path-format=absolute", *options, "--show-cdup", check=False)
    if completed.code:
        if "not a git repository" in completed.stderr:
            raise refused(
                "not-a-repository",
                f"{git.folder} is not in a Git repository",
                why=first_line(completed.stderr),
                fix="`mlgit init NAME` makes a project; `mlgit -C FOLDER ...` works in one that is elsewhere",
            )
        raise git.failure(["rev-parse"], completed.stderr)
    lines = os.fsdecode(completed.stdout).split("\n")[:-1]
    if lines[0].startswith("--"):  # an old Git prints the options that it does not know, and exits with 0
        git.require(MINIMUM, "mlgit")
    git_dir, common_dir, is_bare, is_shallow, algorithm, *up = lines
    root = Path(os.path.normpath(Path(os.path.realpath(git.folder), up[0]))) if up and is_bare == "false" else None
    return RepositoryLocation(Path(git_dir), Path(common_dir), root, is_shallow == "true", algorithm)
