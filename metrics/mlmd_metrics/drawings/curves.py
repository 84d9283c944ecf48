"""ROC and precision-recall curves, one or many in one frame."""

import math
from collections.abc import Mapping, Sequence

from mlmd_metrics.curve import PrecisionRecallCurve, RocCurve
from mlmd_metrics.drawings.plot import Axis, Plot
from mlmd_metrics.errors import MetricsError

_POINTS = 400  # more than a screen can tell apart in a frame of this size


def roc_svg(curves: Mapping[str, RocCurve], title: str = "ROC curve") -> str:
    """Draw ROC curves by name, with the diagonal of a guess and the AUC of each.

    Raises:
        MetricsError: no curve.
    """
    areas = {name: curve.auc() for name, curve in curves.items()}
    plot = _frame(title, "AUC", areas, Axis.of_shares("False positive rate"), Axis.of_shares("True positive rate"))
    plot.add_reference(((0, 0), (1, 1)), "A guess: AUC 0.5")
    for index, (name, curve) in enumerate(curves.items()):
        thin = curve.thinned(_POINTS)
        points = _finite(thin.false_positive_rate, thin.true_positive_rate)
        if points:
            plot.add_line(index, points, f"{name}: AUC {_figure(areas[name])}")
    return _finished(plot, "AUC", areas)


def precision_recall_svg(
    curves: Mapping[str, PrecisionRecallCurve], title: str = "Precision-recall curve", prevalence: float | None = None
) -> str:
    """Draw precision-recall curves by name as the steps they are, with the average precision of each.

    `prevalence`, the share of positives, is what a guess gets; it is drawn as a line when given.

    Raises:
        MetricsError: no curve, a prevalence outside 0 to 1.
    """
    if prevalence is not None and not 0 <= prevalence <= 1:
        raise MetricsError(f"prevalence is {prevalence!r}; give the share of positives, 0 to 1")
    means = {name: curve.average_precision() for name, curve in curves.items()}
    plot = _frame(title, "average precision", means, Axis.of_shares("Recall"), Axis.of_shares("Precision"))
    if prevalence is not None:
        plot.add_reference(((0, prevalence), (1, prevalence)), f"A guess: precision {prevalence:.3f}")
    for index, (name, curve) in enumerate(curves.items()):
        thin = curve.thinned(_POINTS)
        points = _steps(_finite(thin.recall, thin.precision))
        if points:
            plot.add_line(index, points, f"{name}: average precision {_figure(means[name])}")
    return _finished(plot, "AP", means)


def _frame(title: str, figure: str, values: Mapping[str, float], x: Axis, y: Axis) -> Plot:
    if not values:
        raise MetricsError("curves is empty; give at least one curve by its name")
    listed = "; ".join(f"{name}: {figure} {_figure(value)}" for name, value in values.items())
    return Plot(title, f"{y.name} over {x.name.lower()}. {listed}.", x, y, legend=len(values))


def _finished(plot: Plot, figure: str, values: Mapping[str, float]) -> str:
    plot.add_legend([(name, f"{figure} {_figure(value)}") for name, value in values.items()])
    return plot.document.render()


def _figure(value: float) -> str:
    return "undefined" if math.isnan(value) else f"{value:.4f}"


def _finite(xs: Sequence[float], ys: Sequence[float]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(xs, ys, strict=True) if math.isfinite(x) and math.isfinite(y)]


def _steps(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Recall falls from point to point and precision holds until the next: the line never cuts a corner."""
    stepped: list[tuple[float, float]] = []
    for recall, precision in points:
        if stepped:
            stepped.append((recall, stepped[-1][1]))
        stepped.append((recall, precision))
    return stepped
