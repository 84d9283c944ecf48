"""google.protobuf.Struct and plain JSON."""

import math
from typing import Any

from google.protobuf.struct_pb2 import ListValue, NullValue, Struct, Value
from mlmd_schemas.errors import InvalidArgument

MOST_DEPTH = 40
"""Objects inside each other; protobuf reads a hundred messages, and each level of a Struct has two or three."""


def struct_json(struct: Struct | dict[str, Any]) -> dict[str, Any]:
    """Return a Struct as JSON, NaN and infinities as strings; what is JSON already as it is."""
    if isinstance(struct, dict):
        return struct
    return {key: _json(value) for key, value in struct.fields.items()}


def _json(value: Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return struct_json(value.struct_value)
    if kind == "list_value":
        return [_json(item) for item in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        if math.isfinite(number):
            return int(number) if number.is_integer() and abs(number) < 1 << 53 else number
        return "NaN" if math.isnan(number) else "Infinity" if number > 0 else "-Infinity"
    return None if kind in (None, "null_value") else getattr(value, kind)


def fill_struct(struct: Struct, value: Any, field: str, depth: int = 0) -> None:
    """Put a JSON object into a Struct; raises InvalidArgument naming the field when it is none, or too deep."""
    if not isinstance(value, dict):
        raise InvalidArgument(f"{field}: is no JSON object; write one in braces.")
    if depth > MOST_DEPTH:
        raise InvalidArgument(f"{field}: is nested deeper than {MOST_DEPTH} levels; flatten it.")
    struct.SetInParent()
    for key, item in value.items():
        _fill(struct.fields[key], item, field, depth + 1)


def _fill(target: Value, value: Any, field: str, depth: int) -> None:
    if isinstance(value, dict):
        fill_struct(target.struct_value, value, field, depth)
    elif isinstance(value, list):
        _fill_list(target.list_value, value, field, depth)
    elif value is None:
        target.null_value = NullValue.NULL_VALUE
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    else:
        try:
            target.number_value = value
        except (OverflowError, TypeError):
            raise InvalidArgument(f"{field}: holds a number that is no double; use a string for it.") from None


def _fill_list(target: ListValue, values: list[Any], field: str, depth: int) -> None:
    if depth > MOST_DEPTH:
        raise InvalidArgument(f"{field}: is nested deeper than {MOST_DEPTH} levels; flatten it.")
    target.SetInParent()
    for item in values:
        _fill(target.values.add(), item, field, depth + 1)
