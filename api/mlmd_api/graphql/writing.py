"""What the fields of Mutation share: a method called with the right key, and nodes to answer with."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import graphene
from google.protobuf.message import Message
from mlmd_metadata_store.rpc import MLMD_SERVICE
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql.batches import nodes
from mlmd_api.graphql.entities import entity
from mlmd_api.graphql.objects import made_object, many, resolved
from mlmd_api.graphql.session import Session

_LONGEST_KEY = 255
KEY = "idempotency_key"


def key_argument() -> Any:
    """Return the argument by which a write is done once, however often it is sent."""
    return graphene.Argument(
        graphene.String,
        description="Sent again under the same key, the write is done once. The header mlmd-idempotency-key does the "
        "same for an operation; of several fields each has a key of its own, made of it.",
    )


def call(info: Any, name: str, request: Message, given: Mapping[str, Any], service: str = MLMD_SERVICE) -> Any:
    """Call a method that writes, for a field of Mutation; return its response."""
    session: Session = info.context
    key = given.get(KEY)
    if key is None and session.caller.idempotency_key is not None and session.writes > 1:
        key = f"{session.caller.idempotency_key}/{info.path.key}"
        if len(key) > _LONGEST_KEY:
            key = hashlib.sha256(key.encode()).hexdigest()
    return session.write(f"/{service}/{name}", request, key)


def written(kind: Any, resolver: Callable[..., Any], description: str, /, **arguments: Any) -> Any:
    """Return a field of Mutation, which takes an idempotency key too."""

    async def resolve(root: Any, info: Any, **given: Any) -> Any:
        """Write when it is this field's turn: the executor begins those that are no coroutines all at once."""
        return resolver(root, info, **given)

    return resolved(kind, resolve, description, **arguments, **{KEY: key_argument()})


def nodes_field(kind: Kind, name: str) -> Any:
    """Return the field of a payload, a mapping, that holds ids of nodes by name."""

    async def resolve(payload: Mapping[str, Sequence[int]], info: Any) -> Any:
        return await info.context.loading.load_all(nodes, list(payload[name]), kind)

    return resolved(many(entity(kind.name.capitalize())), resolve)


def node_field(kind: Kind, name: str) -> Any:
    """Return the field of a payload, a mapping, that holds the id of one node by name."""
    return resolved(
        entity(kind.name.capitalize()), lambda payload, info: info.context.loading.load(nodes, payload[name], kind)
    )


def payload(name: str, fields: Mapping[str, Any]) -> Any:
    """Return the object type of what a mutation answers."""
    return made_object(f"{name[:1].upper()}{name[1:]}Payload", fields)
