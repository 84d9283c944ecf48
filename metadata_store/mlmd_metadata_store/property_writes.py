"""Property rows on their way into the database."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import Internal, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import EXACT_VALUE
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.dialects import TooLarge, TooLong
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_cache import TypeFacts
from mlmd_metadata_store.values import (
    KIND_OF_CASE,
    VALUE_COLUMNS,
    Cell,
    Slot,
    cell_of,
    is_too_long,
    may_be_plain,
    stand_in,
)

Property = tuple[int, int, str, pb.Value]
"""Node id, 1 for a custom property and 0 for a declared one, name, value."""

PropertyRow = tuple[int, str, int, Any]

_EXACT_COLUMNS = ("type_kind", "node_id", "is_custom_property", "name", "stand_in", "value")
_KEYS = {kind: (tables.owner, "name", "is_custom_property") for kind, tables in NODE_TABLES.items()}
_PADDING = (None,) * len(VALUE_COLUMNS)
_SHORT = 4096
"""No database refuses a text or value of that length."""
_DELETE = {
    kind: sa.delete(tables.property).where(
        tables.property.c[tables.owner].in_(sa.bindparam("ids", expanding=True, type_=sa.BigInteger))
    )
    for kind, tables in NODE_TABLES.items()
}


def validate_properties(kind: Kind, facts: TypeFacts, properties: Any, names: Iterable[str] | None = None) -> None:
    """Raise InvalidArgument unless each property is declared by the type, with exactly that kind of value.

    Raises Internal for one that the database declares as nothing that is known, which no call can have written.
    `names` chooses some of the map's properties; without it all are looked at.
    """
    declared = facts.properties
    for name in properties if names is None else names:
        case = properties[name].WhichOneof("value")
        wanted = declared.get(name)
        if wanted is None:
            raise InvalidArgument(
                f"properties: the {kind.name.lower()} type {facts.name!r} declares no property {name!r}; "
                "add it to the type, or use custom_properties."
            )
        if wanted == pb.UNKNOWN:
            raise Internal(
                f"properties: the database declares {name!r} of the {kind.name.lower()} type {facts.name!r} as a kind "
                "of value that this server does not know; a later version may have written it."
            )
        # MLMD's clients know this error by its first words.
        if case is None or KIND_OF_CASE[case] != wanted:
            given = "nothing" if case is None else case
            raise InvalidArgument(
                f"Found unmatched property type: {name}. The {kind.name.lower()} type {facts.name!r} declares it as "
                f"{pb.PropertyType.Name(wanted)}, and the request sets {given}."
            )


def needs_reload(facts: TypeFacts, properties: Iterable[str]) -> bool:
    """Return whether a property is unknown to the remembered type, which may have gained it since."""
    return any(name not in facts.properties for name in properties)


class PropertyRows:
    """Property rows by value column, as (node id, name, is_custom_property, content), and the rows of exact values."""

    __slots__ = ("_infinities", "_kind", "_text", "by_slot", "exact")

    def __init__(self, tx: Transaction, kind: Kind) -> None:
        self._kind = kind
        self._text = tx.text
        self._infinities = tx.dialect.keeps_infinities
        self.by_slot: tuple[list[PropertyRow], ...] = tuple([] for _ in VALUE_COLUMNS)
        self.exact: list[tuple[Any, ...]] = []

    def add_map(self, owner: int, custom: int, properties: Any) -> None:
        """Add every property of a message's map; raises InvalidArgument for a Value without a member."""
        ints, doubles, texts, _, bools = self.by_slot
        plain = self._text.plain
        for name in properties:
            value = properties[name]
            case = value.WhichOneof("value")
            key = name if plain else self._text.encode(name)
            if case == "int_value":
                ints.append((owner, key, custom, value.int_value))
            elif case == "string_value" and may_be_plain(value.string_value):
                text = value.string_value
                texts.append((owner, key, custom, text if plain else self._text.encode(text)))
            elif case == "double_value" and math.isfinite(value.double_value):
                doubles.append((owner, key, custom, value.double_value + 0.0))  # -0.0 as in `cell_of`
            elif case == "bool_value":
                bools.append((owner, key, custom, int(value.bool_value)))
            else:
                self.add(owner, custom, name, value)

    def add(self, owner: int, custom: int, name: str, value: pb.Value) -> None:
        """Add one property of any kind; raises InvalidArgument for a Value without a member."""
        try:
            cell = cell_of(value, self._infinities)
        except InvalidArgument as error:
            field = "custom_properties" if custom else "properties"
            raise InvalidArgument(f"{field}[{name!r}]: {error.message}") from error
        kept = self._kept(cell)
        if kept is None:
            text = stand_in(value)
            self.exact.append((self._kind.value, owner, custom, name, text, value.SerializeToString()))
            kept = Slot.STRING, self._text.encode(text)
        slot, content = kept
        self.by_slot[slot].append((owner, self._text.encode(name), custom, content))

    def _kept(self, cell: Cell | None) -> Cell | None:
        """Return a cell with its text as the database keeps it, None when that is too long."""
        if cell is None or not isinstance(cell[1], str):
            return cell
        kept = self._text.encode(cell[1])
        return None if is_too_long(kept) else (cell[0], kept)

    def __len__(self) -> int:
        return sum(map(len, self.by_slot))


