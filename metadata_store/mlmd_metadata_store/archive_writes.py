"""Rows of an archive written into the tables of this store, those alone that are not there yet."""

import math
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import AlreadyExists, FailedPrecondition
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import ALIAS, ALIAS_MOVE, COLLECTION, EXACT_VALUE, FILE, MANIFEST, RUN, STORE, VERSION
from mlmd_schemas.tables.v10 import METADATA as V10
from mlmd_schemas.tables.v10 import NODE_TABLES, PARENT_TYPE, TYPE, TYPE_PROPERTY, Kind

from mlmd_metadata_store.archive_ids import Ids, Row, name_here
from mlmd_metadata_store.archive_nodes import NodePlan
from mlmd_metadata_store.archive_origins import is_deleted
from mlmd_metadata_store.archive_tables import NODE_NAMES, ArchivedTable
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.values import stand_in

UNIQUE: dict[str, tuple[str, ...]] = {
    "Attribution": ("artifact_id", "context_id"),
    "Association": ("execution_id", "context_id"),
    "Event": ("execution_id", "artifact_id", "type"),
    "mlmd_series": ("type_kind", "node_id", "name", "slice"),
    "mlmd_evaluations": ("type_kind", "node_id", "name", "slice"),
}
"""What tells rows of these tables apart; those of others, their primary key.

The first column is the one by which rows that are here are looked up, so it is one of which a value has few rows: a
context may have each artifact of the store, and a dataset may be read by each execution. Both would be read again for
every batch.
"""

NODE_REFERENCES: dict[str, Kind] = {
    "parent_dag_id": Kind.EXECUTION,
    "cached_execution_id": Kind.EXECUTION,
    "registered_model_id": Kind.CONTEXT,
    "model_version_id": Kind.CONTEXT,
    "serving_environment_id": Kind.CONTEXT,
    "experiment_id": Kind.CONTEXT,
}
"""Properties in which Kubeflow keeps the id of a node (Pipelines: driver and cache; Model Registry: its entities)."""

_TYPES_HERE = sa.select(TYPE.c.id, TYPE.c.type_kind, TYPE.c.name, TYPE.c.version)
_LAST_TYPE = sa.select(sa.func.max(TYPE.c.id))
_STORE_ROW = sa.select(STORE.c.id).with_for_update()
_COUNTERS = sa.select(COLLECTION.c.context_id, COLLECTION.c.latest_number, COLLECTION.c.move_sequence).where(
    COLLECTION.c.context_id.in_(sa.bindparam("ids", expanding=True))
)
_RAISE = (
    sa.update(COLLECTION)
    .where(COLLECTION.c.context_id == sa.bindparam("context"))
    .values(latest_number=sa.bindparam("latest"), move_sequence=sa.bindparam("sequence"))
)
_SOME_FILES = sa.select(FILE.c.artifact_id, FILE.c.path).where(
    FILE.c.artifact_id == sa.bindparam("artifact"), FILE.c.path.in_(sa.bindparam("ids", expanding=True))
)
_DROP_ALIASES = sa.delete(ALIAS).where(ALIAS.c.context_id.in_(sa.bindparam("ids", expanding=True)))


@dataclass(slots=True)
class Count:
    """What became of the rows of one table."""

    rows: int = 0
    added: int = 0
    renumbered: int = 0


def add_types(tx: Transaction, ids: Ids, rows: list[Row], count: Count) -> None:
    """Find the types by kind, name and version, and add those that are not there."""
    tx.rows(_STORE_ROW)
    decode, encode = tx.text.decode, tx.text.encode
    here = {
        (kind, decode(name), None if version is None else decode(version)): type_id
        for type_id, kind, name, version in tx.rows(_TYPES_HERE)
    }
    taken = set(here.values())
    ((last,),) = tx.rows(_LAST_TYPE)
    following = max([last or 0, *(row["id"] for row in rows)])
    made = []
    for row in rows:
        known = here.get((row["type_kind"], row["name"], row["version"]))
        if known is None:
            known = row["id"]
            if known in taken:
                known = following = following + 1
                count.renumbered += 1
            made.append(row | {"id": known})
        ids.types[row["id"]] = known
    count.added += len(made)
    if made:
        tx.made_types = True
        columns = [column.name for column in TYPE.columns]
        tx.insert(TYPE, columns, [_encoded(encode, [row[column] for column in columns]) for row in made])


