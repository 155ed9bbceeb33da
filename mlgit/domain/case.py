"""A promotion with every record that it is judged on: what a proposal, a merge, an `apply` and an audit all put together."""

from collections.abc import Mapping, Sequence

import msgspec

from mlgit.domain.decision import ReadSet, read_set
from mlgit.domain.records.dataset import Dataset
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.gatereport import GateReport
from mlgit.domain.records.governance import Hold, Override, Retirement
from mlgit.domain.records.ledger import Deployment
from mlgit.domain.records.model import Model
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.records.version import Version


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """What was promoted, and by what it is judged.

    The promotion, its versions and its gate report come with the change; everything else is as it was before it, so that
    no change brings the rules that it is judged by.
    """

    manifest: Promotion
    version: Version | None
    """The version that is to become champion; None where the model leaves the environment."""
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
    retirement: Retirement | None = None
    """The end of the version's life, if there is one."""
    holds: Sequence[Hold] = ()
    overrides: Sequence[Override] = ()
    deployments: Mapping[str, Sequence[Deployment]] = {}
    """What the ledger has seen of the model, oldest first, in this environment and in those that have to come first."""

    def reads(self) -> ReadSet:
        """Return the digest of each thing that the decision rests on."""
        return read_set(
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
