"""Which types a model file may contain: those that mlgit trusts, and those that a project reviewed, by exact name."""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from typing import Final

from mlgit.domain.hidden import first_hidden
from mlgit.domain.layout import TRUSTED_TYPES
from mlgit.errors import Finding, Location, MlgitError

BUILT_IN: Final = frozenset(
    {
        # scikit-learn follows the indices of a tree unchecked: a forged one can crash the process that uses it.
        "sklearn.tree._tree.Tree",
        "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
        "numpy.dtype",
        # Plain attributes of fitted estimators of scikit-learn.
        "sklearn._loss.loss.HalfTweedieLoss",
        "sklearn._loss.loss.HalfTweedieLossIdentity",
        "sklearn.calibration._CalibratedClassifier",
        "sklearn.calibration._SigmoidCalibration",
        "sklearn.compose._column_transformer.make_column_selector",
        "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
        "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
        "sklearn.utils._bunch.Bunch",
        # Boosters read their own format from a buffer.
        "xgboost.core.Booster",
        "xgboost.sklearn.XGBClassifier",
        "xgboost.sklearn.XGBRegressor",
        "xgboost.sklearn.XGBRFClassifier",
        "xgboost.sklearn.XGBRFRegressor",
        "collections.OrderedDict",
        "lightgbm.basic.Booster",
        "lightgbm.sklearn.LGBMClassifier",
        "lightgbm.sklearn.LGBMRegressor",
    }
)
"""Types that mlgit trusts beyond those of skops."""

_FILE_MAX: Final = 1 << 20
_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
# A callable of one of these modules can run any command. This is a second line of defence behind the review: other packages
# can do harm too.
# fmt: off
_NEVER: Final = frozenset({
    "asyncio", "builtins", "cloudpickle", "code", "codeop", "concurrent", "ctypes", "dill", "gc", "glob", "http",
    "importlib", "inspect", "io", "joblib", "linecache", "logging", "marshal", "mmap", "multiprocessing", "nt",
    "numpy", "operator", "os", "pathlib", "pdb", "pickle", "pip", "pkgutil", "platform", "posix", "pty", "pydoc",
    "runpy", "shelve", "shutil", "signal", "site", "smtplib", "socket", "sqlite3", "subprocess", "sys", "tarfile",
    "tempfile", "threading", "timeit", "trace", "types", "unittest", "urllib", "webbrowser", "zipfile",
})
# fmt: on


def parse_trusted_types(content: bytes, file: str = TRUSTED_TYPES) -> frozenset[str]:
    """Read a file of reviewed types: one exact dotted name a line; `#` begins a comment.

    Raises:
        MlgitError: `trusted-types-invalid` for each line that is not the name of a type that can be trusted.
    """
    problems: list[Finding] = []
    names: set[str] = set()
    try:
        if len(content) > _FILE_MAX:
            raise ValueError(f"it has {len(content)} bytes, {_FILE_MAX} are allowed")
        if hidden := first_hidden(content):
            raise ValueError(f"line {hidden.line} has {hidden.name}, which is not seen")
        lines = content.decode().split("\n")
    except ValueError as error:  # also UnicodeDecodeError
        raise MlgitError(_invalid("the file of trusted types cannot be read", str(error), Location(file))) from error
    for number, line in enumerate(lines, start=1):
        name = line.partition("#")[0].strip()
        if name and (why := _not_trustable(name)):
            problems.append(_invalid(f"{name!r} cannot be trusted", why, Location(file, number)))
        elif name:
            names.add(name)
    if problems:
        raise MlgitError(*problems)
    return frozenset(names)


def untrusted(types: Iterable[str], trusted: AbstractSet[str]) -> list[str]:
    """Return the types that neither mlgit nor the project trusts, sorted. A name must be equal; there are no patterns."""
    return sorted({name for name in types if name not in BUILT_IN and name not in trusted})


def check_types(types: Iterable[str], trusted: AbstractSet[str], at: Location) -> Iterator[Finding]:
    """Yield a finding for the types of a model file that are not trusted.

    Args:
        types: dotted names, as `inspect` gives them or a version's record lists them.
        trusted: the names in `.mlgit/trusted_types` on the base branch, never those of the proposal.
        at: the model file.
    """
    names = untrusted(types, trusted)
    local = [name for name in names if name.startswith("__main__.") or "<" in name]
    if local:
        yield Finding(
            "model-type-local",
            f"the model holds {_listed(local)}, which no other process can import",
            why="a lambda, a nested function or a class of the training script exists only while that script runs",
            fix="move it to a module of the project, use it from there, and train again",
            at=at,
        )
    if rest := [name for name in names if name not in local]:
        yield Finding(
            "model-type-untrusted",
            f"the model holds {_listed(rest)}, which is not trusted",
            why=f"loading a model runs code of its types, so each must be trusted by mlgit or listed in {TRUSTED_TYPES}",
            fix=f"review their code; if it is harmless, add to {TRUSTED_TYPES} in its own pull request: {' '.join(rest)}",
            at=at,
        )


def _listed(names: list[str]) -> str:
    return f"the type {names[0]}" if len(names) == 1 else f"{len(names)} types ({', '.join(names)})"


def _not_trustable(name: str) -> str:
    """Return why a name cannot be trusted; nothing if it can."""
    if "*" in name or "?" in name:
        return "a wildcard would trust types that nobody has reviewed"
    if not _NAME.fullmatch(name):
        return "it is not the dotted name of a type in a module, like features.clip.Clip"
    root = name.partition(".")[0]
    if root == "__main__":
        return "a class of the training script cannot be imported anywhere else; move it to a module"
    return f"{root} can run commands or change files, which no model needs" if root in _NEVER else ""


def _invalid(message: str, why: str, at: Location) -> Finding:
    fix = "name each type exactly, one a line, as `mlgit explain model-type-untrusted` shows"
    return Finding("trusted-types-invalid", message, why, fix, at)
