"""Fit the model on the training rows, and write it in a format that can be loaded safely."""

from pathlib import Path

import pandas as pd
import skops.io
import yaml
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

PARAMS = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))


def make_model(features: pd.DataFrame) -> Pipeline:
    """Return a model that uses numbers as they are, missing ones too, and one-hot encodes text."""
    numbers = list(features.select_dtypes(["number", "bool"]).columns)
    texts = [column for column in features.columns if column not in numbers]
    # Rare and unknown values share a column.
    encoder = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=20, sparse_output=False)
    columns = ColumnTransformer([("texts", encoder, texts), ("numbers", "passthrough", numbers)])
    boosting = HistGradientBoostingRegressor if PARAMS["task"] == "regression" else HistGradientBoostingClassifier
    return make_pipeline(columns, boosting(early_stopping=False, random_state=PARAMS["seed"], **PARAMS["train"]))


def main() -> None:
    features = pd.read_parquet("out/train.parquet")
    labels = pd.read_parquet("out/train-rows.parquet").loc[features.index, PARAMS["data"]["target"]]
    skops.io.dump(make_model(features).fit(features, labels.to_numpy()), "out/model.skops")


if __name__ == "__main__":
    main()
