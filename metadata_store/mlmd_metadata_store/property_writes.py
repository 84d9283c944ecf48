"""Property rows on their way into the database."""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import EXACT_VALUE
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_cache import TypeFacts
from mlmd_metadata_store.values import KIND_OF_CASE, VALUE_COLUMNS, Slot, cell_of, stand_in

Property = tuple[int, int, str, pb.Value]
"""Node id, 1 for a custom property and 0 for a declared one, name, value."""

FEW_ROWS = 40
"""Up to here all rows go into one statement with all columns; above, each value column gets its own."""

_EXACT_COLUMNS = ("type_kind", "node_id", "is_custom_property", "name", "stand_in", "value")
_DELETE = {
    kind: sa.delete(tables.property).where(
        tables.property.c[tables.owner].in_(sa.bindparam("ids", expanding=True, type_=sa.BigInteger))
    )
    for kind, tables in NODE_TABLES.items()
}


def validate_properties(kind: Kind, facts: TypeFacts, properties: Iterable[tuple[str, pb.Value]]) -> None:
    """Raise InvalidArgument unless each property is declared by the type, with exactly that kind of value."""
    declared = facts.properties
    for name, value in properties:
        case = value.WhichOneof("value")
        wanted = declared.get(name)
        if wanted is None:
            raise InvalidArgument(
                f"properties: the {kind.name.lower()} type {facts.name!r} declares no property {name!r}; "
                "add it to the type, or use custom_properties."
            )
        if case is None or KIND_OF_CASE[case] != wanted:
            given = "nothing" if case is None else case
            raise InvalidArgument(
                f"properties[{name!r}]: the {kind.name.lower()} type {facts.name!r} declares it as "
                f"{pb.PropertyType.Name(wanted)}, and the request sets {given}."
            )


def needs_reload(facts: TypeFacts, properties: Iterable[str]) -> bool:
    """Return whether a property is unknown to the remembered type, which may have gained it since."""
    return any(name not in facts.properties for name in properties)


def insert_properties(tx: Transaction, kind: Kind, properties: Sequence[Property]) -> None:
    """Insert the properties of nodes that have none of these yet; raises UniqueViolation when one is there."""
    _write(tx, kind, properties, upsert=False)


def upsert_properties(tx: Transaction, kind: Kind, properties: Sequence[Property]) -> None:
    """Insert properties, replacing the rows that are there."""
    _write(tx, kind, properties, upsert=True)


def delete_properties(tx: Transaction, kind: Kind, node_ids: Iterable[int]) -> None:
    """Delete every property of these nodes."""
    tx.execute_in(_DELETE[kind], node_ids)


def _write(tx: Transaction, kind: Kind, properties: Sequence[Property], upsert: bool) -> None:
    if not properties:
        return
    rows, exact = _cells(tx, kind, properties)
    tables = NODE_TABLES[kind]
    keys = (tables.owner, "name", "is_custom_property")
    put = tx.upsert if upsert else tx.insert
    if len(rows) <= FEW_ROWS or upsert:
        wide = [(*key, *(content if slot == place else None for place in Slot)) for key, slot, content in rows]
        _put(put, tables.property, (*keys, *VALUE_COLUMNS), keys, wide, upsert)
    else:
        for slot in Slot:
            narrow = [(*key, content) for key, at, content in rows if at is slot]
            _put(put, tables.property, (*keys, VALUE_COLUMNS[slot]), keys, narrow, upsert)
    if exact:
        tx.upsert(EXACT_VALUE, _EXACT_COLUMNS, exact, _EXACT_COLUMNS[:4])


def _put(
    put: Any, table: sa.Table, columns: Sequence[str], keys: Sequence[str], rows: Sequence[Any], upsert: bool
) -> None:
    if rows:
        put(table, columns, rows, keys) if upsert else put(table, columns, rows)


def _cells(
    tx: Transaction, kind: Kind, properties: Sequence[Property]
) -> tuple[list[tuple[tuple[int, str, int], Slot, Any]], list[tuple[Any, ...]]]:
    """Return property rows as (key, column, content), and the rows of exact values."""
    encode, infinities = tx.text.encode, tx.dialect.keeps_infinities
    rows: list[tuple[tuple[int, str, int], Slot, Any]] = []
    exact: list[tuple[Any, ...]] = []
    for owner, custom, name, value in properties:
        try:
            cell = cell_of(value, infinities)
        except InvalidArgument as error:
            field = "custom_properties" if custom else "properties"
            raise InvalidArgument(f"{field}[{name!r}]: {error.message}") from error
        if cell is None:
            text = stand_in(value)
            exact.append((kind.value, owner, custom, name, text, value.SerializeToString()))
            cell = (Slot.STRING, text)
        slot, content = cell
        if slot is Slot.STRING:
            content = encode(content)  # type: ignore[arg-type]
        rows.append(((owner, encode(name), custom), slot, content))
    return rows, exact
