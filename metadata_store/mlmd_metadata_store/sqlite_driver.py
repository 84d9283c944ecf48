"""How sqlite3 is told to insert many rows, and what it lacks."""

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from itertools import chain
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from mlmd_metadata_store.wildcards import WILD, Piece, is_like

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


def like(text: bytes | None, pattern: bytes | None) -> bool | None:
    """Tell whether text is LIKE a pattern, as SQLite does but to the end of both, whatever NULs they hold.

    Both are UTF-8, as far as whoever wrote them saw to it; each byte that is not counts as a character.
    """
    if text is None or pattern is None:
        return None
    return is_like(_folded(text), _pieces(pattern))


def _folded(text: bytes) -> str:
    return text.decode("utf-8", "surrogateescape").translate(_LOWER)


@lru_cache(maxsize=64)
def _pieces(pattern: bytes) -> list[Piece]:
    return [WILD.get(character, character) for character in _folded(pattern)]
