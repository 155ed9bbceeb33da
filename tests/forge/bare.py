"""The Git side of a fake forge: a bare repository, merges and the refs of pull requests."""

import os
import subprocess
import tempfile
from pathlib import Path


class BareRepository:
    """A bare repository, worked on with Git alone."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def git(self, *words: str, **environment: str) -> str:
        """Run Git in the repository; return what it prints."""
        done = self._run(*words, **environment)
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout.strip()

    def _run(self, *words: str, cwd: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
        clean = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
        clean |= {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull} | environment
        place = cwd or self.folder
        return subprocess.run(["git", *words], cwd=place, env=clean, capture_output=True, text=True, check=False)

    def tip(self, branch: str) -> str | None:
        """Return the commit of a branch."""
        return self.resolve(f"refs/heads/{branch}")

    def resolve(self, revision: str) -> str | None:
        """Return the commit that a revision names."""
        done = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return done.stdout.strip() or None

    def contains(self, tip: str, commit: str) -> bool:
        """Whether a commit is in the history of a tip."""
        return self._run("merge-base", "--is-ancestor", commit, tip).returncode == 0

    def commits(self, base: str, head: str) -> list[str]:
        """Return the commits that a head has and a base has not, the oldest first."""
        return self.git("rev-list", "--reverse", f"{base}..{head}").split()

    def merged_tree(self, base: str, head: str) -> str | None:
        """Return the tree of a merge; None where there is a conflict."""
        done = self._run("merge-tree", "--write-tree", base, head)
        return None if done.returncode else done.stdout.split()[0]

    def merge(self, base: str, head: str, method: str, message: str, author: str, stamp: str) -> str | None:
        """Return the commit that a branch becomes by a merge, `merge`, `squash` or `rebase`; None where there is a conflict.

        Args:
            base: the commit of the branch that is merged into.
            head: what is merged.
            method: how.
            message: of the commit that is made.
            author: login of whoever merges.
            stamp: the time, as Git reads it.
        """
        people = {
            "GIT_AUTHOR_NAME": author,
            "GIT_AUTHOR_EMAIL": f"{author}@users.noreply.github.com",
            "GIT_COMMITTER_NAME": "GitHub",
            "GIT_COMMITTER_EMAIL": "noreply@github.com",
            "GIT_AUTHOR_DATE": stamp,
            "GIT_COMMITTER_DATE": stamp,
        }
        if method == "rebase":
            return self._rebased(base, head, people)
        tree = self.merged_tree(base, head)
        if tree is None:
            return None
        parents = ["-p", base] if method == "squash" else ["-p", base, "-p", head]
        return self.git("commit-tree", tree, *parents, "-m", message, **people)

    def _rebased(self, base: str, head: str, people: dict[str, str]) -> str | None:
        committer = {key: value for key, value in people.items() if "AUTHOR" not in key}
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder, "work")
            self.git("worktree", "add", "--quiet", "--detach", str(place), base)
            try:
                for commit in self.commits(base, head):
                    if self._run("cherry-pick", "--allow-empty", commit, cwd=place, **committer).returncode:
                        return None
                return self._run("rev-parse", "HEAD", cwd=place).stdout.strip()
            finally:
                self.git("worktree", "remove", "--force", str(place))

    def move(self, ref: str, new: str, old: str | None = None) -> None:
        """Point a ref at a commit."""
        self.git("update-ref", ref, new, *([old] if old else []))

    def bring(self, other: "BareRepository", commit: str, ref: str) -> None:
        """Fetch a commit of another repository into a ref."""
        self.git("fetch", "--quiet", str(other.folder), f"+{commit}:{ref}", GIT_ALLOW_PROTOCOL="file")
