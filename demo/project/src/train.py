"""Train a pipeline on the flights of the past."""

from pathlib import Path

import pandas as pd
import skops.io
import yaml
from columns import NAMES, NUMBERS, ORDER
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

params = yaml.safe_load(Path("params.yaml").read_text())["train"]
flights = pd.read_parquet("out/train.parquet")

if params["kind"] == "logistic":
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), NUMBERS),
            ("names", OneHotEncoder(handle_unknown="ignore"), NAMES),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=500, random_state=params["seed"]))
else:
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = ColumnTransformer([("numbers", "passthrough", NUMBERS), ("names", encoder, NAMES)])
    model = make_pipeline(
        columns,
        HistGradientBoostingClassifier(
            learning_rate=params["learning_rate"],
            max_iter=params["max_iter"],
            max_leaf_nodes=params["max_leaf_nodes"],
            min_samples_leaf=params["min_samples_leaf"],
            early_stopping=False,
            random_state=params["seed"],
        ),
    )

model.fit(flights[ORDER], flights["late"])
skops.io.dump(model, "out/model.skops")
print(f"trained {params['kind']} on {len(flights):,} flights")
