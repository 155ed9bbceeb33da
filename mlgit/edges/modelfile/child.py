"""The process that loads a model and scores rows: `python -I child.py JOB`, started by `guard`.

It stands alone and imports nothing of mlgit. It limits itself before it reads anything else, and leaves `answer.json`
and `values.npy` beside the job. Whatever the model prints goes to the log.
"""

import itertools
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

# ruff: noqa: PLC0415 - packages are imported only once the limits stand

Predict = Callable[[Any], Any]
"""Takes a frame; returns one number or label a row."""

_WARM_UP = 20
_ONNX_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def main(job_file: Path) -> None:
    """Do the job and write the answer; failures are answers too."""
    job = json.loads(job_file.read_bytes())
    answer: dict[str, Any]
    try:
        _limit(**job["limits"])
        sys.path.extend(job["paths"])
        answer = _run(job, job_file.with_name("values.npy"))
    except MemoryError:
        answer = {"error": "memory"}
    except BaseException as error:  # noqa: BLE001 - a model may raise anything, SystemExit too
        lines = str(error).strip().splitlines() or [""]
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        answer = {"error": f"{type(error).__name__}: {lines[0]}"[:500], "missing": missing}
    job_file.with_name("answer.json").write_text(json.dumps(answer))


def _limit(memory_mb: int, cpu_seconds: int, file_mb: int) -> None:
    for what, most in (
        (resource.RLIMIT_AS, memory_mb * 10**6),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, file_mb * 10**6),
        (resource.RLIMIT_CORE, 0),
    ):
        # A machine may allow less already, and more cannot be asked for. The hard limit stays above the soft one,
        # because at the hard limit of processor time the system kills without saying why.
        hard = resource.getrlimit(what)[1]
        bound = [limit if hard == resource.RLIM_INFINITY else min(limit, hard) for limit in (most, most + 5)]
        resource.setrlimit(what, (bound[0], bound[1]))


def _run(job: dict[str, Any], values_file: Path) -> dict[str, Any]:
    import numpy as np
    import pandas as pd

    frame = pd.read_parquet(job["features"], columns=job["columns"])[job["columns"]].reset_index(drop=True)
    if frame.empty:
        raise ValueError("there are no rows to score")
    load = {"skops": _skops, "onnx": _onnx, "xgboost": _xgboost, "lightgbm": _lightgbm}[job["format"]]
    # Each imports its package before it starts the clock.
    predict, kind, load_seconds = load(job)
    values = np.asarray(predict(frame))
    values = np.array(values.tolist()) if values.dtype.kind == "O" else values
    if kind == "score" or job["task"] == "regression":
        values = values.astype("float64")
    np.save(values_file, values, allow_pickle=False)
    p95_ms = _p95_ms(predict, [frame.iloc[[row]] for row in range(min(job["latency_rows"], len(frame)))])
    return {"kind": kind, "p95_ms": p95_ms, "load_seconds": load_seconds, "peak_mb": _peak_mb()}


def _p95_ms(predict: Predict, rows: Sequence[Any]) -> float | None:
    """Return the milliseconds within which 95 of 100 single predictions are done; None without rows."""
    import numpy as np

    if not rows:
        return None
    for row in itertools.islice(itertools.cycle(rows), _WARM_UP):
        predict(row)
    taken = []
    for row in rows:
        start = time.perf_counter()
        predict(row)
        taken.append(time.perf_counter() - start)
    return float(np.percentile(taken, 95) * 1000)


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 10**6  # kilobytes on Linux, bytes on macOS


def _skops(job: dict[str, Any]) -> tuple[Predict, str, float]:
    import skops.io

    start = time.perf_counter()
    model = skops.io.load(job["model"], trusted=job["trusted"])
    seconds = time.perf_counter() - start
    if job["task"] != "binary" or not hasattr(model, "predict_proba"):
        return model.predict, "prediction", seconds
    column = _place(model.classes_.tolist(), job["positive"])
    return lambda frame: model.predict_proba(frame)[:, column], "score", seconds


def _xgboost(job: dict[str, Any]) -> tuple[Predict, str, float]:
    import xgboost

    start = time.perf_counter()
    booster = xgboost.Booster({"nthread": 1}, model_file=job["model"])
    seconds = time.perf_counter() - start

    def predict(frame: Any) -> Any:
        return _answer(booster.predict(xgboost.DMatrix(frame, enable_categorical=True, nthread=1)), job["task"])

    return predict, _kind(job), seconds


def _lightgbm(job: dict[str, Any]) -> tuple[Predict, str, float]:
    import lightgbm

    start = time.perf_counter()
    booster = lightgbm.Booster(model_file=job["model"])
    seconds = time.perf_counter() - start
    return lambda frame: _answer(booster.predict(frame, num_threads=1), job["task"]), _kind(job), seconds


def _onnx(job: dict[str, Any]) -> tuple[Predict, str, float]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    start = time.perf_counter()
    session = onnxruntime.InferenceSession(job["model"], options, providers=["CPUExecutionProvider"])
    seconds = time.perf_counter() - start
    inputs = session.get_inputs()

    def predict(frame: Any) -> Any:
        outputs = session.run(None, _onnx_inputs(inputs, frame))
        if job["task"] != "binary":
            return _answer(outputs[0], job["task"])
        scores = outputs[-1]
        if not isinstance(scores, list):
            return _answer(scores, "binary")
        # A ZipMap gives a dict a row, from label to probability.
        label = list(scores[0])[_place(list(scores[0]), job["positive"])]
        return [row[label] for row in scores]

    return predict, _kind(job), seconds


def _onnx_inputs(inputs: Sequence[Any], frame: Any) -> dict[str, Any]:
    """Return what a session is fed: all columns as one matrix, or each column under its name."""
    if len(inputs) == 1 and inputs[0].name not in frame.columns:
        return {inputs[0].name: frame.to_numpy(dtype=_ONNX_TYPES[inputs[0].type])}
    return {wanted.name: frame[[wanted.name]].to_numpy(dtype=_ONNX_TYPES[wanted.type]) for wanted in inputs}


def _kind(job: dict[str, Any]) -> str:
    return "score" if job["task"] == "binary" else "prediction"


def _answer(raw: Any, task: str) -> Any:
    """Return one value a row of what a booster or a session gave: a vector, or a matrix with a column a class."""
    import numpy as np

    values = np.asarray(raw)
    if values.ndim == 2 and values.shape[1] == 1:  # noqa: PLR2004 - a matrix
        values = values[:, 0]
    if task == "binary" and values.ndim == 2:  # noqa: PLR2004
        return values[:, 1]
    if task == "multiclass":
        values = values.argmax(axis=1) if values.ndim == 2 else values  # noqa: PLR2004
        return values.astype("int64") if values.dtype.kind == "f" else values
    return values


def _place(classes: list[Any], positive: Any) -> int:
    """Return the column of the positive class, the last one where none is named.

    `1`, `"1"` and `True` are told apart where the model knows several of them, and taken for each other otherwise.
    """
    if positive is None:
        return len(classes) - 1
    same = [
        place
        for place, label in enumerate(classes)
        if label == positive and isinstance(label, bool) == isinstance(positive, bool)
    ]
    alike = same or [
        place for place, label in enumerate(classes) if str(label).lower() == str(positive).lower() or label == positive
    ]
    if len(alike) != 1:
        raise ValueError(f"the model knows the classes {', '.join(map(str, classes))}, and not {positive}")
    return alike[0]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
    # Threads and exit handlers of a model have no say in when this ends.
    os._exit(0)
