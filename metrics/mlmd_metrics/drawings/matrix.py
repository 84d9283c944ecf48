"""Confusion matrices, and the difference of two, as tables of tinted cells."""

import math
from collections.abc import Callable, Sequence

from mlmd_schemas.counting import counted

from mlmd_metrics.confusion import ConfusionMatrix, Count, exact_sum
from mlmd_metrics.difference import MatrixDifference
from mlmd_metrics.svg import Document, element, label, number, shortened, text

MOST_CELLS = 80
"""More classes than this are drawn as blocks of neighbouring classes, because cells would be smaller than a dot."""

_LABEL_LENGTH = 16
_LETTER = 6.4  # about the width of a letter at the size of labels
_DARK_CELL = 0.66  # from this opacity on, text in a cell reads better in the colour of the ground


def matrix_svg(matrix: ConfusionMatrix, title: str = "Confusion matrix") -> str:
    """Draw a matrix: rows are true classes, columns predicted ones; the tint is the share of the row."""
    rows = f"{_count(matrix.total)} {'row' if matrix.total == 1 else 'rows'}"
    said = f"{counted(len(matrix.labels), 'class', 'classes')}, {rows}, accuracy {matrix.accuracy:.4f}"
    said += _said_of_blocks(matrix.labels)
    labels, cells = _blocks(matrix.labels, matrix.counts)
    totals = [exact_sum(row) for row in cells]

    def tint(i: int, j: int) -> tuple[int, float]:
        return 0, cells[i][j] / totals[i] if totals[i] else 0.0

    def note(i: int, j: int) -> str:
        return _percent(cells[i][j], totals[i]) if totals[i] else ""

    return _table(title, said, labels, cells, tint, note)


def difference_svg(found: MatrixDifference, title: str = "Difference of confusion matrices") -> str:
    """Draw a difference: blue cells gained rows, orange ones lost some; the tint is the share of the largest change."""
    gained = exact_sum([found.deltas[i][i] for i in range(len(found.labels))])
    said = f"{counted(len(found.labels), 'class', 'classes')}, diagonal {_signed(gained)}"
    said += _said_of_blocks(found.labels)
    labels, cells = _blocks(found.labels, found.deltas)
    most = max((abs(cell) for row in cells for cell in row), default=0) or 1

    def tint(i: int, j: int) -> tuple[int, float]:
        return (0 if cells[i][j] > 0 else 1), abs(cells[i][j]) / most

    return _table(title, said, labels, cells, tint, lambda i, j: "", _signed)


