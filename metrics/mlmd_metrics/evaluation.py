"""Evaluations: the confusion matrix and the cutoffs of every class, from labels and scores."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from mlmd_schemas.counting import counted

from mlmd_metrics.confusion import ConfusionMatrix, unknown_label
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.errors import MetricsError, NotANumber

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is stored of an evaluation; everything else is derived (see `figures`).

    matrix: counts of true and predicted classes.
    curves: cutoffs by label: of the positive class alone when there are two, else of each class against the rest.
    """

    matrix: ConfusionMatrix
    curves: Mapping[str, Cutoffs] = field(default_factory=lambda: MappingProxyType({}))


def evaluate(
    y_true: "ArrayLike",
    y_score: "ArrayLike",
    *,
    labels: Sequence[Hashable] | None = None,
    positive: Hashable = None,
    threshold: float | None = None,
    curves: bool = True,
) -> Evaluation:
    """Make matrix and curves in one pass over arrays. Needs numpy.

    Args:
        y_true: one label a row: text, integers, booleans or floats.
        y_score: one score a row for the positive class, or a column for each class in the order of `labels`
            (`predict_proba`, `decision_function`). Higher means more likely.
        labels: the classes, in the order of the columns; without them, those of `y_true`, sorted. Give them when
            `y_true` may lack one.
        positive: of two classes the one that `y_score` speaks for; without it, the second of `labels`.
        threshold: of two classes, rows with `score >= threshold` are predicted positive; 0.5 for scores from 0 to 1,
            to be given for others. Of more classes the highest score wins, the first of equal ones.
        curves: False leaves them out.

    Raises:
        MetricsError: empty input, lengths or shapes that differ, NaN scores, a label that is not listed, one class
            only while `labels` is not given, a threshold that is missing or has no meaning.
        ModuleNotFoundError: without numpy.
    """
    np = _numpy()
    scores = _scores(np, y_score)
    truths, classes = _encoded(np, y_true, labels)
    if len(truths) != len(scores):
        raise MetricsError(
            f"y_true has {counted(len(truths), 'row')} and y_score has {len(scores)}; each needs one of each"
        )
    names = [str(label) for label in classes]
    if len(classes) == 2 and (scores.ndim == 1 or scores.shape[1] == 2):
        return _of_two(np, truths, scores, classes, names, positive, threshold, curves)
    if scores.ndim == 1 or scores.shape[1] != len(classes):
        raise MetricsError(
            f"y_score has the shape {scores.shape} for {len(classes)} labels; give a column for each label"
            " (and labels= when y_true may lack one); predicted labels make a confusion matrix and no curve"
        )
    if positive is not None or threshold is not None:
        raise MetricsError(f"positive and threshold are for two classes and there are {len(classes)}; leave them out")
    matrix = _matrix(np, names, truths, scores.argmax(axis=1))
    chosen = enumerate(names) if curves else ()
    return Evaluation(matrix, {name: _cutoffs(np, truths == place, scores[:, place]) for place, name in chosen})


def evaluate_slices(
    y_true: "ArrayLike", y_score: "ArrayLike", slices: "ArrayLike", *, labels: Sequence[Hashable], **options: Any
) -> dict[str, Evaluation]:
    """Evaluate each slice of the rows by itself: `slices` names the slice of each row (a country, a customer group).

    `labels` must be given, because a slice may lack a class; `options` are those of `evaluate`.

    Raises:
        MetricsError: as `evaluate`; a row whose slice is None or NaN, slices that have no common order.
    """
    np = _numpy()
    truths, scores, names = np.asarray(y_true), np.asarray(y_score), np.asarray(slices)
    if not len(truths) == len(scores) == len(names):
        raise MetricsError(
            f"y_true, y_score and slices have {len(truths)}, {len(scores)} and {len(names)} rows; give equally many"
        )
    for row, name in enumerate(names.tolist()) if names.dtype.kind in "Of" else ():
        if name is None or name != name:
            raise MetricsError(f"slices[{row}] is {name!r}, which names no slice; name one, 'unknown' for example")
    try:
        distinct = np.unique(names).tolist()
    except TypeError:
        raise MetricsError("slices mix kinds that have no common order; give all of them as text") from None
    return {
        str(name): evaluate(truths[names == name], scores[names == name], labels=labels, **options) for name in distinct
    }


