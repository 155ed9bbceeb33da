"""Print the metric of the baseline on the same test rows, as in problems/malignancy.yaml."""

import pandas as pd
from sklearn.metrics import roc_auc_score

rows = pd.read_parquet("out/test-rows.parquet")
print(f"{roc_auc_score(rows['diagnosis'] == 'malignant', rows['radius']):.4f}")
