"""The schema: all object types put together, and its text."""

from collections.abc import Awaitable
from functools import cache
from typing import Any

import graphene
from graphql import GraphQLSchema, lexicographic_sort_schema, print_schema
from mlmd_schemas.errors import InvalidArgument

from mlmd_api.graphql.entities import KINDS, OBJECTS, Node, checked_key
from mlmd_api.graphql.event_objects import define_events
from mlmd_api.graphql.messages import made_object, resolved
from mlmd_api.graphql.node_objects import define_nodes
from mlmd_api.graphql.node_queries import MOST_NAMED, node_queries
from mlmd_api.graphql.session import Session
from mlmd_api.graphql.type_objects import define_types


@cache
def schema() -> GraphQLSchema:
    """Return the schema, made once for the process."""
    define_nodes({})
    define_types()
    define_events()
    query = made_object("Query", {**_node_fields(), **node_queries()})
    made = graphene.Schema(query=query, types=list(OBJECTS.values()))
    return made.graphql_schema  # type: ignore[no-any-return]


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
