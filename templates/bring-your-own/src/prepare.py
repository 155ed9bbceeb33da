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


def read_table(path: Path) -> pd.DataFrame:
    """Read the data as its contract describes it: texts stay texts, and only what it calls missing is missing."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    contract = yaml.safe_load((path.parent / "dataset.yaml").read_text(encoding="utf-8"))
    written, rules = contract.get("csv") or {}, contract["columns"]
    return pd.read_csv(
        path,
        sep=written.get("delimiter", ","),
        decimal=written.get("decimal", "."),
        quotechar=written.get("quote", '"'),
        encoding=written.get("encoding", "utf-8"),
        dtype={name: str for name, rule in rules.items() if rule["type"] in {"string", "date", "datetime"}},
        keep_default_na=False,
        na_values={name: ["", *rule.get("null_words", [])] for name, rule in rules.items()},
    )


def main() -> None:
    rows = read_table(Path(DATA["path"])).dropna(subset=[DATA["target"]])
    if DATA["keys"] == ["row"] and "row" not in rows:  # no column identifies a row, so its number does
        rows = rows.rename_axis("row").reset_index()
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
