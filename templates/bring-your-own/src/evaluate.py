"""Predict the test rows. mlgit computes its own metrics from them; those written here are for `dvc metrics`."""

import json
from pathlib import Path

import pandas as pd
import skops.io
import yaml
from sklearn.metrics import accuracy_score, roc_auc_score, root_mean_squared_error

PARAMS = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
DATA = PARAMS["data"]
# Types in the file that may be loaded, in addition to those that skops trusts.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


def measure(predictions: pd.DataFrame) -> dict[str, float]:
    """Return the metrics of a table with `label`, `prediction` and, for a binary task, `score`."""
    label, prediction = predictions["label"], predictions["prediction"]
    if PARAMS["task"] == "regression":
        return {"rmse": float(root_mean_squared_error(label, prediction))}
    metrics = {"accuracy": float(accuracy_score(label, prediction))}
    if PARAMS["task"] == "binary":
        metrics["roc_auc"] = float(roc_auc_score(label == PARAMS["positive"], predictions["score"]))
    return metrics


def main() -> None:
    model = skops.io.load("out/model.skops", trusted=TRUSTED)
    features = pd.read_parquet("out/test.parquet")
    rows = pd.read_parquet("out/test-rows.parquet").loc[features.index]
    columns = list(dict.fromkeys([*DATA["keys"], *DATA["slices"]]))  # a column may be in both
    predictions = rows.reset_index()[columns]
    predictions = predictions.assign(label=rows[DATA["target"]].to_numpy(), prediction=model.predict(features))
    if PARAMS["task"] == "binary":
        positive = list(model.classes_).index(PARAMS["positive"])
        predictions["score"] = model.predict_proba(features)[:, positive]
    if PARAMS["task"] == "multiclass":
        scores = model.predict_proba(features)
        predictions = predictions.assign(**{f"score_{name}": scores[:, i] for i, name in enumerate(model.classes_)})
    predictions.to_parquet("out/predictions.parquet", index=False)
    Path("out/metrics.json").write_text(json.dumps(measure(predictions), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
