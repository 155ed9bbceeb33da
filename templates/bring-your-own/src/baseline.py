"""Print the metrics of a constant on the same test rows, for `baseline` in problems/my-problem.yaml."""

import pandas as pd
from evaluate import PARAMS, measure
from sklearn.dummy import DummyClassifier, DummyRegressor

TARGET = PARAMS["data"]["target"]


def main() -> None:
    train, test = (pd.read_parquet(f"out/{side}-rows.parquet") for side in ("train", "test"))
    constant = DummyRegressor() if PARAMS["task"] == "regression" else DummyClassifier()
    constant.fit(train, train[TARGET])
    predictions = pd.DataFrame({"label": test[TARGET], "prediction": constant.predict(test), "score": 0.0})
    print(measure(predictions))


if __name__ == "__main__":
    main()
