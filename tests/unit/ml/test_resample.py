"""What the law of `tests/laws/test_ml_laws.py` meets too seldom: resamples in which all rows are the same."""

import numpy as np
import pytest

from mlgit.ml.columns import MetricInput
from mlgit.ml.resample import resampler


@pytest.mark.parametrize("drawn", [3, 5, 6, 7, 11])
def test_r2_is_undefined_where_all_drawn_labels_are_equal(drawn: int) -> None:
    """The mean of equal numbers is not always that number: rounding leaves a spread, which must not be divided by."""
    columns = MetricInput(truth=np.array([0.1] * drawn + [0.7]), output=np.zeros(drawn + 1))
    weights = np.array([[1] * (drawn - 1) + [2, 0], [drawn + 1] + [0] * drawn])
    assert np.isnan(resampler("r2", columns)(weights)).all()


def test_resamples_without_a_class_have_no_ranking() -> None:
    columns = MetricInput(truth=np.array([True, False, True]), output=np.array([0.5, 0.5, 0.1]))
    weights = np.array([[1, 0, 2], [0, 3, 0], [1, 1, 1]])
    for metric in ("roc_auc", "average_precision"):
        assert np.isnan(resampler(metric, columns)(weights)).tolist() == [True, True, False]
