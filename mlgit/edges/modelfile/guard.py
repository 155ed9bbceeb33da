"""Score rows with a model, in a child process with few rights.

The child starts in an empty folder, with a minimal environment, limits on memory, processor time and file sizes, a
session of its own, and without network if the system allows that (Linux user namespaces). It runs as the same user and
can read what that user can read. So this contains accidents and crashes, and makes it hard for a trusted type to do
harm, but types still have to be read before they are trusted.
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

from mlgit.domain.metrics import Task
from mlgit.domain.records.problem import Label
from mlgit.domain.records.version import ModelFormat
from mlgit.edges.hardware import describe_processor
from mlgit.edges.modelfile import formats
from mlgit.edges.modelfile.formats import FORMATS
from mlgit.edges.modelfile.inspection import inspect
from mlgit.edges.modelfile.trust import BUILT_IN, check_types
from mlgit.errors import Location, MlgitError, inconclusive, refused

if TYPE_CHECKING:
    from numpy.typing import NDArray


_EXTRAS: Final = {formats.package(module): module.EXTRA for module in FORMATS.values() if module.EXTRA}
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
_ANSWER_MAX: Final = 1 << 16
_CAUSE_MAX: Final = 300


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of the child; megabytes are 10^6 bytes. `memory_mb` is address space, which is more than what is used."""

    seconds: float = 600
    cpu_seconds: int = 600
    memory_mb: int = 8_000
    file_mb: int = 2_000


DEFAULT_LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class ModelScores:
    """The output of a model for each row, with its time and memory.

    Exactly one of `score` and `prediction` is set, with a value for each row, in the order of the rows: `score` for a
    binary task (float64, the probability of the positive label), else `prediction` (labels, or float64 for regression).
    If the file has no labels, as those of boosters, a prediction is the index of the class, from 0. `p95_ms` is the time
    within which 95 of 100 predictions of a single row are done, on one thread; None if no latency was requested.
    `load_seconds` is without the import of packages; `peak_mb` (10^6 bytes) is with it.
    """

    score: "NDArray[Any] | None"
    prediction: "NDArray[Any] | None"
    p95_ms: float | None
    load_seconds: float
    peak_mb: float
    network: Literal["cut", "open"]
    machine: str


