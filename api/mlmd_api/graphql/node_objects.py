"""Artifacts, executions and contexts, with links to all that they are connected with."""

from typing import Any

import graphene
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql import entities
from mlmd_api.graphql.batches import events, neighbour_page, nodes, types
from mlmd_api.graphql.connections import connection_of, page_arguments
from mlmd_api.graphql.entities import databases_id, define, entity
from mlmd_api.graphql.enums import enum_of
from mlmd_api.graphql.objects import resolved
from mlmd_api.graphql.properties import PROPERTY_FIELDS
from mlmd_api.graphql.scalars import DateTime, Int64, text, time_text

ArtifactConnection = connection_of("Artifact", entity("Artifact"))
ExecutionConnection = connection_of("Execution", entity("Execution"))
ContextConnection = connection_of("Context", entity("Context"))
EventConnection = connection_of("Event", entity("Event"))

CONNECTIONS = {Kind.ARTIFACT: ArtifactConnection, Kind.EXECUTION: ExecutionConnection, Kind.CONTEXT: ContextConnection}


def _optional(field: str, kind: Any = graphene.String) -> Any:
    def resolve(node: Any, _info: Any) -> Any:
        if not node.HasField(field):
            return None
        value = getattr(node, field)
        return text(value) if kind is graphene.String else value

    return resolved(kind, resolve)


def _moments(name: str, field: str) -> dict[str, Any]:
    return {
        f"{name}Ms": resolved(graphene.NonNull(Int64), lambda node, _info: getattr(node, field)),
        f"{name}Time": resolved(DateTime, lambda node, _info: time_text(getattr(node, field))),
    }


def neighbour_field(connection: Any, edge: str, batch: Any, *shared: Any) -> Any:
    """Return the field of a page of what is next to a node or type."""

    async def resolve(node: Any, info: Any, **page: Any) -> Any:
        return await neighbour_page(info.context, edge, node.id, page, batch, *shared)

    return resolved(graphene.NonNull(connection), resolve, **page_arguments())


def _type_field(kind: Kind) -> Any:
    return resolved(
        entity(f"{kind.name.capitalize()}Type"),
        lambda node, info: info.context.loading.load(types, node.type_id, kind),
    )


def _common(kind: Kind) -> dict[str, Any]:
    return {
        "databaseId": databases_id("node's id"),
        "typeId": resolved(graphene.NonNull(Int64), lambda node, _info: node.type_id),
        "typeName": _optional("type"),
        "type": _type_field(kind),
        "name": _optional("name"),
        "externalId": _optional("external_id"),
        **_moments("create", "create_time_since_epoch"),
        **_moments("update", "last_update_time_since_epoch"),
        **PROPERTY_FIELDS,
    }


def node_kind(kind: Kind) -> entities.Kind:
    """Return how nodes of a kind are keyed and fetched."""
    return entities.Kind(kind.name.capitalize(), (int,), lambda session, key: session.loading.load(nodes, key[0], kind))


def define_nodes(more: dict[str, dict[str, Any]]) -> None:
    """Make the object types of nodes; `more` are fields of other modules, by object type."""
    contexts = {
        kind: neighbour_field(ContextConnection, f"{kind.name.lower()}/contexts", nodes, Kind.CONTEXT)
        for kind in (Kind.ARTIFACT, Kind.EXECUTION)
    }
    artifact = {
        **_common(Kind.ARTIFACT),
        "uri": _optional("uri"),
        "state": _optional("state", enum_of(pb.Artifact.State.DESCRIPTOR)),
        "events": neighbour_field(EventConnection, "artifact/events", events),
        "contexts": contexts[Kind.ARTIFACT],
    }
    execution = {
        **_common(Kind.EXECUTION),
        "state": _optional("last_known_state", enum_of(pb.Execution.State.DESCRIPTOR)),
        "events": neighbour_field(EventConnection, "execution/events", events),
        "contexts": contexts[Kind.EXECUTION],
    }
    context = {
        **_common(Kind.CONTEXT),
        "artifacts": neighbour_field(ArtifactConnection, "context/artifacts", nodes, Kind.ARTIFACT),
        "executions": neighbour_field(ExecutionConnection, "context/executions", nodes, Kind.EXECUTION),
        "parents": neighbour_field(ContextConnection, "context/parents", nodes, Kind.CONTEXT),
        "children": neighbour_field(ContextConnection, "context/children", nodes, Kind.CONTEXT),
    }
    for kind, source, fields in (
        (Kind.ARTIFACT, pb.Artifact, artifact),
        (Kind.EXECUTION, pb.Execution, execution),
        (Kind.CONTEXT, pb.Context, context),
    ):
        named = node_kind(kind)
        define(named, source, lambda node: (node.id,), {**fields, **more.get(named.name, {})}, _TEXTS[kind])


_TEXTS = {
    Kind.ARTIFACT: "Something that was made or used: data, a model, metrics.",
    Kind.EXECUTION: "A run of a step.",
    Kind.CONTEXT: "A group of artifacts and executions: a pipeline, a run, an experiment.",
}
