"""Read the data, and assign each row to training or test, always the same way."""

import hashlib
from pathlib import Path

import pandas as pd
import yaml

PARAMS = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
DATA, SPLIT = PARAMS["data"], PARAMS["split"]


def is_test(group: str) -> bool:
    """Decide by a hash, so that a group of rows stays on its side when other rows are added or removed."""
    digest = hashlib.sha256(f"{SPLIT['seed']}:{group}".encode()).hexdigest()
    return int(digest[:8], 16) < SPLIT["test_share"] * 16**8


def main() -> None:
    rows = pd.read_csv(DATA["path"])
    groups = ["|".join(map(str, values)) for values in rows[SPLIT["by"]].itertuples(index=False)]
    test = pd.Series(groups).map(is_test).to_numpy(dtype=bool)
    rows = rows.set_index(DATA["keys"])
    if rows.index.has_duplicates:
        raise SystemExit(f"{DATA['path']} has several rows with the same {', '.join(DATA['keys'])}")
    Path("out").mkdir(exist_ok=True)
    rows[~test].to_parquet("out/train-rows.parquet")
    rows[test].to_parquet("out/test-rows.parquet")


if __name__ == "__main__":
    main()