def score(
    path: Path,
    recorded: ModelFormat,
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
) -> ModelScores:
    """Load a model in a guarded child and score every row of a Parquet file.

    Args:
        path: a private, verified copy of the model file, which nobody else changes.
        recorded: the format in the version's record.
        trusted: types that the project has reviewed.
        features: Parquet with the columns; their types are kept.
        columns: the input columns of the model, in order.
        task: what the model predicts.
        positive: the label whose probability is the score; the last class if None, or if the file has no labels.
        file: the model file's name for people, used in findings.
        project: the folder that the project's types are imported from; used only if the model has such types.
        latency_rows: how many of the first rows are predicted one by one to measure latency, after 20 to warm up.
        limits: limits of the child.

    Raises:
        MlgitError: the file is not an accepted model (see `inspect`), has types that are not trusted (see `check_types`),
            has a format that cannot be scored (`model-not-scorable`), or failed in the child (`model-load-failed`).
        Inconclusive: the package that reads the format is not installed (`extra-missing`).
    """
    at = Location(file if file is not None else str(path))
    types = _check(path, recorded, trusted, at)
    job = {
        "model": str(path.resolve()),
        "loader": str(formats.loader(recorded)),
        "trusted": sorted(BUILT_IN | trusted),
        "features": str(features.resolve()),
        "columns": list(columns),
        "task": task,
        "positive": positive,
        "latency_rows": latency_rows,
        "paths": _paths(project if types else None),
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


def _check(path: Path, recorded: ModelFormat, trusted: AbstractSet[str], at: Location) -> list[str]:
    """Check that a model can be scored here and may be loaded; return its types that the project trusts."""
    package = formats.package(FORMATS[recorded])
    if package is None:
        raise refused(
            "model-not-scorable",
            f"a {recorded} file cannot be scored",
            why="it has weights, but not how to compute with them",
            fix="register the model as ONNX or skops, or let the policy ask for evidence `recompute`",
            at=at,
        )
    if importlib.util.find_spec(package) is None:
        raise _extra_missing(package, at)
    model = inspect(path, at.file)
    if model.format != recorded:
        raise _failed(f"it is recorded as {recorded}, but its content is {model.format}", at)
    if problems := list(check_types(model.types, trusted, at)):
        raise MlgitError(*problems)
    return model.types


def _paths(project: Path | None) -> list[str]:
    """Return the folders that the child imports from besides those of installed packages, which `-I` leaves in."""
    user = [site.getusersitepackages()] if site.ENABLE_USER_SITE else []
    return [*user, str(project.resolve())] if project else user


def _run(job: dict[str, Any], folder: Path, seconds: float) -> int | None:
    """Run the child, then kill all that it started; return its exit code, or None if it took longer than `seconds`.

    `-I` keeps the environment, the current folder and the folder of the script from adding modules to import.
    """
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
            # Also after a normal end: processes that the model started would run on without limits of time.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@cache
def _without_network() -> tuple[str, ...]:
    """Return the command prefix that starts a program without network; empty if the system does not allow it."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    prefix = (unshare, "-rn", "--")
    with suppress(OSError, subprocess.TimeoutExpired):
        if subprocess.run([*prefix, "true"], capture_output=True, timeout=10, check=False).returncode == 0:
            return prefix
    return ()


def _read_answer(path: Path) -> dict[str, Any] | None:
    """Return the child's answer; None if there is none. The model may have written anything there, so reading is bounded."""
    if not path.is_file():
        return None
    with path.open("rb") as stream, suppress(ValueError, RecursionError):
        answer = json.loads(stream.read(_ANSWER_MAX))
        return answer if isinstance(answer, dict) else None
    return None


def _rows(features: Path) -> int:
    import pyarrow.parquet  # noqa: PLC0415

    return int(pyarrow.parquet.read_metadata(features).num_rows)


def _read_scored(answer: dict[str, Any], path: Path, rows: int) -> ModelScores:
    """Check the child's answer and values, and return them.

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
    return ModelScores(
        score=values if is_score else None,
        prediction=None if is_score else values,
        p95_ms=None if answer["p95_ms"] is None else float(answer["p95_ms"]),
        load_seconds=float(answer["load_seconds"]),
        peak_mb=float(answer["peak_mb"]),
        network="cut" if _without_network() else "open",
        machine=describe_processor(),
    )


def _last_line(log: Path) -> str:
    if not log.is_file():
        return ""
    with log.open("rb") as stream:
        stream.seek(max(0, log.stat().st_size - _ANSWER_MAX))
        lines = stream.read().decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else ""


def _failure(code: int | None, answer: dict[str, Any] | None, log: str, limits: Limits, at: Location) -> MlgitError:
    """Return the error for a child that did not score, with the cause in one line."""
    if answer is not None:
        missing = answer.get("missing")
        if isinstance(missing, str) and missing in _EXTRAS:  # the model may have forged the answer
            return _extra_missing(missing, at)
        error = str(answer["error"])
        return _failed(f"it needs more than {limits.memory_mb} MB of memory" if error == "memory" else error, at)
    if code is None:
        return _failed(f"it took longer than {limits.seconds:g} seconds", at)
    if code == -signal.SIGXCPU:
        return _failed(f"it used more than {limits.cpu_seconds} seconds of processor time", at)
    if code == 0:
        return _failed("it exited without a usable answer", at)
    ended = f"it was killed by {signal.Signals(-code).name}" if code < 0 else f"it exited with code {code}"
    return _failed(f"{ended}: {log}" if log else ended, at)


def _failed(cause: str, at: Location) -> MlgitError:
    printable = "".join(character if character.isprintable() else " " for character in cause)[:_CAUSE_MAX]
    return refused(
        "model-load-failed",
        "the model cannot be loaded and scored",
        why=printable,
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
