"""Small parts that every object type is made of."""

from collections.abc import Callable, Mapping
from typing import Any

import graphene

Resolver = Callable[..., Any]


def camel(name: str) -> str:
    """Return a name of a .proto file as GraphQL writes it."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)


def made_object(name: str, fields: Mapping[str, Any], *interfaces: Any, description: str = "") -> Any:
    """Return an object type of these fields."""
    meta = type("Meta", (), {"name": name, "interfaces": interfaces, "description": description or None})
    return type(name, (graphene.ObjectType,), {**fields, "Meta": meta})


def resolved(kind: Any, resolver: Resolver, description: str = "", /, **arguments: Any) -> Any:
    """Return a field with its resolver."""
    return graphene.Field(kind, args=arguments, resolver=resolver, description=description or None)


def many(kind: Any) -> Any:
    """Return the type of a list that is there and has no holes."""
    return graphene.NonNull(graphene.List(graphene.NonNull(kind)))