def _said_of_blocks(labels: Sequence[str]) -> str:
    size = -(-len(labels) // MOST_CELLS)
    return f", {size} classes a cell" if size > 1 else ""


def _blocks(labels: Sequence[str], cells: Sequence[Sequence[Count]]) -> tuple[list[str], list[list[Count]]]:
    """Sum neighbouring classes until at most MOST_CELLS rows are left."""
    size = -(-len(labels) // MOST_CELLS)
    if size == 1:
        return list(labels), [list(row) for row in cells]
    starts = range(0, len(labels), size)
    names = [f"{labels[start]} …" for start in starts]
    columns = [[exact_sum(row[start : start + size]) for start in starts] for row in cells]
    summed = [[exact_sum(column) for column in zip(*columns[start : start + size], strict=True)] for start in starts]
    return names, summed


def _table(
    title: str,
    said: str,
    labels: Sequence[str],
    cells: Sequence[Sequence[Count]],
    tint: Callable[[int, int], tuple[int, float]],
    note: Callable[[int, int], str],
    figure: Callable[[Count], str] | None = None,
) -> str:
    side = min(64.0, max(7.0, 460 / len(labels)))
    names = [shortened(name, _LABEL_LENGTH) for name in labels]
    longest = max(len(name) for name in names) * _LETTER
    turned = longest > side - 6
    left, top = 44 + longest, 62.0
    extent = side * len(labels)
    heading = min(max(len(title) * 8.7, len(said) * 6.3), 480) + 36
    width = max(left + extent + 24 + (longest * 0.3 if turned else 0), heading)
    document = Document(width, top + extent + (longest * 0.72 + 18 if turned else 24) + 26, title, f"{said}.")
    document.add(label(16, 26, shortened(title, int(width / 8.5)), font_size=15, font_weight="600"))
    document.add(label(16, 45, shortened(said, int(width / 6)), "soft"))
    for i, row in enumerate(cells):
        for j, cell in enumerate(row):
            document.add(*_cell(labels, (i, j), cell, (left, top, side), tint(i, j), note(i, j), figure or _count))
    frame: dict[str, str | float] = {
        "x": left,
        "y": top,
        "width": extent,
        "height": extent,
        "class": "mlmd-axis",
        "fill": "none",
    }
    document.add(element("rect", frame))
    _name_sides(document, names, (left, top, side), turned)
    return document.render()


def _cell(
    labels: Sequence[str],
    place: tuple[int, int],
    cell: Count,
    frame: tuple[float, float, float],
    tint: tuple[int, float],
    note: str,
    figure: Callable[[Count], str],
) -> list[str]:
    (i, j), (left, top, side), (hue, share) = place, frame, tint
    x, y, opacity = left + j * side, top + i * side, 0.06 + 0.94 * share
    exact = f"{cell:+}" if figure is _signed else f"{cell}"
    said = text(f"true {labels[i]}, predicted {labels[j]}: {exact}" + (f" ({note})" if note else ""))
    title = element("title", {}, said)
    parts = []
    box: dict[str, str | float] = {"x": x, "y": y, "width": side, "height": side}
    if cell:
        tinted = {"class": f"mlmd-cell{hue}", "fill_opacity": number(opacity)}
        parts.append(element("rect", {**box, **tinted}, title))
    shown = figure(cell) if cell else ("0" if side >= 30 else "")
    size = min(14.0, side * 0.38)
    if shown and side >= 20 and len(shown) * size * 0.58 <= side - 3:
        role = "inverse" if cell and opacity > _DARK_CELL else "ink" if cell else "soft"
        with_note = bool(note) and side >= 44 and bool(cell)
        middle = y + side / 2 + size * 0.35 - (side * 0.09 if with_note else 0)
        parts.append(
            label(x + side / 2, middle, shown, role, text_anchor="middle", font_size=size, pointer_events="none")
        )
        if with_note:
            below = y + side / 2 + side * 0.27
            small: dict[str, str | float] = {"text_anchor": "middle", "font_size": 10.5, "pointer_events": "none"}
            parts.append(label(x + side / 2, below, note, role if role == "inverse" else "soft", **small))
    return parts


def _name_sides(document: Document, names: Sequence[str], frame: tuple[float, float, float], turned: bool) -> None:
    left, top, side = frame
    extent = side * len(names)
    every = math.ceil((17 if turned else 13) / side)
    for index, name in enumerate(names):
        if index % every:
            continue
        middle = (index + 0.5) * side
        document.add(label(left - 7, top + middle + 4, name, text_anchor="end"))
        x, y = left + middle, top + extent + 16
        if turned:
            document.add(
                label(x + 2, y - 4, name, text_anchor="end", transform=f"rotate(-45 {number(x + 2)} {number(y - 4)})")
            )
        else:
            document.add(label(x, y, name, text_anchor="middle"))
    middle = top + extent / 2
    document.add(
        label(left + extent / 2, document.height - 12, "Predicted", "soft", text_anchor="middle"),
        label(16, middle, "True", "soft", text_anchor="middle", transform=f"rotate(-90 16 {number(middle)})"),
    )


def _percent(part: Count, whole: Count) -> str:
    """The share without a digit behind the point, but never 0 % of something nor 100 % of less than all."""
    shown = f"{part / whole:.0%}"
    if shown == "0%" and part:
        return "<1%"
    return ">99%" if shown == "100%" and part != whole else shown


def _count(value: Count) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    # From 999,500 on three digits round up to a million, which has a unit of its own.
    for least, whole, unit in ((999_500_000, 10**9, "G"), (999_500, 10**6, "M"), (10_000, 1000, "k")):
        if value >= least:
            return f"{value / whole:.3g}{unit}" if value / whole < 999.5 else f"{value / whole:.0f}{unit}"
    return str(value)


def _signed(value: Count) -> str:
    if not value:
        return "0"
    size = f"{abs(value):.3g}" if isinstance(value, float) else _count(abs(value))
    return ("+" if value > 0 else "\u2212") + size
