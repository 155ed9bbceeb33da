"""The outcome of `mlgit status`: what runs where, what is proposed, and what could be promoted next."""

from datetime import datetime
from typing import Final, Literal

import msgspec

from mlgit.domain.approval_age import ApprovalAge
from mlgit.domain.slots import VersionBeside
from mlgit.ops.kernel.outcome import Outcome

PROPOSALS: Final = "/mlgit/promote/"
"""In the name of every ref that may propose a promotion."""

DeployedState = Literal["yes", "no", "blocked", "degraded"]


class EnvironmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model in one environment: what is to run there, and whether it is deployed."""

    model: str
    environment: str
    champion: str | None
    since: datetime | None
    deployed: DeployedState
    message: str | None = None
    approval_age: ApprovalAge | None = None
    """When the champion has to be re-approved; None if the policy sets no limit."""
    beside: list[VersionBeside] = []
    """The challenger and the shadow."""


class OpenPromotion(msgspec.Struct, frozen=True, kw_only=True):
    """An open promotion. `ready` is whether it can be merged now.

    `gates` are those of its report, of `evaluated_at`; `is_stale` tells that only a new proposal can be merged, since something
    that the report or the decision depends on has changed. Whether a gate gives the same result again, only `mlgit merge` and
    `mlgit promote` find out, which have the data.
    """

    environment: str
    candidate: str
    promotion: str
    gates: str
    evaluated_at: datetime | None
    approvals: str
    ready: bool
    is_stale: bool
    next: str | None
    """The command that takes it on; null where it only has to wait."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """The newest version of a model, and the first environment that does not run it.

    `value` is its primary metric, and `gain` how much better that is than the champion's; negative if it is worse. The two may
    have been tested on different rows.
    """

    version: str
    metric: str
    value: float | None
    champion: str | None
    gain: float | None
    environment: str


class Status(Outcome, frozen=True, kw_only=True, tag="mlgit/status.v1"):
    """The state of the whole project."""

    project: str
    branch: str
    commit: str
    rows: list[EnvironmentRow]
    open: list[OpenPromotion]
    candidates: list[Candidate]
    models: int
    next: str | None
