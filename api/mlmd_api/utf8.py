"""Finds strings of a request that are not UTF-8.

proto2 leaves the check to the application: protobuf's C core hands out `bytes` for such a field. proto3 refuses the
message, and names the type but not the field. Most requests are cleared by one look at the raw bytes; the rest are
rendered as text in C, where a byte that is no UTF-8 shows as an octal escape, and walked only when there is one.
"""

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet
from mlmd_schemas.errors import InvalidArgument

_ESCAPE = re.compile(r"\\[23][0-7]{2}")
_LENGTH_DELIMITED = 2


def check_utf8(message: Message, body: bytes) -> None:
    """Raise InvalidArgument naming the first string of `message`, parsed from `body`, that is not UTF-8."""
    if not body.isascii() and not is_utf8(body) and _ESCAPE.search(str(message)):
        refuse_broken_strings(message.DESCRIPTOR, body)


def is_utf8(body: bytes) -> bool:
    """Tell whether the bytes are UTF-8."""
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def refuse_broken_strings(shape: Any, body: bytes) -> None:
    """Raise InvalidArgument naming the first string of the serialized message that is not UTF-8."""
    for path in broken_strings(shape, body):
        raise InvalidArgument(f"{path}: the string is not valid UTF-8; encode text as UTF-8 before sending it.")


def broken_strings(shape: Any, body: bytes, prefix: str = "") -> Iterator[str]:
    """Yield the paths of the strings in the serialized message that are not UTF-8, such as `artifacts[2].uri`."""
    seen: Counter[int] = Counter()
    for number, data in _delimited(body):
        field = shape.fields_by_number.get(number)
        if field is None:
            continue
        path = f"{prefix}{field.name}"
        if field.message_type is not None:
            yield from _in_message(field, data, path, seen[number])
        elif field.type == FieldDescriptor.TYPE_STRING and not is_utf8(data):
            yield f"{path}[{seen[number]}]" if _repeated(field) else path
        seen[number] += 1


def _in_message(field: Any, data: bytes, path: str, index: int) -> Iterator[str]:
    shape = field.message_type
    if shape.GetOptions().map_entry:
        key = next((text for number, text in _delimited(data) if number == 1), b"")
        path = f"{path}[{key.decode('utf-8', 'backslashreplace')!r}]"
    elif _repeated(field):
        path = f"{path}[{index}]"
    yield from broken_strings(shape, data, f"{path}.")


def _delimited(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and bytes of the length-delimited fields; nothing when the wire format is corrupt."""
    try:
        fields: Any = UnknownFieldSet(Empty.FromString(body))
    except DecodeError:
        return
    for field in fields:
        if field.wire_type == _LENGTH_DELIMITED:
            yield field.field_number, field.data


def _repeated(field: Any) -> bool:
    return bool(field.is_repeated) if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED
