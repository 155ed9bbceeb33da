"""Split the flights by month: train on the past, test on what came after."""

from pathlib import Path

import pandas as pd
import yaml

split = yaml.safe_load(Path("params.yaml").read_text())["split"]
flights = pd.read_parquet("datasets/flights/flights-2013.parquet")
Path("out").mkdir(exist_ok=True)
for name in ("train", "test"):
    part = flights[flights["month"].isin(split[f"{name}_months"])]
    part.drop(columns=["date", "month", "day"]).to_parquet(f"out/{name}.parquet", index=False)
    print(f"{name}: {len(part):,} flights, {part['late'].mean():.1%} late")
