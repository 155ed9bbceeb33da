"""Let the model answer on the test flights, row by row."""

import json
from pathlib import Path

import pandas as pd
import skops.io
from columns import ORDER
from sklearn.metrics import roc_auc_score

flights = pd.read_parquet("out/test.parquet")
trusted = ["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
model = skops.io.load("out/model.skops", trusted=trusted)
predictions = flights[["flight_id", "origin", "carrier"]].assign(
    label=flights["late"],
    score=model.predict_proba(flights[ORDER])[:, 1],
    prediction=model.predict(flights[ORDER]),
)
predictions.to_parquet("out/predictions.parquet", index=False)
metrics = {"roc_auc": roc_auc_score(predictions["label"], predictions["score"])}
Path("out/metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
print(f"scored {len(predictions):,} flights")