def insert_properties(tx: Transaction, rows: PropertyRows, kind: Kind, *, to_new_nodes: bool = False) -> None:
    """Insert the properties of nodes that have none of these yet; raises UniqueViolation when one is there.

    To new nodes, names that no database takes for one another may go with the next statement.
    """
    table, keys = NODE_TABLES[kind].property, _KEYS[kind]
    with _named(tx, rows):
        if len(rows) <= tx.dialect.few_rows:
            if wide := _wide(rows):
                later = to_new_nodes and _are_short(tx, rows) and _are_told_apart(rows)
                tx.insert(table, (*keys, *VALUE_COLUMNS), wide, later=later)
        else:
            for slot, narrow in enumerate(rows.by_slot):
                if narrow:
                    tx.insert(table, (*keys, VALUE_COLUMNS[slot]), narrow)
        _put_exact(tx, rows)


def upsert_properties(tx: Transaction, rows: PropertyRows, kind: Kind) -> None:
    """Insert properties, replacing the rows that are there."""
    with _named(tx, rows):
        if wide := _wide(rows):
            table, keys = NODE_TABLES[kind].property, _KEYS[kind]
            tx.upsert(table, (*keys, *VALUE_COLUMNS), wide, keys, later=_are_short(tx, rows))
        _put_exact(tx, rows)


@contextmanager
def _named(tx: Transaction, rows: PropertyRows) -> Iterator[None]:
    """Say of what is too large for the database which property it is."""
    try:
        yield
    except (TooLarge, TooLong) as error:
        every = [row for some in rows.by_slot for row in some]
        named = max(every, key=lambda row: len(row[1]))
        largest = max(every, key=_size)
        limit = tx.dialect.longest_name
        if len(named[1]) > limit:
            largest, reason = named, f"its name has {len(named[1])} characters, and the column for it holds {limit}."
        else:
            reason = f"its value has a length of {_size(largest)}. {error.message}"
        field = "custom_properties" if largest[2] else "properties"
        raise type(error)(f"{field}[{tx.text.decode(largest[1])[:40]!r}]: {reason}") from error


def _are_short(tx: Transaction, rows: PropertyRows) -> bool:
    """Tell whether no name or value can be too large, so that none has to be named."""
    longest = min(tx.dialect.longest_name, _SHORT)
    return all(len(row[1]) <= longest and _size(row) <= _SHORT for some in rows.by_slot for row in some)


def _are_told_apart(rows: PropertyRows) -> bool:
    """Tell whether the names are different in any collation: one may pass over case, accents and blanks at the end."""
    names = {row[1] for some in rows.by_slot for row in some}
    plain = all(name.isascii() and name.isprintable() for name in names)
    return plain and len({name.rstrip().lower() for name in names}) == len(names)


def _size(row: PropertyRow) -> int:
    content = row[3]
    return len(content) if isinstance(content, str | bytes) else 0


def delete_properties(tx: Transaction, kind: Kind, node_ids: Iterable[int]) -> None:
    """Delete every property of these nodes."""
    tx.execute_in(_DELETE[kind], node_ids)


def _wide(rows: PropertyRows) -> list[tuple[Any, ...]]:
    """Return rows with every value column, all but one NULL."""
    return [
        (*row[:3], *_PADDING[:slot], row[3], *_PADDING[slot + 1 :])
        for slot, some in enumerate(rows.by_slot)
        for row in some
    ]


def _put_exact(tx: Transaction, rows: PropertyRows) -> None:
    if rows.exact:
        tx.upsert(EXACT_VALUE, _EXACT_COLUMNS, rows.exact, _EXACT_COLUMNS[:4])
