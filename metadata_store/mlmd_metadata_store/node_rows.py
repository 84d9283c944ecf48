"""Node rows and their property rows, and the messages they are (mlmd-read contract, 0.1)."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from google.protobuf.message import Message
from mlmd_schemas.errors import Internal
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import EXACT_VALUE
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind, NodeTables

from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.values import NULL_MARKER, STAND_IN_PREFIX, STRUCT_PREFIX, read_proto, read_text

Node = pb.Artifact | pb.Execution | pb.Context
MESSAGES: dict[Kind, type[Any]] = {Kind.ARTIFACT: pb.Artifact, Kind.EXECUTION: pb.Execution, Kind.CONTEXT: pb.Context}


@dataclass(frozen=True, slots=True)
class NodeReader:
    """The statements that read one kind of node."""

    tables: NodeTables
    columns: tuple[sa.ColumnElement[Any], ...]
    by_id: sa.Select[Any]
    properties: sa.Select[Any]
    typed_properties: sa.Select[Any]
    """The same where a value knows its type: int, double and string in one column, proto and bool in another."""
    exact: sa.Select[Any]


_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)


def _reader(tables: NodeTables) -> NodeReader:
    node, prop = tables.node.c, tables.property.c
    null: sa.ColumnElement[Any] = sa.null()
    columns = (
        node.id,
        node.type_id,
        node.name,
        node.external_id,
        node.create_time_since_epoch,
        node.last_update_time_since_epoch,
        node.get("uri", null),
        node.get("last_known_state" if tables.kind is Kind.EXECUTION else "state", null),
    )
    return NodeReader(
        tables,
        columns,
        sa.select(*columns).where(node.id.in_(_IDS)).order_by(node.id),
        _properties(tables, prop.int_value, prop.double_value, prop.string_value, prop.proto_value, prop.bool_value),
        _properties(
            tables,
            sa.func.coalesce(prop.int_value, prop.double_value, prop.string_value),
            sa.func.coalesce(prop.proto_value, prop.bool_value),
        ),
        sa.select(
            EXACT_VALUE.c.node_id,
            EXACT_VALUE.c.is_custom_property,
            EXACT_VALUE.c.name,
            EXACT_VALUE.c.stand_in,
            EXACT_VALUE.c.value,
        ).where(EXACT_VALUE.c.type_kind == tables.kind.value, EXACT_VALUE.c.node_id.in_(_IDS)),
    )


def _properties(tables: NodeTables, *values: sa.ColumnElement[Any]) -> sa.Select[Any]:
    prop = tables.property.c
    owner = prop[tables.owner]
    return sa.select(owner, prop.is_custom_property, prop.name, *values).where(owner.in_(_IDS))


READERS: dict[Kind, NodeReader] = {kind: _reader(tables) for kind, tables in NODE_TABLES.items()}


def nodes_by_id(tx: Transaction, kind: Kind, ids: Iterable[int], add: Callable[[], Any] | None = None) -> list[Any]:
    """Return the nodes of these ids that exist, by ascending id; `add` makes each message, perhaps in a response."""
    return nodes_read(tx, kind, READERS[kind].by_id, ids, add)


def nodes_read(
    tx: Transaction, kind: Kind, by_id: sa.Select[Any], ids: Iterable[int], add: Callable[[], Any] | None = None
) -> list[Any]:
    """Return the nodes that a SELECT like `NodeReader.by_id` finds, in its order; it may lock them."""
    wanted = set(ids)
    if not tx.dialect.joins_statements:
        return nodes_of_rows(tx, kind, tx.rows_in(by_id, wanted), add)
    rows, properties = tx.rows_in_each((by_id, READERS[kind].properties), wanted)
    if len(rows) < len(wanted):  # a node may have come, or gone and left its properties
        there = {row[0] for row in rows}
        properties = [row for row in properties if row[0] in there]
    return nodes_of_rows(tx, kind, rows, add, properties)


def nodes_of_rows(
    tx: Transaction,
    kind: Kind,
    rows: Sequence[Any],
    add: Callable[[], Any] | None = None,
    properties: Sequence[Any] | None = None,
) -> list[Any]:
    """Return the messages of rows of `READERS[kind].columns`, in their order, with types and properties filled.

    `properties` are the rows of `NodeReader.properties` for just these nodes where they were read already.
    """
    types = tx.types.get_many(tx, kind, {row[1] for row in rows})
    plain, decode = tx.text.plain, tx.text.decode
    make = add or MESSAGES[kind]
    nodes: dict[int, Any] = {row[0]: make() for row in rows}
    _read_properties(tx, kind, nodes, properties)  # first, so that they can be kept by themselves
    for node_id, type_id, name, external_id, created, updated, uri, state in rows:
        node = nodes[node_id]
        node.id = node_id
        node.type_id = type_id
        node.create_time_since_epoch = created
        node.last_update_time_since_epoch = updated
        facts = types.get(type_id)
        try:
            if facts is not None:
                node.type = facts.name
            if name is not None:
                node.name = name if plain else decode(name)
            if external_id is not None:
                node.external_id = external_id if plain else decode(external_id)
            if uri is not None:
                node.uri = uri if plain else decode(uri)
        except UnicodeEncodeError:
            _set_raw_texts(
                node,
                {"type": facts.name if facts else None, "name": name, "external_id": external_id, "uri": uri},
                decode,
            )
        if state is not None:
            set_state(kind, node, state)
    return list(nodes.values())


_SUSPICIOUS = (STRUCT_PREFIX[0], STAND_IN_PREFIX[0], NULL_MARKER[0])
"""First characters of texts that may mean something else."""

_STATES: dict[Kind, tuple[str, frozenset[int]]] = {
    Kind.ARTIFACT: ("state", frozenset(pb.Artifact.State.values())),
    Kind.EXECUTION: ("last_known_state", frozenset(pb.Execution.State.values())),
}


def set_state(kind: Kind, node: Any, state: int) -> None:
    """Set an artifact's or execution's state; a number that the enum does not know stays unset, as on the wire."""
    field, known = _STATES[kind]
    if state in known:
        setattr(node, field, state)


def _set_raw_texts(node: Message, texts: dict[str, str | None], decode: Callable[[str], str]) -> None:
    """Set the string fields of a node of which at least one is not UTF-8."""
    for field, text in texts.items():
        if text is not None:
            set_raw_text(node, field, text if field == "type" else decode(text))


def set_raw_text(message: Message, field: str, text: str) -> None:
    """Set a string field to bytes that are not UTF-8, which came as surrogates; they leave as they were stored."""
    raw = text.encode("utf-8", "surrogateescape")
    number = message.DESCRIPTOR.fields_by_name[field].number
    message.MergeFromString(_varint(number << 3 | 2) + _varint(len(raw)) + raw)


def shown_key(name: str) -> str:
    """Return a property's name that is not UTF-8 as it is shown: Python goes through no map with such a key."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def _read_properties(tx: Transaction, kind: Kind, nodes: Mapping[int, Any], rows: Sequence[Any] | None = None) -> None:
    """Fill the property maps of messages that hold nothing yet, from wide rows where they are given."""
    if rows is not None:
        _read_wide_properties(tx, kind, nodes, rows)
        return
    unknown = tx.properties.fill(kind, nodes)
    if not unknown:
        return
    if tx.dialect.typed_values:
        _read_typed_properties(tx, kind, unknown)
    else:
        _read_wide_properties(tx, kind, unknown, tx.rows_in(READERS[kind].properties, unknown))
    tx.properties.keep(kind, unknown)


