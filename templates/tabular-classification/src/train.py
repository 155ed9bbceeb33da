"""Fit the model on the training rows, and write it in a format that can be loaded safely."""

from pathlib import Path

import pandas as pd
import skops.io
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline

PARAMS = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))


def main() -> None:
    features = pd.read_parquet("out/train.parquet")
    labels = pd.read_parquet("out/train-rows.parquet").loc[features.index, "diagnosis"]
    boosting = HistGradientBoostingClassifier(early_stopping=False, random_state=PARAMS["seed"], **PARAMS["train"])
    model = make_pipeline(boosting)  # encoders and scalers go before it
    model.fit(features, labels.to_numpy(dtype=str))
    skops.io.dump(model, "out/model.skops")


if __name__ == "__main__":
    main()
