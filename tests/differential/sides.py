"""The two servers that are asked the same: our store in process, and Google's core."""

import base64
import contextlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from mlmd_api.codec import BinaryCodec
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.text import TextCodec
from mlmd_schemas.errors import Code, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import RPCS, Calls
from tests.reference.client import Answer, Reference
from tests.services.sql_server import Address

REAL_CLOCK = 1_000_000_000_000
"""Times above were taken from a clock during the last call; sessions put smaller ones in their place."""
NODE_TABLES = ("Artifact", "Execution", "Context")
_STRUCT = "mlmd-struct::"
_TABLES = {
    "Type": "id, type_kind, name, version, description, external_id, input_type, output_type",
    "TypeProperty": "type_id, name, data_type",
    "ParentType": "type_id, parent_type_id",
    "Artifact": "id, type_id, name, external_id, create_time_since_epoch, last_update_time_since_epoch, uri, state",
    "Execution": "id, type_id, name, external_id, create_time_since_epoch, last_update_time_since_epoch, "
    "last_known_state",
    "Context": "id, type_id, name, external_id, create_time_since_epoch, last_update_time_since_epoch",
    "Event": "id, artifact_id, execution_id, type, milliseconds_since_epoch",
    "EventPath": "event_id, is_index_step, step_index, step_key",
    "Attribution": "context_id, artifact_id",
    "Association": "context_id, execution_id",
    "ParentContext": "context_id, parent_context_id",
} | {
    f"{node}Property": f"{node.lower()}_id, is_custom_property, name, int_value, double_value, string_value, "
    "proto_value, bool_value"
    for node in NODE_TABLES
}


_SET_TIMES = tuple(
    f"UPDATE {table} SET {column} = {{now}} WHERE {column} > {REAL_CLOCK}"
    for table, column in (
        *((table, "create_time_since_epoch") for table in NODE_TABLES),
        *((table, "last_update_time_since_epoch") for table in NODE_TABLES),
        ("Event", "milliseconds_since_epoch"),
    )
)


_COUNTED = ("Type", *NODE_TABLES, "Event")
_NEXT_IDS = (
    "SELECT table_name, auto_increment FROM information_schema.tables "
    f"WHERE table_schema = DATABASE() AND table_name IN {_COUNTED}"
)


class Database(Protocol):
    """The rows behind a server, read and changed behind its back."""

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""

    def close(self) -> None:
        """Let go of the database."""


class SqliteDatabase:
    """A SQLite file."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path, isolation_level=None, timeout=10)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        return self._connection.execute(statement).fetchall()

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class MariaDatabase:
    """A database on MariaDB. Text is read as callers know it, however it is kept."""

    def __init__(self, server: Address, name: str, text: TextCodec) -> None:
        self._connection = server.connect(name)
        self._text = text

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows."""
        with contextlib.closing(self._connection.cursor()) as cursor:
            cursor.execute(statement)
            decode = self._text.decode
            return [tuple(decode(cell) if isinstance(cell, str) else cell for cell in row) for row in cursor.fetchall()]

    def empty(self) -> None:
        """Delete all rows but those of the simple types, with ids 1 to 9, and what was added to these."""
        for table in _TABLES:
            self.rows(f"DELETE FROM {table}" + (" WHERE id > 9" if table == "Type" else ""))
        self.rows("UPDATE Type SET external_id = NULL")

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Side(NamedTuple):
    """One of the two servers."""

    name: str
    ask: Any
    database: Database

    def call(self, method: str, request: Message) -> Answer:
        """Make a call; the response is a copy that may be changed."""
        answer: Answer = self.ask(method, request)
        return answer


def our_side(store: Store, database: Database) -> Side:
    """Return our store."""
    calls = Calls(store)

    def ask(method: str, request: Message) -> Answer:
        try:
            read = BinaryCodec().read(RPCS[method].request, request.SerializeToString())
            return Answer(Code.OK, calls(method, read), "")
        except StoreError as error:
            return Answer(error.code, None, error.message)

    return Side("ours", ask, database)


def google_side(reference: Reference, database: Database) -> Side:
    """Return Google's core."""
    return Side("Google's", reference.call, database)


def alternating_side(ours: Side, google: Side) -> Side:
    """Return both servers on one database, asked by turns: a call's bytes say whose turn it is.

    What Google's core cannot say goes to ours: calls that it does not implement, pages in which it loses its way.
    """

    def ask(method: str, request: Message) -> Answer:
        if _is_ours_alone(method, request) or zlib.crc32(request.SerializeToString(deterministic=True)) % 2:
            return ours.call(method, request)
        answer = google.call(method, request)
        google.database.rows("DELETE FROM Attribution WHERE artifact_id = -1")
        return answer

    return Side("both", ask, ours.database)


def _is_ours_alone(method: str, request: Any) -> bool:
    if method.endswith("ContextsByContexts"):
        return True
    options = getattr(request, "options", None)
    order = pb.ListOperationOptions.OrderByField
    return isinstance(options, pb.ListOperationOptions) and options.order_by_field.field == order.LAST_UPDATE_TIME


def close_gaps(side: Side) -> None:
    """Let the next row of each table get the lowest free id; InnoDB loses the ids of a call that was undone."""
    for table, next_id in side.database.rows(_NEXT_IDS):
        if next_id != _largest_id(side, table) + 1:
            side.database.rows(f"ALTER TABLE {table} AUTO_INCREMENT = 1")


def share_gaps(ours: Side, google: Side) -> None:
    """Let Google's next rows have the ids that ours got in the same call, of which it may have lost some."""
    for table in _COUNTED:
        largest = _largest_id(google, table)
        ((first,),) = ours.database.rows(f"SELECT MIN(id) FROM {table} WHERE id > {largest}")
        if first not in (None, largest + 1):
            google.database.rows(f"ALTER TABLE {table} AUTO_INCREMENT = {first}")


def _largest_id(side: Side, table: str) -> int:
    ((largest,),) = side.database.rows(f"SELECT COALESCE(MAX(id), 0) FROM {table}")
    return int(largest)


def set_times(side: Side, now: int) -> None:
    """Put `now` in the place of every time that came from a clock."""
    side.database.rows("BEGIN")
    for statement in _SET_TIMES:
        side.database.rows(statement.format(now=now))
    side.database.rows("COMMIT")


def differing_tables(one: Side, other: Side) -> Iterator[tuple[str, Any, Any]]:
    """Yield the tables of MLMD whose rows differ, and the rows."""
    for table, columns in _TABLES.items():
        statement = f"SELECT {columns} FROM {table} ORDER BY {columns}"
        rows, others = one.database.rows(statement), other.database.rows(statement)
        if rows != others:  # perhaps in nothing but the order within a struct or message, which is none
            rows, others = sorted(_plain(rows), key=repr), sorted(_plain(others), key=repr)
            if rows != others:
                yield table, rows, others


def _plain(rows: Sequence[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    for row in rows:
        yield tuple(_cell(cell) for cell in row)


def _cell(cell: Any) -> Any:
    if isinstance(cell, bytes):
        cell = cell.decode("utf-8", "surrogateescape")
    if isinstance(cell, str) and cell.startswith(_STRUCT):
        with contextlib.suppress(ValueError):
            struct = Struct.FromString(base64.b64decode(cell.removeprefix(_STRUCT)))
            return _STRUCT + str(sorted(struct.fields.items(), key=repr))
    if isinstance(cell, str) and cell.startswith("{"):
        with contextlib.suppress(ValueError):
            return json.dumps(json.loads(cell), sort_keys=True)
    return cell
