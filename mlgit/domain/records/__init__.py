"""Records: one module for each kind of file. Classes are imported on first use, so that a command loads only those it reads."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlgit.domain.records.kinds import KINDS as KINDS
from mlgit.domain.records.kinds import RECORD_KINDS

if TYPE_CHECKING:
    from mlgit.domain.records.base import Record as Record
    from mlgit.domain.records.dataset import Dataset as Dataset
    from mlgit.domain.records.environment import Environment as Environment
    from mlgit.domain.records.gatereport import GateReport as GateReport
    from mlgit.domain.records.governance import Hold as Hold
    from mlgit.domain.records.governance import Override as Override
    from mlgit.domain.records.governance import Retirement as Retirement
    from mlgit.domain.records.governance import Roles as Roles
    from mlgit.domain.records.governance import StandingApproval as StandingApproval
    from mlgit.domain.records.ledger import Approval as Approval
    from mlgit.domain.records.ledger import DecisionRecord as DecisionRecord
    from mlgit.domain.records.ledger import Deployment as Deployment
    from mlgit.domain.records.ledger import Reviews as Reviews
    from mlgit.domain.records.ledger import RuleApproval as RuleApproval
    from mlgit.domain.records.ledger import RuleReviews as RuleReviews
    from mlgit.domain.records.model import Model as Model
    from mlgit.domain.records.policy import Policy as Policy
    from mlgit.domain.records.problem import Problem as Problem
    from mlgit.domain.records.project import Project as Project
    from mlgit.domain.records.promotion import Promotion as Promotion
    from mlgit.domain.records.version import Version as Version

_MODULES = {kind.class_name: kind.record.partition(":")[0] for kind in RECORD_KINDS.values()} | {"Record": "base"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
