"""Drawings of evaluations as SVG without JavaScript; each function returns one document as text."""

from mlmd_metrics.drawings.calibration import calibration_svg
from mlmd_metrics.drawings.curves import precision_recall_svg, roc_svg
from mlmd_metrics.drawings.matrix import difference_svg, matrix_svg
from mlmd_metrics.drawings.series import Line, series_svg

__all__ = ["Line", "calibration_svg", "difference_svg", "matrix_svg", "precision_recall_svg", "roc_svg", "series_svg"]