def _encoded(encode: Any, values: Iterable[Any]) -> list[Any]:
    return [encode(value) if isinstance(value, str) else value for value in values]


def add_type_properties(tx: Transaction, ids: Ids, rows: list[Row], count: Count) -> None:
    """Add the properties that types here do not have; raises AlreadyExists where they have another type of value."""
    translated = [row | {"type_id": ids.of("types", row["type_id"], row)} for row in rows]
    wanted = {row["type_id"] for row in translated}
    table = TYPE_PROPERTY.c
    query = sa.select(table.type_id, table.name, table.data_type)
    here = {
        (type_id, tx.text.decode(name)): data_type
        for type_id, name, data_type in tx.rows_in(query.where(table.type_id.in_(_ids())), wanted)
    }
    for row in translated:
        other = here.get((row["type_id"], row["name"]))
        if other is not None and other != row["data_type"]:
            raise AlreadyExists(
                f"The property {row['name']!r} of type {row['type_id']} of this store has another type of value than "
                "in the archive. Nothing was imported; import into a store of its own."
            )
    missing = [row for row in translated if (row["type_id"], row["name"]) not in here]
    tx.insert(
        TYPE_PROPERTY,
        ("type_id", "name", "data_type"),
        [(row["type_id"], tx.text.encode(row["name"]), row["data_type"]) for row in missing],
    )
    count.added += len(missing)
    tx.made_types = tx.made_types or bool(missing)


def add_parent_types(tx: Transaction, ids: Ids, rows: list[Row], count: Count) -> None:
    """Add the parents that types here do not have."""
    pairs = {(ids.types[row["type_id"]], ids.types[row["parent_type_id"]]) for row in rows}
    query = sa.select(PARENT_TYPE.c.type_id, PARENT_TYPE.c.parent_type_id)
    missing = sorted(pairs - {tuple(row) for row in tx.rows(query)})
    tx.insert(PARENT_TYPE, ("type_id", "parent_type_id"), missing)
    count.added += len(missing)


def _ids() -> sa.BindParameter[Any]:
    return sa.bindparam("ids", expanding=True)


def add_nodes(tx: Transaction, ids: Ids, archived: ArchivedTable, rows: list[Row], plan: NodePlan) -> int:
    """Write the rows of new nodes; returns how many."""
    kind = NODE_NAMES[archived.name]
    encode = tx.text.encode
    made = []
    for row in rows:
        if row["id"] not in ids.new[kind]:
            continue
        name = row["name"]
        if name is not None and plan.type_names.get(row["type_id"], "").startswith("kf."):
            name = name_here(ids, name)
        placed = row | {"id": ids.nodes[kind][row["id"]], "name": name}
        made.append(_encoded(encode, [placed[column] for column in archived.columns]))
    tx.insert(NODE_TABLES[kind].node, archived.columns, made)
    return len(made)


def add_properties(tx: Transaction, ids: Ids, archived: ArchivedTable, rows: list[Row], count: Count) -> None:
    """Write the properties that nodes of the archive do not have here; what a property refers to is translated."""
    ((owner, kind),) = archived.refers.items()
    placed = [row for row in rows if ids.is_ours(kind, row[owner], row)]
    placed = [_translated(ids, row) | {owner: ids.of(kind, row[owner], row)} for row in placed]
    exact: list[tuple[Any, ...]] = []
    if not tx.dialect.keeps_infinities:
        placed = [_finite(row, owner, ids.kind(kind, row), exact) for row in placed]
    _add_missing(tx, archived, placed, count)
    if exact:
        tx.insert_ignore(EXACT_VALUE, [column.name for column in EXACT_VALUE.columns], exact)


