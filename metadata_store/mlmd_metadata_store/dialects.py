"""Every difference between databases, in one place; no other module asks which database it talks to.

A dialect makes engines, begins transactions, turns driver errors into ours, and writes the few statements that
SQLAlchemy Core has no common form for. This is what each of them promises; sqlite_dialect.py and mysql_dialect.py keep
it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import (
    AlreadyExists,
    DataLoss,
    Internal,
    ResourceExhausted,
    StoreError,
    Unavailable,
)
from sqlalchemy.engine import URL, Engine
from sqlalchemy.pool import QueuePool

from mlmd_metadata_store.connections import Connections
from mlmd_metadata_store.options import StoreOptions


class UniqueViolation(AlreadyExists):
    """A unique key refused a row; whoever inserted it knows what to say."""


class TooLarge(ResourceExhausted):
    """A value that the database does not take for its size; whoever writes it knows its name."""


class TooLong(Internal):
    """A text that is longer than its column; whoever writes it knows its name.

    MLMD's contract calls it INTERNAL; in a call of ours it is the caller's error (see Store.call).
    """


class ConnectionLost(Unavailable):
    """The database went away in the middle; what was not committed is undone."""


class NotReached(ConnectionLost):
    """Nothing answered at the database's address, or it hung up at once; worth few tries, so that callers hear soon."""


class Unanswered(NotReached):
    """The database was given its time and answered nothing; another try would keep the caller as long."""

    def __init__(self) -> None:
        super().__init__(
            "The database does not answer. What was not committed is undone; check that the database and the network "
            "between are well, and try again."
        )


class AnotherShape(DataLoss):
    """A statement of ours does not fit the tables that are there: somebody dropped, renamed or changed one."""

    def __init__(self) -> None:
        super().__init__(
            "A table or column of the database is gone or was changed by others; `mlmd doctor` says which and what to "
            "do, most often to stop the servers that use it and to restore a backup."
        )


class UndecodableText(Internal):
    """SQLite holds text that is not UTF-8; the connection has to read leniently."""


class Dialect(ABC):
    """One family of databases."""

    name: str
    parameter: str
    """The driver's placeholder."""
    typed_values: bool
    """Whether a value keeps its type in an expression over columns of several types."""
    keeps_infinities: bool
    """Whether a double column holds infinities."""
    dives: bool
    """Whether it looks how many rows an index has for a statement's values before it plans, and skips in an index."""
    joins_statements: bool
    """Whether the driver sends several statements at once, and holds some for that: it spares ways to the database."""
    keeps_values: bool
    """Whether a connection keeps the last values that its compiled statements were given."""
    few_rows: int
    """Up to so many properties go into one statement with all columns; above, each value column gets its own."""
    clock: sa.Select[Any] | None = None
    """What asks for the database's own time in milliseconds; None where it has this machine's."""
    longest_name: int = 255
    """Characters in a name, version or external id."""
    longest_text_bytes: int = 65_535
    """Bytes, as they are kept, in a uri, a description, a step of a path or the structure of a type."""

    def __init__(self, url: URL, options: StoreOptions, connections: Connections) -> None:
        """Take the address, and the connections of the process, which are bounded together; nothing is opened yet."""
        self.url = url
        self.options = options
        self.connections = connections
        self._inserts: dict[tuple[str, ...], str] = {}

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Make what has to be there before the first connection: the folder, the database."""

    @abstractmethod
    def engine(self, *, writer: bool) -> Engine:
        """Return an engine whose sessions read one snapshot, or one whose sessions write."""

    def looker(self) -> Engine:
        """Return an engine that shows what is there, or that nothing is, and alters no byte of it."""
        return self.engine(writer=False)

    def visitor(self, reader: Engine) -> Engine:
        """Return the engine for looks in passing: the one that reads, or one that leads to other databases, too."""
        return reader

    @abstractmethod
    def turn(self, timeout_seconds: float) -> AbstractContextManager[Any]:
        """Return a context that is entered when this process may write; raises Aborted when that takes too long."""

    @abstractmethod
    def translate(self, error: Exception) -> StoreError:
        """Return our error for a driver's; the driver's text stays behind."""

    @property
    @abstractmethod
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """Return the classes of errors that the driver raises."""

    @abstractmethod
    def begin(self, connection: Any, patience_seconds: float | None, *, write: bool) -> None:
        """Begin a transaction on a driver's connection; nobody waits for its locks longer than `patience_seconds`."""

    def gave_up(self, connection: Any) -> bool:
        """Tell whether a connection was lost because it was ended from here: the database answers nobody."""
        return False

    def version(self, connection: Any) -> int | None:
        """Return a number that tells this connection's snapshot from those that anybody else's commit made older.

        None where the database has none; it is asked right after a reading transaction began.
        """
        return None

    def commit(self, connection: Any) -> None:
        """Commit the transaction of a driver's connection."""
        connection.commit()

    def roll_back(self, connection: Any) -> None:
        """Undo the transaction of a driver's connection."""
        connection.rollback()

    def end_reading(self, connection: Any) -> None:
        """End a transaction that has read what it wanted, sooner or later, but before the connection's next one."""
        self.roll_back(connection)

    def cursor(self, connection: Any) -> Any:
        """Return a cursor of a driver's connection."""
        return connection.cursor()

    @abstractmethod
    def ids(self, cursor: Any, count: int) -> Sequence[int]:
        """Return the ids of the `count` rows that the last INSERT made, in their order."""

    @abstractmethod
    def insert_ignore(self, table: sa.Table, columns: Sequence[str]) -> str:
        """Return an INSERT that passes over rows whose unique key is taken, for the driver's executemany."""

    @abstractmethod
    def upsert(self, table: sa.Table, columns: Sequence[str], keys: Sequence[str]) -> str:
        """Return an INSERT that replaces rows whose key is taken, for the driver's executemany."""

    def quoted(self, name: str) -> str:
        """Return an identifier of ours, quoted."""
        return f"`{name}`"

    def insert(self, table: sa.Table, columns: Sequence[str]) -> str:
        """Return an INSERT of these columns for the driver's executemany."""
        key = (table.name, *columns)
        known = self._inserts.get(key)
        if known is None:
            known = self._inserts[key] = self._insert(table, columns)
        return known

    def _insert(self, table: sa.Table, columns: Sequence[str]) -> str:
        names = ", ".join(self.quoted(column) for column in columns)
        values = ", ".join([self.parameter] * len(columns))
        return f"INSERT INTO {self.quoted(table.name)} ({names}) VALUES ({values})"  # noqa: S608 - our own names

    def pool_arguments(self) -> dict[str, Any]:
        """Return the arguments of `create_engine` that set up the pool of connections."""
        return {
            "poolclass": QueuePool,
            "pool_size": self.options.pool_size,
            "max_overflow": 0,
            "pool_timeout": self.options.pool_timeout_seconds,
            "pool_reset_on_return": None,
            "pool_use_lifo": True,  # few connections with warm caches rather than many with cold ones
        }
