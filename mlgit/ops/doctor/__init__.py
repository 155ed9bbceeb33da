"""Look over machine, person, data, repository and forge: what is set up well, what is not, and how to put it right."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from mlgit.errors import Exit, Finding, Inconclusive, MlgitError, Severity
from mlgit.ops.doctor import data, flows, forge, machine, person, repository, rules
from mlgit.ops.doctor.subject import Group, Machine, Mend, Said, Subject
from mlgit.ops.kernel.outcome import Outcome
from mlgit.ops.kernel.ports.workspace import Workspace

State = Literal["well", "warning", "error", "unjudged"]
Check = Callable[[Subject], Said]

CHECKS: Final[Mapping[str, tuple[Group, Check]]] = {
    "programs": ("machine", machine.programs),
    "time-zones": ("machine", machine.zone_data),
    "identity": ("you", person.identity),
    "signing-key": ("you", person.signing_key),
    "remote": ("data", data.settings),
    "remote-probe": ("data", data.reach),
    "history": ("repository", repository.history),
    "project": ("repository", repository.valid),
    "attributes": ("repository", repository.attributes),
    "ledger": ("repository", repository.decisions),
    "hook": ("repository", person.hook),
    "owners": ("rules", rules.owners),
    "evidence": ("rules", rules.evidence),
    "workflows": ("workflows", flows.shipped),
    "workflow-safety": ("workflows", flows.safe),
    "base-rules": ("forge", forge.base_rules),
    "ledger-rules": ("forge", forge.ledger_rules),
    "token": ("forge", forge.token),
}
"""Every check by its id, in the order in which they are made. The first line of each one's docstring says what is well."""

_NEED_CHECKOUT: Final = frozenset({"remote", "remote-probe", "identity", "signing-key"})
"""What a bare repository, on which nobody works, does not need."""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one check. `mends` is what `--fix` does, or did, about it."""

    check: str
    group: Group
    state: State
    what: str
    findings: list[Finding] = []
    mends: list[str] = []


class Diagnosis(Outcome, frozen=True, kw_only=True, tag="mlgit/doctor.v1"):
    """What came of every check. `mended` tells whether the mends were made: then the checks were made again after them."""

    checks: list[Checked]
    mended: list[str] = []

    @property
    def exit(self) -> Exit:
        """No where there is an error; not judged where a question could not be answered."""
        states = {one.state for one in self.checks}
        return Exit.NO if "error" in states else Exit.UNJUDGED if "unjudged" in states else Exit.YES


def run(
    workspace: Workspace,
    machine: Machine,
    shipped: Mapping[str, bytes],
    *,
    fix: bool = False,
    dry_run: bool = False,
    on_step: Callable[[str], None] = lambda _: None,
) -> Diagnosis:
    """Make every check; with `fix`, put right what is safe to, and check that again.

    Args:
        workspace: where.
        machine: the machine.
        shipped: the files that `init` writes into every project, by path.
        fix: whether to mend.
        dry_run: whether to say only what would be mended.
        on_step: is told what is looked at next.

    Raises:
        MlgitError: there is no commit (`no-commit`), or no project in it (`not-a-project`).
    """
    subject = Subject(workspace, machine, shipped)
    project = subject.project.name  # without one, there is nothing to examine
    on_step(f"looking at {project}")
    checked: dict[str, Checked] = {}
    mended: list[str] = []
    for name in _wanted(subject):
        on_step(f"checking {name}")
        checked[name], mends = _check(subject, name)
        if fix and mends and not dry_run:
            for mend in mends:
                on_step(mend.what)
                mend.do()
                mended.append(mend.what)
            checked[name], _ = _check(Subject(workspace, machine, shipped), name)
    return Diagnosis(checks=list(checked.values()), mended=mended)


def _wanted(subject: Subject) -> Iterator[str]:
    bare = subject.workspace.repository.root is None
    return (name for name in CHECKS if not (bare and name in _NEED_CHECKOUT))


def _check(subject: Subject, name: str) -> tuple[Checked, Sequence[Mend]]:
    group, check = CHECKS[name]
    try:
        said = check(subject)
        state = _state(said)
    except MlgitError as error:
        said = Said(error.findings[0].message, error.findings)
        state = "unjudged" if isinstance(error, Inconclusive) else "error"
    checked = Checked(
        check=name,
        group=group,
        state=state,
        what=said.what,
        findings=list(said.findings),
        mends=[mend.what for mend in said.mends],
    )
    return checked, said.mends


def _state(said: Said) -> State:
    """Return how a check ended: a known error is graver than a question that was not answered."""
    weights = {finding.severity for finding in said.findings}
    if Severity.ERROR in weights:
        return "error"
    if said.unjudged:
        return "unjudged"
    return "warning" if Severity.WARNING in weights else "well"
