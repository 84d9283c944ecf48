"""Series over steps: losses and scores while training, many runs in one frame."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlmd_metrics.columns import doubles, same_length
from mlmd_metrics.drawings.plot import Axis, Plot
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.series import downsampled
from mlmd_metrics.svg import element, fill, text

_WIDTH, _HEIGHT = 560.0, 300.0


@dataclass(frozen=True, slots=True)
class Line:
    """A series as it was logged: `values[i]` at `steps[i]` (a step, an epoch, seconds); NaN and infinities too."""

    steps: Sequence[float]
    values: Sequence[float]


def series_svg(
    lines: Mapping[str, Line], title: str = "Series", x_name: str = "step", y_name: str = "value", points: int = 500
) -> str:
    """Draw series by name, each downsampled to `points` so that peaks, dips and the last point show.

    NaN leaves a gap and a mark on the lower edge where it begins; an infinity is a triangle at the edge it left by.

    Raises:
        MetricsError: no series, one that is empty, whose columns differ in length or whose steps are not finite.
    """
    if not lines:
        raise MetricsError("lines is empty; give at least one series by its name")
    thin = {name: _thinned(name, line, points) for name, line in lines.items()}
    steps = [step for line in thin.values() for step in line.steps]
    values = [value for line in thin.values() for value in line.values if math.isfinite(value)]
    said = "; ".join(_said(name, line) for name, line in lines.items())
    x = _steps_axis(x_name, min(steps), max(steps))
    y = Axis.around(y_name, min(values, default=0.0), max(values, default=1.0))
    plot = Plot(title, f"{y_name} over {x_name}. {said}.", x, y, len(lines), _WIDTH, _HEIGHT)
    for index, (name, line) in enumerate(thin.items()):
        for run in _finite_runs(line):
            plot.add_line(index, run, name)
        _mark_non_finite(plot, index, name, line)
    plot.add_legend([(name, f"last {_figure(line.values[-1])}") for name, line in lines.items()])
    return plot.document.render()


def _thinned(name: str, line: Line, points: int) -> Line:
    steps, values = doubles(line.steps, f"{name}.steps"), doubles(line.values, f"{name}.values")
    same_length(f"{name}.steps", steps, f"{name}.values", values)
    kept = downsampled(values, points)
    thin = Line([steps[index] for index in kept], [values[index] for index in kept])
    if not all(map(math.isfinite, thin.steps)):
        raise MetricsError(f"{name}.steps hold NaN or an infinity, which has no place on an axis; give finite steps")
    return thin


def _steps_axis(name: str, low: float, high: float) -> Axis:
    """The steps as they are, not rounded outwards, with the round ticks that fall inside."""
    whole = Axis.around(name, low, high)
    if low == high:
        return whole
    inside = tuple(tick for tick in whole.ticks if low <= tick <= high)
    return Axis(name, low, high, inside if len(inside) > 1 else (low, high))


def _said(name: str, line: Line) -> str:
    finite = [value for value in line.values if math.isfinite(value)]
    odd = len(line.values) - len(finite)
    span = f"{_figure(min(finite))} to {_figure(max(finite))}, " if finite else ""
    return f"{name}: {span}last {_figure(line.values[-1])}" + (f", {odd} not finite" if odd else "")


def _figure(value: float) -> str:
    return f"{float(value):.5g}"


def _finite_runs(line: Line) -> list[list[tuple[float, float]]]:
    runs: list[list[tuple[float, float]]] = [[]]
    for step, value in zip(line.steps, line.values, strict=True):
        if math.isfinite(value):
            runs[-1].append((step, value))
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _mark_non_finite(plot: Plot, index: int, name: str, line: Line) -> None:
    before = 0.0
    for step, value in zip(line.steps, line.values, strict=True):
        if not math.isfinite(value) and not (math.isnan(value) and math.isnan(before)):
            up = value > 0
            x, y = plot.place(step, plot.y.high if up else plot.y.low)
            tip, base = (y, y + 8) if up else (y, y - 8)
            shape = f"{x:.2f},{tip:.2f} {x - 5:.2f},{base:.2f} {x + 5:.2f},{base:.2f}"
            if math.isnan(value):
                shape = f"{x:.2f},{y - 5:.2f} {x + 5:.2f},{y:.2f} {x:.2f},{y + 5:.2f} {x - 5:.2f},{y:.2f}"
            said = text(f"{name}: {value} at {step:.12g}")
            plot.document.add(element("polygon", {"points": shape, "class": fill(index)}, element("title", {}, said)))
        before = value
