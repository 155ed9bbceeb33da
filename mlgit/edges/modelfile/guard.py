"""Score rows with a model, in a process that can do little else.

The child starts in an empty folder, with a bare environment, limits on memory, processor time and file sizes, a session
of its own, and no network where the system lets users cut it off (Linux user namespaces). It runs as the same user and
can read what that user can read: this holds accidents and crashes, and makes it hard for a trusted type to do harm; it
is no reason to trust a type unread.
"""

import importlib.util
import json
import os
import shutil
import signal
import site
import subprocess
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from mlgit.domain.records.problem import Label
from mlgit.domain.records.version import ModelFormat
from mlgit.edges.modelfile.inspection import inspect
from mlgit.edges.modelfile.trust import BUILT_IN, check_types
from mlgit.errors import Location, MlgitError, inconclusive, refused

if TYPE_CHECKING:
    from numpy.typing import NDArray

Task = Literal["binary", "multiclass", "regression"]

_PACKAGES: Final[dict[ModelFormat, str]] = {
    "skops": "skops",
    "onnx": "onnxruntime",
    "xgboost": "xgboost",
    "lightgbm": "lightgbm",
}
_EXTRAS: Final = {"onnxruntime": "onnx", "xgboost": "xgboost", "lightgbm": "lightgbm"}
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_ANSWER_MAX: Final = 1 << 16
_CAUSE_MAX: Final = 300


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What the child may use; megabytes are 10^6 bytes. `memory_mb` is address space, more than what is really used."""

    seconds: float = 600
    cpu_seconds: int = 600
    memory_mb: int = 8_000
    file_mb: int = 2_000


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """What a model says of each row, and what that took.

    One of two is set, with one value a row, in the order of the rows: `score` (binary: float64, the probability of
    the positive label) or `prediction` (labels, or float64 for regression). Where a file knows no labels, as those of
    boosters, a prediction is the place of the class, from 0. `p95_ms` is the time within which 95 of 100 predictions
    of a single row are done, on one thread; None where no latency was asked for. `load_seconds` leaves out the import
    of packages; `peak_mb` (10^6 bytes) has them in.
    """

    score: "NDArray[Any] | None"
    prediction: "NDArray[Any] | None"
    p95_ms: float | None
    load_seconds: float
    peak_mb: float
    network: Literal["cut", "open"]


def score(
    path: Path,
    kind: ModelFormat,
    trusted: AbstractSet[str],
    features: Path,
    *,
    columns: Sequence[str],
    task: Task,
    positive: Label | None = None,
    file: str | None = None,
    project: Path | None = None,
    latency_rows: int = 200,
    limits: Limits = DEFAULT_LIMITS,
) -> Scored:
    """Load a model in a guarded child and score every row of a Parquet file.

    Args:
        path: a private, verified copy of the model file, which nobody else changes.
        kind: the format that its record states.
        trusted: types that the project has reviewed.
        features: Parquet with the columns; their types are kept.
        columns: what the model takes, in order.
        task: what the model answers.
        positive: the label that a high score speaks for; the last class if None, and where a file knows no labels.
        file: the model file's name as people know it, for findings.
        project: the folder that the project's types are imported from; used only if the model holds such types.
        latency_rows: the first rows that are predicted one by one to take the time, after 20 to warm up; 0 for none.
        limits: what the child may use.

    Raises:
        MlgitError: the file is no model (see `inspect`), holds types that are not trusted (see `check_types`), cannot
            be scored at all (`model-not-scorable`), or failed in the child for any reason (`model-load-failed`).
        Inconclusive: the package that reads the format is not installed (`extra-missing`).
    """
    at = Location(file if file is not None else str(path))
    if kind == "safetensors":
        raise refused(
            "model-not-scorable",
            "a safetensors file cannot be scored",
            why="it holds weights, and not how to compute with them",
            fix="register the model as ONNX or skops, or let the policy ask for evidence `recompute`",
            at=at,
        )
    if importlib.util.find_spec(_PACKAGES[kind]) is None:
        raise _extra_missing(_PACKAGES[kind], at)
    found = inspect(path, at.file)
    if found.format != kind:
        raise _failed(f"it is recorded as {kind}, but its content is {found.format}", at)
    if wrong := list(check_types(found.types, trusted, at)):
        raise MlgitError(*wrong)
    job = {
        "model": str(path.resolve()),
        "format": kind,
        "trusted": sorted(BUILT_IN | trusted),
        "features": str(features.resolve()),
        "columns": list(columns),
        "task": task,
        "positive": positive,
        "latency_rows": latency_rows,
        "paths": _paths(project if found.types else None),
        "limits": {"memory_mb": limits.memory_mb, "cpu_seconds": limits.cpu_seconds, "file_mb": limits.file_mb},
    }
    with TemporaryDirectory(prefix="mlgit-score-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        code = _run(job, folder, limits.seconds)
        answer = _read_answer(folder / "answer.json")
        if answer is None or "error" in answer:
            raise _failure(code, answer, _last_line(folder / "log"), limits, at)
        try:
            return _read_scored(answer, folder / "values.npy", _rows(features))
        except (ValueError, TypeError, KeyError, OSError, EOFError) as error:
            raise _failed(f"its answer cannot be used: {error}", at) from error


def _paths(project: Path | None) -> list[str]:
    """Return where the child imports from besides the installed packages: last, so that none of them is shadowed."""
    own = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [*own, str(project.resolve())] if project else own


def _run(job: dict[str, Any], folder: Path, seconds: float) -> int | None:
    """Run the child to its end and everything that it started; return its exit code, or None if the time ran out."""
    job_file = folder / "job.json"
    job_file.write_bytes(msgspec.json.encode(job))
    child = Path(__file__).with_name("child.py").resolve()
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        **dict.fromkeys(_THREADS, "1"),
    }
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*_without_network(), sys.executable, "-I", "-B", "-u", str(child), str(job_file)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@cache
def _without_network() -> tuple[str, ...]:
    """Return the words that start a program without network; none where the system does not let this user do so."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    words = (unshare, "-rn", "--")
    with suppress(OSError, subprocess.TimeoutExpired):
        if subprocess.run([*words, "true"], capture_output=True, timeout=10, check=False).returncode == 0:
            return words
    return ()


