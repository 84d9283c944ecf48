"""Which type and node of this store each one of an archive is, known before its rows are written.

A node is the one that an earlier import of the same store made; or the one that it was here before it went away, or
that came from elsewhere to both (see `archive_origins`); or, a context, the one of the same type and name, which then
is shared; or it is new. A new one keeps its id when nobody has it here, else it gets one beyond all others.
Whatever is here already under a name that has to be unique, and is no context, makes the import impossible, and is
named.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import AlreadyExists
from mlmd_schemas.tables.v10 import NODE_TABLES, TYPE, Kind

from mlmd_metadata_store.archive_ids import OWNED, Ids, Row, name_here
from mlmd_metadata_store.archive_origins import KNOWN, Origins, heed_tombstones
from mlmd_metadata_store.kept_facts import COLLECTION_TYPE, REGISTERED_MODEL
from mlmd_metadata_store.transaction import Transaction

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_COUNTED_TYPES = (COLLECTION_TYPE, REGISTERED_MODEL)
"""Contexts whose versions are numbered: two of one name cannot be one."""
_TYPE_NAMES = sa.select(TYPE.c.id, TYPE.c.name).where(TYPE.c.id.in_(_IDS))


def _finders(kind: Kind) -> tuple[sa.Select[Any], ...]:
    node = NODE_TABLES[kind].node
    columns = (node.c.id, node.c.type_id, node.c.name)
    return (
        sa.select(*columns).where(node.c.id.in_(_IDS)),
        sa.select(*columns).where(node.c.name.in_(sa.bindparam("names", expanding=True))),
        sa.select(node.c.id, node.c.external_id).where(node.c.external_id.in_(sa.bindparam("names", expanding=True))),
        sa.select(sa.func.max(node.c.id)),
    )


_FIND = {kind: _finders(kind) for kind in Kind}


class NodePlan:
    """Decides, batch by batch, what the nodes of one kind are; `finish` gives the new ones their ids."""

    def __init__(self, tx: Transaction, ids: Ids, kind: Kind, origins: Origins) -> None:
        self._tx, self._ids, self._kind, self._origins = tx, ids, kind, origins
        self._by_id, self._by_name, self._by_external_id, self._last = _FIND[kind]
        self._fresh: list[int] = []
        self._owned: list[tuple[int, int, str]] = []
        self._type_names: dict[int, str] = {}
        self._largest = 0

    def add(self, batch: list[Row]) -> None:
        """Take some nodes, their type_id translated already; raises AlreadyExists for a name that is taken here."""
        known = self._known([row["id"] for row in batch])
        rest = [row for row in batch if row["id"] not in known]
        if self._ids.is_own:
            rest = self._still_there(rest)
        else:
            rest = self._origins.unknown(self._tx, self._ids, self._kind, rest)
        heed_tombstones(self._tx, self._ids, self._kind, [row["id"] for row in batch])
        self._name_types(rest)
        plain = [row for row in rest if not self._is_owned(row)]
        self._owned += [(row["id"], row["type_id"], row["name"]) for row in rest if self._is_owned(row)]
        taken = self._sharing(self._taken({(row["type_id"], row["name"]) for row in plain if row["name"]}), plain)
        rest = [row for row in rest if row["id"] not in taken]
        self._check_external_ids(rest)
        self._fresh += [row["id"] for row in rest]

    def _known(self, wanted: list[int]) -> set[int]:
        rows = self._tx.rows_in(KNOWN, wanted, store=self._ids.origin, kind=self._kind.value)
        for origin_id, node_id, bond in rows:
            self._ids.note(self._kind, origin_id, node_id, bond)
        self._largest = max([self._largest, *wanted])
        return {row[0] for row in rows}

    def _still_there(self, rows: list[Row]) -> list[Row]:
        """Pass over the nodes of an archive of this very store that are still what they were."""
        encode = self._tx.text.encode
        there = {(row[0], row[1], row[2]) for row in self._tx.rows_in(self._by_id, [row["id"] for row in rows])}
        gone = []
        for row in rows:
            name = None if row["name"] is None else encode(row["name"])
            if (row["id"], row["type_id"], name) in there:
                self._ids.nodes[self._kind][row["id"]] = row["id"]
                self._ids.shared[self._kind].add(row["id"])
            else:
                gone.append(row)
        return gone

    def _name_types(self, rows: list[Row]) -> None:
        unknown = {row["type_id"] for row in rows} - self._type_names.keys()
        decode = self._tx.text.decode
        self._type_names |= {number: decode(name) for number, name in self._tx.rows_in(_TYPE_NAMES, unknown)}

    def _is_owned(self, row: Row) -> bool:
        """Tell whether the name begins with the id of a context, as Kubeflow's registry names what has an owner."""
        kubeflow = self._type_names.get(row["type_id"], "").startswith("kf.")
        return kubeflow and row["name"] is not None and OWNED.fullmatch(row["name"]) is not None

    def _taken(self, wanted: set[tuple[int, str]]) -> dict[tuple[int, str], int]:
        encode, decode = self._tx.text.encode, self._tx.text.decode
        rows = self._tx.rows_in(self._by_name, {encode(name) for _, name in wanted}, "names") if wanted else []
        found = {(type_id, decode(name)): node_id for node_id, type_id, name in rows}
        return {key: found[key] for key in wanted if key in found}

    def _sharing(self, taken: Mapping[tuple[int, str], int], rows: list[Row]) -> set[int]:
        """Share the contexts that are here under the same type and name; return their ids in the archive."""
        shared = set()
        for row in rows:
            here = taken.get((row["type_id"], row["name"]))
            if here is None:
                continue
            if self._kind is not Kind.CONTEXT or self._type_names[row["type_id"]] in _COUNTED_TYPES:
                raise self._conflict(row["id"], self._type_names[row["type_id"]], row["name"], here)
            self._ids.nodes[self._kind][row["id"]] = here
            self._ids.shared[self._kind].add(row["id"])
            self._ids.new[self._kind].discard(row["id"])
            shared.add(row["id"])
        return shared

    def _conflict(self, origin_id: int, type_name: str, name: str, here: int) -> AlreadyExists:
        noun = self._kind.name.lower()
        return AlreadyExists(
            f"The {noun} {origin_id} of the archive, {name!r} of type {type_name!r}, is another one than {noun} {here} "
            "of this store, which has that name. Nothing was imported; import into a store of its own."
        )

    def _check_external_ids(self, rows: list[Row]) -> None:
        wanted = {row["external_id"]: row["id"] for row in rows if row["external_id"] is not None}
        if not wanted:
            return
        encode = self._tx.text.encode
        for here, external_id in self._tx.rows_in(self._by_external_id, {encode(text) for text in wanted}, "names"):
            text, noun = self._tx.text.decode(external_id), self._kind.name.lower()
            raise AlreadyExists(
                f"The {noun} {wanted.get(text, '?')} of the archive has the external id {text!r}, which {noun} {here} "
                "of this store has. Nothing was imported; import into a store of its own."
            )

    def finish(self) -> int:
        """Give every new node its id here; return how many could not keep theirs."""
        taken = {row[0] for row in self._tx.rows_in(self._by_id, self._fresh)}
        ((last,),) = self._tx.rows(self._last)
        following = max(last or 0, self._largest)
        nodes = self._ids.nodes[self._kind]
        for origin_id in sorted(self._fresh):
            if origin_id in taken:
                following += 1
            nodes[origin_id] = following if origin_id in taken else origin_id
        self._ids.new[self._kind].update(self._fresh)
        self._check_owned()
        return len(taken)

    def _check_owned(self) -> None:
        names = {(type_id, name_here(self._ids, name)): origin_id for origin_id, type_id, name in self._owned}
        for (type_id, name), here in self._taken(set(names)).items():
            raise self._conflict(names[type_id, name], self._type_names[type_id], name, here)

    @property
    def type_names(self) -> Mapping[int, str]:
        """The names of the types of new nodes, by their ids here."""
        return self._type_names
