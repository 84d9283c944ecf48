"""Structs as Python has them."""

from typing import Any

from google.protobuf import struct_pb2


def plain_struct(struct: struct_pb2.Struct) -> dict[str, Any]:
    """Return a struct as a dict; unlike json_format this keeps NaN and infinities."""
    return {name: _plain(value) for name, value in struct.fields.items()}


def _plain(value: struct_pb2.Value) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return plain_struct(value.struct_value)
    if kind == "list_value":
        return [_plain(entry) for entry in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)
