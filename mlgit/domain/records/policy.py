"""`policies/<name>.yaml`: what an environment requires of a promotion."""

from typing import Annotated, Literal

from mlgit.domain.gates import AnyGate
from mlgit.domain.gates.base import Gate, RiskCondition
from mlgit.domain.gates.files import ModelSafe
from mlgit.domain.names import Duration, Name
from mlgit.domain.records.base import Record, RecordPart, describe
from mlgit.domain.records.gatereport import GateId

ExcludedApprover = Literal["author", "committers", "trainer", "lineage", "bots"]


class RoleRequirement(RecordPart, frozen=True, kw_only=True):
    """Number of approvals required from a role."""

    min: Annotated[int, describe("Minimum number of people.", ge=1)] = 1
    when: Annotated[RiskCondition | None, describe("Required only under this condition.")] = None


class ApprovalRule(RecordPart, frozen=True, kw_only=True):
    """Approvals that a change requires."""

    min: Annotated[int, describe("Minimum number of people, in any role.", ge=0)] = 1
    roles: Annotated[
        dict[Name, Annotated[int, describe("Minimum number of people.", ge=1)] | RoleRequirement],
        describe("Minimum number of people of each role."),
    ] = {}


class ApprovalRules(RecordPart, frozen=True, kw_only=True):
    """Approvals that each kind of change requires."""

    promote: Annotated[ApprovalRule, describe("A version is put into a slot, or removed from one.")] = ApprovalRule()
    rollback: Annotated[ApprovalRule | None, describe("A verified version is restored; as for promote if missing.")] = (
        None
    )
    ramp: Annotated[
        ApprovalRule | None, describe("Traffic moves to a version in steps; as for promote if missing.")
    ] = None
    retire: Annotated[
        ApprovalRule | None, describe("A model is removed from the environment; as for promote if missing.")
    ] = None
    recertify: Annotated[ApprovalRule | None, describe("What runs is re-approved; as for promote if missing.")] = None


class Policy(Record, frozen=True, kw_only=True, tag="policy"):
    """The gates and approvals that an environment requires."""

    written_by = "people"

    name: Annotated[Name, describe("Name of the policy.")]
    gates: Annotated[list[AnyGate], describe("The gates, in the order in which they are evaluated.", min_length=1)]
    approvals: Annotated[ApprovalRules, describe("Approvals that each kind of change requires.")] = ApprovalRules()
    exclude: Annotated[tuple[ExcludedApprover, ...], describe("People whose approvals do not count.")] = (
        "author",
        "committers",
        "trainer",
        "bots",
    )
    unknown_author: Annotated[
        Literal["one-more-approval", "refuse"],
        describe(
            "What applies where neither a signature by a listed key nor the forge tells who made a commit that an exclusion is"
            " about: one more approval than required, in each role too, or no approval is enough."
        ),
    ] = "one-more-approval"
    evidence: Annotated[
        Literal["none", "forge", "signed"],
        describe("How approvals are given: signatures, reviews at the forge, or not at all."),
    ] = "signed"
    timestamps: Annotated[
        bool,
        describe("Whether approvals and entries of the ledger count only with a timestamp of the project's authority."),
    ] = False
    recertify: Annotated[
        Duration | None,
        describe("Maximum age of the approvals of what runs, before it must be re-approved; no limit if missing."),
    ] = None
    max_gate_age: Annotated[Duration, describe("Maximum age of a gate report at the merge.")] = "14d"
    never_waivable: Annotated[
        tuple[GateId, ...], describe("Gates that no override can waive; `model-safe` is always one of them.")
    ] = (
        "integrity",
        "immutability",
    )

    @property
    def required_gates(self) -> list[Gate]:
        """The gates that are evaluated: `model-safe` first, unless a blocking one is listed, and those listed, in order.

        A file that is not what its record says, or runs code when it is loaded, is never a matter of policy.
        """
        listed: list[Gate] = list(self.gates)
        if any(isinstance(gate, ModelSafe) and gate.severity == "block" and gate.when is None for gate in listed):
            return listed
        return [ModelSafe(), *listed]

    @property
    def unwaivable(self) -> frozenset[str]:
        """The gates that no override waives, by id; a kind stands for every gate of that kind."""
        return frozenset({*self.never_waivable, str(ModelSafe.__struct_config__.tag)})

    def is_waivable(self, gate: str) -> bool:
        """Return whether an override may waive a gate, given by its id."""
        return self.unwaivable.isdisjoint({gate, gate.partition(":")[0]})
