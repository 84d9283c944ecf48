"""SQLite as a dialect; see dialects.py."""

import os
import sqlite3
import stat
import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from mlmd_schemas.errors import (
    Aborted,
    DataLoss,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    OutOfRange,
    ResourceExhausted,
    StoreError,
    Unavailable,
)
from mlmd_schemas.shown import shown
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DBAPIError

from mlmd_metadata_store.connections import Connections
from mlmd_metadata_store.dialects import AnotherShape, Dialect, TooLarge, UndecodableText, UniqueViolation
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.sqlite_driver import KEPT_STATEMENTS, BlockCursor, like
from mlmd_metadata_store.sqlite_file import SqliteFile
from mlmd_metadata_store.sqlite_log import LoggedConnection, SqliteLog

_OTHER_SHAPE = ("no such table", "no such column", "has no column named", "because it is a view")
"""What SQLite says of a statement whose table is not as it expects, in English whatever the locale."""


class SqliteDialect(Dialect):
    """SQLite 3.35 or newer, one file: WAL, synchronous=FULL, one writer at a time."""

    name = "sqlite"
    parameter = "?"
    typed_values = True
    keeps_infinities = True
    dives = False
    joins_statements = False
    keeps_values = True
    few_rows = 0  # there is no way to the database that a second statement would take again
    longest_name = 1_000_000_000
    longest_text_bytes = 1_000_000_000
    _UNIQUE = (sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY)

    def __init__(self, url: URL, options: StoreOptions, connections: Connections) -> None:
        super().__init__(url, options, connections)
        self._file = SqliteFile(Path(url.database or ""))
        self._log = SqliteLog(self._file.path)
        self._turn = threading.Lock()
        self.lenient_text = False

    def prepare(self) -> None:
        """Make the folder of the file."""
        self._refuse_folder()
        folder = self._file.path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise Unavailable(
                f"database: the folder {shown(str(folder))} cannot be made: {error.strerror}; make it or choose "
                "another."
            ) from error

    def engine(self, *, writer: bool) -> Engine:
        """Return an engine; its transactions begin IMMEDIATE when they write."""
        arguments = {
            "timeout": self.options.lock_timeout_seconds,
            "check_same_thread": False,
            "cached_statements": KEPT_STATEMENTS,
            "factory": LoggedConnection,
        }
        url = self._immutable_url() if self._is_immutable() else self.url
        engine = sa.create_engine(url, connect_args=arguments, **self.pool_arguments())
        begin = "BEGIN IMMEDIATE" if writer else "BEGIN"
        event.listen(engine, "do_connect", self._about_to_connect)
        event.listen(engine, "connect", partial(self._connected, writer))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
        return engine

    def looker(self) -> Engine:
        """SQLite makes the file that it is to read; an empty database in memory shows as much."""
        self._refuse_folder()
        return self.engine(writer=False) if self._file.path.exists() else sa.create_engine("sqlite://")

    def _refuse_folder(self) -> None:
        path = str(self._file.path)
        try:
            found = self._file.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise Unavailable(
                f"database: {shown(path)} cannot be looked at: {error.strerror}; let the server's user into its "
                "folders, or choose another file."
            ) from error
        if stat.S_ISDIR(found.st_mode):
            raise InvalidArgument(f"database: {shown(path)} is a folder; name a file in it.")

    def _about_to_connect(self, *_: object) -> None:
        self._file.check()  # SQLite would make an empty file in the place of one that is gone
        self._log.check()

    def _connected(self, writer: bool, connection: LoggedConnection, _record: Any) -> None:
        try:
            self._file.opened()
        except StoreError:
            connection.close()
            raise
        connection.isolation_level = None  # the driver must not begin transactions of its own
        connection.create_function("mlmd_like", 2, like, deterministic=True)
        if self.lenient_text:
            connection.text_factory = partial(str, encoding="utf-8", errors="surrogateescape")
        statements = ["PRAGMA synchronous=FULL", "PRAGMA case_sensitive_like=OFF", "PRAGMA cache_size=-16000"]
        if self.options.read_only:
            statements.append("PRAGMA query_only=ON")
        elif writer and not self._is_read_only():
            statements.insert(0, "PRAGMA journal_mode=WAL")
        for statement in (*statements, "PRAGMA schema_version"):  # the last opens the log
            connection.execute(statement).fetchall()
        try:
            self._log.opened(connection)
        except StoreError:
            connection.close()
            raise

    def _is_read_only(self) -> bool:
        return self._file.path.exists() and not os.access(self._file.path, os.W_OK)

    def _is_immutable(self) -> bool:
        """Tell whether nobody can change the file: SQLite reads a WAL database there only when it is told so."""
        log = Path(f"{self._file.path}-wal")
        return self._is_read_only() and not os.access(self._file.path.parent, os.W_OK) and not log.exists()

    def _immutable_url(self) -> URL:
        address = f"file:{quote(str(self._file.path.resolve()))}"
        return self.url.set(database=address, query={"immutable": "1", "uri": "true"})

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
            return Unavailable(
                f"The database file cannot be read or written ({getattr(cause, 'sqlite_errorname', 'SQLITE_IOERR')}). "
                "Check its permissions, that its disk has room, and that the process may have more files open "
                "(ulimit -n) and more memory."
            )
        if primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return DataLoss(
                "The database file is damaged or is no SQLite database; stop the server, restore the file from a "
                "backup (or from what `sqlite3 FILE .recover` finds), and start it again."
            )
        if primary == sqlite3.SQLITE_TOOBIG:
            return TooLarge("A value of the request is larger than SQLite keeps (1,000,000,000 bytes).")
        if code == sqlite3.SQLITE_ERROR and any(words in str(cause) for words in _OTHER_SHAPE):
            return AnotherShape()
        return Internal("The database refused a statement of the server; the server's log has the reason.")

    @staticmethod
    def _uncoded(cause: BaseException | None) -> StoreError:
        if isinstance(cause, sqlite3.OperationalError) and "decode to UTF-8" in str(cause):
            return UndecodableText("A text of the database is not UTF-8.")
        if isinstance(cause, OverflowError):
            return OutOfRange("An integer of the request has more than 64 bits.")
        return Internal("The database refused a statement of the server; the server's log has the reason.")

    driver_errors = (sqlite3.Error, OverflowError)

    def begin(self, connection: Any, patience_seconds: float | None, *, write: bool) -> None:
        """A write takes the lock at once, so that it cannot fail half-way for want of it."""
        self._file.check()
        self._log.check()
        if not write or patience_seconds is None or patience_seconds >= self.options.lock_timeout_seconds:
            connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
            return
        connection.execute(f"PRAGMA busy_timeout = {int(patience_seconds * 1000)}")
        try:
            connection.execute("BEGIN IMMEDIATE")
        finally:
            connection.execute(f"PRAGMA busy_timeout = {int(self.options.lock_timeout_seconds * 1000)}")

    def version(self, connection: Any) -> int | None:
        """`data_version` takes the snapshot of a transaction that just began, and tells whose it is."""
        return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def cursor(self, connection: sqlite3.Connection) -> BlockCursor:
        """Return a cursor that inserts many rows at once."""
        return connection.cursor(BlockCursor)

    def ids(self, cursor: Any, count: int) -> Sequence[int]:
        """AUTOINCREMENT under the write lock counts without gaps, so the last id tells the first."""
        last = int(cursor.lastrowid)
        return range(last - count + 1, last + 1)

    def _insert(self, table: sa.Table, columns: Sequence[str]) -> str:
        """SQLite: OR FAIL, since whoever meets a key that is taken undoes the whole transaction.

        Without it a statement of several rows keeps what each page was before, to undo itself alone; that is a file in
        the folder for temporary ones as soon as it is 64 KiB.
        """
        return super()._insert(table, columns).replace("INSERT INTO", "INSERT OR FAIL INTO", 1)

    def insert_ignore(self, table: sa.Table, columns: Sequence[str]) -> str:
        """SQLite: ON CONFLICT DO NOTHING."""
        return f"{self.insert(table, columns)} ON CONFLICT DO NOTHING"

    def upsert(self, table: sa.Table, columns: Sequence[str], keys: Sequence[str]) -> str:
        """SQLite: ON CONFLICT DO UPDATE."""
        target = ", ".join(self.quoted(key) for key in keys)
        changes = ", ".join(f"{self.quoted(c)}=excluded.{self.quoted(c)}" for c in columns if c not in keys)
        return f"{self.insert(table, columns)} ON CONFLICT ({target}) DO UPDATE SET {changes}"


class _Held:
    """A lock that was taken already, as a context."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        self._lock.release()
