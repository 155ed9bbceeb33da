"""Compute the features of each row by itself: every column except keys, target and those that `data.drop` names.

What is learned from many rows (a mean, a scale, an encoding) belongs into the model of `train.py`, so that it is
learned from training rows alone. Whoever calls the model has to compute the same features.
"""

from pathlib import Path

import pandas as pd
import yaml

DATA = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["data"]


def main() -> None:
    for side in ("train", "test"):
        rows = pd.read_parquet(f"out/{side}-rows.parquet")
        rows.drop(columns=[DATA["target"], *DATA["drop"]]).to_parquet(f"out/{side}.parquet")


if __name__ == "__main__":
    main()
