"""A team's own gates: commands in a private checkout, and functions in installed packages."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mlgit.domain.results import CommandAnswer
from mlgit.edges import private
from mlgit.edges.formats import jsonfile
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel.ports.git import Tree

GROUP: Final = "mlgit.gates"
"""Group of the entry points that are gates."""


class PrivateTeamGates:
    """Runs gate commands and finds gate functions (see `ops.kernel.ports.TeamGates`)."""

    def run(self, tree: Tree, command: Sequence[str], document: bytes, *, seconds: float) -> CommandAnswer:
        """Run a command in a checkout of a tree, with a document on stdin, and parse its answer on stdout."""
        with private.folders() as (checkout, home):
            private.check_out(tree, checkout)
            stdin = home / "evidence.json"
            stdin.write_bytes(document)
            process = private.run(command, checkout, home, seconds=seconds, stdin=stdin)
        if process.why:
            return CommandAnswer(None, process.why)
        try:
            return CommandAnswer(jsonfile.parse(process.stdout, "answer").value)
        except MlgitError as error:
            return CommandAnswer(None, f"its answer is not a JSON document: {error.findings[0].message}")

    def installed(self, name: str) -> Callable[[Any, Mapping[str, Any]], Any]:
        """Return the function that an installed package provides as a gate.

        Raises:
            MlgitError: there is none, or more than one (`gate-unknown`), or it cannot be imported (`gate-plugin-invalid`).
        """
        entry_points = importlib.metadata.entry_points(group=GROUP)
        matching = {point.value: point for point in entry_points if point.name == name}
        if len(matching) != 1:
            provided = ", ".join(sorted({point.name for point in entry_points})) or "none"
            raise refused(
                "gate-unknown",
                f"{len(matching) or 'no'} installed {'packages provide' if matching else 'package provides'} a gate {name}",
                why=f"gates provided here: {provided}",
                fix="where gates are evaluated, install exactly one package that provides it; or remove the gate from the policy",
            )
        (point,) = matching.values()
        try:
            function = point.load()
        except Exception as error:
            raise _broken(name, f"{type(error).__name__}: {error}") from error
        if not callable(function):
            raise _broken(name, f"{point.value} is {type(function).__name__}, which cannot be called")
        return function  # type: ignore[no-any-return]  # the caller checks what it returns


def _broken(name: str, why: str) -> MlgitError:
    return refused(
        "gate-plugin-invalid",
        f"the gate {name} of an installed package cannot be used",
        why=why,
        fix="fix or update that package where gates are evaluated",
    )
