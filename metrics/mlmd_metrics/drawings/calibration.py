"""Calibration: rate of positives over predicted probability, and how many rows each point stands for."""

from collections.abc import Mapping

from mlmd_schemas.counting import counted

from mlmd_metrics.calibration import Calibration
from mlmd_metrics.drawings.plot import Axis, Plot
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.svg import element, fill, text

_LARGEST = 7.0


def calibration_svg(calibrations: Mapping[str, Calibration], title: str = "Calibration") -> str:
    """Draw calibrations by name; the area of a dot grows with the rows of its bin, the diagonal is perfect.

    Raises:
        MetricsError: no calibration.
    """
    if not calibrations:
        raise MetricsError("calibrations is empty; give at least one by its name")
    errors = {name: f"error {found.expected_error:.4f}" for name, found in calibrations.items()}
    listed = "; ".join(f"{name}: expected calibration {error}" for name, error in errors.items())
    axes = Axis.of_shares("Mean predicted probability"), Axis.of_shares("Share of positives")
    plot = Plot(title, f"Share of positives over predicted probability. {listed}.", *axes, legend=len(errors))
    plot.add_reference(((0, 0), (1, 1)), "Perfectly calibrated")
    for index, (name, found) in enumerate(calibrations.items()):
        points = [(entry.mean_probability, entry.positive_rate) for entry in found.bins]
        plot.add_line(index, points, f"{name}: {errors[name]}")
        most = max(entry.rows for entry in found.bins)
        for entry, point in zip(found.bins, points, strict=True):
            x, y = plot.place(*point)
            radius = 2 + (_LARGEST - 2) * (entry.rows / most) ** 0.5
            rows = counted(entry.rows, "row")
            said = f"{name}: {entry.positives} of {rows} positive, predicted {entry.mean_probability:.4f}"
            dot = {"cx": x, "cy": y, "r": radius, "class": fill(index), "fill_opacity": "0.75"}
            plot.document.add(element("circle", dot, element("title", {}, text(said))))
    plot.add_legend(list(errors.items()))
    return plot.document.render()
