"""Fields of Query for nodes and types: one by id, name or external id, and lists with filter and order."""

from collections.abc import Callable
from typing import Any

import graphene
from mlmd_metadata_store.page_tokens import token_after
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql.batches import nodes, types
from mlmd_api.graphql.connections import Page, checked_first, page_arguments
from mlmd_api.graphql.entities import entity
from mlmd_api.graphql.enums import enum_of
from mlmd_api.graphql.global_ids import database_id
from mlmd_api.graphql.node_objects import CONNECTIONS
from mlmd_api.graphql.objects import camel, many, resolved
from mlmd_api.graphql.rpcs import rpc
from mlmd_api.graphql.session import Session

_Order = pb.ListOperationOptions.OrderByField
MOST_NAMED = 100
"""Things that one field may name."""
_SPOKEN = {
    "next_page_token": "after",
    "max_result_size": "first",
    "order_by_field.field": "orderBy.field",
    "filter_query": "filterQuery",
}


class NodeOrder(graphene.InputObjectType):
    """How a list of nodes is ordered."""

    field = graphene.Field(enum_of(_Order.Field.DESCRIPTOR), required=True)
    ascending = graphene.Boolean(default_value=True)


def node_queries() -> dict[str, Any]:
    """Return the fields of Query for nodes and types."""
    fields: dict[str, Any] = {}
    for kind in Kind:
        noun = kind.name.lower()
        fields[noun] = resolved(entity(noun.capitalize()), _one_node(kind), _ONE, **_one_arguments())
        fields[f"{noun}s"] = resolved(
            graphene.NonNull(CONNECTIONS[kind]), _list(kind), "A page of them.", **_list_arguments(kind)
        )
        found = entity(f"{noun.capitalize()}Type")
        fields[f"{noun}Type"] = resolved(found, _one_type(kind), _ONE_TYPE, **_type_arguments())
        fields[f"{noun}Types"] = resolved(many(found), _all_types(kind), "All of them, by id.")
    texts = graphene.List(graphene.NonNull(graphene.String))
    fields["artifactsByUri"] = resolved(
        many(entity("Artifact")), _by_uri, "Every artifact with one of these URIs.", uris=graphene.NonNull(texts)
    )
    return fields


_ONE = "One, by id, by type and name, or by external id; null when there is none of this id or name."
_ONE_TYPE = "One type, by id, by name and version, or by external id; null when there is none of this id."


def _text(description: str = "") -> Any:
    return graphene.Argument(graphene.String, description=description or None)


def _one_arguments() -> dict[str, Any]:
    return {
        "id": graphene.Argument(graphene.ID, description="The opaque id, or the databaseId."),
        "type_name": _text(),
        "type_version": _text(),
        "name": _text(),
        "external_id": _text(),
    }


def _type_arguments() -> dict[str, Any]:
    return {
        "id": graphene.Argument(graphene.ID, description="The opaque id, or the databaseId."),
        "name": _text(),
        "version": _text("Left out: the type without a version."),
        "external_id": _text(),
    }


def _list_arguments(kind: Kind) -> dict[str, Any]:
    arguments = {
        **page_arguments(),
        "filter_query": _text("An expression of the filter language."),
        "order_by": graphene.Argument(NodeOrder, description="By id when left out."),
        "type_name": _text("Only those of this type."),
        "type_version": _text(),
    }
    if kind is not Kind.CONTEXT:
        arguments["context"] = graphene.Argument(graphene.ID, description="Only those in this context.")
    return arguments


def chosen(given: dict[str, Any], ways: tuple[str, ...], wanted: str) -> str:
    """Return which of the ways to name something was taken; raises InvalidArgument unless it is exactly one."""
    taken = [way for way in ways if given.get(way) is not None]
    if len(taken) != 1:
        shown = ", ".join(camel(way) for way in ways)
        raise InvalidArgument(f"{wanted}: {len(taken)} ways to say which; give one of {shown}.")
    return taken[0]


