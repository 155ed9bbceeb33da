"""Model files: inspect them without loading, decide which types are trusted, and score in a guarded process."""

from mlgit.edges.modelfile.guard import Limits, ModelScores, score
from mlgit.edges.modelfile.inspection import ModelFile, inspect
from mlgit.edges.modelfile.trust import BUILT_IN, check_types, parse_trusted_types, untrusted

__all__ = [
    "BUILT_IN",
    "Limits",
    "ModelFile",
    "ModelScores",
    "check_types",
    "inspect",
    "parse_trusted_types",
    "score",
    "untrusted",
]