def _read_typed_properties(tx: Transaction, kind: Kind, nodes: Mapping[int, Any]) -> None:
    """Read narrow rows: SQLite's values know their types, and text is kept as it is there.

    This loop and that for wide rows are most of what a read of many nodes costs, so they call little.
    """
    doubtful: list[tuple[int, int, str, str]] = []
    last_owner = last_custom = None
    values: Any = None
    for owner, custom, name, given, other in tx.rows_in(READERS[kind].typed_properties, nodes):
        if owner != last_owner or custom != last_custom:  # rows come mostly sorted, and the maps are dear to get
            last_owner, last_custom = owner, custom
            values = nodes[owner].custom_properties if custom else nodes[owner].properties
        try:
            value = values[name]
        except UnicodeEncodeError:
            name = shown_key(name)
            value = values[name]
        case = type(given)
        if case is int:
            value.int_value = given
        elif case is str and given[:1] not in _SUSPICIOUS:
            try:
                value.string_value = given
            except UnicodeEncodeError:
                set_raw_text(value, "string_value", given)
        elif case is float:
            value.double_value = given
        elif case is str and given != NULL_MARKER:
            if given.startswith(STAND_IN_PREFIX):
                doubtful.append((owner, custom, name, given))
            _read_text(value, given)
        elif type(other) is int:
            value.bool_value = bool(other)
        elif other is not None:
            read_proto(value, other)
        else:
            raise _without_value(kind, owner, name)
    if doubtful:
        _read_exactly(tx, kind, nodes, doubtful)


