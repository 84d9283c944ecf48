"""Finds strings of a request that are not UTF-8.

proto2 leaves the check to the application: protobuf's C core hands out `bytes` for such a field. proto3 refuses the
message, and names the type but not the field. Requests of ASCII alone are cleared by one look at the raw bytes. That
all bytes together are UTF-8 clears nothing: a character that a string begins may end in the key of the field behind it.
So the others are read once more by protobuf itself, as a message of proto3 that has their strings and nothing else
(`string_shadows.py`), and walked only when that refuses them.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from mlmd_schemas.descriptors import is_map, is_repeated
from mlmd_schemas.errors import InvalidArgument

from mlmd_api.string_shadows import are_strings_utf8

_DEEPEST = 100
"""Messages inside each other that protobuf reads; what is deeper is refused for that."""
MOST_FIELDS = 50_000
"""Fields that are looked at to name a string: Python takes seconds for each million, and holds up everybody else."""
_VARINT, _FIXED64, _LENGTH_DELIMITED, _GROUP, _GROUP_END, _FIXED32 = range(6)


class _Patience:
    """How many fields are still looked at."""

    def __init__(self) -> None:
        self.left = MOST_FIELDS

    def spend(self) -> None:
        """Look at one more; raises _TooLong after the last."""
        self.left -= 1
        if self.left < 0:
            raise _TooLong


class _TooLong(Exception):
    """The message has too many fields for its broken string to be found."""


def check_utf8(message: Message, body: bytes) -> None:
    """Raise InvalidArgument naming the first string of `message`, parsed from `body`, that is not UTF-8."""
    if not body.isascii() and not are_strings_utf8(message.DESCRIPTOR, body):
        refuse_broken_strings(message.DESCRIPTOR, body, certain=True)


def is_utf8(body: bytes | memoryview) -> bool:
    """Tell whether the bytes are UTF-8."""
    try:
        str(body, "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def refuse_broken_strings(shape: Any, body: bytes, *, certain: bool = False) -> None:
    """Raise InvalidArgument naming the first string of the serialized message that is not UTF-8.

    One behind very many fields is not named, and told only when it is `certain` that there is one.
    """
    place = "request"
    try:
        for path in broken_strings(shape, body):
            place, certain = path, True
            break
        else:
            return
    except _TooLong:
        if not certain:
            return
    said = "the string" if place != "request" else f"a string behind its first {MOST_FIELDS:,} fields"
    raise InvalidArgument(f"{place}: {said} is not valid UTF-8; encode text as UTF-8 before sending it.")


def broken_strings(shape: Any, body: bytes) -> Iterator[str]:
    """Yield the paths of the strings in the serialized message that are not UTF-8, such as `artifacts[2].uri`."""
    return _broken(shape, memoryview(body), "", 1, _Patience())


def _broken(shape: Any, body: memoryview, prefix: str, depth: int, patience: _Patience) -> Iterator[str]:
    seen: Counter[int] = Counter()
    for number, data in _delimited(body, patience) if depth <= _DEEPEST else ():
        field = shape.fields_by_number.get(number)
        if field is None:
            continue
        path = f"{prefix}{field.name}"
        if field.message_type is not None:
            yield from _in_message(field, data, path, seen[number], depth, patience)
        elif field.type == FieldDescriptor.TYPE_STRING and not is_utf8(data):
            yield f"{path}[{seen[number]}]" if is_repeated(field) else path
        seen[number] += 1


def _in_message(field: Any, data: memoryview, path: str, index: int, depth: int, patience: _Patience) -> Iterator[str]:
    shape = field.message_type
    if is_map(field):
        key = next((text for number, text in _delimited(data, patience) if number == 1), memoryview(b""))
        path = f"{path}[{str(key, 'utf-8', 'backslashreplace')!r}]"
    elif is_repeated(field):
        path = f"{path}[{index}]"
    yield from _broken(shape, data, f"{path}.", depth + 1, patience)


def _delimited(body: memoryview, patience: _Patience) -> list[tuple[int, memoryview]]:
    """Return number and bytes of the length-delimited fields outside of groups; nothing of a corrupt message.

    protobuf's UnknownFieldSet could tell them too, but ends the process when it meets Python's recursion limit. The
    bytes are looked at where they are: messages inside each other would be as many copies.
    """
    found: list[tuple[int, memoryview]] = []
    place = groups = 0
    try:
        while place < len(body):
            patience.spend()
            key, place = _varint(body, place)
            kind = key & 7
            if kind == _LENGTH_DELIMITED:
                length, place = _varint(body, place)
                if not groups:
                    found.append((key >> 3, body[place : place + length]))
                place += length
            elif kind == _VARINT:
                _, place = _varint(body, place)
            elif kind in (_FIXED32, _FIXED64):
                place += 4 if kind == _FIXED32 else 8
            elif kind in (_GROUP, _GROUP_END):
                groups += 1 if kind == _GROUP else -1
            else:
                return []
    except IndexError:
        return []
    return found if place == len(body) and not groups else []


def _varint(body: memoryview, place: int) -> tuple[int, int]:
    """Return the number at a place and the place after it; raises IndexError where there is none."""
    number = shift = 0
    while (byte := body[place]) > 127:
        if shift > 63:
            raise IndexError("a varint has ten bytes at most")
        number |= (byte & 127) << shift
        shift += 7
        place += 1
    return number | byte << shift, place + 1
