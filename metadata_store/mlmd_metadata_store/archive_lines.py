"""Rows of a table as lines of JSON, exact for every value that a database holds.

    ["text", 7, 0.1, null, {"d": "nan"}, {"b": "AAE="}, {"t": "/w=="}]

`d` is a double that JSON has no number for, `b` bytes, `t` text that is not UTF-8 (as its bytes). A double is written
so that it reads back as the same double, and always with a point or an exponent, so that it stays one.
"""

import base64
import binascii
import json
import math
from collections.abc import Iterable, Sequence
from typing import Any

from mlmd_schemas.errors import InvalidArgument

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def line_of(row: Sequence[Any]) -> bytes:
    """Return a row as a line, ended by a line feed."""
    try:
        return _ENCODER.encode([_said(value) for value in row]).encode() + b"\n"
    except UnicodeEncodeError:
        return _ENCODER.encode([_raw(_said(value)) for value in row]).encode() + b"\n"


def _said(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return {"b": base64.b64encode(value).decode("ascii")}
    if isinstance(value, float) and not math.isfinite(value):
        return {"d": repr(value)}
    return value


def _raw(value: Any) -> Any:
    if isinstance(value, str) and not _is_utf8(value):
        return {"t": base64.b64encode(value.encode("utf-8", "surrogateescape")).decode("ascii")}
    return value


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def rows_of(lines: bytes, columns: Sequence[str]) -> Iterable[list[Any]]:
    """Yield the rows of lines; raises InvalidArgument for a line that is none or has another number of values."""
    for number, line in enumerate(lines.splitlines(), 1):
        try:
            values = json.loads(line)
            row = [_meant(value) if isinstance(value, dict) else value for value in values]
        except (ValueError, TypeError, KeyError, RecursionError, binascii.Error):
            raise InvalidArgument(f"rows.lines: line {number} is no row of an archive: {_shown(line)}.") from None
        if not isinstance(values, list) or len(row) != len(columns):
            raise InvalidArgument(f"rows.lines: line {number} has not the {len(columns)} values of its columns.")
        yield row


def _meant(value: dict[str, str]) -> Any:
    ((mark, text),) = value.items()
    if mark == "d":
        return float(text)
    raw = base64.b64decode(text, validate=True)
    if mark == "b":
        return raw
    if mark == "t":
        return raw.decode("utf-8", "surrogateescape")
    raise ValueError(mark)


def _shown(line: bytes) -> str:
    return repr(line[:60].decode("utf-8", "replace"))