def _without_value(kind: Kind, owner: int, name: str) -> Internal:
    return Internal(
        f"The property {name!r} of {kind.name.lower()} {owner} has no value in the database; write it again."
    )


def _read_wide_properties(tx: Transaction, kind: Kind, nodes: Mapping[int, Any], rows: Sequence[Any]) -> None:
    """Read rows with every value column."""
    plain, decode = tx.text.plain, tx.text.decode
    doubtful: list[tuple[int, int, str, str]] = []
    last_owner = last_custom = None
    values: Any = None
    for owner, custom, key, integer, double, text, proto, boolean in rows:
        if owner != last_owner or custom != last_custom:  # rows come mostly sorted, and the maps are dear to get
            last_owner, last_custom = owner, custom
            values = nodes[owner].custom_properties if custom else nodes[owner].properties
        name = key if plain else decode(key)
        try:
            value = values[name]
        except UnicodeEncodeError:
            name = shown_key(name)
            value = values[name]
        if integer is not None:
            value.int_value = integer
        elif double is not None:
            value.double_value = double
        elif text is not None and text[:1] not in _SUSPICIOUS and plain:
            try:
                value.string_value = text
            except UnicodeEncodeError:
                set_raw_text(value, "string_value", text)
        elif text is not None and text != NULL_MARKER:
            text = decode(text)
            if text.startswith(STAND_IN_PREFIX):
                doubtful.append((owner, custom, name, text))
            _read_text(value, text)
        elif proto is not None:
            read_proto(value, proto)
        elif boolean is not None:
            value.bool_value = bool(boolean)
        else:
            raise _without_value(kind, owner, name)
    if doubtful:
        _read_exactly(tx, kind, nodes, doubtful)


def _read_text(value: pb.Value, text: str) -> None:
    try:
        read_text(value, text)
    except UnicodeEncodeError:
        set_raw_text(value, "string_value", text)


def _read_exactly(
    tx: Transaction, kind: Kind, nodes: Mapping[int, Any], doubtful: Sequence[tuple[int, int, str, str]]
) -> None:
    """Put the exact values where rows still equal their stand-ins."""
    found = tx.rows_in(READERS[kind].exact, {owner for owner, *_ in doubtful})
    exact = {(owner, bool(custom), name): (stand_in, value) for owner, custom, name, stand_in, value in found}
    for owner, custom, name, text in doubtful:
        stand_in, value = exact.get((owner, bool(custom), name), (None, b""))
        if stand_in == text:
            node = nodes[owner]
            (node.custom_properties if custom else node.properties)[name].ParseFromString(value)
