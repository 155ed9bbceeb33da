"""The one list of all kinds of files."""

from mlgit.domain.records.base import Record
from mlgit.domain.records.dataset import Dataset
from mlgit.domain.records.environment import Environment
from mlgit.domain.records.gatereport import GateReport
from mlgit.domain.records.governance import Hold, Override, Retirement, Roles, StandingApproval
from mlgit.domain.records.ledger import Approval, DecisionRecord, Deployment, Reviews
from mlgit.domain.records.model import Model
from mlgit.domain.records.policy import Policy
from mlgit.domain.records.problem import Problem
from mlgit.domain.records.project import Project
from mlgit.domain.records.promotion import Promotion
from mlgit.domain.records.version import Version

_ALL: tuple[type[Record], ...] = (
    Project,
    Problem,
    Dataset,
    Model,
    Version,
    GateReport,
    Policy,
    Environment,
    Promotion,
    Roles,
    Hold,
    Override,
    StandingApproval,
    Retirement,
    Approval,
    DecisionRecord,
    Deployment,
    Reviews,
)

KINDS: dict[str, type[Record]] = {str(kind.__struct_config__.tag): kind for kind in _ALL}
