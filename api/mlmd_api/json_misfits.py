"""Where and why a JSON document is not the message that a method takes, in words.

Protobuf's own parser decides what fits, but its sentences speak of Python. So the document is tried again in pieces,
from the outside in, until the smallest that does not fit is found: that is named by its path, with what belongs there.
"""

import json
from collections import Counter
from typing import Any

from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from mlmd_schemas.descriptors import is_map, is_repeated
from mlmd_schemas.near_names import did_you_mean

_INTEGERS = {
    FieldDescriptor.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.CPPTYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_KINDS = {
    FieldDescriptor.CPPTYPE_BOOL: "true or false",
    FieldDescriptor.CPPTYPE_STRING: "a string that UTF-8 can carry",
    FieldDescriptor.CPPTYPE_FLOAT: "a number",
    FieldDescriptor.CPPTYPE_DOUBLE: "a number",
}
_MOST_SHOWN = 60
_MOST_CHARACTERS, _MOST_LEVELS = 64 * 1024, 10
"""What is tried again: each level costs as much as the first reading."""
_MOST_DIGITS = 40
"""No field holds as many, and Python refuses a few thousand."""
REFUSALS = (json_format.ParseError, TypeError, ValueError, OverflowError, AttributeError, RecursionError)
"""What the parser raises; with documents that it does not expect also what its Python stumbles over."""


def misfit(message: Any, text: str) -> str:
    """Return a sentence about a document that was refused as this message: the field, the value, what belongs there."""
    try:
        document = json.loads(text, parse_int=_integer)
    except json.JSONDecodeError as error:
        return f"request: the JSON breaks off, or is none, at line {error.lineno}, column {error.colno}."
    except RecursionError:
        return "request: the JSON is nested too deep; at most 100 levels are read."
    found = _in_message(message, document, "", 0) if len(text) <= _MOST_CHARACTERS else ""
    return found or _twice(text) or f"request: the JSON is no {message.full_name}."


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits


def _in_message(message: Descriptor, value: Any, path: str, level: int) -> str:
    """Return what does not fit, "" where each field does by itself or none was tried."""
    if not isinstance(value, dict):
        return _wrong(path, value, f"an object ({message.full_name})")
    fields = {name: field for field in message.fields for name in (field.name, field.json_name)}
    for name, inner in value.items():
        field = fields.get(name)
        if field is None:
            there = [field.json_name for field in message.fields]
            meant = did_you_mean(name, there) or f"; it has {', '.join(there) or 'none'}."
            return f"{path or 'request'}: {message.full_name} has no field {_shown(name)}{meant}"
        if level < _MOST_LEVELS and not _fits(message, name, inner):
            return _in_field(field, inner, f"{path}.{name}" if path else name, level + 1)
    return ""


def _fits(message: Descriptor | None, name: str, value: Any) -> bool:
    if message is None:
        return True  # a field of an extension, which no request has
    try:
        json_format.ParseDict({name: value}, message_factory.GetMessageClass(message)())
    except REFUSALS:
        return False
    return True


def _in_field(field: FieldDescriptor, value: Any, path: str, level: int) -> str:
    message, entry = field.containing_type, field.message_type
    if entry is not None and is_map(field):
        if not isinstance(value, dict):
            return _wrong(path, value, "an object")
        for key, inner in value.items():
            if not _fits(message, field.name, {key: inner}):
                return _in_value(entry.fields_by_name["value"], inner, f"{path}[{_shown(key)}]", level)
    elif is_repeated(field):
        if not isinstance(value, list):
            return _wrong(path, value, "an array")
        for index, inner in enumerate(value):
            if not _fits(message, field.name, [inner]):
                return _in_value(field, inner, f"{path}[{index}]", level)
    return _in_value(field, value, path, level)


def _in_value(field: FieldDescriptor, value: Any, path: str, level: int) -> str:
    inner = field.message_type
    if inner is None:
        return _wrong(path, value, _wanted(field))
    if inner.file.package == "google.protobuf":  # each has a form of its own
        return _wrong(path, value, f"a {inner.full_name} as protobuf's JSON has it")
    return _in_message(inner, value, path, level) or _wrong(path, value, f"a {inner.full_name}")


def _wanted(field: FieldDescriptor) -> str:
    """Return what belongs into a field that is no message."""
    if field.enum_type is not None:
        return f"one of {', '.join(value.name for value in field.enum_type.values)}"
    if field.type == FieldDescriptor.TYPE_BYTES:
        return "a string in base64"
    if field.cpp_type in _INTEGERS:
        least, most = _INTEGERS[field.cpp_type]
        return f"an integer from {least} to {most}"
    return _KINDS[field.cpp_type]


def _wrong(path: str, value: Any, wanted: str) -> str:
    return f"{path or 'request'}: {_shown(value)} where {wanted} belongs."


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _twice(text: str) -> str:
    """Return the first name that an object has twice, which every parser reads in its own way."""
    found: list[str] = []

    def look(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return dict(pairs)

    json.loads(text, object_pairs_hook=look, parse_int=_integer)
    return f"{found[0]}: this name stands twice in one object of the JSON; leave one out." if found else ""
