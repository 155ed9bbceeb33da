"""The port to gates that a team provides: commands of the project, and functions of installed packages."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from mlgit.domain.results import CommandAnswer
from mlgit.ops.kernel.ports.git import Tree


class TeamGates(Protocol):
    """Gates that a team provides."""

    def run(self, tree: Tree, command: Sequence[str], document: bytes, *, seconds: float) -> CommandAnswer:
        """Run a command in a private checkout of a tree, with a document on stdin; return the answer from its stdout.

        Args:
            tree: the files of a commit; folders of versions are left out.
            command: program and arguments; no shell is involved.
            document: JSON that describes the candidate.
            seconds: time limit, after which the command and its children are killed.

        Raises:
            Inconclusive: there is no space for a checkout (`disk-io-failed`).
        """
        ...

    def installed(self, name: str) -> Callable[[Any, Mapping[str, Any]], Any]:
        """Return the gate function that an installed package provides under a name.

        Raises:
            MlgitError: no package provides it, or more than one does (`gate-unknown`), or it is not a usable function
                (`gate-plugin-invalid`).
        """
        ...
