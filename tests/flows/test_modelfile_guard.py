"""Models are scored in a child that can do little, and every way in which it fails is one clear finding."""

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlgit.edges.modelfile import Limits, ModelScores, guard, score
from mlgit.errors import Finding, Inconclusive, MlgitError

COLUMNS = ["hour", "carrier", "full", "band"]
NUMBERS = ["hour", "delay"]

GIVEN = {
    "PATH",
    "LANG",
    "HOME",
    "TMPDIR",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
}

# A project's own estimator: it reports what it sees in the child, or fails in the way that it is told to.
SPY = """
import json, os, socket, sys
import numpy as np
from sklearn.base import BaseEstimator

class Spy(BaseEstimator):
    def __init__(self, mode="report"):
        self.mode = mode

    def predict(self, frame):
        print("noise")
        return getattr(self, self.mode)(frame)

    def report(self, frame):
        observed = {
            "environment": dict(os.environ),
            "folder": os.getcwd(),
            "path": sys.path,
            "networks": sorted(name for _, name in socket.if_nameindex()),
            "columns": {name: str(kind) for name, kind in frame.dtypes.items()},
        }
        return np.array([json.dumps(observed)] * len(frame))

    def fail(self, frame):
        raise ValueError("no such station\\nsecond line")

    def leave(self, frame):
        sys.exit("enough")

    def vanish(self, frame):
        os._exit(3)

    def crash(self, frame):
        os.abort()

    def forge(self, frame):
        with open("answer.json", "w") as file:
            file.write("[1]")
        os._exit(0)

    def hoard(self, frame):
        return np.zeros(10**12)

    def burn(self, frame):
        while True:
            pass

    def nothing(self, frame):
        return np.full(len(frame), np.nan)

    def spill(self, frame):
        open("spilled", "wb").write(bytes(2_000_000))

    def zeros(self, frame):
        return np.zeros(len(frame))

    def short(self, frame):
        return np.zeros(1)
"""


@pytest.fixture(scope="module")
def features(tmp_path_factory: pytest.TempPathFactory) -> Path:
    random = np.random.default_rng(7)
    rows = 60
    frame = pd.DataFrame(
        {
            "delay": random.normal(size=rows),
            "band": pd.Categorical(random.choice(["low", "high"], rows)),
            "full": random.random(rows) < 0.5,
            "carrier": random.choice(["AA", "UA", "WN"], rows),
            "hour": random.integers(0, 24, rows),
        }
    )
    path = tmp_path_factory.mktemp("features") / "test.parquet"
    frame.to_parquet(path)
    return path


@pytest.fixture(scope="module")
def frame(features: Path) -> pd.DataFrame:
    return pd.read_parquet(features)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("project")
    (root / "stationspy.py").write_text(SPY)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(root)
        yield root


def spy(folder: Path, mode: str) -> Path:
    path = folder / "model.skops"
    skops.io.dump(importlib.import_module("stationspy").Spy(mode), path)
    return path


def failure(*arguments: Any, **options: Any) -> Finding:
    with pytest.raises(MlgitError) as caught:
        score(*arguments, **options)
    (finding,) = caught.value.findings
    return finding


def skops_model(model: Any, folder: Path) -> Path:
    path = folder / "model.skops"
    skops.io.dump(model, path)
    return path


def check_costs(scored: ModelScores) -> None:
    assert scored.p95_ms is not None
    assert 0 < scored.p95_ms < 5_000
    assert 0 < scored.load_seconds < 60
    assert 20 < scored.peak_mb < 8_000
    assert scored.network in {"cut", "open"}


def test_a_pipeline_gives_the_probability_of_the_positive_label(
    features: Path, frame: pd.DataFrame, tmp_path: Path
) -> None:
    labels = np.where(frame["hour"] > 11, "late", "on time")
    coded = ColumnTransformer([("s", StandardScaler(), ["hour"]), ("c", OneHotEncoder(), ["carrier", "full", "band"])])
    model = make_pipeline(coded, LogisticRegression()).fit(frame[COLUMNS], labels)
    path = skops_model(model, tmp_path)
    scored = score(path, "skops", set(), features, columns=COLUMNS, task="binary", positive="late", latency_rows=30)
    assert scored.prediction is None
    assert scored.score is not None
    np.testing.assert_allclose(scored.score, model.predict_proba(frame[COLUMNS])[:, 0], rtol=1e-9)
    check_costs(scored)

    finding = failure(path, "skops", set(), features, columns=COLUMNS, task="binary", positive="early")
    assert finding.id == "model-load-failed"
    assert "the classes of the model are late, on time; early is none of them" in finding.why


