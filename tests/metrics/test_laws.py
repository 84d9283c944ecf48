"""What must hold whatever the data."""

import itertools
import math
from random import Random
from xml.etree import ElementTree

from hypothesis import given, settings
from hypothesis import strategies as st
from mlmd_metrics.calibration import calibration
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.difference import difference
from mlmd_metrics.drawings import Line, difference_svg, matrix_svg, precision_recall_svg, roc_svg, series_svg
from mlmd_metrics.figures import curve_figures, matrix_figures
from mlmd_metrics.interval import auc_variance, delong
from mlmd_metrics.kubeflow import confidence_metrics_value, confusion_matrix_value, read_confusion_matrix
from mlmd_metrics.series import downsampled
from mlmd_metrics.thinning import kept_points

shares = st.floats(0, 1)
scored = st.lists(st.tuples(st.booleans(), shares | st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=60)
squares = st.integers(1, 6).flatmap(
    lambda size: st.lists(
        st.lists(st.integers(0, 50) | st.floats(0, 9), min_size=size, max_size=size), min_size=size, max_size=size
    )
)
anything = st.text(max_size=30) | st.sampled_from(["<script>", "]]>", "&amp;", '"', "\x00\x1b", "\ud800", "\ufffe", ""])
Rows = list[tuple[bool, float]]
quick = settings(max_examples=60, deadline=None)


def cutoffs_of(rows: Rows) -> Cutoffs:
    return Cutoffs.from_scores([truth for truth, _ in rows], [score for _, score in rows])


def matrix_of(counts: list[list[float]]) -> ConfusionMatrix:
    return ConfusionMatrix([f"c{index}" for index in range(len(counts))], counts)


@quick
@given(squares)
def test_sums_of_a_matrix(counts: list[list[float]]) -> None:
    matrix = matrix_of(counts)
    assert math.isclose(sum(matrix.true_totals), matrix.total)
    assert math.isclose(sum(matrix.predicted_totals), matrix.total)
    for label in matrix.labels:
        assert math.isclose(matrix.one_vs_rest(label).total, matrix.total)
    for name, figure in matrix_figures(matrix).items():
        assert math.isnan(figure) or -1 - 1e-9 <= figure <= 1 + 1e-9, name


@quick
@given(squares)
def test_the_order_of_classes_changes_no_figure(counts: list[list[float]]) -> None:
    size = len(counts)
    turned = [[counts[size - 1 - i][size - 1 - j] for j in range(size)] for i in range(size)]
    before, after = matrix_figures(matrix_of(counts)), matrix_figures(matrix_of(turned))
    for name in before.keys() - {"precision", "recall", "f1"}:
        assert (
            before[name] == after[name]
            or math.isclose(before[name], after[name], rel_tol=1e-12, abs_tol=1e-12)
            or (math.isnan(before[name]) and math.isnan(after[name]))
        )


@quick
@given(squares, squares)
def test_differences_add_up_and_turn(first: list[list[float]], second: list[list[float]]) -> None:
    one, other = matrix_of(first), matrix_of(second)
    forth, back = difference(one, other), difference(other, one)
    moved = math.fsum(itertools.chain.from_iterable(forth.deltas))
    assert math.isclose(moved, other.total - one.total, abs_tol=1e-9)
    assert sorted(itertools.chain(*forth.deltas)) == sorted(-delta for delta in itertools.chain(*back.deltas))


@quick
@given(scored, st.randoms())
def test_the_order_of_rows_changes_nothing(rows: Rows, random: Random) -> None:
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert cutoffs_of(rows) == cutoffs_of(shuffled)


@quick
@given(scored)
def test_figures_of_a_curve_are_in_range(rows: Rows) -> None:
    cutoffs = cutoffs_of(rows)
    for name, figure in curve_figures(cutoffs).items():
        assert math.isnan(figure) or 0 <= figure <= (36.1 if name == "log_loss" else 1), name
    interval = delong(cutoffs)
    assert math.isnan(interval.low) or 0 <= interval.low <= interval.estimate <= interval.high <= 1
    assert not auc_variance(cutoffs) < 0
    assert sum(entry.rows for entry in calibration(cutoffs, 4, "quantile").bins) == len(rows)


@quick
@given(scored)
def test_turning_the_labels_turns_the_auc(rows: Rows) -> None:
    auc, turned = cutoffs_of(rows).auc(), cutoffs_of([(not truth, score) for truth, score in rows]).auc()
    assert math.isclose(auc, 1 - turned, abs_tol=1e-15) or (math.isnan(auc) and math.isnan(turned))


@quick
@given(scored, st.floats(allow_nan=False))
def test_the_matrix_at_a_threshold_is_counted(rows: Rows, threshold: float) -> None:
    cutoffs = cutoffs_of(rows)
    for at in (threshold, rows[0][1]):
        expected = [[0, 0], [0, 0]]
        for truth, score in rows:
            expected[truth][score >= at] += 1
        assert [list(row) for row in cutoffs.matrix_at(at).counts] == expected


@quick
@given(scored, st.integers(2, 12))
def test_thinning_keeps_the_ends(rows: Rows, points: int) -> None:
    cutoffs = cutoffs_of(rows)
    for curve in (cutoffs.roc(), cutoffs.precision_recall()):
        thin = curve.thinned(points)
        assert len(thin) <= max(2, points)
        assert set(thin.thresholds) <= set(curve.thresholds)
    roc, thin = cutoffs.roc(), cutoffs.roc().thinned(points)
    for field in ("false_positive_rate", "true_positive_rate", "thresholds"):
        whole, kept = getattr(roc, field), getattr(thin, field)
        assert str([whole[0], whole[-1]]) == str([kept[0], kept[-1]])


@quick
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=40))
def test_points_on_straight_stretches_go_first(points: list[tuple[int, int]]) -> None:
    xs, ys = [float(x) for x, _ in points], [float(y) for _, y in points]
    doubled_xs = list(itertools.chain.from_iterable((x, x) for x in xs))
    doubled_ys = list(itertools.chain.from_iterable((y, y) for y in ys))
    kept = kept_points(doubled_xs, doubled_ys, len(points))
    remaining = [(doubled_xs[index], doubled_ys[index]) for index in kept]
    corners = [
        here
        for before, here, after in zip(points, points[1:], points[2:], strict=False)
        if (here[0] - before[0]) * (after[1] - before[1]) != (after[0] - before[0]) * (here[1] - before[1])
    ]
    assert set(corners) <= set(remaining)


