"""A value as an error shows it: quoted, and cut where it is too long to be read."""

LONGEST_SHOWN = 200
"""Characters: what people write for a name, a path or an address fits."""


def shown(value: object, longest: int = LONGEST_SHOWN) -> str:
    """Return the value as Python writes it, cut to so many characters.

    >>> shown("x" * 300, 5)
    "'xxxx…"
    """
    text = repr(value)
    return text if len(text) <= longest else f"{text[:longest]}…"
