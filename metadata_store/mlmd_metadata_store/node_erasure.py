"""Taking from nodes what they say, while what they are connected with stays."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import AlreadyExists
from mlmd_schemas.tables.own import EVALUATION, EVALUATION_PART, EXACT_VALUE, RUN, SERIES, SERIES_SEGMENT
from mlmd_schemas.tables.v10 import ARTIFACT, CONTEXT, EXECUTION, NODE_TABLES, Kind

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.property_writes import delete_properties
from mlmd_metadata_store.transaction import Transaction

PURGED_CONTEXT = "mlmd.purged/"
"""What the name of a purged context begins with, its id after it; MLMD's contexts cannot be without one."""

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_KIND: sa.BindParameter[Any] = sa.bindparam("kind")
_NOW: sa.BindParameter[Any] = sa.bindparam("now")
_BARE: dict[Kind, dict[str, Any]] = {
    Kind.ARTIFACT: {"name": None, "uri": None},
    Kind.EXECUTION: {"name": None},
    Kind.CONTEXT: {"name": sa.literal_column(f"'{PURGED_CONTEXT}'", sa.String) + sa.cast(CONTEXT.c.id, sa.String(20))},
}
_STRIP = {
    kind: sa.update(table)
    .where(table.c.id.in_(_IDS))
    .values(external_id=None, last_update_time_since_epoch=_NOW, **_BARE[kind])
    for kind, table in ((Kind.ARTIFACT, ARTIFACT), (Kind.EXECUTION, EXECUTION), (Kind.CONTEXT, CONTEXT))
}
_DROP_EXACT = sa.delete(EXACT_VALUE).where(EXACT_VALUE.c.type_kind == _KIND, EXACT_VALUE.c.node_id.in_(_IDS))
_HUSH = sa.update(RUN).where(RUN.c.execution_id.in_(_IDS)).values(reason=sa.literal(""), join_key=sa.literal(""))
"""Experiment, step and number of a run stay, like the number of a version: the next one is numbered by them."""
_PROPERTIES = {
    kind: sa.select(sa.func.count()).select_from(tables.property).where(tables.property.c[tables.owner].in_(_IDS))
    for kind, tables in NODE_TABLES.items()
}
_METRICS = tuple(
    (
        sa.select(owner.c.id).where(owner.c.type_kind == _KIND, owner.c.node_id.in_(_IDS)),
        sa.delete(part).where(part.c[key].in_(_IDS)),
        sa.delete(owner).where(owner.c.id.in_(_IDS)),
    )
    for owner, part, key in (
        (SERIES, SERIES_SEGMENT, "series_id"),
        (EVALUATION, EVALUATION_PART, "evaluation_id"),
    )
)


def property_count(tx: Transaction, kind: Kind, ids: Sequence[int]) -> int:
    """Return how many properties these nodes have together."""
    return sum(int(row[0]) for row in tx.rows_in(_PROPERTIES[kind], ids))


def strip_nodes(tx: Transaction, kind: Kind, ids: Sequence[int]) -> None:
    """Take properties, metrics, names, external ids and uris from nodes; ids, types, times of creation and edges stay.

    Raises AlreadyExists when a context has the name that another would get.
    """
    delete_properties(tx, kind, ids)
    tx.execute_in(_DROP_EXACT, ids, kind=kind.value)
    for find, drop_parts, drop in _METRICS:
        found = [row[0] for row in tx.rows_in(find, ids, kind=kind.value)]
        tx.execute_in(drop_parts, found)
        tx.execute_in(drop, found)
    if kind is Kind.EXECUTION:
        tx.execute_in(_HUSH, ids)
    try:
        tx.execute_in(_STRIP[kind], ids, now=now_ms())
    except UniqueViolation as error:
        raise AlreadyExists(
            f"ids: a context is called as a purged one would be, {PURGED_CONTEXT}<id>; rename it."
        ) from error
