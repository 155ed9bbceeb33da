"""`policies/<name>.yaml`: what an environment demands of a promotion."""

from typing import Annotated, Literal

from mlgit.domain.gates import AnyGate
from mlgit.domain.gates.base import When
from mlgit.domain.names import Duration, Name
from mlgit.domain.records.base import Part, Record, doc
from mlgit.domain.records.gatereport import GateId

__all__ = ["ApprovalRule", "Approvals", "Excluded", "Policy", "RoleNeed", "When"]

Excluded = Literal["author", "committers", "trainer", "lineage", "bots"]


class RoleNeed(Part, frozen=True, kw_only=True):
    """How many people of a role must agree."""

    min: Annotated[int, doc("How many.", ge=1)] = 1
    when: Annotated[When | None, doc("Only then.")] = None


class ApprovalRule(Part, frozen=True, kw_only=True):
    """Who must agree."""

    min: Annotated[int, doc("How many people at least, whatever their roles.", ge=0)] = 1
    roles: Annotated[dict[Name, Annotated[int, doc("How many.", ge=1)] | RoleNeed], doc("How many of each role.")] = {}


class Approvals(Part, frozen=True, kw_only=True):
    """Who must agree to each kind of change."""

    promote: Annotated[ApprovalRule, doc("A version comes to a slot, or leaves one.")] = ApprovalRule()
    rollback: Annotated[ApprovalRule | None, doc("A verified version comes back; as for promote if missing.")] = None
    ramp: Annotated[ApprovalRule | None, doc("A version takes over step by step; as for promote if missing.")] = None
    retire: Annotated[ApprovalRule | None, doc("A model leaves the environment; as for promote if missing.")] = None
    recertify: Annotated[ApprovalRule | None, doc("What runs is agreed to again; as for promote if missing.")] = None


class Policy(Record, frozen=True, kw_only=True, tag="policy"):
    """The gates that guard an environment, and the people who must agree."""

    written_by = "people"

    name: Annotated[Name, doc("Name of the policy.")]
    gates: Annotated[list[AnyGate], doc("The gates, in the order in which they are judged.", min_length=1)]
    approvals: Annotated[Approvals, doc("Who must agree.")] = Approvals()
    exclude: Annotated[tuple[Excluded, ...], doc("Whose approval does not count.")] = (
        "author",
        "committers",
        "trainer",
        "bots",
    )
    evidence: Annotated[Literal["none", "forge", "signed"], doc("What an approval must be.")] = "signed"
    recertify: Annotated[
        Duration | None,
        doc("How old the approvals of what runs may grow before it is agreed to again; no limit if missing."),
    ] = None
    max_gate_age: Annotated[Duration, doc("How old a gate report may be when it is merged.")] = "14d"
    never_waivable: Annotated[tuple[GateId, ...], doc("Gates that no override can waive.")] = (
        "integrity",
        "immutability",
    )
