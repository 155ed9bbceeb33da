"""The gates, one small class each. A new gate is a class and a line in REGISTRY."""

from mlgit.domain.gates.base import Gate
from mlgit.domain.gates.budgets import Latency, Size
from mlgit.domain.gates.card import CardComplete
from mlgit.domain.gates.data import DataContract
from mlgit.domain.gates.integrity import Immutability, Integrity
from mlgit.domain.gates.metrics import BeatsBaseline, BeatsChampion, SliceHarm, Threshold

AnyGate = (
    Integrity
    | Immutability
    | DataContract
    | Threshold
    | BeatsBaseline
    | BeatsChampion
    | SliceHarm
    | CardComplete
    | Size
    | Latency
)

REGISTRY: dict[str, type[Gate]] = {str(gate.__struct_config__.tag): gate for gate in AnyGate.__args__}