def _one_node(kind: Kind) -> Callable[..., Any]:
    noun = kind.name.lower()
    named = rpc(f"Get{noun.capitalize()}ByTypeAndName")
    external = rpc(f"Get{noun.capitalize()}sByExternalIds")

    def resolve(_root: Any, info: Any, **given: Any) -> Any:
        session: Session = info.context
        way = chosen(given, ("id", "name", "external_id"), noun)
        if way == "id":
            return session.loading.load(nodes, database_id(given["id"], noun.capitalize(), "id"), kind)
        if way == "external_id":
            found = session.ask(external, external.request(external_ids=[given["external_id"]]))
            return getattr(found, f"{noun}s")[0]
        if given.get("type_name") is None:
            raise InvalidArgument("typeName: missing; a name is unique within a type only, so say which.")
        asked = {"type_name": given["type_name"], "type_version": given.get("type_version")}
        answer = session.ask(named, named.request(**asked, **{f"{noun}_name": given["name"]}))
        return getattr(answer, noun) if answer.HasField(noun) else None

    return resolve


def _one_type(kind: Kind) -> Callable[..., Any]:
    noun = kind.name.lower()
    named, external = rpc(f"Get{noun.capitalize()}Type"), rpc(f"Get{noun.capitalize()}TypesByExternalIds")

    def resolve(_root: Any, info: Any, **given: Any) -> Any:
        session: Session = info.context
        way = chosen(given, ("id", "name", "external_id"), f"{noun}Type")
        if way == "id":
            return session.loading.load(types, database_id(given["id"], f"{noun.capitalize()}Type", "id"), kind)
        if way == "external_id":
            found = session.ask(external, external.request(external_ids=[given["external_id"]]))
            return session.loading.load(types, getattr(found, f"{noun}_types")[0].id, kind)
        request = named.request(type_name=given["name"], type_version=given.get("version"))
        return getattr(session.ask(named, request), f"{noun}_type")

    return resolve


def _all_types(kind: Kind) -> Callable[..., Any]:
    noun = kind.name.lower()
    method = rpc(f"Get{noun.capitalize()}Types")
    return lambda _root, info: list(getattr(info.context.ask(method, method.request()), f"{noun}_types"))


def _by_uri(_root: Any, info: Any, uris: list[str]) -> list[pb.Artifact]:
    if len(uris) > MOST_NAMED:
        raise InvalidArgument(f"uris: {len(uris)} of them; name at most {MOST_NAMED}.")
    method = rpc("GetArtifactsByURI")
    return list(info.context.ask(method, method.request(uris=uris)).artifacts)


def _list(kind: Kind) -> Callable[..., Any]:
    noun = kind.name.capitalize()

    def resolve(_root: Any, info: Any, first: int | None = None, **given: Any) -> Page:
        options = _options(checked_first(first), given)
        way = f"Get{noun}s"
        asked: dict[str, Any] = {}
        if given.get("context") is not None and given.get("type_name") is not None:
            raise InvalidArgument("typeName: given beside context; name the type in filterQuery instead.")
        if given.get("context") is not None:
            way = f"Get{noun}sByContext"
            asked = {"context_id": database_id(given["context"], "Context", "context")}
        elif given.get("type_name") is not None:
            way = f"Get{noun}sByType"
            asked = {"type_name": given["type_name"], "type_version": given.get("type_version")}
        method = rpc(way)
        try:
            answer = info.context.ask(method, method.request(options=options, **asked))
        except InvalidArgument as error:
            raise InvalidArgument(_spoken(error.message)) from error
        items = getattr(answer, f"{noun.lower()}s")
        return Page(items, _cursor(options), bool(answer.next_page_token), bool(options.next_page_token))

    return resolve


def _options(first: int, given: dict[str, Any]) -> pb.ListOperationOptions:
    options = pb.ListOperationOptions(max_result_size=first)
    if given.get("after"):
        options.next_page_token = given["after"]
    if given.get("filter_query"):
        options.filter_query = given["filter_query"]
    if given.get("order_by"):
        order = given["order_by"]
        options.order_by_field.field = getattr(order["field"], "value", order["field"])
        options.order_by_field.is_asc = order.get("ascending") is not False
    return options


def _cursor(options: pb.ListOperationOptions) -> Callable[[Any], str]:
    field = options.order_by_field.field
    key = {_Order.CREATE_TIME: "create_time_since_epoch", _Order.LAST_UPDATE_TIME: "last_update_time_since_epoch"}
    column = key.get(field, "id")
    return lambda node: token_after(options, field, [(getattr(node, column), node.id)])


def _spoken(message: str) -> str:
    """Return a message with the field called as it is here."""
    field, colon, rest = message.partition(":")
    if colon and field in _SPOKEN:
        return f"{_SPOKEN[field]}:{rest.replace('the next_page_token of an earlier answer', 'a cursor of this list')}"
    return message
