"""What operations ask of gates that a team brings itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from mlgit.domain.results import CommandAnswer

if TYPE_CHECKING:
    pass
from mlgit.ops.kernel.ports.git import Tree


class TeamGates(Protocol):
    """Gates that a team brings itself."""

    def run(self, tree: Tree, command: Sequence[str], document: bytes, *, seconds: float) -> CommandAnswer:
        """Run a command in a private checkout of a tree, hand it a document on stdin, and read its answer from stdout.

        Args:
            tree: the files of a commit; the folders of versions are left out.
            command: program and arguments; no shell reads them.
            document: what it reads, JSON.
            seconds: after which it is stopped, with all that it started.

        Raises:
            Inconclusive: there is no room for a checkout (`disk-io-failed`).
        """
        ...

    def installed(self, name: str) -> Callable[[Any, Mapping[str, Any]], Any]:
        """Return the function that an installed package provides as a gate.

        Raises:
            MlgitError: there is none of that name, or more than one (`gate-unknown`), or it cannot be used
                (`gate-plugin-invalid`).
        """
        ...
