"""Writes commits through one `git fast-import`, as fast as their content can be written."""

import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import IO, Self, cast

_PERSON = "Ada Example <ada@example.org>"


class FastImport:
    """A `git fast-import` process; use it in `with`, and commit in the order of history."""

    def __init__(self, repository: Path) -> None:
        """Take the folder of an existing repository."""
        argv = ["git", "-C", str(repository), "fast-import", "--quiet", "--done"]
        self._process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.tips: dict[str, str] = {}
        """The newest commit of each branch."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._process.communicate(b"done\n" if kind is None else None)
        if kind is None and self._process.returncode:
            raise RuntimeError("git fast-import failed; its message is on stderr")

    def commit(
        self,
        branch: str,
        files: Mapping[str, bytes],
        message: str,
        at: datetime,
        *,
        onto: str | None = None,
        merges: str | None = None,
        by: str = _PERSON,
    ) -> str:
        """Add files to a branch.

        Args:
            branch: full name of the branch, which is created if needed.
            files: content by path.
            message: the message.
            at: time of author and committer.
            onto: the branch at which a new branch starts.
            merges: the branch that the commit merges.
            by: author and committer.

        Returns:
            The id of the commit.
        """
        stamp = f"{by} {int(at.timestamp())} +0000"
        text = message.encode()
        head = f"commit {branch}\nmark :1\nauthor {stamp}\ncommitter {stamp}\ndata {len(text)}\n"
        parent = f"from {onto}\n" if onto else ""
        parent += f"merge {merges}\n" if merges else ""
        self._write(head.encode() + text + f"\n{parent}".encode())
        for path, content in files.items():
            self._write(f"M 100644 inline {path}\ndata {len(content)}\n".encode() + content + b"\n")
        self._write(b"\nget-mark :1\n")
        self._input.flush()
        self.tips[branch] = cast("IO[bytes]", self._process.stdout).readline().decode().strip()
        return self.tips[branch]

    @property
    def _input(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    def _write(self, data: bytes) -> None:
        self._input.write(data)
