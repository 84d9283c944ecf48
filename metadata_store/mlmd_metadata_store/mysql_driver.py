"""How mysqlclient is told to connect; imported only when a MySQL database is used."""

from collections.abc import Callable, Sequence
from typing import Any

import MySQLdb.cursors
import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from mlmd_metadata_store.options import StoreOptions

DRIVER_ERRORS: tuple[type[Exception], ...] = (MySQLdb.Error,)


MEMO_LENGTH = 64
"""Texts up to this long are escaped once a statement: names of properties come again in every row."""


class WideCursor(MySQLdb.cursors.Cursor):  # type: ignore[misc]
    """A cursor whose executemany of an INSERT is one statement, written in a fifth of the driver's own time.

    The driver finds a converter for every single value; rows of a metadata store are integers, floats, bytes, None and
    texts that repeat. Callers keep the rows of one statement below the server's max_allowed_packet.
    """

    def executemany(self, query: str, args: Sequence[Sequence[Any]]) -> int:
        """Insert rows; `query` is an INSERT whose VALUES are placeholders only, with what may follow them."""
        head, found, tail = query.partition(" VALUES (")
        places, _, rest = tail.partition(")")
        if not found or places.strip("%s, "):
            return int(super().executemany(query, args))
        literal = _literals(self._get_db())
        rows = b",".join([b"(" + b",".join([literal(value) for value in row]) + b")" for row in args])
        self.rowcount = self.execute(b"%s VALUES %s%s" % (head.encode(), rows, rest.encode()))
        return int(self.rowcount)


def _literals(connection: Any) -> Callable[[Any], bytes]:
    """Return the function that writes one value as SQL on this connection."""
    quoted = connection.string_literal
    memo: dict[Any, bytes] = {}

    def literal(value: Any) -> bytes:
        kind = type(value)
        if kind is int:
            return b"%d" % value
        if value is None:
            return b"NULL"
        if kind is str:
            known = memo.get(value)
            if known is None:
                known = quoted(value.encode("utf-8"))
                if len(value) <= MEMO_LENGTH:
                    memo[value] = known
            return known
        return connection.literal(value)  # type: ignore[no-any-return]

    return literal


def connect_arguments(options: StoreOptions, isolation: str) -> dict[str, Any]:
    """Return the arguments of `MySQLdb.connect`; `isolation` is the level of every transaction of the session."""
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "collation": "utf8mb4_bin",  # of literals; a column is compared by its own
        "cursorclass": WideCursor,
        "connect_timeout": 10,
        "init_command": f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}",
    }
    ssl = {
        key: value
        for key, value in {
            "key": options.ssl_key,
            "cert": options.ssl_cert,
            "ca": options.ssl_ca,
            "capath": options.ssl_capath,
            "cipher": options.ssl_cipher,
        }.items()
        if value
    }
    if ssl:
        arguments["ssl"] = ssl
    if options.ssl_mode:
        arguments["ssl_mode"] = options.ssl_mode
    if options.socket:
        arguments["unix_socket"] = options.socket
    return arguments


UNKNOWN_DATABASE = 1049


def create_database(url: URL, options: StoreOptions) -> None:
    """Create the database of `url` when it is not there: utf8mb4, compared byte by byte, or as the server has it."""
    target = url.set(drivername="mysql+mysqldb", query={})
    arguments = connect_arguments(options, "READ COMMITTED")
    engine = sa.create_engine(target, poolclass=NullPool, connect_args=arguments)
    try:
        engine.connect().close()
        return
    except OperationalError as error:
        if getattr(error.orig, "args", (0,))[0] != UNKNOWN_DATABASE:
            raise
    finally:
        engine.dispose()
    engine = sa.create_engine(target.set(database=""), poolclass=NullPool, connect_args=arguments)
    charset = "" if options.google_text else " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    name = engine.dialect.identifier_preparer.quote_identifier(url.database or "")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {name.replace('%', '%%')}{charset}")
    engine.dispose()
