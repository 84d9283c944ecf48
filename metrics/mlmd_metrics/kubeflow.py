"""The shapes of Kubeflow Pipelines: `confusionMatrix` and `confidenceMetrics` of a ClassificationMetrics artifact.

Plain dicts and lists, as `artifact.metadata` holds them in a step and as an MLMD struct_value holds them inside
`{"struct": ...}` and `{"list": ...}`. Every number is a double there, and the UI draws finite numbers only.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.curve import RocCurve
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.numbers import parsed_number

CURVE_POINTS = 200
"""At most so many points of a curve go into the property; the whole curve lives elsewhere."""

MATRIX_CLASSES = 200
"""A matrix of more classes is left out of the property (40,000 numbers are some 400 KB); it lives elsewhere whole."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What a ClassificationMetrics artifact, or one slice of it, holds."""

    matrix: ConfusionMatrix | None
    roc: RocCurve | None


def metadata(matrix: ConfusionMatrix | None = None, roc: RocCurve | None = None) -> dict[str, Any]:
    """The metadata of a ClassificationMetrics artifact, as `kfp` logs it; what is None or too large is left out."""
    found: dict[str, Any] = {}
    if matrix is not None and len(matrix.labels) <= MATRIX_CLASSES:
        found["confusionMatrix"] = confusion_matrix_value(matrix)
    points = [] if roc is None else confidence_metrics_value(roc)
    if points:
        found["confidenceMetrics"] = points
    return found


def confusion_matrix_value(matrix: ConfusionMatrix) -> dict[str, Any]:
    """`{"annotationSpecs": [{"displayName": label}], "rows": [{"row": [count]}]}`, rows being the true classes."""
    return {
        "annotationSpecs": [{"displayName": label} for label in matrix.labels],
        "rows": [{"row": [float(count) for count in row]} for row in matrix.counts],
    }


def confidence_metrics_value(roc: RocCurve, points: int = CURVE_POINTS) -> list[dict[str, float]]:
    """`[{"confidenceThreshold", "recall", "falsePositiveRate"}]`, at most `points`, finite numbers only.

    The threshold +inf, at which nothing is predicted, becomes a finite one that means the same: 1.0 when every score is
    below that, else the next double above the highest score. -inf becomes the next double below the lowest. A curve
    without finite rates (one class only) gives an empty list.
    """
    thin = roc.thinned(points)
    finite = [threshold for threshold in thin.thresholds if math.isfinite(threshold)]
    top = max(finite, default=0.0)
    above = 1.0 if top < 1 else math.nextafter(top, math.inf)
    below = math.nextafter(min(finite, default=0.0), -math.inf)
    stand_in = {math.inf: above, -math.inf: below}
    rows = zip(thin.thresholds, thin.true_positive_rate, thin.false_positive_rate, strict=True)
    return [
        {"confidenceThreshold": stand_in.get(threshold, threshold), "recall": tpr, "falsePositiveRate": fpr}
        for threshold, tpr, fpr in rows
        if not math.isnan(threshold + tpr + fpr)
    ]


def classification(metadata: Mapping[str, Any]) -> Classification:
    """Read both parts out of an artifact's metadata; a part that is not there is None.

    Raises:
        MetricsError: a part that is there in another shape.
    """
    matrix, curve = _unwrapped(metadata.get("confusionMatrix")), _unwrapped(metadata.get("confidenceMetrics"))
    return Classification(
        None if matrix is None else read_confusion_matrix(matrix),
        None if curve is None else read_confidence_metrics(curve),
    )


def slices(metadata: Mapping[str, Any]) -> dict[str, Classification]:
    """Read `evaluationSlices` of a SlicedClassificationMetrics artifact, by the name of the slice; {} without them.

    Raises:
        MetricsError: another shape, or a slice that comes twice.
    """
    found: dict[str, Classification] = {}
    for index, entry in enumerate(_listed(_unwrapped(metadata.get("evaluationSlices", [])), "evaluationSlices")):
        where = f"evaluationSlices[{index}]"
        name = _field(entry, "slice", where)
        if not isinstance(name, str) or name in found:
            raise MetricsError(f"{where}.slice is {name!r:.80}; give each slice a name of its own")
        found[name] = classification(_mapped(_field(entry, "sliceClassificationMetrics", where), where))
    return found


def read_confusion_matrix(value: object) -> ConfusionMatrix:
    """Read `{annotationSpecs, rows}`.

    Raises:
        MetricsError: another shape, or counts that a matrix cannot have.
    """
    specs = _listed(_field(value, "annotationSpecs", "confusionMatrix"), "confusionMatrix.annotationSpecs")
    rows = _listed(_field(value, "rows", "confusionMatrix"), "confusionMatrix.rows")
    labels = [_field(spec, "displayName", f"confusionMatrix.annotationSpecs[{i}]") for i, spec in enumerate(specs)]
    counts = []
    for i, row in enumerate(rows):
        where = f"confusionMatrix.rows[{i}]"
        cells = _listed(_field(row, "row", where), f"{where}.row")
        counts.append([parsed_number(cell, f"{where}.row[{j}]") for j, cell in enumerate(cells)])
    return ConfusionMatrix(labels, counts)


def read_confidence_metrics(value: object) -> RocCurve:
    """Read `[{confidenceThreshold, recall, falsePositiveRate}]`; points in any order come back by falling threshold.

    A field that an entry lacks is 0, as it is where protobuf leaves out zeros. NaN and infinities may be numbers or
    proto3 JSON's words.

    Raises:
        MetricsError: another shape, no points, a rate outside 0 to 1.
    """
    points = []
    for index, entry in enumerate(_listed(value, "confidenceMetrics")):
        where = f"confidenceMetrics[{index}]"
        point = _mapped(entry, where)
        names = ("confidenceThreshold", "falsePositiveRate", "recall")
        points.append(tuple(parsed_number(point.get(name, 0.0), f"{where}.{name}") for name in names))
    if not points:
        raise MetricsError("confidenceMetrics is empty; log at least one point")
    if any(after[0] > before[0] for before, after in pairwise(points)):
        points.sort(key=lambda point: (-point[0] if point[0] == point[0] else math.inf, point[1], point[2]))
    return RocCurve([point[1] for point in points], [point[2] for point in points], [point[0] for point in points])


def wrapped(value: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    """Put a value into the struct that MLMD's property holds: `{"struct": value}` or `{"list": value}`."""
    return {"struct": value} if isinstance(value, Mapping) else {"list": value}


def _unwrapped(value: object) -> object:
    """Take a value out of `{"struct": ...}` or `{"list": ...}`; one that is not inside stays as it is."""
    if isinstance(value, Mapping) and len(value) == 1:
        return value.get("struct", value.get("list", value))
    return value


def _field(value: object, name: str, where: str) -> Any:
    entry = _mapped(value, where)
    if name not in entry:
        raise MetricsError(f"{where} has no {name}; write it as Kubeflow Pipelines' log_confusion_matrix does")
    return entry[name]


def _mapped(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise MetricsError(f"{where} is {value!r:.80}, which is no object; write it as Kubeflow Pipelines does")
    return value


def _listed(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        raise MetricsError(f"{where} is {value!r:.80}, which is no list; write it as Kubeflow Pipelines does")
    return value