def _translated(ids: Ids, row: Row) -> Row:
    kind = NODE_REFERENCES.get(row["name"])
    if kind is None:
        return row
    if row["int_value"] is not None:
        return row | {"int_value": ids.moved(kind, row["int_value"])}
    text = row["string_value"]
    if text and text.isascii() and text.isdecimal() and len(text) < 20:
        return row | {"string_value": str(ids.moved(kind, int(text)))}
    return row


def _finite(row: Row, owner: str, kind: Kind, exact: list[tuple[Any, ...]]) -> Row:
    """Put a readable text in the place of an infinity, which MySQL does not keep, and the exact value beside it."""
    number = row["double_value"]
    if number is None or math.isfinite(number):
        return row
    value = pb.Value(double_value=number)
    text = stand_in(value)
    key = (kind.value, row[owner], row["is_custom_property"], row["name"])
    exact.append((*key, text, value.SerializeToString()))
    return row | {"double_value": None, "string_value": text}


def add_rows(tx: Transaction, ids: Ids, archived: ArchivedTable, rows: list[Row], count: Count) -> None:
    """Write the rows of any other table that are not here, with what they refer to translated."""
    placed, origins = [], []
    for row in rows:
        translated = _placed(ids, archived, row)
        if translated is not None:
            placed.append(translated)
            origins.append(row.get("id"))
    if archived.table is MANIFEST:
        placed = [row | {"is_external": 1, "key_prefix": ""} for row in placed]
    if archived.table is RUN:
        placed = [row | {"token": secrets.token_hex(16)} for row in placed]
    _add_missing(tx, archived, placed, count, ids.rows.get(archived.name), origins)


def _placed(ids: Ids, archived: ArchivedTable, row: Row) -> Row | None:
    """Return the row with its references translated; None when it is not this import's to write."""
    owner = archived.owner
    if owner and not ids.is_ours(archived.refers[owner], row[owner], row):
        came_home = ids.is_home(archived.refers[owner], row[owner], row)
        if not (archived.grows and came_home):
            return None
    if is_deleted(ids, archived, row):
        return None
    translated = dict(row)
    for column, reference in archived.refers.items():
        found = ids.of(reference, row[column], row)
        if found is None:
            return None
        translated[column] = found
    return translated


def _add_missing(
    tx: Transaction,
    archived: ArchivedTable,
    rows: list[Row],
    count: Count,
    made: dict[int, int] | None = None,
    origins: Sequence[Any] = (),
) -> None:
    """Insert the rows whose key is not here; note in `made` which row of the archive got which id."""
    if not rows:
        return
    is_v10 = archived.table.metadata is V10
    encode = tx.text.encode if is_v10 else str
    key = UNIQUE.get(archived.name) or tuple(column.name for column in archived.table.primary_key.columns)
    columns = [column for column in archived.columns if not (archived.own_id and column == "id")]
    there = _keys_here(tx, archived, key, rows) if key else set()
    missing: list[list[Any]] = []
    whose: list[Any] = []
    for place, row in enumerate(rows):
        if tuple(_encoded(encode, [row[column] for column in key])) not in there or not key:
            missing.append(_encoded(encode, [row[column] for column in columns]))
            whose.append(origins[place] if origins else None)
    count.added += len(missing)
    if not missing:
        return
    if made is None:
        tx.insert(archived.table, columns, missing)
    else:
        made.update(zip(whose, tx.insert_ids(archived.table, columns, missing), strict=True))


def _keys_here(tx: Transaction, archived: ArchivedTable, key: Sequence[str], rows: list[Row]) -> set[tuple[Any, ...]]:
    if archived.table is FILE:
        return _files_here(tx, archived, key, [row["artifact_id"] for row in rows], rows)
    paged = "node_id" if "node_id" in key else key[0]
    found = tx.rows_in(_key_query(archived, tuple(key), paged), {row[paged] for row in rows})
    return {tuple(row) for row in found}


