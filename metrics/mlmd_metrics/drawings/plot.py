"""A plot: axes with round ticks, a grid, lines inside and a legend below."""

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from mlmd_metrics.svg import Document, element, label, number, path, shortened, stroke, text

_MARGIN_LEFT, _MARGIN_RIGHT, _MARGIN_TOP, _MARGIN_BOTTOM = 62.0, 20.0, 44.0, 50.0
_LEGEND_LINE, _LEGEND_GAP = 18.0, 14.0
_LEGEND_LENGTH = 56
_NARROW, _TINY, _HUGE = 1e-9, 1e-290, sys.float_info.max


@dataclass(frozen=True, slots=True)
class Axis:
    """The values `low` to `high` along one side, with their name and the ticks written there."""

    name: str
    low: float
    high: float
    ticks: tuple[float, ...]

    @classmethod
    def of_shares(cls, name: str) -> "Axis":
        """From 0 to 1 in fifths."""
        return cls(name, 0.0, 1.0, (0.0, 0.2, 0.4, 0.6, 0.8, 1.0))

    @classmethod
    def around(cls, name: str, low: float, high: float) -> "Axis":
        """From a round number at or below `low` to one at or above `high`, finite both; a range too narrow to tick is
        widened, and what lies in it is flat.
        """
        size = max(abs(low), abs(high))
        if high / 2 - low / 2 <= max(size * _NARROW, _TINY):
            pad = size / 2 if size > _TINY / _NARROW else 1.0
            low, high = max(low - pad, -_HUGE), min(high + pad, _HUGE)
        step = round_step(high / 5 - low / 5)
        first, last = math.floor(low / step), math.ceil(high / step)
        if not math.isfinite(step * first) or not math.isfinite(step * last) or last - first > 20:
            return cls(name, low, high, (low, high))
        ticks = tuple(float(f"{index * step:.12g}") for index in range(first, last + 1))
        return cls(name, ticks[0], ticks[-1], ticks)

    def share(self, value: float) -> float:
        """Where the value lies, 0 at `low`, 1 at `high`; halves keep the range of doubles from overflowing."""
        return (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)


def round_step(rough: float) -> float:
    """1, 2, 2.5 or 5 times a power of ten, at least `rough`."""
    if not 1e-300 < rough < 1e300:
        return max(rough, 5e-324)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10, 20) if factor * power >= rough * (1 - 1e-9))


def written(value: float) -> str:
    """A tick as people write it: 0.25, 1500, 20k, 3M, 1e-07."""
    size = abs(value)
    for limit, unit in ((1e6, "M"), (1e3, "k")):
        if limit * 10 <= size < 1e9 and value % (limit / 100) == 0:
            return f"{value / limit:.6g}{unit}"
    return f"{value:.6g}".replace("-", "\u2212")


class Plot:
    """A document with a frame of `width` by `height` user units for lines between two axes."""

    def __init__(
        self, title: str, description: str, x: Axis, y: Axis, legend: int, width: float = 380.0, height: float = 380.0
    ) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height
        bottom = _MARGIN_BOTTOM + (_LEGEND_GAP + legend * _LEGEND_LINE - 4 if legend else 0)
        self.document = Document(
            _MARGIN_LEFT + width + _MARGIN_RIGHT, _MARGIN_TOP + height + bottom, title, description
        )
        heading = shortened(title, int((width + 40) / 8))
        self.document.add(label(_MARGIN_LEFT, 26, heading, font_size=15, font_weight="600"))
        self._draw_axes()

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Coordinates of a point; both values must be finite."""
        return _MARGIN_LEFT + self.x.share(x) * self.width, _MARGIN_TOP + (1 - self.y.share(y)) * self.height

    def add_line(self, index: int, points: Sequence[tuple[float, float]], name: str) -> None:
        """Draw the index-th line; hovering shows its name."""
        attributes = {"d": path([self.place(*point) for point in points]), **stroke(index)}
        attributes |= {"stroke_linejoin": "round", "stroke_linecap": "round"}
        self.document.add(element("path", attributes, element("title", {}, text(name) or " ")))

    def add_reference(self, points: Sequence[tuple[float, float]], name: str) -> None:
        """Draw a thin dashed line to compare with."""
        attributes: dict[str, str | float] = {
            "d": path([self.place(*point) for point in points]),
            "class": "mlmd-axis",
            "fill": "none",
            "stroke_width": 1.5,
            "stroke_dasharray": "4 4",
        }
        self.document.add(element("path", attributes, element("title", {}, text(name) or " ")))

    def add_legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """One line of text for each line drawn, in their order: its name, and a figure set off to the right."""
        for index, (name, figure) in enumerate(entries):
            y = _MARGIN_TOP + self.height + _MARGIN_BOTTOM + _LEGEND_GAP + index * _LEGEND_LINE
            right = _MARGIN_LEFT + self.width
            start, end = number(_MARGIN_LEFT), number(_MARGIN_LEFT + 22)
            mark = {"d": f"M{start} {number(y - 4)}H{end}", **stroke(index), "stroke_width": 3}
            room = min(_LEGEND_LENGTH, int((self.width - 30) / 7 - len(figure)))
            self.document.add(element("path", mark), label(_MARGIN_LEFT + 30, y, shortened(name, room)))
            if figure:
                self.document.add(label(right, y, figure, "soft", text_anchor="end"))

    def _draw_axes(self) -> None:
        left, top = _MARGIN_LEFT, _MARGIN_TOP
        right, bottom = left + self.width, top + self.height
        grid = ""
        for tick in self.x.ticks:
            at, _ = self.place(tick, self.y.low)
            grid += f"M{number(at)} {number(top)}V{number(bottom)}"
            self.document.add(label(at, bottom + 17, written(tick), "soft", text_anchor="middle", font_size=11))
        for tick in self.y.ticks:
            _, at = self.place(self.x.low, tick)
            grid += f"M{number(left)} {number(at)}H{number(right)}"
            self.document.add(label(left - 8, at + 4, written(tick), "soft", text_anchor="end", font_size=11))
        self.document.add(element("path", {"d": grid, "class": "mlmd-grid", "fill": "none", "stroke_width": 1}))
        frame = f"M{number(left)} {number(top)}V{number(bottom)}H{number(right)}"
        self.document.add(element("path", {"d": frame, "class": "mlmd-axis", "fill": "none", "stroke_width": 1}))
        middle = top + self.height / 2
        turned = f"rotate(-90 16 {number(middle)})"
        self.document.add(
            label(left + self.width / 2, bottom + 37, shortened(self.x.name, 50), text_anchor="middle"),
            label(16, middle, shortened(self.y.name, 50), text_anchor="middle", transform=turned),
        )
