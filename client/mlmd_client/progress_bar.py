"""A bar in the terminal or the notebook while bytes move."""

import os
import sys
import time
from typing import TextIO

from mlmd_schemas.counting import counted

from mlmd_client.progress import Progress

VARIABLE = "MLMD_PROGRESS"
_WIDTH = 24
_AFTER_SECONDS = 0.5
_UNITS = ("B", "kB", "MB", "GB", "TB")


def human_bytes(count: float) -> str:
    """Return an amount of bytes as people read it.

    >>> human_bytes(999), human_bytes(1_500_000)
    ('999 B', '1.5 MB')
    """
    for unit in _UNITS[:-1]:
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {_UNITS[-1]}"


def is_watched(stream: TextIO) -> bool:
    """Tell whether a person looks at a stream: a terminal, or a notebook; `MLMD_PROGRESS` is `on` or `off` instead.

    >>> import io
    >>> is_watched(io.StringIO())
    False
    """
    told = os.environ.get(VARIABLE, "").lower()
    if told in ("on", "off"):
        return told == "on"
    return stream.isatty() or "ipykernel" in sys.modules


def fitted(label: str, drawn: str, columns: int) -> str:
    """Return label and bar as one line that a terminal does not wrap: one that wraps is not drawn over any more.

    >>> fitted("models:/fraud@champion", " ████  80 %", 24)
    'models:/fra… ████  80 %'
    >>> fitted("churn", " ████  80 %", 0)
    'churn ████  80 %'
    """
    room = columns - 1 - len(drawn)
    if not columns or len(label) <= room:
        return label + drawn
    return (f"{label[: room - 1]}…{drawn}" if room > 1 else drawn.lstrip())[: columns - 1]


def _columns(stream: TextIO) -> int:
    """Return how wide a terminal is, 0 for what is none or does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return 0


class ProgressBar:
    """Shows how far a transfer is, once it has taken half a second; a callback for `upload` and `download`.

    >>> import io
    >>> bar = ProgressBar("churn", io.StringIO(), shown=True, after_seconds=0)
    >>> bar(Progress(500, 1000, 1, 2, "model.bin"))
    >>> bar.stream.getvalue()
    '\\rchurn ████████████············  50 %  500 B of 1.0 kB, 1 of 2 files'
    >>> bar.end()
    """

    def __init__(
        self,
        label: str,
        stream: TextIO | None = None,
        *,
        shown: bool | None = None,
        after_seconds: float = _AFTER_SECONDS,
    ) -> None:
        self.stream = stream or sys.stderr
        self._label = label
        self._shown = is_watched(self.stream) if shown is None else shown
        self._from = time.monotonic() + after_seconds
        self._length = 0

    def __call__(self, progress: Progress) -> None:
        """Show it."""
        if not self._shown or time.monotonic() < self._from:
            return
        share = progress.bytes_done / progress.bytes_total if progress.bytes_total else 1.0
        share = min(1.0, max(0.0, share))
        filled = round(share * _WIDTH)
        drawn = (
            f" {'█' * filled}{'·' * (_WIDTH - filled)} {share * 100:3.0f} %  "
            f"{human_bytes(progress.bytes_done)} of {human_bytes(progress.bytes_total)}, "
            f"{progress.files_done} of {counted(progress.files_total, 'file')}"
        )
        line = fitted(self._label, drawn, _columns(self.stream))
        self.stream.write("\r" + line.ljust(self._length))
        self.stream.flush()
        self._length = len(line)

    def end(self) -> None:
        """Leave the line."""
        if self._length:
            self.stream.write("\n")
            self.stream.flush()
            self._length = 0
