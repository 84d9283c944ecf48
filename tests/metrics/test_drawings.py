"""What a drawing says: titles, figures, marks; the same bytes for the same content."""

import math
import re
from xml.etree import ElementTree

import pytest
from mlmd_metrics.calibration import calibration
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.difference import difference
from mlmd_metrics.drawings import (
    Line,
    calibration_svg,
    difference_svg,
    matrix_svg,
    precision_recall_svg,
    roc_svg,
    series_svg,
)
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.svg import DARK, LIGHT

from tests.metrics.conftest import Scored

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def cutoffs(cancer: Scored) -> Cutoffs:
    return Cutoffs.from_scores(cancer.y_true, cancer.y_score[:, 1])


@pytest.fixture(scope="module")
def drawings(cutoffs: Cutoffs) -> dict[str, str]:
    matrix = cutoffs.matrix_at(0.5, ("malignant", "benign"))
    return {
        "matrix": matrix_svg(matrix),
        "difference": difference_svg(difference(matrix, cutoffs.matrix_at(0.9, ("malignant", "benign")))),
        "roc": roc_svg({"model": cutoffs.roc()}),
        "precision-recall": precision_recall_svg({"model": cutoffs.precision_recall()}, prevalence=0.6),
        "calibration": calibration_svg({"model": calibration(cutoffs)}),
        "series": series_svg({"loss": Line(range(50), [1 / (step + 1) for step in range(50)])}),
    }


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def said(element: ElementTree.Element, name: str) -> str:
    value = element.get(name)
    assert value is not None, name
    return value


def matched(pattern: str, svg: str) -> re.Match[str]:
    found = re.search(pattern, svg)
    assert found is not None, pattern
    return found


def hovers(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}title")]


def test_every_drawing_can_be_read_aloud(drawings: dict[str, str]) -> None:
    for svg in drawings.values():
        root = ElementTree.fromstring(svg)
        title, description = root[0], root[1]
        assert (title.tag, description.tag) == (f"{SVG}title", f"{SVG}desc")
        assert root.get("role") == "img"
        assert said(root, "aria-labelledby").split() == [title.get("id"), description.get("id")]
        assert len(description.text or "") > 20


def test_every_drawing_stands_alone(drawings: dict[str, str]) -> None:
    for svg in drawings.values():
        assert "<script" not in svg
        assert re.findall(r"https?://[^\"<]+", svg) == ["http://www.w3.org/2000/svg"]
        assert re.search(r"\bon[a-z]+=", svg) is None
        assert "@media (prefers-color-scheme:dark)" in svg


def test_every_class_has_a_colour_on_light_and_on_dark(drawings: dict[str, str]) -> None:
    for svg in drawings.values():
        light, dark = matched(r"<style>(.*)@media[^{]*\{(.*)\}</style>", svg).groups()
        for name in set(re.findall(r'class="([^"]+)"', svg)):
            assert f".{name}{{" in light
            assert f".{name}{{" in dark


def test_every_hue_is_one() -> None:
    assert len(LIGHT) == len(DARK) == 10
    assert len({*LIGHT, *DARK}) == 20
    assert all(re.fullmatch("#[0-9a-f]{6}", hue) for hue in (*LIGHT, *DARK))


def test_coordinates_lie_inside(drawings: dict[str, str]) -> None:
    for name, svg in drawings.items():
        root = ElementTree.fromstring(svg)
        _, _, width, height = map(float, said(root, "viewBox").split())
        for element in root.iter(f"{SVG}text"):
            assert 0 <= float(said(element, "x")) <= width, name
            assert 0 <= float(said(element, "y")) <= height, name
        for element in root.iter(f"{SVG}rect"):
            x, y = float(element.get("x", "0")), float(element.get("y", "0"))
            assert x + float(said(element, "width")) <= width, name
            assert y + float(said(element, "height")) <= height, name


def test_the_same_content_gives_the_same_bytes(cutoffs: Cutoffs) -> None:
    assert roc_svg({"model": cutoffs.roc()}) == roc_svg({"model": cutoffs.roc()})
    first, second = roc_svg({"a": cutoffs.roc()}), roc_svg({"b": cutoffs.roc()})
    ids = [matched(r'id="([^"]+)"', svg).group(1) for svg in (first, second)]
    assert ids[0] != ids[1]  # both may stand in one page


