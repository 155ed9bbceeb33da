"""What is known of metrics agrees with what can be computed."""

from mlgit.domain.metrics import METRICS
from mlgit.domain.names import is_name


def test_every_metric_can_be_named_and_suits_a_kind_of_problem() -> None:
    assert all(is_name(name) and facts.tasks for name, facts in METRICS.items())


def test_errors_are_better_when_smaller_and_all_else_when_larger() -> None:
    assert {name for name, facts in METRICS.items() if facts.direction == "min"} == {
        "log_loss",
        "brier",
        "rmse",
        "mae",
        "mape",
    }


def test_scores_need_two_classes_and_distances_need_numbers() -> None:
    assert METRICS["roc_auc"].tasks == METRICS["f1"].tasks == ("binary",)
    assert METRICS["log_loss"].tasks == METRICS["accuracy"].tasks == ("binary", "multiclass")
    assert METRICS["f1_macro"].tasks == METRICS["f1_weighted"].tasks == ("multiclass",)
    assert METRICS["rmse"].tasks == METRICS["r2"].tasks == ("regression",)
