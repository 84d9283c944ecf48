"""How sqlite3 is told to insert many rows, and what it lacks."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from string import ascii_lowercase, ascii_uppercase
from typing import Any

BLOCKS = (64, 32, 16, 8, 4, 2, 1)
"""Rows of one statement. Few different numbers, so that the driver still has the compiled statements."""

KEPT_STATEMENTS = 512
"""Compiled statements that a connection keeps."""


class BlockCursor(sqlite3.Cursor):
    """A cursor whose executemany of an INSERT takes two thirds of the driver's own time.

    The driver steps through a statement a row and gives the interpreter's lock away and takes it back for each. Here a
    statement carries up to 64 rows.
    """

    def executemany(self, query: str, rows: Iterable[Any], /) -> "BlockCursor":
        """Insert rows; `query` is an INSERT whose VALUES are placeholders only, with what may follow them."""
        given: Sequence[Sequence[Any]] = rows if isinstance(rows, Sequence) else list(rows)
        start = 0
        for size in BLOCKS:
            while len(given) - start >= size:
                self.execute(_repeated(query, size), list(chain.from_iterable(given[start : start + size])))
                start += size
        return self


@cache
def _repeated(query: str, count: int) -> str:
    """Return the INSERT for so many rows."""
    before, found, tail = query.partition(" VALUES (")
    places, closed, rest = tail.partition(")")
    if not found or not closed or places.strip("?, "):
        raise ValueError(f"not an INSERT of placeholders: {query}")
    return f"{before} VALUES {', '.join([f'({places})'] * count)}{rest}"


_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


def like(text: str | None, pattern: str | None) -> bool | None:
    """Tell whether text is LIKE a pattern, as SQLite does but to the end of both, whatever NULs they hold."""
    if text is None or pattern is None:
        return None
    text, pattern = text.translate(_LOWER), pattern.translate(_LOWER)
    place = at = 0
    resumed, after = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] == "%":
            resumed, after = place, at + 1
            at += 1
        elif at < len(pattern) and pattern[at] in ("_", text[place]):
            place, at = place + 1, at + 1
        elif resumed >= 0:  # the last % takes one character more
            resumed += 1
            place, at = resumed, after
        else:
            return False
    return not pattern[at:].strip("%")
