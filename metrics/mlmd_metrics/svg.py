"""SVG documents: escaped, deterministic, with a title and a description, readable on light and on dark ground.

No JavaScript, no fonts and no links to anywhere: a document stands in a notebook, a model card or a README as it is.
Colours are classes that a style sheet inside the document fills, once for light and once for dark, and every document
paints its own background, so that it reads wherever it is put.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from html import escape

LIGHT = ("#0969da", "#bc4c00", "#1a7f37", "#8250df", "#cf222e", "#1b7c83", "#bf3989", "#7d4e00", "#57606a", "#0a3069")
DARK = ("#58a6ff", "#ffa657", "#3fb950", "#bc8cff", "#ff7b72", "#39c5cf", "#f778ba", "#d29922", "#8b949e", "#a5d6ff")
"""Hues of the first ten things drawn; the eleventh starts again, dashed."""

_FONT = "system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif"
_ROLES = {  # class: (property, on light, on dark)
    "mlmd-ground": ("fill", "#ffffff", "#0d1117"),
    "mlmd-ink": ("fill", "#1f2328", "#e6edf3"),
    "mlmd-soft": ("fill", "#59636e", "#9198a1"),
    "mlmd-inverse": ("fill", "#ffffff", "#0d1117"),
    "mlmd-axis": ("stroke", "#818b98", "#656c76"),
    "mlmd-grid": ("stroke", "#d1d9e0", "#2b313a"),
    "mlmd-cell0": ("fill", "#0550ae", "#58a6ff"),
    "mlmd-cell1": ("fill", "#953800", "#ffa657"),
}
_ILLEGAL = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(content: str) -> str:
    """Escape text for XML; characters that XML does not know (most control characters) become U+FFFD."""
    return escape(_ILLEGAL.sub("\ufffd", content), quote=True)


def shortened(label: str, length: int) -> str:
    """Cut a label to `length` characters, the last of which is then an ellipsis; line breaks become spaces."""
    line = " ".join(label.split())
    return line if len(line) <= length else line[: max(length - 1, 0)] + "…"


def number(value: float) -> str:
    """A coordinate with two decimals at most, written in one way only."""
    written = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if written == "-0" else written


def element(name: str, attributes: dict[str, str | float], *children: str) -> str:
    """One element; numbers are written as coordinates, text is escaped, `_` in names is `-`; children are markup."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{number(value) if isinstance(value, int | float) else text(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name}{written}>{''.join(children)}</{name}>" if children else f"<{name}{written}/>"


def label(x: float, y: float, content: str, role: str = "ink", **attributes: str | float) -> str:
    """A text element; `role` is a colour (`ink`, `soft`, `inverse`)."""
    return element("text", {"x": x, "y": y, "class": f"mlmd-{role}", **attributes}, text(content))


def path(points: Sequence[tuple[float, float]]) -> str:
    """The `d` of a line through the points; steps along one axis are written short."""
    parts: list[str] = []
    x, y = "", ""
    for px, py in points:
        new_x, new_y = number(px), number(py)
        if not parts:
            parts.append(f"M{new_x} {new_y}")
        elif new_x == x and new_y != y:
            parts.append(f"V{new_y}")
        elif new_y == y and new_x != x:
            parts.append(f"H{new_x}")
        elif new_x != x:
            parts.append(f"L{new_x} {new_y}")
        x, y = new_x, new_y
    if len(parts) == 1:
        parts.append("h0")  # with round caps a point that stands alone shows
    return "".join(parts)


def stroke(index: int) -> dict[str, str | float]:
    """Attributes of the line of the index-th thing drawn."""
    dash: dict[str, str | float] = {} if index < len(LIGHT) else {"stroke_dasharray": "5 3"}
    return {"class": f"mlmd-line{index % len(LIGHT)}", "fill": "none", "stroke_width": 2, **dash}


def fill(index: int) -> str:
    """The class that fills with the colour of the index-th thing drawn."""
    return f"mlmd-fill{index % len(LIGHT)}"


@dataclass(slots=True)
class Document:
    """A document of `width` by `height` user units; `title` and `description` are read aloud and shown on hovering."""

    width: float
    height: float
    title: str
    description: str
    body: list[str] = field(default_factory=list)

    def add(self, *markup: str) -> None:
        """Append elements."""
        self.body += markup

    def render(self) -> str:
        """The whole document. The same content gives the same bytes."""
        body = "".join(self.body)
        digest = sha256(f"{self.title}\0{self.description}\0{body}".encode("utf-8", "replace")).hexdigest()[:10]
        names = {"title": f"mlmd-{digest}-title", "desc": f"mlmd-{digest}-desc"}
        ground = element("rect", {"class": "mlmd-ground", "width": self.width, "height": self.height, "rx": 6})
        attributes: dict[str, str | float] = {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {number(self.width)} {number(self.height)}",
            "width": self.width,
            "height": self.height,
            "role": "img",
            "aria_labelledby": f"{names['title']} {names['desc']}",
            "font_family": _FONT,
            "font_size": 12,
        }
        return element(
            "svg",
            attributes,
            element("title", {"id": names["title"]}, text(self.title) or " "),
            element("desc", {"id": names["desc"]}, text(self.description) or " "),
            f"<style>{_style(body)}</style>",
            ground,
            body,
        )


def _style(body: str) -> str:
    """Rules for the classes that occur, for light ground and for dark."""
    roles = dict(_ROLES)
    for index, hues in enumerate(zip(LIGHT, DARK, strict=True)):
        roles[f"mlmd-line{index}"] = ("stroke", *hues)
        roles[f"mlmd-fill{index}"] = ("fill", *hues)
    used = {name: role for name, role in roles.items() if name == "mlmd-ground" or name in body}
    light = "".join(f".{name}{{{prop}:{value}}}" for name, (prop, value, _) in used.items())
    dark = "".join(f".{name}{{{prop}:{value}}}" for name, (prop, _, value) in used.items())
    return f"{light}@media (prefers-color-scheme:dark){{{dark}}}"
