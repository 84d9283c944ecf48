"""Collections: names with versions, aliases and moves."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import graphene
from mlmd_metadata_store import version_links
from mlmd_metadata_store.collection_methods import COLLECTIONS_SERVICE
from mlmd_metadata_store.kept_facts import COLLECTION_TYPE
from mlmd_metadata_store.keyset_tokens import ENDLESS, token_after
from mlmd_schemas.pb.v1 import collections_pb2 as v1

from mlmd_api.graphql import entities
from mlmd_api.graphql.connections import (
    Page,
    checked_first,
    connection_of,
    key_after,
    number_after,
    page_arguments,
)
from mlmd_api.graphql.entities import define, entity
from mlmd_api.graphql.messages import fields_of
from mlmd_api.graphql.objects import made_object, many, resolved
from mlmd_api.graphql.rpcs import rpc
from mlmd_api.graphql.scalars import Int64
from mlmd_api.graphql.session import Session

CollectionConnection = connection_of("Collection", entity("Collection"))
VersionConnection = connection_of("Version", entity("Version"))
_LIST = "collections"


@dataclass(frozen=True, slots=True)
class Alias:
    """A name that points at a version."""

    context_id: int
    name: str
    number: int


@dataclass(frozen=True, slots=True)
class Move:
    """A move of an alias, and whose."""

    context_id: int
    message: v1.AliasMove


def collections(session: Session, ids: Sequence[int]) -> Mapping[int, v1.Collection]:
    """Find the collections that contexts are."""
    return session.read(version_links.collections_of, ids)


def versions(session: Session, keys: Sequence[version_links.Key]) -> Mapping[version_links.Key, v1.Version]:
    """Find versions by context and number."""
    return session.read(version_links.versions_by_key, keys)


def versions_of(session: Session, artifact_ids: Sequence[int]) -> Mapping[int, list[v1.Version]]:
    """Find the versions that artifacts are."""
    return session.read(version_links.versions_of_artifacts, artifact_ids)


def aliases(session: Session, ids: Sequence[int]) -> Mapping[int, dict[str, int]]:
    """Find the aliases of collections."""
    return session.read(version_links.aliases_of_collections, ids)


def pages(session: Session, ids: Sequence[int], read: Callable[..., Any], before: int, size: int) -> Mapping[int, Any]:
    """Find pages of versions or moves."""
    return session.read(read, ids, before, size)


def _version(context_id: int, number: int, info: Any) -> Awaitable[Any] | None:
    return info.context.loading.load(versions, (context_id, number)) if number else None


def _paged(read: Callable[..., Any], name: str, number: Callable[[Any], int], made: Callable[..., Any]) -> Any:
    async def resolve(collection: v1.Collection, info: Any, **page: Any) -> Page:
        first, after = checked_first(page.get("first")), number_after(name, page.get("after"))
        before = after or ENDLESS
        found = await info.context.loading.load(pages, collection.context_id, read, before, first + 1) or []
        items = [made(collection, item) for item in found[:first]]
        return Page(items, lambda item: token_after(name, str(number(item))), len(found) > first, after > 0)

    return resolve


async def _aliases(collection: v1.Collection, info: Any) -> list[Alias]:
    found = await info.context.loading.load(aliases, collection.context_id) or {}
    return [Alias(collection.context_id, name, number) for name, number in found.items()]


def define_collections() -> None:
    """Make the object types of collections, versions, aliases and moves."""
    alias = made_object(
        "Alias",
        {
            "name": resolved(graphene.NonNull(graphene.String), lambda one, _info: one.name),
            "version": resolved(entity("Version"), lambda one, info: _version(one.context_id, one.number, info)),
        },
        description="A name that points at a version.",
    )
    move = made_object("AliasMove", _move_fields(), description="A move of an alias.")
    moves = connection_of("AliasMove", lambda: move)
    versions_field = _paged(
        version_links.version_pages, "versions", lambda one: int(one.number), lambda _collection, one: one
    )
    moves_field = _paged(
        version_links.move_pages,
        "moves",
        lambda one: int(one.message.sequence),
        lambda collection, one: Move(collection.context_id, one),
    )
    collection = {
        **fields_of(v1.Collection),
        "versions": resolved(graphene.NonNull(VersionConnection), versions_field, "Newest first.", **page_arguments()),
        "latest": resolved(entity("Version"), lambda one, info: _version(one.context_id, one.latest_number, info)),
        "aliases": resolved(many(alias), _aliases),
        "moves": resolved(graphene.NonNull(moves), moves_field, "Newest first.", **page_arguments()),
    }
    version = {
        **fields_of(v1.Version),
        "collection": resolved(
            entity("Collection"), lambda one, info: info.context.loading.load(collections, one.context_id)
        ),
    }
    fetch_one = partial(_fetch, collections)
    define(
        entities.Kind("Collection", (int,), fetch_one),
        v1.Collection,
        lambda one: (one.context_id,),
        collection,
        "A name whose versions are artifacts.",
    )
    kind = entities.Kind("Version", (int, int), lambda session, key: session.loading.load(versions, key))
    define(kind, v1.Version, lambda one: (one.context_id, one.number), version, "An artifact as a version.")


def _fetch(batch: Any, session: Session, key: Any) -> Awaitable[Any]:
    return session.loading.load(batch, key[0])


def _move_fields() -> dict[str, Any]:
    made = {}
    for name, field in fields_of(v1.AliasMove).items():
        made[name] = resolved(field.type, _of_message(field.resolver))
    for end in ("from", "to"):
        made[f"{end}Version"] = resolved(entity("Version"), _end(f"{end}_number"))
    return made


def _of_message(resolver: Any) -> Any:
    return lambda move, info: resolver(move.message, info)


def _end(field: str) -> Any:
    return lambda move, info: _version(move.context_id, getattr(move.message, field), info)


def artifact_fields() -> dict[str, Any]:
    """Return the fields that artifacts gain."""

    async def resolve(artifact: Any, info: Any) -> Any:
        return await info.context.loading.load(versions_of, artifact.id) or []

    return {"versions": resolved(many(entity("Version")), resolve, "The versions of collections that it is.")}


def context_fields() -> dict[str, Any]:
    """Return the fields that contexts gain."""
    return {
        "collection": resolved(
            entity("Collection"),
            lambda context, info: info.context.loading.load(collections, context.id),
            "The collection that it is; null when it is none.",
        )
    }


def collection_queries() -> dict[str, Any]:
    """Return the fields of Query for collections."""
    text = graphene.NonNull(graphene.String)
    named = {"type_name": text, "name": text}
    return {
        "collection": resolved(entity("Collection"), _one, "One collection, by artifact type and name.", **named),
        "collections": resolved(
            graphene.NonNull(CollectionConnection),
            _list,
            "Collections by name, all or those of one artifact type.",
            type_name=graphene.String(),
            **page_arguments(),
        ),
        "version": resolved(
            entity("Version"),
            _resolve,
            "One version, by number or by alias; `latest` is the newest.",
            number=graphene.Argument(Int64),
            alias=graphene.String(),
            **named,
        ),
    }


def _resolve(_root: Any, info: Any, **given: Any) -> Any:
    method = rpc("ResolveVersion", COLLECTIONS_SERVICE)
    return info.context.ask(method, method.request(**given)).version


async def _one(_root: Any, info: Any, type_name: str, name: str) -> Any:
    method = rpc("ListAliases", COLLECTIONS_SERVICE)  # says what is wrong with the names, and that there is none
    info.context.ask(method, method.request(type_name=type_name, name=name))
    found = rpc("GetContextByTypeAndName")
    asked = found.request(type_name=COLLECTION_TYPE, context_name=f"{type_name}/{name}")
    return await info.context.loading.load(collections, info.context.ask(found, asked).context.id)


def _list(_root: Any, info: Any, first: int | None = None, after: str | None = None, type_name: str = "") -> Page:
    method = rpc("ListCollections", COLLECTIONS_SERVICE)
    key_after(_LIST, after)
    request = method.request(type_name=type_name or "", page_size=checked_first(first), page_token=after or "")
    answer = info.context.ask(method, request)
    return Page(answer.collections, _cursor, bool(answer.next_page_token), bool(after))


def _cursor(one: v1.Collection) -> str:
    return token_after(_LIST, f"{one.type_name}/{one.name}")
