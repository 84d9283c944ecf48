"""Small changes to a request: a field cleared or set, a message twice or gone, two in the other order.

What is made by rule is wrong in the places that the rules know. Changes at any place find the others.
"""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from mlmd_schemas.descriptors import is_map
from mlmd_schemas.tables.v10 import Kind

from tests.differential import pools
from tests.differential.node_requests import MASK_PATHS, UNKNOWN_FIELD
from tests.differential.read_requests import TOKENS
from tests.differential.source import Call, Source
from tests.differential.type_requests import keep_external_ids

_LATER_VALUE = b"\x63"
"""The enum value 99, as a client with a later version of the messages may send it; it counts as an unknown field."""
_STRAY = (UNKNOWN_FIELD, b"\x10\x05", b"\x12\x00", b"\x1a\x01a")
"""Fields that an entry of a map may have besides its key and value, among them a value of another wire type."""
_ENTRIES = {"INT": b"\x10\x01", "Value": b"\x12\x02\x08\x01", "ArtifactStructType": b"\x12\x02\x2a\x00"}
"""The value in an entry of a map, by what the map's values are."""
_OPAQUE = frozenset(("Value", "Struct", "Any"))
"""Messages that are values, which `pools` makes; a Value without a member would end Google's process."""
_UNCHANGED = frozenset(("filter_query", "can_delete_fields"))
_TEXTS: dict[str, tuple[str, ...]] = {
    "external_id": pools.EXTERNAL_IDS,
    "external_ids": pools.EXTERNAL_IDS,
    "uri": pools.URIS,
    "uris": pools.URIS,
    "version": pools.VERSIONS,
    "type_version": pools.VERSIONS,
    "type_name": pools.TYPE_NAMES,
    "next_page_token": TOKENS,
    "paths": MASK_PATHS,
}
_SIZES = (0, 1, 2, 3, 5, -1, 2147483647, -2147483648)
_NUMBERS = (0, 1, 2, 3, 4, -1, 1001, 1003, 2147483647, -2147483648)


def changed(source: Source, call: Call, times: int) -> Call:
    """Return the call with so many changes; its request is changed."""
    for _ in range(times):
        _change(source, source.pick(_parts(call.request)))
    if call.method == "PutTypes":
        request: Any = call.request
        for messages in (request.artifact_types, request.execution_types, request.context_types):
            keep_external_ids(messages)
    return call


def _parts(message: Message) -> list[Any]:
    """Return the message and all messages in it."""
    parts: list[Any] = [message]
    for field, value in message.ListFields():
        inner = field.message_type
        if inner is None or inner.name in _OPAQUE or is_map(field):
            continue
        for one in value if field.is_repeated else (value,):
            parts += _parts(one)
    return parts


def _change(source: Source, part: Any) -> None:
    fields = [field for field in part.DESCRIPTOR.fields if field.name not in _UNCHANGED]
    if not fields:
        return
    field = source.pick(fields)
    if source.chance(5):
        part.MergeFromString(UNKNOWN_FIELD)
    elif field.enum_type is not None and field.name != "base_type" and source.chance(20):  # in structs it is dropped
        part.MergeFromString(bytes((field.number << 3,)) + _LATER_VALUE)
    elif is_map(field) and source.chance(60):
        part.MergeFromString(_entry(source, field))
    elif is_map(field) or source.chance(35):
        part.ClearField(field.name)
    elif field.is_repeated and field.message_type is not None:
        _change_messages(source, getattr(part, field.name))
    elif field.is_repeated:
        _change_scalars(source, field, getattr(part, field.name))
    elif field.message_type is not None:
        getattr(part, field.name).SetInParent()
    else:
        setattr(part, field.name, _scalar(source, field))


def _entry(source: Source, field: Any) -> bytes:
    """Return an entry of a map with a stray field before or behind its value."""
    values = field.message_type.fields_by_name["value"].message_type
    value = _ENTRIES["INT" if values is None else values.name]
    stray = source.pick([one for one in _STRAY if one[:1] != value[:1]])
    key = b"\x0a\x01" + (b"x" if field.name == "custom_properties" else b"i")
    content = key + (stray + value if source.chance(50) else value + stray)
    return bytes((field.number << 3 | 2, len(content))) + content


def _change_messages(source: Source, messages: Any) -> None:
    if not messages:
        return
    place = source.below(len(messages))
    chosen = type(messages[0])()
    chosen.CopyFrom(messages[place])
    if source.chance(30) or len(messages) > 1:
        del messages[place]
    if source.chance(70):
        messages.extend([chosen] * (1 + source.below(2)))


def _change_scalars(source: Source, field: FieldDescriptor, values: Any) -> None:
    if values and source.chance(30):
        del values[source.below(len(values))]
    else:
        values.append(source.pick(values) if values and source.chance(50) else _scalar(source, field))


def _scalar(source: Source, field: FieldDescriptor) -> Any:
    """Return a value for a field, mostly one that others have."""
    name = field.name
    if field.enum_type is not None:
        return source.pick(field.enum_type.values).number
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return source.chance(50)
    if field.cpp_type == FieldDescriptor.CPPTYPE_STRING:
        of_type = name == "name" and field.full_name.endswith("Type.name")
        return source.pick(pools.TYPE_NAMES if of_type else _TEXTS.get(name, pools.NAMES))
    if field.cpp_type == FieldDescriptor.CPPTYPE_INT32:
        return source.pick(_SIZES)
    if name in ("type_id", "type_ids"):
        return pools.type_id(source, source.pick(tuple(Kind)), True)
    if name.endswith(("id", "ids")):
        return pools.some_id(source)
    return source.pick(_NUMBERS)
