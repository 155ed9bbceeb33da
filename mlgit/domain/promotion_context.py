"""A promotion with every record that it is judged on: what a proposal, a merge, an `apply` and an audit all put together."""

from collections.abc import Mapping, Sequence

import msgspec

from mlgit.domain.codec import digest, override_digest
from mlgit.domain.decision import ReadSet, read_set
from mlgit.domain.records.dataset import Dataset
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.gatereport import GateReport
from mlgit.domain.records.governance import Hold, Override, Retirement, StandingApproval
from mlgit.domain.records.ledger import Deployment
from mlgit.domain.records.model import Model
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.records.version import Version
from mlgit.domain.signed_exceptions import SignatureTimes


class PromotionContext(msgspec.Struct, frozen=True, kw_only=True):
    """What was promoted, and by what it is judged.

    The promotion, its versions and its gate report come with the change; everything else is as it was before it, so that
    no change brings the rules that it is judged by.
    """

    manifest: Promotion
    version: Version | None
    """The version that is promoted, to whichever slot; None where versions only leave."""
    slots: Mapping[int, Version]
    """Each version that a slot names, by label."""
    report: GateReport | None
    """The gate report that the manifest names."""

    before: Promotion | None
    """The manifest that the promotion takes the place of."""
    champion: Version | None
    policy: Policy
    environment: Environment
    problem: Problem
    model: Model
    contracts: Mapping[str, Dataset]
    earlier: Mapping[str, Version | None]
    """Champion of each environment that comes first."""
    retirements: Mapping[int, Retirement] = {}
    """The end of the life of each version in a slot that has one, by label."""
    holds: Mapping[str, Hold] = {}
    """Every hold, by its name."""
    overrides: Mapping[str, Override] = {}
    """Every override, by its name."""
    signatures: SignatureTimes = {}
    """Who signed each override and the standing approval, and when; where the policy asks for no signature, who is named."""
    standing: StandingApproval | None = None
    """The standing approval that the manifest rests on, by id and digest; None where it rests on none, or it is not there."""
    past: Sequence[Promotion] = ()
    """Every manifest that was there before, oldest first; only told for a recertification, and on a standing approval."""
    deployments: Mapping[str, Sequence[Deployment]] = {}
    """What the ledger has seen of the model, oldest first, in this environment and in those that have to come first."""

    def reads(self) -> ReadSet:
        """Return the digest of each thing that the decision rests on.

        Of overrides, those that waive what the report says; of standing approvals, the one that the manifest names.
        """
        waived = {verdict.gate for verdict in self.report.results if verdict.outcome == "waived"} if self.report else ()
        used = [
            override for override in self.overrides_of_version().values() if not {*override.waives}.isdisjoint(waived)
        ]
        reads = read_set(
            manifest=self.manifest,
            report=self.report,
            version=self.version,
            champion=self.champion,
            policy=self.policy,
            environment=self.environment,
            problem=self.problem,
            model=self.model,
            contracts=self.contracts,
        )
        ref = self.manifest.standing_approval
        standing = None if self.standing is None else digest(self.standing)
        return {
            **reads,
            **{f"override-{one.id.lower()}": override_digest(one) for one in used},
            **({} if ref is None else {f"standing-approval-{ref.id.lower()}": standing}),
        }

    def overrides_of_version(self) -> dict[str, Override]:
        """Return the overrides for this version in this environment, by name, whether in force or not."""
        digest = None if self.version is None else self.version.digest
        key = (self.manifest.environment, self.manifest.model, digest)
        return {name: one for name, one in self.overrides.items() if (one.environment, one.model, one.digest) == key}
