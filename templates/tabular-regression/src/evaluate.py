"""Predict the test rows. mlgit computes its own metrics from them; those written here are for `dvc metrics`."""

import json
from pathlib import Path

import pandas as pd
import skops.io
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

METRICS = {"rmse": root_mean_squared_error, "mae": mean_absolute_error, "r2": r2_score}


def main() -> None:
    model = skops.io.load("out/model.skops", trusted=[])  # only types that skops trusts
    features = pd.read_parquet("out/test.parquet")
    rows = pd.read_parquet("out/test-rows.parquet").loc[features.index]
    predictions = pd.DataFrame(
        {"label": rows["progression"], "prediction": model.predict(features), "sex": rows["sex"]}
    )
    predictions.reset_index().to_parquet("out/predictions.parquet", index=False)
    metrics = {
        name: float(measure(predictions["label"], predictions["prediction"])) for name, measure in METRICS.items()
    }
    Path("out/metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
