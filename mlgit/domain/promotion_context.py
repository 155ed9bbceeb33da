"""A promotion with every record that the merge rules need; `merge`, `apply`, `audit` and proposals all build the same one."""

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
    """A promotion, and the records that it is checked by.

    The manifest, the versions and the gate report are from the change. Everything else is from the state before it, so that no
    change can bring the rules that it is checked by.
    """

    manifest: Promotion
    version: Version | None
    """The version that is promoted, in whichever slot; None if versions are only removed."""
    slot_versions: Mapping[int, Version]
    """Each version that a slot of the manifest names, by number."""
    report: GateReport | None
    """The gate report that the manifest names."""

    previous: Promotion | None
    """The manifest that this one replaces."""
    champion: Version | None
    """The version that is champion before the change."""
    policy: Policy
    environment: Environment
    problem: Problem
    model: Model
    contracts: Mapping[str, Dataset]
    upstream_champions: Mapping[str, Version | None]
    """The champion of each environment that comes first (`after`)."""
    retirements: Mapping[int, Retirement] = {}
    """The retirement of each version in a slot that has one, by number."""
    holds: Mapping[str, Hold] = {}
    """Every hold, by its name."""
    overrides: Mapping[str, Override] = {}
    """Every override, by its name."""
    signatures: SignatureTimes = {}
    """Who signed each override and the standing approval, and when; the people they name, if the policy needs no signature."""
    standing_approval: StandingApproval | None = None
    """The standing approval that the manifest names by id and digest; None if it names none, or if it does not exist."""
    manifest_history: Sequence[Promotion] = ()
    """Every earlier manifest, oldest first; only filled for a recertification, and if the manifest names a standing approval."""
    deployments: Mapping[str, Sequence[Deployment]] = {}
    """The deployment log of the model, oldest first, in this environment and in those that come first."""

    def reads(self) -> ReadSet:
        """Return the digest of everything that the decision depends on.

        Of the overrides, these are the ones that waive a gate of the report.
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
        standing_approval = None if self.standing_approval is None else digest(self.standing_approval)
        return {
            **reads,
            **{f"override-{override.id.lower()}": override_digest(override) for override in used},
            **({} if ref is None else {f"standing-approval-{ref.id.lower()}": standing_approval}),
        }

    def overrides_of_version(self) -> dict[str, Override]:
        """Return the overrides for this version in this environment by name, whether in force or not."""
        digest = None if self.version is None else self.version.digest
        key = (self.manifest.environment, self.manifest.model, digest)
        return {
            name: override
            for name, override in self.overrides.items()
            if (override.environment, override.model, override.digest) == key
        }
