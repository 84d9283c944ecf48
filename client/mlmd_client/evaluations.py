"""Evaluations as they are sent: matrices and cutoffs out of labels and scores."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from mlmd_metrics.confusion import ConfusionMatrix, sorted_labels
from mlmd_metrics.errors import MetricsError, NotANumber
from mlmd_metrics.evaluation import evaluate, evaluate_slices
from mlmd_metrics.messages import curve_message, matrix_message
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_client.failures import refused
from mlmd_client.points import checked_name


def matrix_input(
    name: str,
    slice_name: str,
    y_true: Iterable[Hashable] | None,
    y_pred: Iterable[Hashable] | None,
    labels: Sequence[Hashable] | None,
    counts: Sequence[Sequence[float]] | None,
) -> v1.EvaluationInput:
    """Return the evaluation that a matrix is, counted here or given as counts; raises Refused, NotANumber.

    >>> list(matrix_input("test", "", [0, 1, 1], [0, 1, 0], ["ham", "spam"], None).matrix.labels)
    ['ham', 'spam']
    """
    if counts is None:
        if y_true is None or y_pred is None:
            raise refused(f"confusion_matrix {name!r}: give y_true and y_pred, or counts= and labels=.")
        trues, guesses = _listed(y_true), _listed(y_pred)
        matrix = _checked(name, ConfusionMatrix.from_predictions, *_named(trues, guesses, labels))
    else:
        if y_true is not None or y_pred is not None or labels is None:
            raise refused(f"confusion_matrix {name!r}: counts= come with labels=, and without y_true and y_pred.")
        matrix = _checked(name, ConfusionMatrix, [str(label) for label in labels], _listed(counts))
    _check_text(name, matrix.labels)
    return v1.EvaluationInput(key=v1.MetricKey(name=name, slice=slice_name), matrix=matrix_message(matrix))


def _named(
    trues: list[Any], guesses: list[Any], labels: Sequence[Hashable] | None
) -> tuple[list[Any], list[Any], list[Any] | None]:
    """Let labels that are names stand for the numbers 0, 1, 2 … of the rows, as they do for scikit-learn's data."""
    if labels is None:
        return trues, guesses, None
    names = _listed(labels)
    found = {*trues, *guesses}
    numbers = all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < len(names) for one in found)
    if numbers and not found <= set(names):
        return [names[one] for one in trues], [names[one] for one in guesses], names
    return trues, guesses, names


def _listed(values: Any) -> list[Any]:
    listed = values.tolist() if hasattr(values, "tolist") else list(values)
    return [one.item() if hasattr(one, "item") and getattr(one, "shape", None) == () else one for one in listed]


def _check_text(name: str, labels: Iterable[str]) -> None:
    for label in labels:
        try:
            label.encode("utf-8")
        except UnicodeEncodeError:
            raise refused(
                f"evaluation {name!r}: the label {label[:60]!r} cannot be written as UTF-8; mend its surrogates."
            ) from None


def _checked(name: str, function: Any, *arguments: Any, **named: Any) -> Any:
    try:
        return function(*arguments, **named)
    except NotANumber:
        raise
    except MetricsError as error:
        raise refused(f"evaluation {name!r}: {error.message}.") from error


def evaluation_inputs(
    name: str,
    y_true: Any,
    y_score: Any,
    *,
    labels: Sequence[Hashable] | None,
    slices: Any = None,
    with_matrix: bool = True,
    slice_name: str = "",
    **options: Any,
) -> list[v1.EvaluationInput]:
    """Return the evaluation of labels and scores, and one for each slice; raises Refused, NotANumber.

    >>> found = evaluation_inputs("test", [0, 1], [0.1, 0.9], labels=[0, 1], slices=["DE", "FR"])
    >>> [one.key.slice for one in found]
    ['', 'DE', 'FR']
    """
    trues, classes = y_true, labels
    if labels is not None:
        values = _listed(y_true)
        trues, _, classes = _named(values, [], labels)
    if not with_matrix and options.get("threshold") is None and _speaks_of_two(y_score):
        options["threshold"] = 0.0  # the curve has no use for it, and scores need not be probabilities
    found: Mapping[str, Any] = {slice_name: _checked(name, evaluate, trues, y_score, labels=classes, **options)}
    _check_text(name, found[slice_name].matrix.labels)
    if slices is not None:
        ordered = sorted_labels(_listed(trues)) if classes is None else classes
        parts = _checked(name, evaluate_slices, trues, y_score, slices, labels=ordered, **options)
        found = {**found, **{checked_name(part, "slices"): one for part, one in parts.items()}}
    return [
        v1.EvaluationInput(
            key=v1.MetricKey(name=name, slice=part),
            matrix=matrix_message(one.matrix) if with_matrix else None,
            curves=[curve_message(label, cutoffs) for label, cutoffs in one.curves.items()],
        )
        for part, one in found.items()
    ]


def _speaks_of_two(y_score: Any) -> bool:
    shape = getattr(y_score, "shape", None)
    if shape is None:
        first: Any = next(iter(y_score), None)
        return not hasattr(first, "__len__") or len(first) <= 2
    return len(shape) == 1 or shape[1] <= 2
