"""Where nodes were before: what an archive tells of the stores that its nodes came from, and what this one remembers.

A node that went from A to B and on is in B's archive with its id in A. So A knows its own when it comes home, and a
third store knows a node that it has from A already.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.tables.imports import IMPORTED
from mlmd_schemas.tables.own import FILE, MANIFEST, TOMBSTONE
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.archive_ids import Bond, Ids, Row
from mlmd_metadata_store.archive_tables import ArchivedTable
from mlmd_metadata_store.tombstones import What
from mlmd_metadata_store.transaction import Transaction

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
KNOWN = sa.select(IMPORTED.c.origin_id, IMPORTED.c.node_id, IMPORTED.c.is_shared).where(
    IMPORTED.c.store_uuid == sa.bindparam("store"),
    IMPORTED.c.type_kind == sa.bindparam("kind"),
    IMPORTED.c.origin_id.in_(_IDS),
)
"""What nodes of another store are here."""
_TYPES_OF = {
    kind: sa.select(tables.node.c.id, tables.node.c.type_id).where(tables.node.c.id.in_(_IDS))
    for kind, tables in NODE_TABLES.items()
}
_GONE = sa.select(TOMBSTONE.c.node_id, TOMBSTONE.c.what).where(
    TOMBSTONE.c.type_kind == sa.bindparam("kind"), TOMBSTONE.c.node_id.in_(_IDS)
)


class Origins:
    """What an archive says of the stores that its nodes were in before the one that it comes from."""

    def __init__(self, own: str) -> None:
        """`own` is the UUID of this store."""
        self._own = own
        self._of: dict[Kind, dict[int, list[tuple[str, int]]]] = {kind: defaultdict(list) for kind in Kind}

    def add(self, rows: Iterable[Row]) -> None:
        """Take rows of mlmd_imported as the archive has them."""
        for row in rows:
            self._of[Kind(row["type_kind"])][row["node_id"]].append((row["store_uuid"], row["origin_id"]))

    def unknown(self, tx: Transaction, ids: Ids, kind: Kind, rows: Sequence[Row]) -> list[Row]:
        """Note the nodes that are here by another way; return the rest. One statement for each store that is named."""
        asked: dict[str, dict[int, Row]] = defaultdict(dict)
        for row in rows:
            for store, origin_id in self._of[kind].get(row["id"], ()):
                asked[store][origin_id] = row
        found: set[int] = set()
        for store in sorted(asked, key=lambda store: store != self._own):
            there = asked[store]
            if store == self._own:
                known = [(node_id, node_id, Bond.HOME) for node_id in self._still_there(tx, kind, there)]
            else:
                known = [tuple(row) for row in tx.rows_in(KNOWN, there, store=store, kind=kind.value)]
            for origin_id, node_id, bond in known:
                if there[origin_id]["id"] not in found:
                    ids.note(kind, there[origin_id]["id"], node_id, bond)
                    found.add(there[origin_id]["id"])
        return [row for row in rows if row["id"] not in found]

    def _still_there(self, tx: Transaction, kind: Kind, there: dict[int, Row]) -> list[int]:
        types = tx.rows_in(_TYPES_OF[kind], there)
        return [node_id for node_id, type_id in types if there[node_id]["type_id"] == type_id]

    def remembered(self, ids: Ids) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of mlmd_imported for every node of the archive, by all the names that it has elsewhere."""
        for kind, nodes in ids.nodes.items():
            for node, here in nodes.items():
                bond = ids.bond(kind, node)
                if not ids.is_own or node != here:
                    yield ids.origin, kind.value, node, here, int(bond)
                for store, there in self._of[kind].get(node, ()):
                    if store != self._own:
                        yield store, kind.value, there, here, int(bond)


def heed_tombstones(tx: Transaction, ids: Ids, kind: Kind, nodes: Iterable[int]) -> None:
    """Let what was purged here, of nodes that are known, stay purged."""
    known = {ids.nodes[kind][node]: node for node in nodes if node in ids.nodes[kind]}
    for node_id, what in tx.rows_in(_GONE, known, kind=kind.value):
        if what == What.BYTES:
            ids.without_bytes.add(known[node_id])
        else:
            ids.shared[kind].add(known[node_id])


def is_deleted(ids: Ids, archived: ArchivedTable, row: Row) -> bool:
    """Tell whether a row speaks of bytes that were deleted here."""
    return archived.table in (MANIFEST, FILE) and row["artifact_id"] in ids.without_bytes
