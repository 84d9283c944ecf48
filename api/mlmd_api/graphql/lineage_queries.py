"""Fields of Query for lineage: provenance, impact, path, difference, a graph as document, MLMD's subgraph."""

from typing import Any

import graphene
from google.protobuf.message import Message
from mlmd_lineage.methods import LINEAGE_SERVICE
from mlmd_schemas.errors import InvalidArgument, ResourceExhausted
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql.arguments import arguments_of, message_of
from mlmd_api.graphql.batches import StoredEvent, nodes
from mlmd_api.graphql.entities import entity
from mlmd_api.graphql.enums import enum_of
from mlmd_api.graphql.event_objects import event_fields
from mlmd_api.graphql.messages import object_of
from mlmd_api.graphql.objects import camel, made_object, many, resolved
from mlmd_api.graphql.rpcs import rpc

MOST_NODES = 1_000
"""Nodes of one answer."""
_Direction = pb.LineageSubgraphQueryOptions.Direction


def lineage_queries() -> dict[str, Any]:
    """Return the fields."""
    return {
        "provenance": _walk("GetProvenance", v1.GetProvenanceRequest, "Provenance", _PROVENANCE, node=True),
        "impact": _walk("GetImpact", v1.GetImpactRequest, "Impact", _IMPACT, node=True),
        "path": _walk("FindPath", v1.FindPathRequest, "LineagePath", _PATH, first=True, second=True),
        "difference": _walk(
            "DiffProvenance", v1.DiffProvenanceRequest, "LineageDifferences", _DIFFERENCE, first=True, second=True
        ),
        "lineageDocument": _walk("ExportGraph", v1.ExportGraphRequest, "GraphDocument", _GRAPH, node=True),
        "lineageSubgraph": _subgraph_field(),
    }


_PROVENANCE = "Everything that a node came from: data at its versions, code, parameters, and the graph of it all."
_IMPACT = "Everything that came from a node: models with their names, aliases and deployments first, and the graph."
_PATH = "The shortest way by which one of two nodes came from the other."
_DIFFERENCE = "Why two nodes differ, each difference at the step where it entered."
_GRAPH = "The graph around a node as a document: JSON, a drawing, or what other tools read."


def _walk(name: str, request: type[Message], answer: str, description: str, **required: bool) -> Any:
    method = rpc(name, LINEAGE_SERVICE)

    def resolve(_root: Any, info: Any, **given: Any) -> Any:
        for size in ("page_size", "max_nodes"):
            if (given.get(size) or 0) > MOST_NODES:
                raise InvalidArgument(
                    f"{camel(size)}: {given[size]:,} is more than {MOST_NODES:,}; go on with the page token."
                )
        return info.context.ask(method, message_of(request, given))

    kind = object_of(method.response.DESCRIPTOR, answer)
    return resolved(kind, resolve, description, **arguments_of(request, **required))


def _subgraph_field() -> Any:
    parts = {name: _nodes(name) for name in ("artifacts", "executions", "contexts")}
    events = made_object("SubgraphEvent", _event_fields(), description="An event of a subgraph.")
    parts["events"] = resolved(many(events), lambda graph, _info: list(graph.events))
    kind = made_object("Subgraph", parts, description="MLMD's lineage subgraph.")
    texts = {
        "starting_artifacts": "A filter; give this or startingExecutions.",
        "starting_executions": "A filter.",
        "ending_artifacts": "A filter: such artifacts are not walked past, and not returned.",
        "ending_executions": "A filter.",
    }
    arguments: dict[str, Any] = {
        name: graphene.Argument(graphene.String, description=text) for name, text in texts.items()
    }
    arguments["max_hops"] = graphene.Argument(graphene.Int, default_value=20, description="0 to 100.")
    arguments["direction"] = graphene.Argument(enum_of(_Direction.DESCRIPTOR))
    return resolved(
        kind, _subgraph, "MLMD's lineage subgraph: the nodes around those that a filter finds.", **arguments
    )


def _nodes(name: str) -> Any:
    """Return the field of the nodes of one kind; the walk returns little more than their ids."""
    noun = name[:-1]
    kind = Kind[noun.upper()]

    async def resolve(graph: Any, info: Any) -> Any:
        return await info.context.loading.load_all(nodes, [node.id for node in getattr(graph, name)], kind)

    return resolved(many(entity(noun.capitalize())), resolve)


def _event_fields() -> dict[str, Any]:
    fields = event_fields()
    del fields["databaseId"]
    return {name: resolved(field.type, _as_stored(field.resolver)) for name, field in fields.items()}


def _as_stored(resolver: Any) -> Any:
    return lambda event, info: resolver(StoredEvent(0, event), info)


def _subgraph(_root: Any, info: Any, **given: Any) -> Any:
    method = rpc("GetLineageSubgraph")
    request: Any = method.request()
    options = request.lineage_subgraph_query_options
    for name in ("starting_artifacts", "starting_executions", "ending_artifacts", "ending_executions"):
        if given.get(name) is not None:
            getattr(options, name).filter_query = given[name]
    options.max_num_hops = given.get("max_hops") if given.get("max_hops") is not None else 20
    if given.get("direction") is not None:
        options.direction = getattr(given["direction"], "value", given["direction"])
    request.read_mask.paths.extend(("artifacts", "executions", "contexts", "events"))
    found = info.context.ask(method, request).lineage_subgraph
    count = len(found.artifacts) + len(found.executions) + len(found.contexts)
    if count > MOST_NODES:
        raise ResourceExhausted(
            f"lineageSubgraph: has {count:,} nodes and {MOST_NODES:,} are allowed; narrow maxHops or the filters, or "
            "ask for provenance or impact, which come in pages."
        )
    return found
