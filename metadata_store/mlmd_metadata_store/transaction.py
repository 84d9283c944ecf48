"""One database transaction as a call's body sees it."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import ResourceExhausted
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mlmd_metadata_store import number_lists
from mlmd_metadata_store.dialects import Dialect
from mlmd_metadata_store.text import TextCodec
from mlmd_metadata_store.type_cache import TypeCache

CHUNK = 1000
"""How many ids one IN list holds."""
ROWS_PER_INSERT = 5000
"""How many rows one INSERT carries at most."""

T = TypeVar("T")


def chunks(items: Sequence[T], size: int = CHUNK) -> Iterator[Sequence[T]]:
    """Yield `items` in pieces of at most `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


def now_ms() -> int:
    """Return the time of this server's clock in milliseconds since the epoch (UTC)."""
    return time.time_ns() // 1_000_000


class Transaction:
    """Statements of one call; ends with the body that was given it.

    `careful` asks a body to work item by item in the request's order, so that the error it raises is the first one in
    that order; a body that worked set-wise on several items sets `setwise`, and when it fails the whole call is undone
    and run again carefully. So the common case costs few statements and an error is always the exact one.
    """

    __slots__ = ("caller", "careful", "conn", "dialect", "made_types", "setwise", "text", "types")

    def __init__(
        self,
        conn: Connection,
        dialect: Dialect,
        text: TextCodec,
        types: TypeCache,
        caller: Caller,
        *,
        careful: bool = False,
    ) -> None:
        self.conn = conn
        self.dialect = dialect
        self.text = text
        self.types = types
        self.caller = caller
        self.careful = careful
        self.setwise = False
        self.made_types = False
        """This transaction wrote types, which others must not see before it commits."""

    def execute(self, statement: sa.Executable, parameters: Any = None) -> sa.CursorResult[Any]:
        """Run a statement; raises our error for a driver's, and DeadlineExceeded when the caller waits no longer."""
        self.caller.check_deadline()
        try:
            return self.conn.execute(statement, parameters)
        except DBAPIError as error:
            raise self.dialect.translate(error) from error
        except PoolTimeout as error:
            raise ResourceExhausted(
                "All connections to the database are in use. Try again, or raise the pool size."
            ) from error

    def rows(self, statement: sa.Executable, parameters: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """Return all rows of a SELECT."""
        self.caller.check_deadline()
        try:
            return self.conn.execute(statement, parameters).fetchall()
        except DBAPIError as error:
            raise self.dialect.translate(error) from error

    def rows_in(
        self, statement: sa.Executable, ids: Iterable[int] | Iterable[str], name: str = "ids", **parameters: Any
    ) -> list[Any]:
        """Return the rows of a SELECT whose expanding parameter `name` takes the distinct `ids`, chunk by chunk.

        The rows unpack like tuples and have no names. The statement should live as long as the process: its SQL is kept.
        """
        found: list[Any] = []
        for chunk in chunks(sorted(set(ids))):  # type: ignore[type-var]
            values = {name: chunk, **parameters}
            sql = number_lists.render(statement, self.conn.dialect, values)
            found += self.rows(statement, values) if sql is None else self._plain_rows(sql)
        return found

    def _plain_rows(self, sql: str) -> Sequence[Any]:
        """Return the driver's own tuples: on wide results half the time of rows that know their columns' names."""
        self.caller.check_deadline()
        try:
            result = self.conn.exec_driver_sql(sql)
        except DBAPIError as error:
            raise self.dialect.translate(error) from error
        driver = self.conn.dialect.loaded_dbapi
        try:
            rows: Sequence[Any] = result.cursor.fetchall()
        except driver.Error as error:
            raise self.dialect.translate(DBAPIError(None, None, error)) from error
        result.close()
        return rows

    def execute_in(self, statement: sa.Executable, ids: Iterable[int], name: str = "ids") -> None:
        """Run a DELETE or UPDATE whose expanding parameter `name` takes the distinct `ids`, chunk by chunk."""
        for chunk in chunks(sorted(set(ids))):
            self.execute(statement, {name: chunk})

    def insert(self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows of plain values in few statements; raises UniqueViolation when a key is taken."""
        self._many(self.dialect.insert(table, columns), rows)

    def insert_ignore(self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows, passing over those whose unique key is taken."""
        self._many(self.dialect.insert_ignore(table, columns), rows)

    def upsert(
        self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]], keys: Sequence[str]
    ) -> None:
        """Insert rows into a table whose only unique key is `keys`, replacing the rows that are there."""
        self._many(self.dialect.upsert(table, columns, keys), rows)

    def insert_ids(self, table: sa.Table, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[int]:
        """Insert rows into a table with an `id` that the database gives; return the ids in the order of the rows."""
        statement = self.dialect.insert(table, columns)
        ids: list[int] = []
        for chunk in chunks(rows, ROWS_PER_INSERT):
            for batch in self.dialect.batches(chunk):
                cursor = self._driver(statement, batch)
                first = self.dialect.first_id(self.conn, cursor, len(batch))
                ids += range(first, first + len(batch))
        return ids

    def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        for chunk in chunks(rows, ROWS_PER_INSERT):
            self._driver(statement, chunk)

    def _driver(self, statement: str, rows: Sequence[Sequence[Any]]) -> Any:
        self.caller.check_deadline()
        try:
            parameters = tuple(rows[0]) if len(rows) == 1 else [tuple(row) for row in rows]
            return self.conn.exec_driver_sql(statement, parameters).context.cursor
        except DBAPIError as error:
            raise self.dialect.translate(error) from error
