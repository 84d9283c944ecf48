"""Entries of maps that protobuf's Python leaves out of the map, because they carry a field it does not know.

C++ keeps the entry and forgets the field. Python's core moves the whole entry among the unknown fields of the message
around it, so that a property of a client with later messages would silently be missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet

_VARINT, _LENGTH_DELIMITED, _VALUE_FIELD = 0, 2, 2
_OPAQUE = frozenset(("ml_metadata.Value", "google.protobuf.Any"))
"""Messages that are kept as the bytes they are, so that nothing in them is lost."""


@dataclass(frozen=True, slots=True)
class _Shape:
    maps: dict[int, str]
    """Number and name of each map."""
    children: tuple[tuple[str, Descriptor, bool], ...]
    """Fields of messages in which there may be maps, what these are, and whether they are repeated."""


def restore_entries(message: Any) -> None:
    """Put every such entry of a request into its map; it may be done again without harm."""
    _restore_each((message,), message.DESCRIPTOR)


def _restore_each(messages: Iterable[Any], descriptor: Descriptor) -> None:
    """Do so in messages of one kind; requests have many, so little is called for each."""
    shape = _shape(descriptor)
    for message in messages if shape.maps else ():
        if len(UnknownFieldSet(message)):
            _restore(message, shape.maps)
    for name, inner, repeated in shape.children:
        for message in messages:
            if repeated:
                _restore_each(getattr(message, name), inner)
            elif message.HasField(name):
                _restore_each((getattr(message, name),), inner)


def has_unknown_fields(message: Message) -> bool:
    """Tell whether a message itself holds fields it does not know, other than entries of its maps."""
    unknown = _unknown(message)
    if not unknown:
        return False
    maps = _shape(message.DESCRIPTOR).maps
    return any(field.wire_type != _LENGTH_DELIMITED or field.field_number not in maps for field in unknown)


def _unknown(message: Message) -> list[Any]:
    found = UnknownFieldSet(message)
    return [found[place] for place in range(len(found))]


def _restore(message: Any, maps: dict[int, str]) -> None:
    for field in _unknown(message):
        name = maps.get(field.field_number) if field.wire_type == _LENGTH_DELIMITED else None
        if name is None:
            continue
        shape = message.DESCRIPTOR.fields_by_name[name].message_type
        try:
            entry: Any = GetMessageClass(shape).FromString(field.data)
        except DecodeError:
            continue
        is_enum = shape.fields_by_name["value"].enum_type is not None
        if is_enum and any((one.field_number, one.wire_type) == (_VALUE_FIELD, _VARINT) for one in _unknown(entry)):
            continue  # a number that the enum does not have: C++ leaves such an entry out, too
        target = getattr(message, name)
        if shape.fields_by_name["value"].message_type is not None:
            target[entry.key].CopyFrom(entry.value)
        else:
            target[entry.key] = entry.value


@cache
def _shape(descriptor: Descriptor) -> _Shape:
    maps = {field.number: field.name for field in descriptor.fields if _is_map(field)}
    children = tuple(
        (field.name, field.message_type, _is_repeated(field))
        for field in descriptor.fields
        if field.message_type is not None and not _is_map(field) and _holds_maps(field.message_type)
    )
    return _Shape(maps, children)


@cache
def _holds_maps(descriptor: Descriptor) -> bool:
    """Tell whether there may be maps in a message or in those inside it."""
    seen: set[str] = set(_OPAQUE)
    waiting = [descriptor]
    while waiting:
        one = waiting.pop()
        if one.full_name in seen:
            continue
        seen.add(one.full_name)
        if any(_is_map(field) for field in one.fields):
            return True
        waiting += [field.message_type for field in one.fields if field.message_type is not None]
    return False


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated) if hasattr(field, "is_repeated") else field.label == FieldDescriptor.LABEL_REPEATED
