"""Predict the test rows. mlgit computes its own metrics from them; those written here are for `dvc metrics`."""

import json
from pathlib import Path

import pandas as pd
import skops.io
from sklearn.metrics import accuracy_score, roc_auc_score

# Types in the file that may be loaded, in addition to those that skops trusts.
TRUSTED = ["sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]


def main() -> None:
    model = skops.io.load("out/model.skops", trusted=TRUSTED)
    features = pd.read_parquet("out/test.parquet")
    rows = pd.read_parquet("out/test-rows.parquet").loc[features.index]
    predictions = pd.DataFrame(
        {
            "label": rows["diagnosis"],
            "score": model.predict_proba(features)[:, list(model.classes_).index("malignant")],
            "prediction": model.predict(features),
            "outline": rows["outline"],
        }
    )
    predictions.reset_index().to_parquet("out/predictions.parquet", index=False)
    metrics = {
        "roc_auc": float(roc_auc_score(predictions["label"] == "malignant", predictions["score"])),
        "accuracy": float(accuracy_score(predictions["label"], predictions["prediction"])),
    }
    Path("out/metrics.json").write_text(json.dumps(metrics, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