def _numpy() -> Any:
    try:
        import numpy as np
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError("evaluate works on numpy arrays; pip install numpy", name=missing.name) from missing
    return np


def _scores(np: Any, y_score: "ArrayLike") -> "NDArray[np.float64]":
    try:
        scores: NDArray[np.float64] = np.asarray(y_score, dtype=np.float64)
    except (TypeError, ValueError):
        raise MetricsError(
            "y_score is not an array of real numbers; give one score a row, or one for each class"
        ) from None
    if scores.ndim not in (1, 2) or scores.size == 0:
        raise MetricsError(f"y_score has the shape {scores.shape}; give rows, or rows by classes, at least one of each")
    if scores.ndim == 2 and scores.shape[1] == 1:
        scores = scores[:, 0]
    missing = np.argwhere(np.isnan(scores))
    if len(missing):
        place = "][".join(str(index) for index in missing[0])
        raise NotANumber(f"y_score[{place}] is NaN, which cannot be ordered; drop that row or give it a score")
    return scores


def _encoded(np: Any, y_true: "ArrayLike", labels: Sequence[Hashable] | None) -> tuple[Any, list[Hashable]]:
    truths = np.asarray(y_true)
    if truths.ndim != 1 or truths.size == 0:
        raise MetricsError(f"y_true has the shape {truths.shape}; give one label a row, at least one")
    if truths.dtype.kind == "f" and np.isnan(truths).any():
        raise NotANumber(f"y_true[{int(np.isnan(truths).argmax())}] is NaN, which is no label; drop that row")
    try:
        values, codes = np.unique(truths, return_inverse=True)
    except TypeError:
        raise MetricsError("y_true mixes kinds that have no common order; give all labels as text") from None
    found = values.tolist()
    if labels is None:
        if len(found) < 2:
            raise MetricsError(
                f"y_true has one class only ({found[0]!r:.80}); give labels= with every class of the task"
            )
        return codes, found
    classes = list(np.asarray(labels).tolist() if hasattr(labels, "dtype") else labels)
    position = {label: place for place, label in enumerate(classes)}
    for value in found:
        if value not in position:
            raise unknown_label(f"y_true[{int((truths == value).argmax())}]", value, classes)
    return np.array([position[value] for value in found])[codes], classes


def _of_two(
    np: Any,
    truths: Any,
    scores: "NDArray[np.float64]",
    classes: list[Hashable],
    names: list[str],
    positive: Hashable,
    threshold: float | None,
    curves: bool,
) -> Evaluation:
    if positive is not None and positive not in classes:
        raise unknown_label("positive", positive, classes)
    place = 1 if positive is None else classes.index(positive)
    column = scores if scores.ndim == 1 else scores[:, place]
    predicted = np.where(column >= _threshold(column, threshold), place, 1 - place)
    matrix = _matrix(np, names, truths, predicted)
    return Evaluation(matrix, {names[place]: _cutoffs(np, truths == place, column)} if curves else {})


def _threshold(scores: "NDArray[np.float64]", threshold: float | None) -> float:
    if threshold is None:
        if scores.min() < 0 or scores.max() > 1:
            raise MetricsError("y_score is not from 0 to 1, so no threshold suggests itself; give threshold=")
        return 0.5
    if threshold != threshold:
        raise MetricsError("threshold is NaN; give the score from which a row is predicted positive")
    return threshold


def _matrix(np: Any, names: list[str], truths: Any, predicted: Any) -> ConfusionMatrix:
    size = len(names)
    counts = np.bincount(truths * size + predicted, minlength=size * size).reshape(size, size)
    return ConfusionMatrix(names, counts.tolist())


def _cutoffs(np: Any, is_positive: Any, scores: "NDArray[np.float64]") -> Cutoffs:
    order = np.argsort(-scores, kind="stable")
    ordered, hits = scores[order], is_positive[order]
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)  # of each group of equal scores
    tps = np.cumsum(hits, dtype=np.int64)[last]
    return Cutoffs(ordered[last], tps, (last + 1 - tps).astype(np.int64))
