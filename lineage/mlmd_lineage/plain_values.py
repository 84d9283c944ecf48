"""Text and property values as `mlmd.v1` has them: strings are UTF-8, structs are JSON."""

import json
import math
from typing import Any

from mlmd_metadata_store.plain_structs import plain_struct
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1


def clean(text: str | bytes | None) -> str:
    """Return text as UTF-8 can hold it; what was stored as something else shows U+FFFD."""
    if not text:
        return ""
    if isinstance(text, bytes):
        return text.decode("utf-8", "replace")
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def lineage_value(value: pb.Value) -> v1.LineageValue:
    """Return a property value as a message."""
    made = v1.LineageValue()
    set_lineage_value(made, value)
    return made


def set_lineage_value(made: v1.LineageValue, value: pb.Value) -> None:
    """Set a message to a property value; of a packed message only its type is told."""
    case = value.WhichOneof("value")
    if case == "string_value":
        made.string_value = clean(value.string_value)
    elif case == "int_value":
        made.int_value = value.int_value
    elif case == "double_value":
        made.double_value = value.double_value
    elif case == "bool_value":
        made.bool_value = value.bool_value
    elif case == "struct_value":
        made.json_value = json_text(plain_struct(value.struct_value))
    elif case == "proto_value":
        made.json_value = json_text({"@type": value.proto_value.type_url})


def value_of_plain(given: Any) -> v1.LineageValue:
    """Return the value for what JSON knows; a whole number stays the double that a struct holds."""
    if isinstance(given, bool):
        return v1.LineageValue(bool_value=given)
    if isinstance(given, float):
        return v1.LineageValue(double_value=given)
    if isinstance(given, str):
        return v1.LineageValue(string_value=clean(given))
    return v1.LineageValue(json_value=json_text(given))


def json_text(given: Any) -> str:
    """Return compact JSON with sorted keys; NaN and infinities are proto3 JSON's strings."""
    return json.dumps(_finite(given), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _finite(given: Any) -> Any:
    if isinstance(given, float) and not math.isfinite(given):
        return "NaN" if given != given else "Infinity" if given > 0 else "-Infinity"
    if isinstance(given, dict):
        return {clean(key): _finite(entry) for key, entry in given.items()}
    if isinstance(given, list):
        return [_finite(entry) for entry in given]
    if isinstance(given, str):
        return clean(given)
    return int(given) if isinstance(given, float) and given.is_integer() and abs(given) < 1 << 53 else given


def value_json(value: v1.LineageValue) -> Any:
    """Return a value for JSON: 64-bit integers are decimal strings, NaN and infinities are proto3 JSON's strings."""
    case = value.WhichOneof("value")
    if case is None:
        return None
    given = getattr(value, case)
    if case == "int_value":
        return str(given)
    if case == "double_value":
        return given if math.isfinite(given) else _finite(given)
    return json.loads(given) if case == "json_value" else given
