"""The process that loads a model and scores rows: `python -I child.py JOB`, started by `guard`.

It stands alone and imports nothing of mlgit but the module of the model's format, which it loads by its path. It limits
itself before it reads anything else, and writes `answer.json` and `values.npy` beside the job. Whatever the model prints
goes to the log.
"""

import importlib
import importlib.util
import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

# ruff: noqa: PLC0415 - packages are imported only once the limits hold

Predict = Callable[[Any], Any]
"""Takes a frame; returns a number or label for each row."""

Kind = Literal["score", "prediction"]
"""What the values are: probabilities of the positive label, or labels and numbers."""

_WARM_UP = 20  # predictions of single rows before the time is taken


class Job:
    """What has to be scored, and what the modules of formats share."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.loader: str = document["loader"]
        self.model: str = document["model"]
        self.trusted: list[str] = document["trusted"]
        self.features: str = document["features"]
        self.columns: list[str] = document["columns"]
        self.task: str = document["task"]
        self.positive: Any = document["positive"]
        self.latency_rows: int = document["latency_rows"]

    @property
    def kind(self) -> Kind:
        """What a model without labels returns: for a binary task, the score of the last class."""
        return "score" if self.task == "binary" else "prediction"

    def values(self, raw: Any) -> Any:
        """Return one value for each row, from a vector or a matrix with a column for each class."""
        import numpy as np

        values = np.asarray(raw)
        if values.ndim == 2 and values.shape[1] == 1:  # noqa: PLR2004 - a matrix
            values = values[:, 0]
        if self.task == "binary" and values.ndim == 2:  # noqa: PLR2004
            classes = list(range(values.shape[1]))
            return values[:, 1 if len(classes) == 2 else self.positive_index(classes)]  # noqa: PLR2004
        if self.task == "multiclass":
            values = values.argmax(axis=1) if values.ndim == 2 else values  # noqa: PLR2004
            return values.astype("int64") if values.dtype.kind == "f" else values
        return values

    def positive_index(self, classes: list[Any]) -> int:
        """Return the index of the positive class, the last one if the job names none.

        `1`, `"1"` and `True` are distinct if the model has several of them as classes, and equal otherwise.

        Raises:
            ValueError: the model does not have that class.
        """
        positive = self.positive
        if positive is None:
            return len(classes) - 1
        equal = [
            index
            for index, label in enumerate(classes)
            if label == positive and isinstance(label, bool) == isinstance(positive, bool)
        ]
        matching = equal or [
            index
            for index, label in enumerate(classes)
            if str(label).lower() == str(positive).lower() or label == positive
        ]
        if len(matching) != 1:
            raise ValueError(f"the classes of the model are {', '.join(map(str, classes))}; {positive} is none of them")
        return matching[0]


def main(job_file: Path) -> None:
    """Do the job and write the answer; a failure is an answer too."""
    document = json.loads(job_file.read_bytes())
    answer: dict[str, Any]
    try:
        _limit(**document["limits"])
        # Last, so that no installed package is shadowed by a file of the project.
        sys.path.extend(document["paths"])
        answer = _run(Job(document), job_file.with_name("values.npy"))
    except MemoryError:
        answer = {"error": "memory"}
    except BaseException as error:  # noqa: BLE001 - a model may raise anything, SystemExit too
        lines = str(error).strip().splitlines() or [""]
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        answer = {"error": f"{type(error).__name__}: {lines[0]}"[:500], "missing": missing}
    job_file.with_name("answer.json").write_text(json.dumps(answer))


def _limit(memory_mb: int, cpu_seconds: int, file_mb: int) -> None:
    for limited, maximum in (
        (resource.RLIMIT_AS, memory_mb * 10**6),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, file_mb * 10**6),
        (resource.RLIMIT_CORE, 0),
    ):
        # The machine may have a lower hard limit, which cannot be raised. The hard limit stays above the soft one: at the
        # hard limit of processor time the system kills with SIGKILL, which does not say why, at the soft one with SIGXCPU.
        hard = resource.getrlimit(limited)[1]
        bounds = [bound if hard == resource.RLIM_INFINITY else min(bound, hard) for bound in (maximum, maximum + 5)]
        resource.setrlimit(limited, (bounds[0], bounds[1]))


def _run(job: Job, values_file: Path) -> dict[str, Any]:
    import numpy as np
    import pyarrow.parquet as pq

    # By the file's own columns: what pandas noted about an index does not count.
    table = pq.read_table(job.features, columns=job.columns).replace_schema_metadata(None)
    frame = table.to_pandas()[job.columns]
    if frame.empty:
        raise ValueError("there are no rows to score")
    loader = _load_module(job.loader)
    importlib.import_module(loader.LIBRARY)  # here, so that the time to load a model leaves it out
    start = time.perf_counter()
    predict, kind = loader.load(job)
    load_seconds = time.perf_counter() - start
    values = np.asarray(predict(frame))
    values = np.array(values.tolist()) if values.dtype.kind == "O" else values
    if kind == "score" or job.task == "regression":
        values = values.astype("float64")
    np.save(values_file, values, allow_pickle=False)
    p95_ms = _p95_ms(predict, [frame.iloc[[row]] for row in range(min(job.latency_rows, len(frame)))])
    return {"kind": kind, "p95_ms": p95_ms, "load_seconds": load_seconds, "peak_mb": _peak_mb()}


def _load_module(path: str) -> Any:
    """Load the module of a format from its file, under a name that hides no installed package."""
    spec = importlib.util.spec_from_file_location("mlgit_model_format", path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _p95_ms(predict: Predict, rows: Sequence[Any]) -> float | None:
    """Return the milliseconds within which 95 of 100 single predictions are done; None without rows."""
    import numpy as np

    if not rows:
        return None
    for row in itertools.islice(itertools.cycle(rows), _WARM_UP):
        predict(row)
    seconds = []
    for row in rows:
        start = time.perf_counter()
        predict(row)
        seconds.append(time.perf_counter() - start)
    return float(np.percentile(seconds, 95) * 1000)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 10**6  # kilobytes on Linux, bytes on macOS


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    # At once, so that threads and exit handlers of the model cannot delay the end.
    os._exit(0)
