"""Every difference between databases, in one place; no other module asks which database it talks to.

A dialect makes engines, begins transactions, turns driver errors into ours, and writes the few statements that
SQLAlchemy Core has no common form for.
"""

import sqlite3
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar

import sqlalchemy as sa
from mlmd_schemas.errors import (
    Aborted,
    AlreadyExists,
    FailedPrecondition,
    Internal,
    OutOfRange,
    ResourceExhausted,
    StoreError,
    Unavailable,
)
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.peers import watch_peer


class UniqueViolation(AlreadyExists):
    """A unique key refused a row; whoever inserted it knows what to say."""


class TooLarge(ResourceExhausted):
    """A value that the database does not take for its size; whoever writes it knows its name."""


class ConnectionLost(Unavailable):
    """The database went away in the middle; what was not committed is undone."""


class UndecodableText(Internal):
    """SQLite holds text that is not UTF-8; the connection has to read leniently."""


class Dialect(ABC):
    """One family of databases."""

    name: str
    parameter: str
    """The driver's placeholder."""
    keeps_infinities: bool
    """Whether a double column holds infinities."""
    longest_name: int = 255
    """Characters in a name, version or external id."""
    longest_uri_bytes: int = 65_535

    def __init__(self, url: URL, options: StoreOptions) -> None:
        self.url = url
        self.options = options
        self._inserts: dict[tuple[str, ...], str] = {}

    def prepare(self) -> None:  # noqa: B027 - most need nothing
        """Make what has to be there before the first connection: the folder, the database."""

    @abstractmethod
    def engine(self, *, writer: bool) -> Engine:
        """Return an engine whose sessions read one snapshot, or one whose sessions write."""

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
    def begin(self, connection: Any, *, write: bool) -> None:
        """Begin a transaction on a driver's connection."""

    def commit(self, connection: Any) -> None:
        """Commit the transaction of a driver's connection."""
        connection.commit()

    def roll_back(self, connection: Any) -> None:
        """Undo the transaction of a driver's connection."""
        connection.rollback()

    @abstractmethod
    def ids(self, cursor: Any, count: int) -> Sequence[int]:
        """Return the ids of the `count` rows that the last INSERT made, in their order."""

    @abstractmethod
    def insert_ignore(self, table: sa.Table, columns: Sequence[str]) -> str:
        """Return an INSERT that passes over rows whose unique key is taken, for the driver's executemany."""

    @abstractmethod
    def upsert(self, table: sa.Table, columns: Sequence[str], keys: Sequence[str]) -> str:
        """Return an INSERT that replaces rows whose key is taken, for the driver's executemany."""

    @abstractmethod
    def locking(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """Return the SELECT so that it locks the rows it reads until the transaction ends."""

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

    def _pooled(self, url: URL, connect_args: dict[str, Any], **engine_options: Any) -> Engine:
        return sa.create_engine(
            url,
            poolclass=QueuePool,
            pool_size=self.options.pool_size,
            max_overflow=0,
            pool_timeout=self.options.pool_timeout_seconds,
            pool_reset_on_return=None,
            connect_args=connect_args,
            **engine_options,
        )


class SqliteDialect(Dialect):
    """SQLite 3.35 or newer, one file: WAL, synchronous=FULL, one writer at a time."""

    name = "sqlite"
    parameter = "?"
    keeps_infinities = True
    longest_name = 1_000_000_000
    longest_uri_bytes = 1_000_000_000
    _UNIQUE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)

    def __init__(self, url: URL, options: StoreOptions) -> None:
        super().__init__(url, options)
        self._turn = threading.Lock()
        self.lenient_text = False

    def prepare(self) -> None:
        """Make the folder of the file."""
        folder = Path(self.url.database or "").parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"database: the folder {str(folder)!r} cannot be made; make it or choose another."
            ) from error

    def engine(self, *, writer: bool) -> Engine:
        """Return an engine; its transactions begin IMMEDIATE when they write."""
        arguments = {"timeout": self.options.lock_timeout_seconds, "check_same_thread": False}
        engine = self._pooled(self.url, arguments)
        begin = "BEGIN IMMEDIATE" if writer else "BEGIN"
        event.listen(engine, "connect", partial(self._connected, writer))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def _connected(self, writer: bool, connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        if self.lenient_text:
            connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        statements = ["PRAGMA synchronous=FULL", "PRAGMA case_sensitive_like=OFF", "PRAGMA cache_size=-16000"]
        if writer and not self._read_only(connection):
            statements.insert(0, "PRAGMA journal_mode=WAL")
        for statement in statements:
            connection.execute(statement)

    def _read_only(self, connection: sqlite3.Connection) -> bool:
        path = Path(self.url.database or "")
        return path.exists() and not _writable(path)

    def turn(self, timeout_seconds: float) -> AbstractContextManager[Any]:
        """Wait for this process's other writers; SQLite's own lock is between processes."""
        if not self._turn.acquire(timeout=timeout_seconds):
            raise Aborted(
                f"The database is busy with other writes for {timeout_seconds:.0f} s. Nothing was written; try again."
            )
        return _Held(self._turn)

    def translate(self, error: Exception) -> StoreError:
        """Map SQLite's primary and extended result codes."""
        cause = error.orig if isinstance(error, DBAPIError) else error
        code = getattr(cause, "sqlite_errorcode", None)
        if code is None:
            return self._uncoded(cause)
        primary = code & 0xFF
        if code in self._UNIQUE:
            return UniqueViolation("A row with the same unique key is there already.")
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return Aborted("The database is locked by another writer. Nothing was written; try again.")
        if primary == sqlite3.SQLITE_FULL:
            return ResourceExhausted("The disk that holds the database is full. Nothing was written; make room.")
        if primary in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM):
            return FailedPrecondition(
                "The database is read-only. Nothing was written; make its file and folder writable."
            )
        if primary in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            return Unavailable("The database file cannot be read or written. Check its disk and its permissions.")
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return Internal("The database file is damaged or is no SQLite database. Restore it from a copy.")
        if primary == sqlite3.SQLITE_TOOBIG:
            return TooLarge("A value of the request is larger than SQLite keeps (1,000,000,000 bytes).")
        return Internal("The database refused a statement of the server; the server's log has the reason.")

    @staticmethod
    def _uncoded(cause: BaseException | None) -> StoreError:
        if isinstance(cause, sqlite3.OperationalError) and "decode to UTF-8" in str(cause):
            return UndecodableText("A text of the database is not UTF-8.")
        if isinstance(cause, OverflowError):
            return OutOfRange("An integer of the request has more than 64 bits.")
        return Internal("The database refused a statement of the server; the server's log has the reason.")

    driver_errors = (sqlite3.Error, OverflowError)

    def begin(self, connection: Any, *, write: bool) -> None:
        """A write takes the lock at once, so that it cannot fail half-way for want of it."""
        connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")

    def ids(self, cursor: Any, count: int) -> Sequence[int]:
        """AUTOINCREMENT under the write lock counts without gaps, so the last id tells the first."""
        last = cursor.execute("SELECT last_insert_rowid()").fetchone()[0] if count > 1 else cursor.lastrowid
        return range(int(last) - count + 1, int(last) + 1)

    def insert_ignore(self, table: sa.Table, columns: Sequence[str]) -> str:
        """SQLite: ON CONFLICT DO NOTHING."""
        return f"{self.insert(table, columns)} ON CONFLICT DO NOTHING"

    def upsert(self, table: sa.Table, columns: Sequence[str], keys: Sequence[str]) -> str:
        """SQLite: ON CONFLICT DO UPDATE."""
        target = ", ".join(self.quoted(key) for key in keys)
        changes = ", ".join(f"{self.quoted(c)}=excluded.{self.quoted(c)}" for c in columns if c not in keys)
        return f"{self.insert(table, columns)} ON CONFLICT ({target}) DO UPDATE SET {changes}"

    def locking(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """BEGIN IMMEDIATE holds the lock already."""
        return statement


class MySqlDialect(Dialect):
    """MySQL 8 and 9 and MariaDB 10.11 through mysqlclient."""

    name = "mysql"
    parameter = "%s"
    keeps_infinities = False
    _UNIQUE = (1062, 1586)
    _BUSY: ClassVar[dict[int, str]] = {
        1020: "another write was faster",
        1205: "a lock was not to be had in time",
        1213: "two writes waited for each other",
        1412: "a table was changed at the same moment",
        3572: "a lock was not to be had",
    }
    _FULL = (1021, 1114, 1041, 1037, 1038)
    _FILE_ERRORS = (3, 1026, 1030)
    """Errors of the database's files; they are for want of room when the text says 28, which is ENOSPC."""
    _READ_ONLY = (1290, 1792, 1836)
    _LOST = (1047, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1184, 1317, 1927, 2000, 2006, 2013, 2014, 2055, 4031)
    """1317 is what a statement sees whose connection is being killed."""
    _TOO_LONG = (1406, 1265)
    _PACKET = (1153, 2020)

    def prepare(self) -> None:
        """Create the database when it is not there and that is allowed."""
        if not self.options.create_database:
            return
        from mlmd_metadata_store.mysql_driver import create_database

        try:
            create_database(self.url, self.options)
        except DBAPIError as error:
            raise self.translate(error) from error

    def engine(self, *, writer: bool) -> Engine:
        """Return an engine; writers read what is committed, readers read one snapshot."""
        from mlmd_metadata_store.mysql_driver import connect_arguments

        isolation = "READ COMMITTED" if writer else "REPEATABLE READ"
        url = self.url.set(drivername="mysql+mysqldb", query={})
        engine = self._pooled(url, connect_arguments(self.options, isolation))
        event.listen(engine, "connect", self._connected)
        return engine

    def _connected(self, connection: Any, _record: Any) -> None:
        cursor = connection.cursor()
        # MariaDB turns lists of 1,000 and more into joined subqueries, which can scan (and lock) whole tables.
        cursor.execute("SET /*M!100307 in_predicate_conversion_threshold = 0, */ @mlmd_server = 1")
        cursor.execute("SELECT @@auto_increment_increment, @@max_allowed_packet")
        connection.id_step, connection.longest_packet = map(int, cursor.fetchone())
        cursor.close()
        self._longest_packet = connection.longest_packet
        watch_peer(connection.fileno())

    _longest_packet = 0

    def turn(self, timeout_seconds: float) -> AbstractContextManager[Any]:
        """InnoDB locks rows; every thread may write."""
        return nullcontext()

    def translate(self, error: Exception) -> StoreError:
        """Map MySQL's and the client library's error numbers."""
        arguments = (error.orig if isinstance(error, DBAPIError) else error).args  # type: ignore[union-attr]
        number = arguments[0] if arguments and isinstance(arguments[0], int) else 0
        if number in self._UNIQUE:
            return UniqueViolation("A row with the same unique key is there already.")
        if number in self._BUSY:
            return Aborted(
                f"The database undid the write because {self._BUSY[number]}. Nothing was written; try again."
            )
        if number in self._PACKET:
            return TooLarge(
                "A value of the request has more bytes than the database takes in one packet "
                f"(max_allowed_packet = {self._longest_packet}); send less, or raise max_allowed_packet there."
            )
        if number in self._LOST:
            return ConnectionLost("The connection to the database was lost. What was not committed is undone.")
        if number in self._FULL or (number in self._FILE_ERRORS and " 28 " in str(arguments[1:])):
            return ResourceExhausted("The database has no room left. Nothing was written; make room on its disk.")
        if number in self._READ_ONLY:
            return FailedPrecondition("The database is read-only. Nothing was written; make it writable.")
        if number == 1264:
            return OutOfRange(
                "A number of the request does not fit the 32-bit columns of this database; "
                "`mlmd-server migrate` widens them to 64 bits."
            )
        if number in self._TOO_LONG:
            return Internal("A text of the request is longer than its column in the database.")
        if number in _CONNECT_REASONS:
            return Unavailable(f"The database cannot be used: {_CONNECT_REASONS[number]}.")
        return Internal("The database refused a statement of the server; the server's log has the reason.")

    @cached_property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """Return mysqlclient's errors; imported only where MySQL is used."""
        from mlmd_metadata_store.mysql_driver import DRIVER_ERRORS

        return DRIVER_ERRORS

    def begin(self, connection: Any, *, write: bool) -> None:
        """Sessions are not in autocommit: the first statement begins the transaction."""

    def ids(self, cursor: Any, count: int) -> Sequence[int]:
        """LAST_INSERT_ID() is the first id of a multi-row INSERT; InnoDB numbers its rows in even steps."""
        step = cursor.connection.id_step
        inserted = cursor.inserted if count > 1 else ((cursor.lastrowid, 1),)
        return [first + step * place for first, rows in inserted for place in range(rows)]

    def insert_ignore(self, table: sa.Table, columns: Sequence[str]) -> str:
        """MySQL: a no-op update, which unlike IGNORE hides no other error."""
        first = self.quoted(columns[0])
        return f"{self.insert(table, columns)} ON DUPLICATE KEY UPDATE {first}={first}"

    def upsert(self, table: sa.Table, columns: Sequence[str], keys: Sequence[str]) -> str:
        """MySQL: ON DUPLICATE KEY UPDATE; `VALUES()` is understood by MySQL and MariaDB alike."""
        changes = ", ".join(f"{self.quoted(c)}=VALUES({self.quoted(c)})" for c in columns if c not in keys)
        return f"{self.insert(table, columns)} ON DUPLICATE KEY UPDATE {changes}"

    def locking(self, statement: sa.Select[Any]) -> sa.Select[Any]:
        """MySQL: FOR UPDATE."""
        return statement.with_for_update()


_CONNECT_REASONS = {
    1040: "it has no connection left; raise max_connections there, or lower the pool size of the servers",
    1044: "the user may not use the database; grant it",
    1045: "user or password is wrong, or the user may not connect from this host",
    1049: "there is no database of that name; create it or let the server create it",
    1129: "it refuses this host after too many failed connections; run FLUSH HOSTS there",
    1130: "this host may not connect; grant the user access from it",
    1142: "the user may not do this on a table; grant it",
    1143: "the user may not do this on a column; grant it",
    1203: "the user has no connection left; raise max_user_connections, or lower the pool size of the servers",
    1226: "the user has used up what it may; raise the limits of the user",
    1227: "the user lacks a privilege; grant it",
    1251: "the client library does not know the user's authentication plugin; update it",
    1698: "user or password is wrong",
    1969: "it ended a statement that took longer than max_statement_time allows",
    2002: "nothing listens on the socket or host and port; check that the database runs",
    2003: "nothing listens on that host and port; check that the database runs",
    2005: "the host name is not known; check the database's address",
    2026: "TLS failed; check the certificates",
    2054: "the client library does not know the user's authentication plugin; update it",
    2059: "the authentication plugin of the user could not be loaded; update the client library",
    2061: "the user's authentication wants TLS or the server's public key; switch TLS on",
    3024: "it ended a statement that took longer than max_execution_time allows",
    3032: "it is in offline mode",
}


class _Held:
    """A lock that was taken already, as a context."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _writable(path: Path) -> bool:
    import os

    return os.access(path, os.W_OK)


def make_dialect(url: str, options: StoreOptions) -> Dialect:
    """Return the dialect of a database URL, `sqlite:///path` or `mysql://user:password@host:port/database`.

    Raises InvalidArgument for any other form.
    """
    from mlmd_metadata_store.addresses import parse_url

    parsed = parse_url(url)
    kind = SqliteDialect if parsed.get_backend_name() == "sqlite" else MySqlDialect
    return kind(parsed, options)
