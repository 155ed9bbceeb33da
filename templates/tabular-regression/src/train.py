"""Fit the model on the training rows, and write it in a format that can be loaded safely."""

from pathlib import Path

import pandas as pd
import skops.io
import yaml
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

PARAMS = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))


def main() -> None:
    features = pd.read_parquet("out/train.parquet")
    labels = pd.read_parquet("out/train-rows.parquet").loc[features.index, "progression"]
    model = make_pipeline(StandardScaler(), Ridge(**PARAMS["train"]))  # the scale is learned from the training rows
    model.fit(features, labels)
    skops.io.dump(model, "out/model.skops")


if __name__ == "__main__":
    main()
