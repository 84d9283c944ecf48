"""Columns of numbers: what callers hand in as lists, tuples or arrays, held as `array.array`.

A column of a million doubles takes 8 MB instead of 32, compares at the speed of C and hands its memory to numpy
without a copy. Arrays that offer their memory (numpy's, or `array` itself) are taken over in one move.
"""

import math
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

from mlmd_schemas.counting import counted

from mlmd_metrics.errors import MetricsError, NotANumber


def doubles(values: Iterable[float], field: str) -> "array[float]":
    """Return `values` as a column of float64; `field` names it in errors.

    Raises:
        MetricsError: when an entry is not a real number.
    """
    return _column(values, field, "d", "give real numbers")


def integers(values: Iterable[int], field: str) -> "array[int]":
    """Return `values` as a column of int64; a float without a fraction counts as an integer.

    Raises:
        MetricsError: when an entry is not an integer of 64 bits.
    """
    return _column(values, field, "q", "give integers of 64 bits")


def _column(values: Iterable[Any], field: str, typecode: str, mend: str) -> "array[Any]":
    if isinstance(values, array) and values.typecode == typecode:
        return values
    ready = _from_memory(values, typecode)
    if ready is not None:
        return ready
    entries = [_integral(entry) for entry in values] if typecode == "q" else list(values)
    try:
        return array(typecode, entries)
    except (TypeError, OverflowError):
        index = next(index for index, entry in enumerate(entries) if not _fits(entry, typecode))
        raise MetricsError(f"{field}[{index}] is {entries[index]!r:.80}, which does not fit; {mend}") from None


def _from_memory(values: Any, typecode: str) -> "array[Any] | None":
    """Take over one-dimensional memory of the very type; None when `values` has none to offer."""
    try:
        view = memoryview(values)
    except TypeError:
        return None
    same = view.format == typecode or (typecode == "q" and view.format == "l" and view.itemsize == 8)
    if view.ndim != 1 or not same:
        return None
    column: array[Any] = array(typecode)
    column.frombytes(view.tobytes())
    return column


def _integral(entry: Any) -> Any:
    return int(entry) if isinstance(entry, float) and entry.is_integer() else entry


def _fits(entry: Any, typecode: str) -> bool:
    try:
        array(typecode, [entry])
    except (TypeError, OverflowError):
        return False
    return True


def same_length(field: str, column: Sequence[object], other_field: str, other: Sequence[object]) -> None:
    """Raise MetricsError unless the two columns are equally long and not empty."""
    if len(column) != len(other):
        raise MetricsError(
            f"{field} has {counted(len(column), 'entry', 'entries')} and {other_field} has {len(other)}; each row "
            "needs one of each"
        )
    if not column:
        raise MetricsError(f"{field} is empty; give at least one row")


def no_nan(column: Sequence[float], field: str) -> None:
    """Raise NotANumber naming the first NaN of the column, which has no place in an order."""
    if not math.isnan(sum(column)):
        return
    for index, value in enumerate(column):  # infinities of both signs add up to NaN as well
        if math.isnan(value):
            raise NotANumber(f"{field}[{index}] is NaN, which cannot be ordered; drop that row or give it a number")
