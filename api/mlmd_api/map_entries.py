"""Entries of maps that protobuf's Python leaves out of the map, because they carry a field it does not know.

C++ keeps the entry and forgets the field. Python's core moves the whole entry among the unknown fields of the message
around it, so that a property of a client with later messages would silently be missing. Which of two entries of one key
came last, and counts, the message does not tell any more. So the bytes are read once more, as a message whose maps are
lists of their entries, which is the same on the wire.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.protobuf.unknown_fields import UnknownFieldSet
from mlmd_schemas.descriptors import is_map, is_repeated

_VARINT, _LENGTH_DELIMITED, _VALUE_FIELD = 0, 2, 2
_PACKAGE = "ml_metadata."
_OPAQUE = frozenset(("ml_metadata.Value", "google.protobuf.Any"))
"""Messages that are kept as the bytes they are, so that nothing in them is lost."""


_Gather = Callable[[Iterable[Any], str], list[Any]]
"""Returns the messages that a field, list or map of this name holds in several messages of one kind."""


@dataclass(frozen=True, slots=True)
class _Shape:
    maps: dict[int, str]
    """Number and name of each map."""
    children: tuple[tuple[str, Descriptor, _Gather], ...]
    """Fields and maps of messages in which there may be maps, what these are, and how they are gathered."""


def restore_entries(message: Message, body: bytes) -> None:
    """Put every such entry of a request of MLMD's service, which was parsed from `body`, into its map."""
    shape: Any = message.DESCRIPTOR
    if shape.full_name.startswith(_PACKAGE) and _lacks_entries((message,), shape):
        _restore(message, _with_lists(shape).FromString(body))


def _lacks_entries(messages: Iterable[Any], descriptor: Descriptor) -> bool:
    """Look in messages of one kind; requests have many, so little is called for each."""
    shape = _shape(descriptor)
    if shape.maps and any(len(UnknownFieldSet(message)) and _has_entries(message, shape) for message in messages):
        return True
    for name, inner, gathered in shape.children:
        present = gathered(messages, name)
        if present and _lacks_entries(present, inner):
            return True
    return False


def _of_field(messages: Iterable[Any], name: str) -> list[Any]:
    return [getattr(message, name) for message in messages if message.HasField(name)]


def _of_list(messages: Iterable[Any], name: str) -> list[Any]:
    return [inner for message in messages for inner in getattr(message, name)]


def _of_map(messages: Iterable[Any], name: str) -> list[Any]:
    return [inner for message in messages for inner in getattr(message, name).values()]


def _has_entries(message: Any, shape: _Shape) -> bool:
    return any(field.wire_type == _LENGTH_DELIMITED and field.field_number in shape.maps for field in _unknown(message))


def _unknown(message: Message) -> list[Any]:
    found = UnknownFieldSet(message)
    return [found[place] for place in range(len(found))]


def _restore(message: Any, listed: Any) -> None:
    """Fill the maps of a message, and of those in it, from the lists of the same message."""
    shape = _shape(message.DESCRIPTOR)
    for number, name in shape.maps.items() if len(UnknownFieldSet(message)) else ():
        _fill(message.DESCRIPTOR.fields_by_number[number], getattr(message, name), getattr(listed, name))
    for name, _, gathered in shape.children:
        if gathered is _of_map:
            last = {entry.key: entry.value for entry in getattr(listed, name)}
            for key, inner in getattr(message, name).items():
                _restore(inner, last[key])
        else:
            for inner, its_lists in zip(gathered((message,), name), gathered((listed,), name), strict=True):
                _restore(inner, its_lists)


def _fill(field: Any, target: Any, entries: Iterable[Any]) -> None:
    value = field.message_type.fields_by_name["value"]
    for entry in entries:
        if value.message_type is not None:
            target[entry.key].ParseFromString(entry.value.SerializeToString())
        elif not _is_of_no_value(entry, value):
            target[entry.key] = entry.value


def _is_of_no_value(entry: Any, value: Any) -> bool:
    """Tell whether an entry has a number that its enum does not have: C++ leaves such an entry out, too."""
    if value.enum_type is None:
        return False
    return any((one.field_number, one.wire_type) == (_VALUE_FIELD, _VARINT) for one in _unknown(entry))


@cache
def _with_lists(shape: Any) -> type[Message]:
    """Return the class of the same message with lists in the place of maps."""
    pool = DescriptorPool()
    _add(pool, shape.file, set())
    return GetMessageClass(pool.FindMessageTypeByName(shape.full_name))


def _add(pool: DescriptorPool, file: FileDescriptor, known: set[str]) -> None:
    if file.name in known:
        return
    known.add(file.name)
    for needed in file.dependencies:
        _add(pool, needed, known)
    copy = FileDescriptorProto()
    file.CopyToProto(copy)
    for message in copy.message_type if file.package == _PACKAGE.rstrip(".") else ():
        _make_lists(message)
    pool.Add(copy)


def _make_lists(message: DescriptorProto) -> None:
    for inner in message.nested_type:
        inner.options.ClearField("map_entry")
        _make_lists(inner)


@cache
def _shape(descriptor: Descriptor) -> _Shape:
    maps = {field.number: field.name for field in descriptor.fields if is_map(field)}
    inner = [(field.name, _message_of(field), _gather(field)) for field in descriptor.fields]
    return _Shape(maps, tuple((name, kind, how) for name, kind, how in inner if kind is not None and _holds_maps(kind)))


def _gather(field: FieldDescriptor) -> _Gather:
    if is_map(field):
        return _of_map
    return _of_list if is_repeated(field) else _of_field


def _message_of(field: FieldDescriptor) -> Descriptor | None:
    """Return what a field, list or map holds messages of."""
    kind: Descriptor | None = field.message_type
    if kind is not None and is_map(field):
        return kind.fields_by_name["value"].message_type
    return kind


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
        if any(is_map(field) for field in one.fields):
            return True
        waiting += [field.message_type for field in one.fields if field.message_type is not None]
    return False