def test_a_matrix_says_its_counts() -> None:
    svg = matrix_svg(ConfusionMatrix(["cat", "dog"], [[50_000, 1], [0, 3]]), "Pets")
    assert {"Pets", "cat", "dog", "50k", "1", "0", "3", ">99%", "<1%", "100%"} <= set(texts(svg))
    assert "true cat, predicted cat: 50000 (>99%)" in hovers(svg)
    assert "2 classes, 50k rows, accuracy 1.0000" in texts(svg)
    sides = {element.text: element for element in ElementTree.fromstring(svg).iter(f"{SVG}text")}
    across, down = float(said(sides["Predicted"], "y")), float(said(sides["True"], "x"))
    assert across > max(float(said(element, "y")) for text, element in sides.items() if text != "Predicted")
    assert down <= min(float(said(element, "x")) for text, element in sides.items() if text != "True")


def test_counts_read_on_their_cells_and_fit_into_them() -> None:
    """White on what is dark, and letters no larger than small cells allow."""
    size = 16
    counts = [[(100 if i == j else 2 if j == i + 1 else 0) for j in range(size)] for i in range(size)]
    root = ElementTree.fromstring(matrix_svg(ConfusionMatrix([f"c{i}" for i in range(size)], counts)))
    marks = {mark.text: mark for mark in root.iter(f"{SVG}text") if mark.get("pointer-events") == "none"}
    assert {text: mark.get("class") for text, mark in marks.items()} == {"100": "mlmd-inverse", "2": "mlmd-ink"}
    assert {float(said(mark, "font-size")) for mark in marks.values()} == {10.93}
    sides = {float(said(box, "width")) for box in root.iter(f"{SVG}rect") if "cell" in said(box, "class")}
    assert sides == {28.75}
    for mark in marks.values():
        assert 0.4 < (float(said(mark, "y")) - 62) / 28.75 % 1 < 0.8, "in the middle of its cell"
    frame = next(box for box in root.iter(f"{SVG}rect") if box.get("class") == "mlmd-axis")
    assert (said(frame, "width"), said(frame, "height")) == ("460", "460")


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (9_999, "9999"),
        (10_000, "10k"),
        (12_345, "12.3k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (999_999, "1M"),
        (1_234_567, "1.23M"),
        (999_499_999, "999M"),
        (999_500_000, "1G"),
        (999_499_999_999, "999G"),
        (999_500_000_000, "1000G"),
        (2**63 - 1, "9223372037G"),
        (0.5, "0.5"),
    ],
)
def test_counts_are_written_as_people_do(count: float, shown: str) -> None:
    matrix = ConfusionMatrix(["cat"], [[count]])
    assert f"1 class, {shown} rows, accuracy 1.0000" in texts(matrix_svg(matrix))
    less = difference_svg(difference(matrix, ConfusionMatrix(["cat"], [[0]])))
    assert f"1 class, diagonal −{shown}" in texts(less)
    one = matrix_svg(ConfusionMatrix(["cat", "dog"], [[1, 0], [0, 0]]))
    assert "2 classes, 1 row, accuracy 1.0000" in texts(one)


def test_a_difference_says_its_signs() -> None:
    before = ConfusionMatrix(["cat", "dog"], [[9, 1], [0, 5]])
    svg = difference_svg(difference(before, ConfusionMatrix(["cat", "dog"], [[5, 5], [0, 12_345]])))
    assert {"−4", "+4", "0", "+12.3k"} <= set(texts(svg))
    assert "true dog, predicted dog: +12340" in hovers(svg)


def test_many_classes_are_drawn_as_blocks() -> None:
    size = 1000
    matrix = ConfusionMatrix([f"c{i}" for i in range(size)], [[int(i == j) for j in range(size)] for i in range(size)])
    svg = matrix_svg(matrix)
    assert len(svg) < 300_000
    assert "1000 classes, 1000 rows, accuracy 1.0000, 13 classes a cell" in texts(svg)
    assert "true c0 …, predicted c0 …: 13 (100%)" in hovers(svg)


def test_nothing_counted() -> None:
    assert "accuracy nan" in matrix_svg(ConfusionMatrix(["a"], [[0]]))


def test_curves_say_their_figures(cutoffs: Cutoffs, drawings: dict[str, str]) -> None:
    assert f"AUC {cutoffs.auc():.4f}" in texts(drawings["roc"])
    assert f"AP {cutoffs.average_precision():.4f}" in texts(drawings["precision-recall"])
    assert f"error {calibration(cutoffs).expected_error:.4f}" in texts(drawings["calibration"])
    assert "A guess: precision 0.600" in hovers(drawings["precision-recall"])


