"""Whether a text is LIKE a pattern, in time that grows with both and not with the number of the wildcards."""

from collections.abc import Sequence
from enum import Enum


class Wild(Enum):
    """What stands for more than itself in a pattern."""

    MANY = "%"
    ONE = "_"


Piece = str | Wild
"""A character that stands for itself, or a wildcard."""
WILD: dict[str, Piece] = {wild.value: wild for wild in Wild}


def is_like(text: str, pattern: Sequence[Piece]) -> bool:
    """Tell whether all of a text fits a pattern.

    >>> is_like("a%c", ["a", Wild.ONE, "c"]), is_like("abc", ["a", "%", "c"]), is_like("abc", [Wild.MANY, "c"])
    (True, False, True)
    """
    place = at = 0
    resumed, after = -1, 0
    while place < len(text):
        if at < len(pattern) and pattern[at] is Wild.MANY:
            resumed, after = place, at + 1
            at += 1
        elif at < len(pattern) and (pattern[at] is Wild.ONE or pattern[at] == text[place]):
            place, at = place + 1, at + 1
        elif resumed >= 0:  # the last MANY takes one character more
            resumed += 1
            place, at = resumed, after
        else:
            return False
    return all(piece is Wild.MANY for piece in pattern[at:])
