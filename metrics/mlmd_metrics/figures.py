"""Every derived figure by name: what a table of runs shows, computed from what is stored.

A figure that is not defined on its data (an AUC with one class only) is NaN, never an error and never left out.
"""

import math
from collections.abc import Callable
from typing import Literal

from mlmd_metrics.calibration import calibration
from mlmd_metrics.class_figures import Average
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.evaluation import Evaluation
from mlmd_metrics.interval import Interval, delong, wilson
from mlmd_metrics.scores import are_probabilities, brier_score, log_loss

_AVERAGES: tuple[Average, ...] = ("macro", "weighted", "micro")


def matrix_figures(matrix: ConfusionMatrix, positive: str | None = None) -> dict[str, float]:
    """accuracy, mcc, cohen_kappa; precision, recall and f1 as `<figure>_macro`, `_weighted`, `_micro`.

    Of two classes also plain precision, recall and f1: those of `positive`, which is the second label unless given.
    """
    found = {"accuracy": matrix.accuracy, "mcc": matrix.mcc, "cohen_kappa": matrix.cohen_kappa}
    classes = matrix.per_class()
    if len(classes) == 2:
        chosen = next((entry for entry in classes if entry.label == positive), classes[1])
        found |= {"precision": chosen.precision, "recall": chosen.recall, "f1": chosen.f1}
    for kind in _AVERAGES:
        mean = matrix.average(kind)
        found |= {f"precision_{kind}": mean.precision, f"recall_{kind}": mean.recall, f"f1_{kind}": mean.f1}
    return found


def curve_figures(cutoffs: Cutoffs) -> dict[str, float]:
    """auc and average_precision; where the scores are probabilities brier_score, log_loss, calibration_error."""
    found = {"auc": cutoffs.auc(), "average_precision": cutoffs.average_precision()}
    if are_probabilities(cutoffs):
        found |= {
            "brier_score": brier_score(cutoffs),
            "log_loss": log_loss(cutoffs),
            "calibration_error": calibration(cutoffs).expected_error,
        }
    return found


def evaluation_figures(evaluation: Evaluation) -> dict[str, float]:
    """The figures of the matrix and of the curves.

    With more than two classes: auc and average_precision as `_macro` and `_weighted` means of one-vs-rest, brier_score
    and log_loss over all classes where the scores are probabilities.
    """
    found = matrix_figures(evaluation.matrix, next(iter(evaluation.curves), None))
    curves = tuple(evaluation.curves.values())
    if len(curves) == 1:
        return found | curve_figures(curves[0])
    for name, figure in (("auc", Cutoffs.auc), ("average_precision", Cutoffs.average_precision)):
        if curves:
            found |= {f"{name}_{kind}": one_vs_rest(evaluation, figure, kind) for kind in ("macro", "weighted")}
    if len(curves) == len(evaluation.matrix.labels) and are_probabilities(*curves):
        found |= {"brier_score": brier_score(*curves), "log_loss": log_loss(*curves)}
    return found


def one_vs_rest(
    evaluation: Evaluation, figure: Callable[[Cutoffs], float], average: Literal["macro", "weighted"] = "macro"
) -> float:
    """The mean of a figure over the classes, each against the rest; NaN when it is undefined for any class."""
    curves = tuple(evaluation.curves.values())
    weights = [1 if average == "macro" else cutoffs.positives for cutoffs in curves]
    values = [figure(cutoffs) for cutoffs in curves]
    whole = sum(weights)
    return (
        math.fsum(value * weight for value, weight in zip(values, weights, strict=True)) / whole if whole else math.nan
    )


def intervals(evaluation: Evaluation, level: float = 0.95) -> dict[str, Interval]:
    """Intervals by figure: accuracy (Wilson), recall and precision of each class as `recall/<label>` (Wilson), auc
    (DeLong; `auc/<label>` with more than two classes).
    """
    matrix = evaluation.matrix
    found = {"accuracy": wilson(matrix.correct, matrix.total, level)}
    rows = zip(matrix.labels, matrix.true_totals, matrix.predicted_totals, strict=True)
    for index, (label, support, predicted) in enumerate(rows):
        hits = matrix.counts[index][index]
        found[f"recall/{label}"] = wilson(hits, support, level)
        found[f"precision/{label}"] = wilson(hits, predicted, level)
    for label, cutoffs in evaluation.curves.items():
        found["auc" if len(evaluation.curves) == 1 else f"auc/{label}"] = delong(cutoffs, level)
    return found
