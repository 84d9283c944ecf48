"""How mysqlclient is told to connect; imported only when a MySQL database is used."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import MySQLdb.cursors
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from mlmd_metadata_store.options import StoreOptions

DRIVER_ERRORS: tuple[type[Exception], ...] = (MySQLdb.Error,)


MEMO_LENGTH = 64
"""Texts up to this long are escaped once a statement: names of properties come again in every row."""
STATEMENT_BYTES = 8 << 20
"""The longest INSERT of several rows, where the server's max_allowed_packet does not set a smaller limit."""
_PACKET_HEAD_BYTES = 64
_PACKET_TOO_LARGE = 1153


class WideCursor(MySQLdb.cursors.Cursor):  # type: ignore[misc]  # the driver has no types
    """A cursor whose executemany of an INSERT is one statement, written in a fifth of the driver's own time.

    The driver finds a converter for every single value; rows of a metadata store are integers, floats, bytes, None and
    texts that repeat. Rows that together are too long for the server become several statements; a statement that is too
    long for it is never sent, because the server would end the connection over it.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.inserted: list[tuple[int, int]] = []
        """For each statement of the last executemany, the first id and the number of rows."""

    def executemany(self, query: str, args: Sequence[Sequence[Any]]) -> int:
        """Insert rows; `query` is an INSERT whose VALUES are placeholders only, with what may follow them."""
        before, found, tail = query.partition(" VALUES (")
        places, _, rest = tail.partition(")")
        if not found or places.strip("%s, "):
            return int(super().executemany(query, args))
        literal = _literals(self._get_db())
        rows = [b"(" + b",".join([literal(value) for value in row]) + b")" for row in args]
        head, foot = before.encode(), rest.encode()
        self.inserted, count = [], 0
        for piece in _pieces(rows, min(STATEMENT_BYTES, self._longest()) - len(head) - len(foot) - len(b" VALUES ")):
            count += self.execute(b"%s VALUES %s%s" % (head, b",".join(piece), foot))
            self.inserted.append((self.lastrowid, len(piece)))
        self.rowcount = count
        return count

    def _mogrify(self, query: str | bytes, args: Sequence[Any] | None = None) -> bytes:
        """Write the parameters of a statement into it."""
        text = query.encode() if isinstance(query, str) else query
        return text if args is None else text % tuple(map(_literals(self._get_db()), args))

    def _query(self, statement: bytes) -> Any:
        if len(statement) > self._longest():
            raise MySQLdb.OperationalError(_PACKET_TOO_LARGE, "the statement is longer than max_allowed_packet")
        return super()._query(statement)

    def _longest(self) -> int:
        return int(getattr(self.connection, "longest_packet", STATEMENT_BYTES)) - _PACKET_HEAD_BYTES


def _pieces(rows: Sequence[bytes], limit: int) -> Iterator[Sequence[bytes]]:
    """Yield rows in pieces that joined by commas have at most `limit` bytes; a longer row comes alone."""
    if sum(map(len, rows)) + len(rows) <= limit:
        yield rows
        return
    piece: list[bytes] = []
    size = 0
    for row in rows:
        if piece and size + len(row) + 1 > limit:
            yield piece
            piece, size = [], 0
        piece.append(row)
        size += len(row) + 1
    yield piece


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
        written: bytes = connection.literal(value)
        return written

    return literal


def mysql_engine(url: URL, options: StoreOptions, isolation: str, **engine_options: Any) -> Engine:
    """Return an engine on `url`, whose transactions have this isolation level."""
    target = url.set(drivername="mysql+mysqldb", query={})
    engine = sa.create_engine(target, connect_args=connect_arguments(options, isolation), **engine_options)
    if options.ssl_mode in _WITH_TLS or (_files(options) and options.ssl_mode not in ("DISABLED", "PREFERRED")):
        event.listen(engine, "connect", _demand_tls)
    return engine


_WITH_TLS = ("REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY")
_TLS_FAILED = 2026


def _demand_tls(connection: Any, _record: Any) -> None:
    """Raise the driver's error when the connection has no TLS: its REQUIRED goes without where the server has none."""
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        if not cursor.fetchone()[1]:
            raise MySQLdb.OperationalError(_TLS_FAILED, "the server offers no TLS")


def _files(options: StoreOptions) -> dict[str, str]:
    """Return what TLS is set up from, by the driver's names."""
    given = {
        "key": options.ssl_key,
        "cert": options.ssl_cert,
        "ca": options.ssl_ca,
        "capath": options.ssl_capath,
        "cipher": options.ssl_cipher,
    }
    return {key: value for key, value in given.items() if value}


def connect_arguments(options: StoreOptions, isolation: str) -> dict[str, Any]:
    """Return the arguments of `MySQLdb.connect`; `isolation` is the level of every transaction of the session."""
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "cursorclass": WideCursor,
        "connect_timeout": 10,
        "init_command": f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}",
    }
    if ssl := _files(options):
        arguments["ssl"] = ssl
    if options.ssl_mode:
        # MariaDB's client library knows no PREFERRED, and its REQUIRED is just that.
        arguments["ssl_mode"] = "REQUIRED" if options.ssl_mode == "PREFERRED" else options.ssl_mode
    if options.socket:
        arguments["unix_socket"] = options.socket
    return arguments


UNKNOWN_DATABASE = 1049


def reach_database(url: URL, options: StoreOptions) -> None:
    """Connect once; create the database when it is not there and that is allowed.

    It is made utf8mb4 and compared byte by byte, or as the server makes databases, for Google's text.
    """
    engine = mysql_engine(url, options, "READ COMMITTED", poolclass=NullPool)
    try:
        engine.connect().close()
        return
    except OperationalError as error:
        if not options.create_database or getattr(error.orig, "args", (0,))[0] != UNKNOWN_DATABASE:
            raise
    finally:
        engine.dispose()
    engine = mysql_engine(url.set(database=""), options, "READ COMMITTED", poolclass=NullPool)
    charset = "" if options.google_text else " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
    name = engine.dialect.identifier_preparer.quote_identifier(url.database or "")
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE IF NOT EXISTS {name.replace('%', '%%')}{charset}")
    engine.dispose()
