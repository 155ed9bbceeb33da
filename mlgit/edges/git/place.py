"""Where a repository is: found from a folder in it."""

import os
from pathlib import Path

import msgspec

from mlgit.edges.git.command import MINIMUM, Git, first
from mlgit.errors import refused


class Facts(msgspec.Struct, frozen=True):
    """Where a repository is, and of what kind."""

    git_dir: Path
    common_dir: Path
    root: Path | None
    is_shallow: bool
    algorithm: str

    @property
    def objects(self) -> Path:
        """The folder of the objects."""
        return Path(os.environ.get("GIT_OBJECT_DIRECTORY") or self.common_dir / "objects").absolute()


def find(git: Git) -> Facts:
    """Find the repository that the folder of `git` is in, in one process.

    Any folder below its root will do, a linked worktree or a submodule, a bare repository, or what `GIT_DIR` says.

    Raises:
        MlgitError: the folder is in none (`not-a-repository`), Git is too old (`git-too-old`).
        Unjudged: Git does not trust the repository (`unsafe-repository`), or there is no Git (`tool-missing`).
    """
    # The last one says nothing where there is no work tree, so that a bare repository needs no second question.
    asked = ("--git-dir", "--git-common-dir", "--is-bare-repository", "--is-shallow-repository", "--show-object-format")
    done = git.run("rev-parse", "--path-format=absolute", *asked, "--show-cdup", check=False)
    if done.code:
        if "not a git repository" in done.stderr:
            raise refused(
                "not-a-repository",
                f"{git.folder} is in no Git repository",
                why=first(done.stderr),
                fix="`mlgit init NAME` makes a project; `mlgit -C FOLDER ...` works in one that is elsewhere",
            )
        raise git.failure(["rev-parse"], done.stderr)
    lines = os.fsdecode(done.stdout).split("\n")[:-1]
    if lines[0].startswith("--"):  # what an old Git does with options that it does not know
        git.require(MINIMUM, "mlgit")
    git_dir, common_dir, bare, shallow, algorithm, *up = lines
    root = Path(os.path.normpath(Path(os.path.realpath(git.folder), up[0]))) if up and bare == "false" else None
    return Facts(Path(git_dir), Path(common_dir), root, shallow == "true", algorithm)
