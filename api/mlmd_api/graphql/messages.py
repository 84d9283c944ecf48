"""Messages of `mlmd.v1` as object types: one field for each of theirs, so that what they gain GraphQL gains too.

int64 becomes Int64 and, where its name ends in `_ms`, a DateTime beside it; the id of a node has the node beside it; a
map becomes a list of names and values; a field that is optional, a message or an enum may be null.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import graphene
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from mlmd_schemas.descriptors import is_map, is_repeated

from mlmd_api.graphql.entities import KINDS, Node, entity
from mlmd_api.graphql.enums import enum_of
from mlmd_api.graphql.global_ids import opaque_id
from mlmd_api.graphql.objects import camel, made_object, many, resolved
from mlmd_api.graphql.scalars import Bytes, DateTime, Double, Int64, text, time_text

_SCALARS: dict[int, Any] = {
    FieldDescriptor.CPPTYPE_INT64: Int64,
    FieldDescriptor.CPPTYPE_UINT64: Int64,
    FieldDescriptor.CPPTYPE_INT32: graphene.Int,
    FieldDescriptor.CPPTYPE_UINT32: Int64,
    FieldDescriptor.CPPTYPE_DOUBLE: Double,
    FieldDescriptor.CPPTYPE_FLOAT: Double,
    FieldDescriptor.CPPTYPE_BOOL: graphene.Boolean,
}
_NODE_IDS = {"artifact_id": "Artifact", "execution_id": "Execution", "context_id": "Context"}
REFERENCES = frozenset({"LineageRef", "MetricOwner"})
"""Messages that name a node; as objects they have its id and the node, as arguments they are an id."""


def scalar_of(field: Any) -> Any:
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
        if field.name in _NODE_IDS and not is_repeated(field) and kind.DESCRIPTOR.name not in REFERENCES:
            made[field.name.removesuffix("_id")] = _node_field(field.name)
    if kind.DESCRIPTOR.name in REFERENCES:
        made |= _reference_fields()
    return made


@cache
def object_of(descriptor: Descriptor, name: str = "", leave_out: frozenset[str] = frozenset()) -> Any:
    """Return the object type of a message, named as it is unless another name is given."""
    return made_object(name or descriptor.name, fields_of(GetMessageClass(descriptor), leave_out))


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
    if is_map(field):
        return resolved(many(_entry_of(message)), lambda owner, _info: sorted(getattr(owner, name).items()))
    return resolved(many(object_of(message)), lambda owner, _info: list(getattr(owner, name)))


@cache
def _entry_of(descriptor: Descriptor) -> Any:
    """Return the object type of a map's entries, which are pairs."""
    value = descriptor.fields_by_name["value"]
    kind = scalar_of(value) if value.message_type is None else object_of(value.message_type)
    word = "Number" if kind is Double else kind._meta.name
    return _named_pair(f"Named{word}", kind)


@cache
def _named_pair(name: str, kind: Any) -> Any:
    fields = {
        "name": resolved(graphene.NonNull(graphene.String), lambda pair, _info: text(pair[0])),
        "value": resolved(graphene.NonNull(kind), lambda pair, _info: pair[1]),
    }
    return made_object(name, fields, description="An entry of a map.")


def _time_field(name: str) -> Any:
    return resolved(DateTime, lambda message, _info: time_text(getattr(message, name)))


def _node_field(name: str) -> Any:
    kind = _NODE_IDS[name]

    def resolve(message: Any, info: Any) -> Any:
        node_id = getattr(message, name)
        return KINDS[kind].fetch(info.context, (node_id,)) if node_id else None

    return resolved(entity(kind), resolve)


def _reference_fields() -> Mapping[str, Any]:
    def own_id(reference: Any, _info: Any) -> str | None:
        chosen = reference.WhichOneof("node")
        return opaque_id(_NODE_IDS[chosen], getattr(reference, chosen)) if chosen else None

    def node(reference: Any, info: Any) -> Any:
        chosen = reference.WhichOneof("node")
        return KINDS[_NODE_IDS[chosen]].fetch(info.context, (getattr(reference, chosen),)) if chosen else None

    return {
        "id": resolved(graphene.ID, own_id, "The id of the node."),
        "node": resolved(Node, node, "The node; null when it is gone."),
    }
