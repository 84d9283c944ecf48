"""Numbers that JSON cannot carry, as proto3 JSON writes them: "NaN", "Infinity", "-Infinity".

JSON has no word for the three; `json.dumps` writes bare words that strict readers refuse. Everything else stays a
number, so a document that holds finite numbers only looks as it always did.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mlmd_metrics.errors import MetricsError

_NAMES = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def json_number(value: float) -> float | str:
    """Return `value` itself when it is finite, else proto3 JSON's string for it."""
    if math.isfinite(value):
        return value
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


def json_safe(value: Any) -> Any:
    """Return `value` with every float that JSON cannot carry replaced; mappings and sequences are copied."""
    if isinstance(value, float):
        return json_number(value)
    if isinstance(value, Mapping):
        return {key: json_safe(entry) for key, entry in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return [json_safe(entry) for entry in value]
    return value


def parsed_number(value: object, field: str = "number") -> float:
    """Read a number as proto3 JSON allows it: a number, "NaN", "Infinity", "-Infinity" or a decimal in quotes.

    Raises:
        MetricsError: for anything else, booleans and null included.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise MetricsError(f"{field} is {value!r}, which is not a number; give a number or one of {', '.join(_NAMES)}")
    if isinstance(value, str):
        return _named_or_decimal(value, field)
    try:
        return float(value)
    except OverflowError:
        raise MetricsError(f"{field} is an integer beyond the range of a double; give a smaller number") from None


def _named_or_decimal(text: str, field: str) -> float:
    if text in _NAMES:
        return _NAMES[text]
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if text != text.strip() or "_" in text or not math.isfinite(number):
        raise MetricsError(
            f'{field} is "{text[:60]}", which is not a number; give a number or one of {", ".join(_NAMES)}'
        )
    return number
