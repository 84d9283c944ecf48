"""Drawings: SVG that a notebook shows and a file keeps."""

import html
from collections.abc import Iterator, Mapping
from pathlib import Path

from mlmd_client.failures import refused


def in_frame(svg: str) -> str:
    """Return a drawing as HTML that takes no more of a page than a window has, and can be moved in where it is larger.

    >>> in_frame("<svg/>").endswith("<svg/></div>")
    True
    """
    return f'<div style="max-width:100%;max-height:85vh;overflow:auto">{svg}</div>'


class Drawing:
    """One SVG document, without scripts and with nothing to load.

    >>> Drawing("<svg/>").svg
    '<svg/>'
    """

    def __init__(self, svg: str) -> None:
        self.svg = svg

    def save(self, path: str | Path) -> Path:
        """Write it to a file; raises Refused unless its name ends with .svg.

        >>> import tempfile
        >>> Drawing("<svg/>").save(Path(tempfile.mkdtemp()) / "roc.svg").name
        'roc.svg'
        """
        target = Path(path)
        if target.suffix.lower() != ".svg":
            raise refused(
                f"path: {target.name!r} does not end with .svg, and drawings are SVG; call it {target.stem}.svg."
            )
        target.write_text(self.svg, "utf-8")
        return target

    def __repr__(self) -> str:
        """Return how large it is and how to keep it: SVG itself is nothing to read at a prompt."""
        return f"<Drawing of {len(self.svg)} characters of SVG; .save('drawing.svg') keeps it>"

    def _repr_svg_(self) -> str:
        return self.svg

    def _repr_html_(self) -> str:
        return in_frame(self.svg)


class Drawings:
    """Several drawings by name.

    >>> list(Drawings({"churn@1": Drawing("<svg/>")}))
    ['churn@1']
    """

    def __init__(self, drawn: Mapping[str, Drawing]) -> None:
        self._drawn = dict(drawn)

    def __len__(self) -> int:
        """The number of drawings."""
        return len(self._drawn)

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self._drawn)

    def __getitem__(self, name: str) -> Drawing:
        """The drawing of this name; raises KeyError for another."""
        return self._drawn[name]

    def __repr__(self) -> str:
        """Return the names by which `[name]` gives one drawing."""
        return f"<Drawings of {', '.join(self._drawn)}>"

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._drawn)

    def _repr_html_(self) -> str:
        return "".join(
            f'<figure style="display:inline-block;margin:0 1em 1em 0"><figcaption>{html.escape(name)}</figcaption>'
            f"{in_frame(drawing.svg)}</figure>"
            for name, drawing in self._drawn.items()
        )
