"""What is next to many nodes: a page of the neighbours of each, all in one statement."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION, EVENT, NODE_TABLES, PARENT_CONTEXT, Kind

from mlmd_metadata_store.transaction import Transaction

_EDGES: dict[str, tuple[sa.Column[Any], sa.Column[Any]]] = {
    "artifact/contexts": (ATTRIBUTION.c.artifact_id, ATTRIBUTION.c.context_id),
    "execution/contexts": (ASSOCIATION.c.execution_id, ASSOCIATION.c.context_id),
    "context/artifacts": (ATTRIBUTION.c.context_id, ATTRIBUTION.c.artifact_id),
    "context/executions": (ASSOCIATION.c.context_id, ASSOCIATION.c.execution_id),
    "context/parents": (PARENT_CONTEXT.c.context_id, PARENT_CONTEXT.c.parent_context_id),
    "context/children": (PARENT_CONTEXT.c.parent_context_id, PARENT_CONTEXT.c.context_id),
    "artifact/events": (EVENT.c.artifact_id, EVENT.c.id),
    "execution/events": (EVENT.c.execution_id, EVENT.c.id),
    "type/artifacts": (NODE_TABLES[Kind.ARTIFACT].node.c.type_id, NODE_TABLES[Kind.ARTIFACT].node.c.id),
    "type/executions": (NODE_TABLES[Kind.EXECUTION].node.c.type_id, NODE_TABLES[Kind.EXECUTION].node.c.id),
    "type/contexts": (NODE_TABLES[Kind.CONTEXT].node.c.type_id, NODE_TABLES[Kind.CONTEXT].node.c.id),
}
"""The column of the owner and that of the neighbour; of events, the event's own id."""

_AFTER: sa.BindParameter[int] = sa.bindparam("after", type_=sa.BigInteger())
_SIZE: sa.BindParameter[int] = sa.bindparam("size", type_=sa.Integer())
_OWNER: sa.BindParameter[int] = sa.bindparam("owner", type_=sa.BigInteger())


def _of_one(owner: sa.Column[Any], member: sa.Column[Any]) -> sa.Select[Any]:
    return sa.select(owner, member).where(owner == _OWNER, member > _AFTER).order_by(member).limit(_SIZE)


def _of_many(owner: sa.Column[Any], member: sa.Column[Any]) -> sa.Select[Any]:
    place = sa.func.row_number().over(partition_by=owner, order_by=member).label("place")
    ids: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
    found = (
        sa.select(owner.label("owner"), member.label("member"), place)
        .where(owner.in_(ids), member > _AFTER)
        .subquery("found")
    )
    return sa.select(found.c.owner, found.c.member).where(found.c.place <= _SIZE)


_ONE = {edge: _of_one(*columns) for edge, columns in _EDGES.items()}
_MANY = {edge: _of_many(*columns) for edge, columns in _EDGES.items()}


def neighbour_pages(tx: Transaction, edge: str, owners: Collection[int], after: int, size: int) -> dict[int, list[int]]:
    """Return the ids of up to `size` neighbours of each owner that are greater than `after`, ascending.

    `edge` is a key of _EDGES, `"artifact/contexts"` for instance. Owners without any are left out. One owner alone
    costs no more than its page.
    """
    if len(owners) == 1:
        (owner,) = owners
        rows = tx.rows(_ONE[edge], {"owner": owner, "after": after, "size": size})
    else:
        rows = tx.rows_in(_MANY[edge], owners, after=after, size=size)
    pages: dict[int, list[int]] = {}
    for owner, member in rows:
        pages.setdefault(owner, []).append(member)
    for members in pages.values():
        members.sort()
    return pages
