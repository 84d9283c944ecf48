"""The contexts of a node, and the contexts above and below a context (mlmd-read contract, 2.8)."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import sqlalchemy as sa
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION, PARENT_CONTEXT, Kind

from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.rpc import mlmd_read
from mlmd_metadata_store.transaction import Transaction

Direction = Literal["parents", "children"]

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_CONTEXTS_OF = {
    Kind.ARTIFACT: sa.select(ATTRIBUTION.c.context_id).where(ATTRIBUTION.c.artifact_id == sa.bindparam("id")),
    Kind.EXECUTION: sa.select(ASSOCIATION.c.context_id).where(ASSOCIATION.c.execution_id == sa.bindparam("id")),
}
_CHILD, _PARENT = PARENT_CONTEXT.c.context_id, PARENT_CONTEXT.c.parent_context_id
_RELATED: dict[Direction, sa.Select[Any]] = {
    "parents": sa.select(_CHILD, _PARENT).where(_CHILD.in_(_IDS)),
    "children": sa.select(_PARENT, _CHILD).where(_PARENT.in_(_IDS)),
}


def related_contexts(tx: Transaction, direction: Direction, ids: Iterable[int]) -> dict[int, list[pb.Context]]:
    """Return the direct parents or children of these contexts, by ascending id; contexts without any are left out."""
    pairs = sorted((context_id, other) for context_id, other in tx.rows_in(_RELATED[direction], ids))
    others = {context.id: context for context in nodes_by_id(tx, Kind.CONTEXT, {other for _, other in pairs})}
    related: dict[int, list[pb.Context]] = {}
    for context_id, other in pairs:
        if other in others:
            related.setdefault(context_id, []).append(others[other])
    return related


def _contexts_of(tx: Transaction, kind: Kind, node_id: int, add: Callable[[], pb.Context]) -> None:
    ids = [context_id for (context_id,) in tx.rows(_CONTEXTS_OF[kind], {"id": node_id})]
    if not ids or not nodes_by_id(tx, Kind.CONTEXT, ids, add):
        noun = kind.name.lower()
        raise NotFound(f"{noun}_id: {noun} {node_id} is in no context.")


def _by_artifact(
    tx: Transaction, request: service.GetContextsByArtifactRequest
) -> service.GetContextsByArtifactResponse:
    response = service.GetContextsByArtifactResponse()
    _contexts_of(tx, Kind.ARTIFACT, request.artifact_id, response.contexts.add)
    return response


def _by_execution(
    tx: Transaction, request: service.GetContextsByExecutionRequest
) -> service.GetContextsByExecutionResponse:
    response = service.GetContextsByExecutionResponse()
    _contexts_of(tx, Kind.EXECUTION, request.execution_id, response.contexts.add)
    return response


def _parents(
    tx: Transaction, request: service.GetParentContextsByContextRequest
) -> service.GetParentContextsByContextResponse:
    found = related_contexts(tx, "parents", (request.context_id,))
    return service.GetParentContextsByContextResponse(contexts=found.get(request.context_id, ()))


def _children(
    tx: Transaction, request: service.GetChildrenContextsByContextRequest
) -> service.GetChildrenContextsByContextResponse:
    found = related_contexts(tx, "children", (request.context_id,))
    return service.GetChildrenContextsByContextResponse(contexts=found.get(request.context_id, ()))


def _check_given(context_ids: Iterable[int]) -> None:
    if not context_ids:
        raise InvalidArgument("context_ids: empty; name at least one context.")


def _parents_of_many(
    tx: Transaction, request: service.GetParentContextsByContextsRequest
) -> service.GetParentContextsByContextsResponse:
    _check_given(request.context_ids)
    response = service.GetParentContextsByContextsResponse()
    for context_id, parents in related_contexts(tx, "parents", request.context_ids).items():
        response.contexts[context_id].parent_contexts.extend(parents)
    return response


def _children_of_many(
    tx: Transaction, request: service.GetChildrenContextsByContextsRequest
) -> service.GetChildrenContextsByContextsResponse:
    _check_given(request.context_ids)
    response = service.GetChildrenContextsByContextsResponse()
    for context_id, children in related_contexts(tx, "children", request.context_ids).items():
        response.contexts[context_id].children_contexts.extend(children)
    return response


LINK_READ_METHODS = (
    mlmd_read("GetContextsByArtifact", _by_artifact),
    mlmd_read("GetContextsByExecution", _by_execution),
    mlmd_read("GetParentContextsByContext", _parents),
    mlmd_read("GetChildrenContextsByContext", _children),
    mlmd_read("GetParentContextsByContexts", _parents_of_many),
    mlmd_read("GetChildrenContextsByContexts", _children_of_many),
)
