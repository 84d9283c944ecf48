"""What has an id: how each kind of entity is named, keyed and fetched again."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import graphene
from mlmd_schemas.errors import InvalidArgument

from mlmd_api.graphql.global_ids import Key, kind_and_key, opaque_id
from mlmd_api.graphql.objects import made_object, resolved
from mlmd_api.graphql.scalars import Int64
from mlmd_api.graphql.session import Session

_INTEGERS = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of entity. `shape` are the types of its key's parts; `fetch` finds the entity of a key, or None."""

    name: str
    shape: tuple[type, ...]
    fetch: Callable[[Session, Key], Awaitable[Any]]


KINDS: dict[str, Kind] = {}
OBJECTS: dict[str, Any] = {}
"""The object type of each entity, by name; full when every module of entities is imported."""
_NAMES: dict[type, str] = {}


class Node(graphene.Interface):
    """Whatever has an id, which is opaque and the same for ever."""

    id = graphene.ID(required=True)

    @classmethod
    def resolve_type(cls, instance: Any, _info: Any) -> Any:
        """Return the object type of an entity."""
        return OBJECTS[_NAMES[type(instance)]]


def entity(name: str) -> Callable[[], Any]:
    """Return the object type of an entity, to be looked up when all are there."""
    return lambda: OBJECTS[name]


def define(
    kind: Kind, source: type, key: Callable[[Any], Key], fields: Mapping[str, Any], description: str = ""
) -> Any:
    """Make the object type of a kind, whose entities are instances of `source`."""
    own_id = resolved(graphene.NonNull(graphene.ID), lambda one, _info: opaque_id(kind.name, *key(one)))
    KINDS[kind.name] = kind
    _NAMES[source] = kind.name
    OBJECTS[kind.name] = made_object(kind.name, {"id": own_id, **fields}, Node, description=description)
    return OBJECTS[kind.name]


def checked_key(given: str, field: str, *kinds: str) -> tuple[Kind, Key]:
    """Return kind and key of an opaque id; raises InvalidArgument unless it is one of these kinds (none: any)."""
    name, key = kind_and_key(given, field)
    kind = KINDS.get(name)
    if kind is None or (kinds and name not in kinds):
        wanted = " or ".join(kinds) if kinds else "an entity"
        raise InvalidArgument(f"{field}: {given[:60]!r} is the id of a {name[:40]!r}; give the id of {wanted}.")
    fits = len(key) == len(kind.shape) and all(
        type(part) is wanted and (wanted is not int or part in _INTEGERS)
        for part, wanted in zip(key, kind.shape, strict=True)
    )
    if not fits:
        raise InvalidArgument(f"{field}: {given[:60]!r} is no id of this server; take the `id` of an entity.")
    return kind, key


def databases_id(kind: str) -> Any:
    """Return the field `databaseId` of a node or type."""
    return resolved(graphene.NonNull(Int64), lambda one, _info: one.id, f"The number that other wires call the {kind}.")
