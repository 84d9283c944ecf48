"""Which nodes of this store are those of another one, for whoever has ids of that one."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import archive_pb2 as v1
from mlmd_schemas.tables.imports import IMPORTED
from mlmd_schemas.tables.own import MANIFEST, TOMBSTONE
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.archive_export import store_uuid
from mlmd_metadata_store.transaction import Transaction

MOST_IDS = 1000
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_KNOWN = {
    kind: sa.select(IMPORTED.c.origin_id, IMPORTED.c.node_id)
    .join(tables.node, tables.node.c.id == IMPORTED.c.node_id)
    .where(
        IMPORTED.c.store_uuid == sa.bindparam("store"),
        IMPORTED.c.type_kind == kind.value,
        IMPORTED.c.origin_id.in_(_IDS),
    )
    for kind, tables in NODE_TABLES.items()
}
_THERE = {kind: sa.select(tables.node.c.id).where(tables.node.c.id.in_(_IDS)) for kind, tables in NODE_TABLES.items()}
_AWAITING = (
    sa.select(MANIFEST.c.artifact_id)
    .outerjoin(
        TOMBSTONE, sa.and_(TOMBSTONE.c.node_id == MANIFEST.c.artifact_id, TOMBSTONE.c.type_kind == Kind.ARTIFACT.value)
    )
    .where(
        MANIFEST.c.artifact_id.in_(_IDS),
        MANIFEST.c.is_external == 1,
        sa.func.length(MANIFEST.c.digest) > 0,
        TOMBSTONE.c.node_id.is_(None),
    )
)


def find_imported(tx: Transaction, request: v1.FindImportedRequest) -> v1.FindImportedResponse:
    """Return the nodes here that are those of another store, by its ids; ids of this very store are themselves.

    Raises InvalidArgument for more than 1,000 ids.
    """
    count = len(request.artifact_ids) + len(request.execution_ids) + len(request.context_ids)
    if count > MOST_IDS:
        raise InvalidArgument(f"artifact_ids: {count} ids in one call; ask for at most {MOST_IDS} at a time.")
    artifacts = _found(tx, request.store_uuid, Kind.ARTIFACT, request.artifact_ids)
    awaiting = {row[0] for row in tx.rows_in(_AWAITING, [node.id for node in artifacts])}
    for node in artifacts:
        node.awaits_files = node.id in awaiting
    return v1.FindImportedResponse(
        artifacts=artifacts,
        executions=_found(tx, request.store_uuid, Kind.EXECUTION, request.execution_ids),
        contexts=_found(tx, request.store_uuid, Kind.CONTEXT, request.context_ids),
    )


def _found(tx: Transaction, store: str, kind: Kind, ids: Sequence[int]) -> list[v1.ImportedNode]:
    if not ids:
        return []
    found: dict[int, int] = dict(map(tuple, tx.rows_in(_KNOWN[kind], ids, store=store)))
    rest = set(ids) - found.keys()
    if rest and store == store_uuid(tx):
        found |= {row[0]: row[0] for row in tx.rows_in(_THERE[kind], rest)}
    return [v1.ImportedNode(origin_id=origin_id, id=found[origin_id]) for origin_id in sorted(found)]
