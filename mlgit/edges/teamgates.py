"""Gates that a team brings itself: commands run in a private checkout, functions found among installed packages."""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mlgit.domain.results import CommandAnswer
from mlgit.edges import private
from mlgit.edges.formats import jsonfile
from mlgit.errors import MlgitError, refused
from mlgit.ops.kernel.ports.git import Tree

GROUP: Final = "mlgit.gates"
"""Entry points of this group are gates."""


class PrivateTeamGates:
    """Runs commands and finds functions (see `ops.kernel.ports.TeamGates`)."""

    def run(self, tree: Tree, command: Sequence[str], document: bytes, *, seconds: float) -> CommandAnswer:
        """Run a command in a checkout of a tree, hand it a document on stdin, and read its answer from stdout."""
        with private.folders() as (checkout, home):
            private.check_out(tree, checkout)
            stdin = home / "evidence.json"
            stdin.write_bytes(document)
            ended = private.run(command, checkout, home, seconds=seconds, stdin=stdin)
        if ended.why:
            return CommandAnswer(None, ended.why)
        try:
            return CommandAnswer(jsonfile.parse(ended.stdout, "answer").value)
        except MlgitError as error:
            return CommandAnswer(None, f"its answer is no JSON document: {error.findings[0].message}")

    def installed(self, name: str) -> Callable[[Any, Mapping[str, Any]], Any]:
        """Return the function that an installed package provides as a gate.

        Raises:
            MlgitError: there is none, or more than one (`gate-unknown`), or it cannot be imported (`gate-broken`).
        """
        there = importlib.metadata.entry_points(group=GROUP)
        found = {point.value: point for point in there if point.name == name}
        if len(found) != 1:
            known = ", ".join(sorted({point.name for point in there})) or "none"
            raise refused(
                "gate-unknown",
                f"{len(found) or 'no'} installed {'packages provide' if found else 'package provides'} a gate {name}",
                why=f"gates that are provided here: {known}",
                fix="install the one package that has it, where gates are judged; or take the gate out of the policy",
            )
        (point,) = found.values()
        try:
            function = point.load()
        except Exception as error:
            raise _broken(name, f"{type(error).__name__}: {error}") from error
        if not callable(function):
            raise _broken(name, f"{point.value} is {type(function).__name__}, which cannot be called")
        return function  # type: ignore[no-any-return]  # what it returns is looked at by who calls it


def _broken(name: str, why: str) -> MlgitError:
    return refused(
        "gate-broken",
        f"the gate {name} of an installed package cannot be used",
        why=why,
        fix="mend or update that package, where gates are judged",
    )
