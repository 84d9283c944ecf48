"""Which nodes are there."""

from collections.abc import Iterable

import sqlalchemy as sa
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.transaction import Transaction

_EXISTING = {
    kind: sa.select(tables.node.c.id).where(tables.node.c.id.in_(sa.bindparam("ids", expanding=True)))
    for kind, tables in NODE_TABLES.items()
}


def existing_ids(tx: Transaction, kind: Kind, ids: Iterable[int]) -> set[int]:
    """Return those of the ids that nodes of this kind have."""
    return {node_id for (node_id,) in tx.rows_in(_EXISTING[kind], ids)}