def test_a_forest_gives_labels_and_boosting_gives_values(features: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    rows = frame[NUMBERS]
    bands = np.array(["night", "day", "evening"], dtype=object)[frame["hour"].to_numpy() // 8]
    forest = RandomForestClassifier(5, random_state=0).fit(rows, bands)
    scored = score(
        skops_model(forest, tmp_path), "skops", set(), features, columns=NUMBERS, task="multiclass", latency_rows=0
    )
    assert scored.score is None
    assert scored.prediction is not None
    assert scored.prediction.tolist() == forest.predict(rows).tolist()
    assert scored.p95_ms is None

    boosting = HistGradientBoostingRegressor(max_iter=5).fit(rows, frame["delay"])
    scored = score(skops_model(boosting, tmp_path), "skops", set(), features, columns=NUMBERS, task="regression")
    assert scored.prediction is not None
    np.testing.assert_allclose(scored.prediction, boosting.predict(rows), rtol=1e-9)
    check_costs(scored)


@pytest.mark.tier("fast")
def test_the_child_sees_its_rows_and_little_else(
    features: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    scored = score(
        spy(tmp_path, "report"),
        "skops",
        {"stationspy.Spy"},
        features,
        columns=COLUMNS,
        task="multiclass",
        project=project,
        latency_rows=1,
    )
    assert scored.prediction is not None
    observed = json.loads(scored.prediction[0])
    assert observed["columns"] == {"hour": "int64", "carrier": "str", "full": "bool", "band": "category"}
    assert "hunter2" not in str(observed["environment"])
    set_by_libraries = {name for name in observed["environment"] if name.startswith("KMP_")} | {"LC_CTYPE"}
    assert observed["environment"].keys() - set_by_libraries == GIVEN
    assert observed["folder"] == observed["environment"]["HOME"]
    assert not Path(observed["folder"]).exists(), "the folder is gone afterwards"
    assert observed["path"][-1] == str(project), "last, so that it shadows nothing"
    assert str(tmp_path) not in observed["path"]
    assert (observed["networks"] == ["lo"]) or scored.network == "open"


_SLOWER = [
    ("leave", Limits(), "SystemExit: enough"),
    ("vanish", Limits(), "it exited with code 3: noise"),
    ("burn", Limits(cpu_seconds=3), "it used more than 3 seconds of processor time"),
    ("short", Limits(), "60 rows gave values of shape (1,)"),
    ("spill", Limits(file_mb=1), "File too large"),
]


@pytest.mark.parametrize(
    ("mode", "limits", "cause"),
    [
        ("fail", Limits(), "ValueError: no such station"),
        ("crash", Limits(), "it was killed by SIGABRT: noise"),
        ("forge", Limits(), "it exited without a usable answer"),
        ("hoard", Limits(), "it needs more than 8000 MB of memory"),
        ("burn", Limits(seconds=0.2), "it took longer than 0.2 seconds"),
        ("nothing", Limits(), "60 of 60 values are not finite numbers"),
        *(pytest.param(*case, marks=pytest.mark.tier("thorough")) for case in _SLOWER),
    ],
)
def test_every_failure_of_the_child_is_one_finding_with_its_cause(
    mode: str, limits: Limits, cause: str, features: Path, project: Path, tmp_path: Path
) -> None:
    finding = failure(
        spy(tmp_path, mode),
        "skops",
        {"stationspy.Spy"},
        features,
        columns=NUMBERS,
        task="regression" if mode in {"nothing", "short"} else "multiclass",
        file="models/late/versions/v3/model.skops",
        project=project,
        latency_rows=0,
        limits=limits,
    )
    assert finding.id == "model-load-failed"
    assert cause in finding.why
    assert "\n" not in finding.why
    assert str(finding.at) == "models/late/versions/v3/model.skops"


def test_where_the_network_cannot_be_cut_the_result_says_so(
    features: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard._without_network.cache_clear()
    monkeypatch.setenv("PATH", str(tmp_path))
    path = spy(tmp_path, "zeros")
    try:
        scored = score(
            path,
            "skops",
            {"stationspy.Spy"},
            features,
            columns=NUMBERS,
            task="regression",
            project=project,
            latency_rows=0,
        )
    finally:
        guard._without_network.cache_clear()
    assert scored.network == "open"


def test_a_project_type_is_refused_until_it_is_trusted_and_found(features: Path, project: Path, tmp_path: Path) -> None:
    path = spy(tmp_path, "report")
    finding = failure(path, "skops", set(), features, columns=NUMBERS, task="multiclass", project=project)
    assert finding.id == "model-type-untrusted"
    assert "stationspy.Spy" in finding.message
    finding = failure(path, "skops", {"stationspy.Spy"}, features, columns=NUMBERS, task="multiclass")
    assert finding.id == "model-load-failed"
    assert "No module named 'stationspy'" in finding.why


def test_what_is_no_model_of_its_format_starts_no_child(features: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.skops"
    path.write_bytes(b"\x80\x04}.")
    assert failure(path, "skops", set(), features, columns=NUMBERS, task="binary").id == "model-is-pickle"
    path.write_bytes(b"tree\nversion=v4\n")
    finding = failure(path, "skops", set(), features, columns=NUMBERS, task="binary")
    assert finding.why == "it is recorded as skops, but its content is lightgbm"
    assert failure(path, "safetensors", set(), features, columns=NUMBERS, task="binary").id == "model-not-scorable"


def test_columns_that_the_features_lack_are_named(features: Path, tmp_path: Path) -> None:
    path = skops_model(LogisticRegression(), tmp_path)
    finding = failure(path, "skops", set(), features, columns=["hour", "gate"], task="binary")
    assert finding.id == "model-load-failed"
    assert "gate" in finding.why


@pytest.mark.parametrize(("kind", "extra"), [("onnx", "onnx"), ("xgboost", "xgboost"), ("lightgbm", "lightgbm")])
def test_a_package_that_is_not_installed_is_asked_for(
    kind: Any, extra: str, features: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Inconclusive) as caught:
        score(tmp_path / "model", kind, set(), features, columns=NUMBERS, task="binary")
    assert caught.value.findings[0].id == "extra-missing"
    assert f'pip install "mlgit[{extra}]"' in caught.value.findings[0].fix


@pytest.mark.parametrize("suffix", ["ubj", "skops"])
def test_xgboost_gives_what_it_gave(suffix: str, features: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    xgboost = pytest.importorskip("xgboost")
    model = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(frame[NUMBERS], frame["full"])
    path = tmp_path / f"model.{suffix}"
    if suffix == "skops":
        skops.io.dump(model, path)
    else:
        model.save_model(path)
    kind: Any = "skops" if suffix == "skops" else "xgboost"
    scored = score(path, kind, set(), features, columns=NUMBERS, task="binary", positive=True, latency_rows=5)
    assert scored.score is not None
    np.testing.assert_allclose(scored.score, model.predict_proba(frame[NUMBERS])[:, 1], rtol=1e-6)


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_lightgbm_gives_what_it_gave(task: Any, features: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    lightgbm = pytest.importorskip("lightgbm")
    columns = [*NUMBERS, "band"]  # a column of categories, as it was trained with
    targets: dict[str, tuple[dict[str, Any], Any]] = {
        "binary": ({"objective": "binary"}, frame["full"].astype(int)),
        "multiclass": ({"objective": "multiclass", "num_class": 3}, frame["hour"] // 8),
    }
    objective, target = targets[task]
    booster = lightgbm.train({"verbose": -1, **objective}, lightgbm.Dataset(frame[columns], target), 3)
    path = tmp_path / "model.txt"
    booster.save_model(path)
    scored = score(path, "lightgbm", set(), features, columns=columns, task=task, latency_rows=5)
    expected = booster.predict(frame[columns])
    if task == "multiclass":
        assert scored.prediction is not None
        assert scored.prediction.tolist() == expected.argmax(axis=1).tolist()
    else:
        assert scored.score is not None
        np.testing.assert_allclose(scored.score, expected, rtol=1e-9)


@pytest.mark.parametrize("zipmap", [True, False])
def test_onnx_gives_what_it_gave(zipmap: bool, features: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    skl2onnx = pytest.importorskip("skl2onnx")
    rows = frame[NUMBERS].to_numpy(dtype="float32")
    model = LogisticRegression().fit(rows, np.where(frame["full"], "yes", "no"))
    path = tmp_path / "model.onnx"
    path.write_bytes(skl2onnx.to_onnx(model, rows[:1], options={"zipmap": zipmap}).SerializeToString())
    positive = "no" if zipmap else None
    scored = score(path, "onnx", set(), features, columns=NUMBERS, task="binary", positive=positive, latency_rows=5)
    assert scored.score is not None
    np.testing.assert_allclose(scored.score, model.predict_proba(rows)[:, 0 if zipmap else 1], rtol=1e-5)


def test_onnx_takes_each_column_under_its_name(features: Path, frame: pd.DataFrame, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    skl2onnx = pytest.importorskip("skl2onnx")
    types = pytest.importorskip("skl2onnx.common.data_types")

    columns = ["carrier", "hour"]
    coded = ColumnTransformer([("s", StandardScaler(), ["hour"]), ("c", OneHotEncoder(), ["carrier"])])
    model = make_pipeline(coded, LogisticRegression()).fit(frame[columns], frame["hour"] // 8)
    inputs = [("carrier", types.StringTensorType([None, 1])), ("hour", types.Int64TensorType([None, 1]))]
    path = tmp_path / "model.onnx"
    path.write_bytes(skl2onnx.to_onnx(model, initial_types=inputs).SerializeToString())
    scored = score(path, "onnx", set(), features, columns=columns, task="multiclass", latency_rows=5)
    assert scored.prediction is not None
    assert scored.prediction.tolist() == model.predict(frame[columns]).tolist()
