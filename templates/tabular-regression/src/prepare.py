"""Read the data, and put each row on one side of the split, for good."""

import hashlib
from pathlib import Path

import pandas as pd
import yaml

SPLIT = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["split"]


def is_test(key: int) -> bool:
    """Tell the side of a row by a hash of its key, so that it stays there when other rows come and go."""
    digest = hashlib.sha256(f"{SPLIT['seed']}:{key}".encode()).hexdigest()
    return int(digest[:8], 16) < SPLIT["test_share"] * 16**8


def main() -> None:
    rows = pd.read_csv("datasets/patients/patients.csv").set_index("patient_id")
    test = rows.index.map(is_test).to_numpy(dtype=bool)
    Path("out").mkdir(exist_ok=True)
    rows[~test].to_parquet("out/train-rows.parquet")
    rows[test].to_parquet("out/test-rows.parquet")


if __name__ == "__main__":
    main()