def _files_here(
    tx: Transaction, archived: ArchivedTable, key: Sequence[str], artifacts: Sequence[int], rows: list[Row]
) -> set[tuple[Any, ...]]:
    """Return which of these files are here.

    Rows come artifact by artifact: the first and the last of a batch may have a million files in others, and are asked
    for these alone.
    """
    ends = {artifacts[0], artifacts[-1]}
    found = tx.rows_in(_key_query(archived, tuple(key), key[0]), set(artifacts) - ends)
    for artifact in ends:
        paths = [row["path"] for row in rows if row["artifact_id"] == artifact]
        found += tx.rows_in(_SOME_FILES, paths, artifact=artifact)
    return {tuple(row) for row in found}


@lru_cache(maxsize=64)
def _key_query(archived: ArchivedTable, key: tuple[str, ...], paged: str) -> sa.Select[Any]:
    columns = archived.table.c
    return sa.select(*(columns[column] for column in key)).where(columns[paged].in_(_ids()))


class Collections:
    """The collections of an archive: their versions and moves have to go on where those here ended."""

    def __init__(self) -> None:
        self._counters: dict[int, tuple[int, int]] = {}
        self._settled: set[int] = set()
        self._emptied: set[int] = set()

    def add(self, tx: Transaction, ids: Ids, archived: ArchivedTable, rows: list[Row], count: Count) -> None:
        """Write rows of one of the four tables; raises FailedPrecondition where a collection went on by itself."""
        placed = [row for row in (_placed(ids, archived, row) for row in rows) if row is not None]
        if archived.table is COLLECTION:
            self._note(tx, placed)
        if archived.table in (VERSION, ALIAS_MOVE):
            self._check(tx, archived, placed)
        if archived.table is ALIAS:
            placed = [row for row in placed if row["context_id"] not in self._settled]
            changing = {row["context_id"] for row in placed} - self._emptied
            tx.execute_in(_DROP_ALIASES, changing)
            self._emptied |= changing
        _add_missing(tx, archived, placed, count)

    def _note(self, tx: Transaction, rows: list[Row]) -> None:
        """Remember the archive's counters, and which collections here have made all its moves already."""
        archive = {row["context_id"]: (row["latest_number"], row["move_sequence"]) for row in rows}
        here = {row[0]: row[2] for row in tx.rows_in(_COUNTERS, archive)}
        self._settled |= {context for context, moves in here.items() if moves >= archive[context][1]}
        self._counters |= archive

    def _check(self, tx: Transaction, archived: ArchivedTable, rows: list[Row]) -> None:
        columns = archived.table.c
        number, value = ("number", "artifact_id") if archived.table is VERSION else ("sequence", "to_number")
        query = sa.select(columns.context_id, columns[number], columns[value]).where(columns.context_id.in_(_ids()))
        here = {(row[0], row[1]): row[2] for row in tx.rows_in(query, {row["context_id"] for row in rows})}
        for row in rows:
            other = here.get((row["context_id"], row[number]))
            if other is not None and other != row[value]:
                raise FailedPrecondition(
                    f"The collection {row['context_id']} of this store has gone on since it was imported: its {number} "
                    f"{row[number]} is another one than the archive's. Nothing was imported."
                )

    def finish(self, tx: Transaction) -> None:
        """Raise the counters to what the archive brought."""
        for context, latest, sequence in tx.rows_in(_COUNTERS, self._counters):
            newer = self._counters[context]
            if newer[0] > latest or newer[1] > sequence:
                raised = {"latest": max(latest, newer[0]), "sequence": max(sequence, newer[1])}
                tx.execute(_RAISE, {"context": context, **raised})


def is_collection_table(table: sa.Table) -> bool:
    """Tell whether a table is one of the four of collections."""
    return table in (COLLECTION, VERSION, ALIAS, ALIAS_MOVE)


def by_column(columns: Sequence[str], row: Sequence[Any]) -> Row:
    """Return a row by column."""
    return dict(zip(columns, row, strict=True))
