"""Properties of nodes: the name, the type and the exact value, in the field of its type."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import graphene
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb

from mlmd_api.graphql.objects import made_object, many, resolved
from mlmd_api.graphql.scalars import JSON, Bytes, Double, Int64, text
from mlmd_api.graphql.structs import fill_struct

_KINDS = ("int", "double", "string", "struct", "proto", "bool")
ValueKind = graphene.Enum("ValueKind", [(kind.upper(), kind) for kind in _KINDS])

AnyProto = made_object(
    "AnyProto",
    {
        "typeUrl": resolved(graphene.NonNull(graphene.String), lambda message, _info: text(message.type_url)),
        "value": resolved(graphene.NonNull(Bytes), lambda message, _info: message.value),
    },
    description="A protobuf message: the URL of its type, and its bytes.",
)


class AnyProtoInput(graphene.InputObjectType):
    """A protobuf message: the URL of its type, and its bytes."""

    type_url = graphene.String(required=True)
    value = Bytes(required=True)


def _one(kind: str, scalar: Any) -> Any:
    field = f"{kind}_value"

    def resolve(pair: tuple[str, pb.Value], _info: Any) -> Any:
        value = pair[1]
        if value.WhichOneof("value") != field:
            return None
        found = getattr(value, field)
        return text(found) if kind == "string" else found

    return resolved(scalar, resolve)


def _kind(pair: tuple[str, pb.Value], _info: Any) -> str | None:
    chosen = pair[1].WhichOneof("value")
    return None if chosen is None else chosen.removesuffix("_value")


_SCALARS = {
    "int": Int64,
    "double": Double,
    "string": graphene.String,
    "struct": JSON,
    "proto": AnyProto,
    "bool": graphene.Boolean,
}

Property = made_object(
    "Property",
    {
        "name": resolved(graphene.NonNull(graphene.String), lambda pair, _info: text(pair[0])),
        "kind": resolved(ValueKind, _kind, "Which of the fields below is set; null for a value without content."),
        **{f"{kind}Value": _one(kind, scalar) for kind, scalar in _SCALARS.items()},
    },
    description="A property of a node. Exactly the field of its kind is set.",
)


class PropertyInput(graphene.InputObjectType):
    """A property to write. Set exactly one of the values."""

    name = graphene.String(required=True)
    int_value = Int64()
    double_value = Double()
    string_value = graphene.String()
    struct_value = JSON()
    proto_value = AnyProtoInput()
    bool_value = graphene.Boolean()


def _listed(field: str) -> Any:
    def resolve(node: Any, _info: Any, names: Sequence[str] | None = None) -> list[tuple[Any, pb.Value]]:
        values: Mapping[Any, pb.Value] = getattr(node, field)
        if names is not None:
            return [(name, values[name]) for name in dict.fromkeys(names) if name in values]
        return sorted(((name, values[name]) for name in values), key=_by_name)

    names = graphene.Argument(graphene.List(graphene.NonNull(graphene.String)), description="Only these.")
    return resolved(many(Property), resolve, names=names)


def _by_name(pair: tuple[Any, pb.Value]) -> str:
    name = pair[0]
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


PROPERTY_FIELDS = {"properties": _listed("properties"), "customProperties": _listed("custom_properties")}


def fill_values(values: Any, given: Iterable[Mapping[str, Any]], field: str) -> None:
    """Put properties into a map of a node; raises InvalidArgument for a name that comes twice, or not one value."""
    for item in given:
        name = item["name"]
        place = f"{field}[{name[:60]!r}]"
        if name in values:
            raise InvalidArgument(f"{place}: comes twice; give each property once.")
        chosen = [key for key in item if key != "name" and item[key] is not None]
        if len(chosen) != 1:
            raise InvalidArgument(f"{place}: has {len(chosen)} values; set exactly one of them.")
        _set(values[name], chosen[0], item[chosen[0]], place)


def _set(value: pb.Value, field: str, given: Any, place: str) -> None:
    if field == "struct_value":
        fill_struct(value.struct_value, given, place)
    elif field == "proto_value":
        value.proto_value.type_url = given["type_url"]
        value.proto_value.value = given["value"]
    else:
        setattr(value, field, given)
