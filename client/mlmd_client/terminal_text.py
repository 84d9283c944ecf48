"""What a terminal makes of text that others wrote: no commands of theirs, and columns as wide as they are drawn.

Tables are drawn without rich too, which only the command has, and which lets most commands to a terminal pass.
"""

import unicodedata
from collections.abc import Sequence

_KEPT = frozenset("\n\t")
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What makes a terminal draw the rest of a line in another order: a name could look like another one."""
_UNSEEN = ("Mn", "Me", "Cf")


def harmless(text: str) -> str:
    r"""Return a text in which nothing is a command to the terminal; line ends and tabs stay.

    >>> harmless("a\x1b[2Jb"), harmless("é 模型"), harmless("a\u202eb")
    ('a\\x1b[2Jb', 'é 模型', 'a\\u202eb')
    """
    if text.isprintable():
        return text
    return "".join(_escaped(sign) if _is_command(sign) else sign for sign in text)


def _is_command(sign: str) -> bool:
    return sign in _TURNING or (unicodedata.category(sign) in ("Cc", "Cs") and sign not in _KEPT)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape").decode()


def width(text: str) -> int:
    """Return how many columns a line takes on a terminal.

    >>> width("abc"), width("模型"), width("e\u0301")
    (3, 4, 1)
    """
    if text.isascii():
        return len(text)
    return sum(_sign_width(sign) for sign in text)


def _sign_width(sign: str) -> int:
    if unicodedata.category(sign) in _UNSEEN:
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1


def in_columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return lines in which the cells of rows, all of one length, stand below each other.

    >>> in_columns([["name", "n"], ["模型", "1"]])
    ['name  n', '模型  1']
    """
    cells = [[(cell, width(cell)) for cell in row] for row in rows]
    widths = [max(taken for _, taken in column) for column in zip(*cells, strict=True)]
    return [
        "  ".join(cell + " " * (widest - taken) for (cell, taken), widest in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