@quick
@given(
    st.lists(st.floats() | st.sampled_from([math.nan, math.inf, -math.inf]), max_size=200),
    st.integers(8, 40),
)
def test_downsampling_keeps_what_matters(values: list[float], points: int) -> None:
    kept = downsampled(values, points)
    assert kept == sorted(set(kept))
    assert len(kept) <= points
    finite = [value for value in values if math.isfinite(value)]
    shown = [values[index] for index in kept]
    if values:
        assert (kept[0], kept[-1]) == (0, len(values) - 1)
    if finite:
        assert min(finite) in shown
        assert max(finite) in shown
    for kind in (math.isnan, math.inf.__eq__, (-math.inf).__eq__):
        first = next((index for index, value in enumerate(values) if kind(value)), None)
        assert first is None or first in kept


@quick
@given(squares)
def test_kubeflows_shape_holds_the_matrix(counts: list[list[float]]) -> None:
    matrix = matrix_of(counts)
    assert read_confusion_matrix(confusion_matrix_value(matrix)) == matrix


@quick
@given(scored)
def test_kubeflows_points_are_finite_and_few(rows: Rows) -> None:
    points = confidence_metrics_value(cutoffs_of(rows).roc(), 10)
    assert len(points) <= 10
    assert all(math.isfinite(number) for point in points for number in point.values())
    thresholds = [point["confidenceThreshold"] for point in points]
    assert all(before > after for before, after in itertools.pairwise(thresholds))


@settings(max_examples=30, deadline=None)
@given(st.lists(anything, min_size=1, max_size=4, unique=True), anything, scored)
def test_drawings_are_xml_whatever_the_names(labels: list[str], title: str, rows: Rows) -> None:
    matrix = ConfusionMatrix(labels, [[i * j for j in range(len(labels))] for i in range(len(labels))])
    curve = cutoffs_of(rows)
    drawn = [
        matrix_svg(matrix, title),
        difference_svg(difference(matrix, matrix), title),
        roc_svg({name: curve.roc() for name in labels}, title),
        precision_recall_svg({name: curve.precision_recall() for name in labels}, title),
        series_svg({name: Line(range(len(rows)), [score for _, score in rows]) for name in labels}, title, title),
    ]
    for svg in drawn:
        root = ElementTree.fromstring(svg.encode())
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert not list(root.iter("{http://www.w3.org/2000/svg}script"))


@quick
@given(st.lists(st.tuples(st.integers(-(2**53), 2**53), st.floats()), min_size=1, max_size=30))
def test_any_series_can_be_drawn(points: list[tuple[int, float]]) -> None:
    svg = series_svg({"loss": Line([step for step, _ in points], [value for _, value in points])})
    ElementTree.fromstring(svg)
    assert "nan" not in svg.split("</style>")[1].replace("loss: nan", "").replace("last nan", "")
    assert "inf" not in svg.split("</style>")[1].replace("loss: inf", "").replace("loss: -inf", "").replace(
        "last inf", ""
    ).replace("last -inf", "")


def test_weights_of_any_size_keep_coefficients_in_range() -> None:
    matrix = matrix_of([[0, 1], [1.082659672938865e-75, 0]])
    assert matrix.mcc == -1.0
    assert -1 <= matrix.cohen_kappa <= 0
