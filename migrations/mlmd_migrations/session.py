"""Connections for looking and for changing; only one process at a time changes a database's shape."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from mlmd_migrations.errors import (
    ABORTED,
    DATA_LOSS,
    FAILED_PRECONDITION,
    INTERNAL,
    PERMISSION_DENIED,
    UNAVAILABLE,
    SchemaError,
)

LOCK_SECONDS = 30
"""How long to wait for another process that creates or migrates the same database."""
TABLE_LOCK_SECONDS = 10
"""How long a statement that changes a table waits for transactions that use it (MySQL)."""

LOCKED = {1205, 1213, 3572}
READ_ONLY = {1290, 1792, 1836}
FORBIDDEN = {1044, 1045, 1142, 1143, 1227, 1370}
DAMAGED = {126, 127, 144, 145, 1033, 1034, 1035, 1194, 1195, 1712, 1812, 1814, 1877, 1932}
LOST = {2002, 2003, 2005, 2006, 2013, 2055, 1040, 1053, 1152, 1927}


def number_of(error: DBAPIError) -> int:
    """MySQL's error number; 0 for what has none."""
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else 0


def is_read_only(error: DBAPIError) -> bool:
    """Whether the database refused because nothing may be written to it."""
    return number_of(error) in READ_ONLY or "readonly database" in str(error.orig)


def explained(error: DBAPIError, doing: str) -> SchemaError:
    """The error for callers: code and sentence by cause, the database's own words in `detail`."""
    code, why = _cause(error, number_of(error), str(error.orig))
    return SchemaError(code, f"{doing}: {why}.", str(error.orig))


def _cause(error: DBAPIError, number: int, words: str) -> tuple[int, str]:
    if number in LOCKED or "database is locked" in words or "database table is locked" in words:
        return ABORTED, (
            "another connection holds the tables; stop the servers that use this database, "
            "or end their open transactions, and try again"
        )
    if is_read_only(error):
        return FAILED_PRECONDITION, "the database is read-only; make it writable, or open it for writing, and try again"
    if number in FORBIDDEN:
        return PERMISSION_DENIED, (
            "the database user may not do that; grant it CREATE, ALTER, DROP, INDEX, SELECT, INSERT, UPDATE and "
            "DELETE on this database"
        )
    if "unable to open database file" in words:
        return UNAVAILABLE, (
            "its file cannot be opened or made; let the server's user read and write the file and its folder, or "
            "choose another file"
        )
    if number in LOST or error.connection_invalidated:
        return UNAVAILABLE, "the database cannot be reached; check that it runs and that its address is right"
    if "disk I/O error" in words or "disk is full" in words:
        return (
            UNAVAILABLE,
            "the disk of its file is full or fails; make room there, which even reading needs, and try again",
        )
    if number in DAMAGED or "malformed" in words or "file is not a database" in words:
        return DATA_LOSS, "it is damaged or is no database of this kind; restore it from a backup"
    return INTERNAL, "a statement failed; the log has the database's own words"


def _bare(engine: Engine) -> Engine:
    # The same connections without the engine's listeners, which may begin every transaction as a writing one.
    return Engine(engine.pool, engine.dialect, engine.url)


@contextmanager
def looking(engine: Engine) -> Iterator[Connection]:
    """A connection for reading; SchemaError says what went wrong."""
    try:
        with _bare(engine).connect() as connection:
            yield connection
    except DBAPIError as error:
        raise explained(error, "The database cannot be read") from error


@contextmanager
def changing(engine: Engine) -> Iterator[Connection]:
    """A connection that alone may change the shape of this database until the block ends, which commits.

    SQLite: one transaction, undone when the block raises. MySQL commits each DDL statement by itself; a named lock
    keeps other processes away. Raises the driver's DBAPIError, and SchemaError ABORTED when the lock does not come in
    time.
    """
    with _bare(engine).connect() as connection:
        changer = _changing_sqlite if connection.dialect.name == "sqlite" else _changing_mysql
        with changer(connection):
            yield connection


@contextmanager
def _changing_sqlite(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    finally:
        connection.rollback()


@contextmanager
def _changing_mysql(connection: Connection) -> Iterator[None]:
    try:
        _lock_mysql(connection)
        yield
        connection.commit()
    finally:
        connection.rollback()
        # Closed and not given back to the pool: it carries session settings and, until it closes, the lock.
        if not connection.invalidated:
            connection.invalidate()


def _lock_mysql(connection: Connection) -> None:
    connection.exec_driver_sql(f"SET SESSION lock_wait_timeout = {TABLE_LOCK_SECONDS}")
    database = str(connection.execute(text("SELECT DATABASE()")).scalar_one())
    # Names of locks are server-wide and have at most 64 characters.
    name = "mlmd-" + hashlib.sha256(database.encode()).hexdigest()[:32]
    if connection.execute(text("SELECT GET_LOCK(:name, :wait)"), {"name": name, "wait": LOCK_SECONDS}).scalar() != 1:
        raise SchemaError(
            ABORTED,
            f"Another process has been creating or migrating database `{database}` for more than {LOCK_SECONDS} "
            "seconds; try again when it has finished.",
        )
    connection.commit()
