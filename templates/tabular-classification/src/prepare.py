"""Read the data, and assign each row to training or test, always the same way."""

import hashlib
from pathlib import Path

import pandas as pd
import yaml

SPLIT = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))["split"]
RAGGED = 0.062  # from this fractal dimension on; makes two slices of about the same size


def is_test(key: int) -> bool:
    """Decide by a hash of the key, so that a row stays on its side when other rows are added or removed."""
    digest = hashlib.sha256(f"{SPLIT['seed']}:{key}".encode()).hexdigest()
    return int(digest[:8], 16) < SPLIT["test_share"] * 16**8


def main() -> None:
    rows = pd.read_csv("datasets/biopsies/biopsies.csv").set_index("sample_id")
    rows["outline"] = ["ragged" if value >= RAGGED else "smooth" for value in rows["fractal_dimension"]]
    test = rows.index.map(is_test).to_numpy(dtype=bool)
    Path("out").mkdir(exist_ok=True)
    rows[~test].to_parquet("out/train-rows.parquet")
    rows[test].to_parquet("out/test-rows.parquet")


if __name__ == "__main__":
    main()
