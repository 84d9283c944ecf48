"""Messages of `mlmd.v1` as object types: one field for each of theirs, so that what they gain GraphQL gains too.

int64 becomes Int64 and, where its name ends in `_ms`, a DateTime beside it; a map becomes a list of names and values;
a field that is optional, a message or an enum may be null. What is a link to an entity is written by hand beside it.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import graphene
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from mlmd_api.graphql.enums import enum_of
from mlmd_api.graphql.scalars import Bytes, DateTime, Double, Int64, text, time_text

Resolver = Callable[..., Any]

_SCALARS: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_INT64: Int64,
    FieldDescriptor.CPPTYPE_UINT64: Int64,
    FieldDescriptor.CPPTYPE_INT32: graphene.Int,
    FieldDescriptor.CPPTYPE_UINT32: Int64,
    FieldDescriptor.CPPTYPE_DOUBLE: Double,
    FieldDescriptor.CPPTYPE_FLOAT: Double,
    FieldDescriptor.CPPTYPE_BOOL: graphene.Boolean,
}


def camel(name: str) -> str:
    """Return a name of a .proto file as GraphQL writes it."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def scalar_of(field: FieldDescriptor) -> Any:
    """Return the GraphQL type of one value of a field that is no message."""
    if field.enum_type is not None:
        return enum_of(field.enum_type)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return Bytes
    return _SCALARS.get(field.cpp_type, graphene.String)


def fields_of(kind: type[Message], leave_out: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Return graphene fields for the fields of a message, by GraphQL name, each with its resolver."""
    made: dict[str, Any] = {}
    for field in kind.DESCRIPTOR.fields:
        if field.name in leave_out:
            continue
        made[camel(field.name)] = _field(field)
        if field.name.endswith("_ms") and not is_repeated(field):
            made[camel(field.name[:-3] + "_time")] = _time_field(field.name)
    return made


@cache
def object_of(descriptor: Descriptor) -> Any:
    """Return the object type of a message, named as it is."""
    return made_object(descriptor.name, fields_of(GetMessageClass(descriptor)))


def made_object(name: str, fields: Mapping[str, Any], *interfaces: Any, description: str = "") -> Any:
    """Return an object type of these fields."""
    meta = type("Meta", (), {"name": name, "interfaces": interfaces, "description": description or None})
    return type(name, (graphene.ObjectType,), {**fields, "Meta": meta})


def resolved(kind: Any, resolver: Resolver, description: str = "", **arguments: Any) -> Any:
    """Return a field with its resolver."""
    return graphene.Field(kind, args=arguments, resolver=resolver, description=description or None)


def is_repeated(field: Any) -> bool:
    """Tell whether a field is a list or a map; protobuf 7 has no labels, 4 nothing but."""
    known = getattr(field, "is_repeated", None)
    return bool(known) if known is not None else field.label == FieldDescriptor.LABEL_REPEATED


def _field(field: Any) -> Any:
    name = field.name
    if is_repeated(field):
        return _repeated(field)
    if field.message_type is not None:
        kind = object_of(field.message_type)
        return resolved(kind, lambda message, _info: getattr(message, name) if message.HasField(name) else None)
    scalar = scalar_of(field)
    if field.has_presence:
        return resolved(scalar, lambda message, _info: getattr(message, name) if message.HasField(name) else None)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number
        return resolved(scalar, lambda message, _info: found if (found := getattr(message, name)) in known else None)
    if scalar is graphene.String:
        return resolved(graphene.NonNull(scalar), lambda message, _info: text(getattr(message, name)))
    return resolved(graphene.NonNull(scalar), lambda message, _info: getattr(message, name))


def _repeated(field: Any) -> Any:
    name, message = field.name, field.message_type
    if message is None:
        return resolved(many(scalar_of(field)), lambda owner, _info: list(getattr(owner, name)))
    if message.GetOptions().map_entry:
        return resolved(many(_entry_of(message)), lambda owner, _info: sorted(getattr(owner, name).items()))
    return resolved(many(object_of(message)), lambda owner, _info: list(getattr(owner, name)))


@cache
def _entry_of(descriptor: Descriptor) -> Any:
    """Return the object type of a map's entries, which are pairs."""
    value = descriptor.fields_by_name["value"]
    kind = scalar_of(value) if value.message_type is None else object_of(value.message_type)
    outer = descriptor.containing_type
    fields = {
        "name": resolved(graphene.NonNull(graphene.String), lambda pair, _info: str(pair[0])),
        "value": resolved(graphene.NonNull(kind), lambda pair, _info: pair[1]),
    }
    return made_object(f"{outer.name if outer is not None else ''}{descriptor.name}", fields)


def many(kind: Any) -> Any:
    """Return the type of a list that is there and has no holes."""
    return graphene.NonNull(graphene.List(graphene.NonNull(kind)))


def _time_field(name: str) -> Any:
    return resolved(DateTime, lambda message, _info: time_text(getattr(message, name)))
