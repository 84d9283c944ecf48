"""Proper scores of probabilities: Brier score and log loss, from cutoffs alone.

One `Cutoffs` is a binary task. Several are the classes of one task, each class against the rest, one for each class.
"""

import math
from collections.abc import Iterable

from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.errors import MetricsError

_EPSILON = 2.0**-52
"""Probabilities are kept this far from 0 and 1 in the log loss, as scikit-learn does for float64."""


def brier_score(*classes: Cutoffs) -> float:
    """The mean squared distance of the probabilities from what happened (Brier 1950).

    Of two classes 0 to 1, counting the positive class alone; of more, 0 to 2, the sum over classes: scikit-learn's
    `brier_score_loss` with `scale_by_half="auto"`.

    Raises:
        MetricsError: scores that are no probabilities, classes that do not cover the same rows.
    """
    _check(classes)
    squares = (
        term
        for cutoffs in classes
        for score, positives, negatives in cutoffs.steps()
        for term in (positives * (1 - score) ** 2, negatives * score**2)
    )
    return math.fsum(squares) / classes[0].total


def log_loss(*classes: Cutoffs) -> float:
    """The mean negative log-likelihood in nats; probabilities closer than 2^-52 to 0 or 1 count as that close.

    Of several classes only the probability given to the true one counts, which supposes that the probabilities of a row
    sum to one.

    Raises:
        MetricsError: scores that are no probabilities, classes that do not cover the same rows.
    """
    _check(classes)
    return math.fsum(_binary_losses(classes[0]) if len(classes) == 1 else _hit_losses(classes)) / classes[0].total


def are_probabilities(*classes: Cutoffs) -> bool:
    """Whether every score lies from 0 to 1."""
    return all(cutoffs.thresholds[-1] >= 0 and cutoffs.thresholds[0] <= 1 for cutoffs in classes)


def check_probabilities(cutoffs: Cutoffs) -> None:
    """Raise MetricsError unless every score lies from 0 to 1."""
    if not are_probabilities(cutoffs):
        worst = cutoffs.thresholds[0] if cutoffs.thresholds[0] > 1 else cutoffs.thresholds[-1]
        raise MetricsError(f"scores hold {worst}, which is no probability; give scores from 0 to 1 (predict_proba)")


def _binary_losses(cutoffs: Cutoffs) -> Iterable[float]:
    for score, positives, negatives in cutoffs.steps():
        if positives:
            yield -positives * math.log(_clipped(score))
        if negatives:
            yield -negatives * math.log(_clipped(1 - score))


def _hit_losses(classes: tuple[Cutoffs, ...]) -> Iterable[float]:
    for cutoffs in classes:
        for score, positives, _ in cutoffs.steps():
            if positives:
                yield -positives * math.log(_clipped(score))


def _clipped(probability: float) -> float:
    return min(max(probability, _EPSILON), 1 - _EPSILON)


def _check(classes: tuple[Cutoffs, ...]) -> None:
    if not classes:
        raise MetricsError("classes is empty; give the cutoffs of the positive class, or of each class")
    for cutoffs in classes:
        check_probabilities(cutoffs)
    rows = classes[0].total
    if any(cutoffs.total != rows for cutoffs in classes):
        raise MetricsError(
            f"classes count {[cutoffs.total for cutoffs in classes][:10]} rows; give classes of one data set"
        )
    positives = sum(cutoffs.positives for cutoffs in classes)
    if len(classes) > 1 and positives != rows:
        raise MetricsError(f"classes have {positives} positives in {rows} rows; give every class of the task once")