def test_figures_of_a_legend_stand_at_its_right_edge(cutoffs: Cutoffs) -> None:
    root = ElementTree.fromstring(roc_svg({"one": cutoffs.roc(), "two": cutoffs.roc()}))
    figures = [mark for mark in root.iter(f"{SVG}text") if (mark.text or "").startswith("AUC ")]
    names = [mark for mark in root.iter(f"{SVG}text") if mark.text in ("one", "two")]
    assert [mark.get("text-anchor") for mark in figures] == ["end", "end"]
    assert [said(mark, "y") for mark in figures] == [said(mark, "y") for mark in names]
    others = [mark for mark in root.iter(f"{SVG}text") if mark not in figures + names]
    bottom = max(float(said(mark, "y")) for mark in others)
    assert min(float(said(mark, "y")) for mark in names) > bottom + 12, "no name is written over the axis"


def test_a_curve_of_one_class_is_said_to_be_undefined() -> None:
    one = Cutoffs.from_scores([1, 1], [0.1, 0.2])
    assert "AUC undefined" in texts(roc_svg({"model": one.roc()}))
    assert "AP 1.0000" in texts(precision_recall_svg({"model": one.precision_recall()}))


def test_a_long_curve_stays_small() -> None:
    long = Cutoffs.from_scores(
        [index * 7919 % 10 < 4 for index in range(50_000)], [index / 5e4 for index in range(50_000)]
    )
    assert len(roc_svg({"model": long.roc()})) < 20_000
    assert len(precision_recall_svg({"model": long.precision_recall()})) < 40_000


def test_a_series_that_diverged() -> None:
    values = [1.0, 0.5, math.inf, 0.4, math.nan, math.nan, math.nan, 0.3, -math.inf]
    svg = series_svg({"loss": Line(range(9), values)}, "Loss", "epoch", "cross-entropy")
    marks = [element.findtext(f"{SVG}title") for element in ElementTree.fromstring(svg).iter(f"{SVG}polygon")]
    assert marks == ["loss: inf at 2", "loss: nan at 4", "loss: -inf at 8"]
    lines = [title for title in hovers(svg) if title == "loss"]
    assert len(lines) == 3  # gaps are not bridged
    assert {"Loss", "epoch", "cross-entropy", "last -inf"} <= set(texts(svg))
    svg = series_svg({"loss": Line(range(5), [1.0, math.nan, math.inf, -math.inf, math.nan])})
    marks = [element.findtext(f"{SVG}title") for element in ElementTree.fromstring(svg).iter(f"{SVG}polygon")]
    assert marks == ["loss: nan at 1", "loss: inf at 2", "loss: -inf at 3", "loss: nan at 4"]


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], {"0", "0.2", "1"}),
        ([5.0, 5.0], {"2", "8"}),
        ([-1e308, 1e308], {"−1.2e+308", "1.2e+308"}),
        ([1.7e308, 1.7e308], {"0"}),
        ([0.0, 5e-324], {"−1", "1"}),
        ([1.0, 1.0000000000000002], {"0.4", "1.6"}),
        ([1.0, 1.00000001], {"1"}),
        ([math.nan, math.nan], {"0", "1"}),
        ([12_000.0, 61_000.0], {"10k", "70k"}),
    ],
)
def test_axes_hold_any_range(values: list[float], ticks: set[str]) -> None:
    assert ticks <= set(texts(series_svg({"loss": Line([0, 1], values)})))


def test_empty_drawings_are_refused() -> None:
    for draw in (roc_svg, precision_recall_svg, calibration_svg, series_svg):
        with pytest.raises(MetricsError, match="is empty"):
            draw({})
    with pytest.raises(MetricsError, match=r"loss\.steps is empty"):
        series_svg({"loss": Line([], [])})
    with pytest.raises(MetricsError, match=r"loss\.steps has 2 entries and loss\.values has 1"):
        series_svg({"loss": Line([1, 2], [1.0])})
    with pytest.raises(MetricsError, match=r"loss\.steps hold NaN"):
        series_svg({"loss": Line([1, math.nan], [1.0, 2.0])})
    with pytest.raises(MetricsError, match="prevalence is 2"):
        precision_recall_svg({"model": Cutoffs.from_scores([0, 1], [0, 1]).precision_recall()}, prevalence=2)


@pytest.mark.parametrize("prevalence", [0, 1])
def test_a_prevalence_may_be_none_or_all(prevalence: float) -> None:
    svg = precision_recall_svg({"model": Cutoffs.from_scores([0, 1], [0, 1]).precision_recall()}, prevalence=prevalence)
    guess = f"A guess: precision {prevalence}.000"
    (line,) = [line for line in ElementTree.fromstring(svg).iter(f"{SVG}path") if line.findtext(f"{SVG}title") == guess]
    start, end = re.fullmatch(r"M([\d.]+) [\d.]+H([\d.]+)", said(line, "d")).groups()  # type: ignore[union-attr]
    assert float(end) - float(start) > 100, "it goes from one side to the other"
