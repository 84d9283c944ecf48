"""The schema: all object types put together, and its text."""

from collections.abc import Awaitable
from functools import cache
from typing import Any

import graphene
from graphql import GraphQLSchema, lexicographic_sort_schema, print_schema
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql import collection_objects, file_objects, metric_objects
from mlmd_api.graphql.collection_objects import collection_queries
from mlmd_api.graphql.entities import KINDS, OBJECTS, Node, checked_key
from mlmd_api.graphql.event_objects import define_events
from mlmd_api.graphql.lineage_queries import lineage_queries
from mlmd_api.graphql.metric_mutations import collection_mutations, metric_mutations
from mlmd_api.graphql.metric_queries import metric_queries
from mlmd_api.graphql.node_mutations import node_mutations
from mlmd_api.graphql.node_objects import define_nodes
from mlmd_api.graphql.node_queries import MOST_NAMED, node_queries
from mlmd_api.graphql.objects import made_object, resolved
from mlmd_api.graphql.registry_fields import registry_mutations, registry_queries
from mlmd_api.graphql.session import Session
from mlmd_api.graphql.type_objects import define_types


@cache
def schema() -> GraphQLSchema:
    """Return the schema, made once for the process."""
    define_nodes(
        {
            "Artifact": {
                **collection_objects.artifact_fields(),
                **file_objects.artifact_fields(),
                **metric_objects.node_fields(Kind.ARTIFACT),
            },
            "Execution": metric_objects.node_fields(Kind.EXECUTION),
            "Context": collection_objects.context_fields(),
        }
    )
    define_types()
    define_events()
    collection_objects.define_collections()
    file_objects.define_files()
    metric_objects.define_metrics()
    queries = (
        _node_fields(),
        node_queries(),
        collection_queries(),
        metric_queries(),
        lineage_queries(),
        registry_queries(),
    )
    query = made_object("Query", {name: field for fields in queries for name, field in fields.items()})
    mutations = (node_mutations(), metric_mutations(), collection_mutations(), registry_mutations())
    mutation = made_object("Mutation", {name: field for fields in mutations for name, field in fields.items()})
    made: GraphQLSchema = graphene.Schema(query=query, mutation=mutation, types=list(OBJECTS.values())).graphql_schema
    return made


def sdl() -> str:
    """Return the schema in the definition language, sorted, so that a change shows as what it is."""
    return print_schema(lexicographic_sort_schema(schema())) + "\n"


def _node_fields() -> dict[str, Any]:
    ids = graphene.NonNull(graphene.List(graphene.NonNull(graphene.ID)))
    return {
        "node": resolved(Node, _node, "Whatever has this id; null when it is gone.", id=graphene.NonNull(graphene.ID)),
        "nodes": resolved(graphene.NonNull(graphene.List(Node)), _nodes, "The same for many, in their order.", ids=ids),
    }


def _node(_root: Any, info: Any, id: str) -> Awaitable[Any]:
    return _fetch(info.context, id, "id")


async def _nodes(_root: Any, info: Any, ids: list[str]) -> list[Any]:
    if len(ids) > MOST_NAMED:
        raise InvalidArgument(f"ids: {len(ids)} of them; name at most {MOST_NAMED}.")
    found = [_fetch(info.context, given, f"ids[{place}]") for place, given in enumerate(ids)]
    return [await one for one in found]


def _fetch(session: Session, given: str, field: str) -> Awaitable[Any]:
    kind, key = checked_key(given, field)
    return KINDS[kind.name].fetch(session, key)
