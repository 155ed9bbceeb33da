"""Print the metric of the baseline on the same test rows, as in problems/progression.yaml."""

import pandas as pd
from sklearn.dummy import DummyRegressor
from sklearn.metrics import root_mean_squared_error

train, test = (pd.read_parquet(f"out/{side}-rows.parquet") for side in ("train", "test"))
mean = DummyRegressor().fit(train, train["progression"])
print(f"{root_mean_squared_error(test['progression'], mean.predict(test)):.4f}")
