"""Errors of `ml` as findings."""

import contextlib
from collections.abc import Iterator

from mlgit.errors import refused


@contextlib.contextmanager
def translating_ml_errors(subject: str) -> Iterator[None]:
    """Turn errors of `ml` into a finding (`metric-not-computable`).

    Args:
        subject: what is computed, for the message.
    """
    try:
        yield
    except ValueError as error:  # invalid predictions, mismatched rows, an undefined or unknown metric
        raise refused(
            "metric-not-computable",
            f"{subject} cannot be computed",
            why=str(error),
            fix="check the predictions that the evaluate stage writes; every row needs its key, label and a finite score",
        ) from error