def _read_answer(path: Path) -> dict[str, Any] | None:
    """Return what the child answered; None if it gave no answer. A model may have written anything there."""
    if not path.is_file():
        return None
    with path.open("rb") as stream, suppress(ValueError, RecursionError):
        answer = json.loads(stream.read(_ANSWER_MAX))
        return answer if isinstance(answer, dict) else None
    return None


def _rows(features: Path) -> int:
    import pyarrow.parquet  # noqa: PLC0415

    return int(pyarrow.parquet.read_metadata(features).num_rows)


def _read_scored(answer: dict[str, Any], path: Path, rows: int) -> Scored:
    """Return the result.

    Raises:
        ValueError: the values are not one finite number or one label for each row.
    """
    import numpy as np  # noqa: PLC0415

    # Mapped, so that a header cannot ask for more memory than the file has bytes.
    values = np.array(np.load(path, mmap_mode="r", allow_pickle=False))
    if values.shape != (rows,) or values.dtype.kind not in "fiubU":
        raise ValueError(f"{rows} rows gave values of shape {values.shape} and type {values.dtype}")
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{int((~np.isfinite(values)).sum())} of {rows} values are not finite numbers")
    is_score = answer["kind"] == "score"
    return Scored(
        score=values if is_score else None,
        prediction=None if is_score else values,
        p95_ms=None if answer["p95_ms"] is None else float(answer["p95_ms"]),
        load_seconds=float(answer["load_seconds"]),
        peak_mb=float(answer["peak_mb"]),
        network="cut" if _without_network() else "open",
    )


def _last_line(log: Path) -> str:
    if not log.is_file():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _ANSWER_MAX))
        lines = stream.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _failure(code: int | None, answer: dict[str, Any] | None, log: str, limits: Limits, at: Location) -> MlgitError:
    """Return why a child did not do its job, in one line."""
    if answer is not None:
        missing = answer.get("missing")
        if missing in _EXTRAS:
            return _extra_missing(missing, at)
        error = str(answer["error"])
        return _failed(f"it needs more than {limits.memory_mb} MB of memory" if error == "memory" else error, at)
    if code is None:
        return _failed(f"it was not done within {limits.seconds:g} seconds", at)
    if code == -signal.SIGXCPU:
        return _failed(f"it used more than {limits.cpu_seconds} seconds of processor time", at)
    if code == 0:
        return _failed("it ended without a usable answer", at)
    ended = f"it was ended by {signal.Signals(-code).name}" if code < 0 else f"it ended with code {code}"
    return _failed(f"{ended}: {log}" if log else ended, at)


def _failed(cause: str, at: Location) -> MlgitError:
    plain = "".join(character if character.isprintable() else " " for character in cause)[:_CAUSE_MAX]
    return refused(
        "model-load-failed",
        "the model cannot be loaded and scored",
        why=plain,
        fix="load it in a fresh process with the packages that the project pins, correct what fails, and train again",
        at=at,
    )


def _extra_missing(package: str, at: Location) -> MlgitError:
    extra = _EXTRAS.get(package, package)
    return inconclusive(
        "extra-missing",
        f"the model cannot be loaded, because {package} is not installed here",
        why="packages for single formats are optional",
        fix=f'install it: pip install "mlgit[{extra}]"',
        at=at,
    )
