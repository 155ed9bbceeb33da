"""The gates that mlgit has. A new one is a module, and a line in AnyGate; the registry follows from it."""

from mlgit.domain.gates.base import Gate
from mlgit.domain.gates.budgets import Latency, Size
from mlgit.domain.gates.calibration import Calibration
from mlgit.domain.gates.card import CardComplete
from mlgit.domain.gates.data import DataContract
from mlgit.domain.gates.depth import Reproduce, Rescore
from mlgit.domain.gates.drift import DataDrift
from mlgit.domain.gates.fairness import Fairness
from mlgit.domain.gates.files import EnvironmentLocked, EvaluationFresh, InRemote, ModelSafe, SignatureCompatible
from mlgit.domain.gates.integrity import Immutability, Integrity
from mlgit.domain.gates.leakage import Leakage
from mlgit.domain.gates.metrics import BeatsBaseline, BeatsChampion, Threshold
from mlgit.domain.gates.slices import SliceHarm, SliceMinimum
from mlgit.domain.gates.team import Exec, Python

AnyGate = (
    Integrity
    | Immutability
    | DataContract
    | Threshold
    | BeatsBaseline
    | BeatsChampion
    | SliceHarm
    | SliceMinimum
    | Fairness
    | Calibration
    | Leakage
    | DataDrift
    | CardComplete
    | Size
    | Latency
    | InRemote
    | ModelSafe
    | EvaluationFresh
    | SignatureCompatible
    | EnvironmentLocked
    | Rescore
    | Reproduce
    | Exec
    | Python
)

REGISTRY: dict[str, type[Gate]] = {str(gate.__struct_config__.tag): gate for gate in AnyGate.__args__}
"""All gates by their kind."""
