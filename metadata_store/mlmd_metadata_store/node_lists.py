"""Lists of nodes: of the store, of a type, of a context (mlmd-read contract, 2.6 and 2.7)."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.node_pages import Members, every_node, has_members, node_page
from mlmd_metadata_store.rpc import Rpc, mlmd_read
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_reads import find_type_id


def _in_store(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    answer = response()
    add = _list(answer, kind).add
    if not request.HasField("options"):
        every_node(tx, Members(kind), add)
        return answer
    _, token = node_page(tx, Members(kind), request.options, add)
    if token:
        answer.next_page_token = token
    return answer


def _of_type(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    """The token is set, if only to "", whenever options are given and the type has nodes."""
    answer = response()
    type_id = find_type_id(tx, kind, request.type_name, request.type_version)
    if type_id is not None:
        token = _members(tx, Members(kind, "type", type_id), request, _list(answer, kind).add)
        if token is not None:
            answer.next_page_token = token
    return answer


def _in_context(kind: Kind, response: type[Any], tx: Transaction, request: Any) -> Any:
    answer = response()
    token = _members(tx, Members(kind, "context", request.context_id), request, _list(answer, kind).add)
    if token:
        answer.next_page_token = token
    return answer


def _members(tx: Transaction, members: Members, request: Any, add: Any) -> str | None:
    """Return the token of the next page; None without options, or without members, when options are not looked at."""
    if not request.HasField("options"):
        every_node(tx, members, add)
        return None
    try:
        count, token = node_page(tx, members, request.options, add)
    except InvalidArgument:
        if has_members(tx, members):
            raise
        return None
    return token if count or has_members(tx, members) else None


def _list(answer: Any, kind: Kind) -> Any:
    return getattr(answer, f"{kind.name.lower()}s")


def _methods() -> Iterator[Rpc]:
    for kind in (Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT):
        noun = kind.name.capitalize()
        bodies = {f"Get{noun}s": _in_store, f"Get{noun}sByType": _of_type}
        if kind is not Kind.CONTEXT:
            bodies[f"Get{noun}sByContext"] = _in_context
        for name, body in bodies.items():
            yield mlmd_read(name, partial(body, kind, getattr(service, f"{name}Response")))


LIST_METHODS = tuple(_methods())
"""GetArtifacts, GetArtifactsByType, GetArtifactsByContext, and so for executions and contexts."""
