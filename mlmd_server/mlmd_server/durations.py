"""Lengths of time as people write them: 90s, 15m, 12h, 30d."""

import re

from mlmd_schemas.errors import InvalidArgument

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SHAPE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)([smhd]?)")


def duration_seconds(text: str, option: str) -> float:
    """Return the seconds of a length of time, a bare number being seconds; raises InvalidArgument."""
    found = _SHAPE.fullmatch(text.strip())
    if found is None:
        raise InvalidArgument(f"{option}: {text[:40]!r} is no length of time; write 90s, 15m, 12h or 30d.")
    return float(found[1]) * _UNITS[found[2]]
