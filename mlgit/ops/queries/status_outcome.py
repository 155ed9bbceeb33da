"""The outcome of `mlgit status`: what runs where, what is proposed, and what could be promoted next."""

from datetime import datetime
from typing import Literal

import msgspec

from mlgit.domain.approval_age import ApprovalAge
from mlgit.domain.slots import Placed
from mlgit.ops.kernel.outcome import Outcome

DeployedState = Literal["yes", "no", "blocked", "degraded"]


class EnvironmentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One model in one environment: what is to run there, as champion and beside it."""

    model: str
    environment: str
    champion: str | None
    since: datetime | None
    deployed: DeployedState
    message: str | None = None
    approval_age: ApprovalAge | None = None
    """Until when it need not be agreed to again; None where the policy sets no limit."""
    beside: list[Placed] = []


class OpenPromotion(msgspec.Struct, frozen=True, kw_only=True):
    """A promotion that waits."""

    environment: str
    candidate: str
    promotion: str
    gates: str
    approvals: str
    ready: bool


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A version that is newer than what runs. `gain` is positive where it is better, on whatever rows each was tested."""

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
