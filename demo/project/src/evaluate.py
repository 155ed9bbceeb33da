"""Let the model answer on the test flights, row by row."""

import pandas as pd
import skops.io
from columns import ORDER

flights = pd.read_parquet("out/test.parquet")
trusted = ["numpy.dtype", "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor"]
model = skops.io.load("out/model.skops", trusted=trusted)
predictions = flights[["flight_id", "origin", "carrier"]].assign(
    label=flights["late"],
    score=model.predict_proba(flights[ORDER])[:, 1],
    prediction=model.predict(flights[ORDER]),
)
predictions.to_parquet("out/predictions.parquet", index=False)
print(f"scored {len(predictions):,} flights")
