"""Types of artifacts, executions and contexts."""

from typing import Any

import graphene
from google.protobuf import json_format
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql import entities
from mlmd_api.graphql.batches import nodes, types
from mlmd_api.graphql.entities import databases_id, define
from mlmd_api.graphql.enums import enum_of
from mlmd_api.graphql.node_objects import CONNECTIONS, neighbour_field
from mlmd_api.graphql.objects import made_object, many, resolved
from mlmd_api.graphql.scalars import JSON, text

PropertyType = enum_of(pb.PropertyType.DESCRIPTOR)
MESSAGES: dict[Kind, type[Any]] = {
    Kind.ARTIFACT: pb.ArtifactType,
    Kind.EXECUTION: pb.ExecutionType,
    Kind.CONTEXT: pb.ContextType,
}

PropertyDeclaration = made_object(
    "PropertyDeclaration",
    {
        "name": resolved(graphene.NonNull(graphene.String), lambda pair, _info: text(pair[0])),
        "type": resolved(PropertyType, lambda pair, _info: pair[1]),
    },
    description="A property that a type declares.",
)


def _text(field: str) -> Any:
    return resolved(
        graphene.String, lambda found, _info: text(getattr(found, field)) if found.HasField(field) else None
    )


def _struct(field: str) -> Any:
    return resolved(
        JSON,
        lambda found, _info: json_format.MessageToDict(getattr(found, field)) if found.HasField(field) else None,
        "An ArtifactStructType, in its JSON form.",
    )


def define_types() -> None:
    """Make the object types of types."""
    for kind, source in MESSAGES.items():
        noun = kind.name.capitalize()
        members = f"{noun.lower()}s"
        base = source.SystemDefinedBaseType.DESCRIPTOR
        fields: dict[str, Any] = {
            "databaseId": databases_id("type's id"),
            "name": _text("name"),
            "version": _text("version"),
            "description": _text("description"),
            "externalId": _text("external_id"),
            "properties": resolved(many(PropertyDeclaration), lambda found, _info: sorted(found.properties.items())),
            members: neighbour_field(CONNECTIONS[kind], f"type/{members}", nodes, kind),
        }
        if len(base.values) > 1:
            fields["baseType"] = resolved(
                enum_of(base), lambda found, _info: found.base_type if found.HasField("base_type") else None
            )
        if kind is Kind.EXECUTION:
            fields |= {"inputType": _struct("input_type"), "outputType": _struct("output_type")}
        found = entities.Kind(f"{noun}Type", (int,), _fetch(kind))
        define(found, source, lambda one: (one.id,), fields, f"A type of {members}.")


def _fetch(kind: Kind) -> Any:
    return lambda session, key: session.loading.load(types, key[0], kind)
