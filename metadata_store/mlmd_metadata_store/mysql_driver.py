"""How mysqlclient is told to connect; imported only when a MySQL database is used."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import MySQLdb.connections
import MySQLdb.cursors
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from mlmd_metadata_store.mysql_watch import PROBE_SECONDS, Findings, Line, Thread, Watch
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.peers import watch_peer

DRIVER_ERRORS: tuple[type[Exception], ...] = (MySQLdb.Error,)


HELD_BYTES = 64 << 10
"""So many bytes of statements wait at most for the next one; more of them cost more than a way to the database."""
MEMO_LENGTH = 64
"""Texts up to this long are escaped once a statement: names of properties come again in every row."""
STATEMENT_BYTES = 8 << 20
"""The longest INSERT of several rows, where the server's max_allowed_packet does not set a smaller limit."""
_PACKET_HEAD_BYTES = 64
_PACKET_TOO_LARGE = 1153


class WatchedConnection(MySQLdb.connections.Connection):  # type: ignore[misc]  # the driver has no types
    """A connection that notes when it waits for the database, so that a watch knows.

    It may owe the answer to a ROLLBACK, which is taken before the next thing is asked: a reader has all that it wanted
    and need not wait for one more way there and back. That the connection was lost meanwhile is told then.
    """

    line: Line
    _owes = False

    def __init__(self, *arguments: Any, watch: Watch, **named: Any) -> None:
        self._watch = watch
        self.database = named.get("db") or ""
        """Which database its statements are about."""
        super().__init__(*arguments, **named)

    def set_character_set(self, charset: str, collation: str | None = None) -> None:
        """Set the character set; it is the first thing that is done with a new connection."""
        watch_peer(self.fileno())
        self.line = Line(self.fileno(), self.thread_id())
        self._watch.add(self.line)
        self._answered(super().set_character_set, charset, collation)

    def query(self, query: str | bytes) -> None:
        """Send a statement and wait for the answer to begin."""
        self._take_what_is_owed()
        self.line.asked = time.monotonic()
        try:
            super().query(query)
        finally:
            self.line.asked = 0.0

    def store_result(self) -> Any:
        """Wait for the rest of an answer."""
        return self._answered(super().store_result)

    def next_result(self) -> Any:
        """Wait for the answer to the next of several statements."""
        return self._answered(super().next_result)

    def select_db(self, name: str) -> None:
        """Go to another database."""
        self._take_what_is_owed()
        self._answered(super().select_db, name)
        self.database = name

    def commit(self) -> None:
        """Commit."""
        self._take_what_is_owed()
        self._answered(super().commit)

    def rollback(self) -> None:
        """Undo."""
        self._take_what_is_owed()
        self._answered(super().rollback)

    def roll_back_unheard(self) -> None:
        """Undo without waiting for the answer; raises the driver's error when it cannot be sent."""
        if not self._owes:  # else nothing was asked since
            self.send_query(b"ROLLBACK")
            self._owes = True

    def _take_what_is_owed(self) -> None:
        if self._owes:
            self._owes = False
            self._answered(self.read_query_result)

    def _answered(self, call: Callable[..., Any], *arguments: Any) -> Any:
        self.line.asked = time.monotonic()
        try:
            return call(*arguments)
        finally:
            self.line.asked = 0.0


class WideCursor(MySQLdb.cursors.Cursor):  # type: ignore[misc]  # the driver has no types
    """A cursor whose executemany of an INSERT is one statement, written in a fifth of the driver's own time.

    The driver finds a converter for every single value; rows of a metadata store are integers, floats, bytes, None and
    texts that repeat. Rows that together are too long for the server become several statements; a statement that is too
    long for it is never sent, because the server would end the connection over it.

    Statements that nobody waits for can be held until the next one, and go to the server in its packet. It works on
    them in their order and stops at the first that fails, whose error is then raised.
    """

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self.inserted: list[tuple[int, int]] = []
        """For each statement of the last executemany, the first id and the number of rows."""
        self._held: list[bytes] = []

    def executemany(self, query: str, args: Sequence[Sequence[Any]]) -> int:
        """Insert rows; `query` is an INSERT whose VALUES are placeholders only, with what may follow them."""
        parts = _parts(query)
        if parts is None:
            return int(super().executemany(query, args))
        head, foot = parts
        rows = self._written(args)
        self.inserted, count = [], 0
        for piece in _pieces(rows, min(STATEMENT_BYTES, self._longest()) - len(head) - len(foot) - len(b" VALUES ")):
            count += self.execute(b"%s VALUES %s%s" % (head, b",".join(piece), foot))
            self.inserted.append((self.lastrowid, len(piece)))
        self.rowcount = count
        return count

    def hold(self, query: str, args: Sequence[Sequence[Any]]) -> bool:
        """Keep an INSERT of rows for the next statement's packet; False when that is too much, and nothing is kept."""
        parts = _parts(query)
        if parts is None:
            return False
        statement = b"%s VALUES %s%s" % (parts[0], b",".join(self._written(args)), parts[1])
        if len(statement) + sum(map(len, self._held)) > HELD_BYTES:
            return False
        self._held.append(statement)
        return True

    def send_held(self) -> None:
        """Send what is held and has no statement to go with."""
        if self._held:
            self.execute(self._held.pop())

    def _written(self, args: Sequence[Sequence[Any]]) -> list[bytes]:
        literal = _literals(self._get_db())
        return [b"(" + b",".join([literal(value) for value in row]) + b")" for row in args]

    def _mogrify(self, query: str | bytes, args: Sequence[Any] | None = None) -> bytes:
        """Write the parameters of a statement into it."""
        text = query.encode() if isinstance(query, str) else query
        return text if args is None else text % tuple(map(_literals(self._get_db()), args))

    def _query(self, statement: bytes) -> Any:
        if len(statement) > self._longest():
            raise MySQLdb.OperationalError(_PACKET_TOO_LARGE, "the statement is longer than max_allowed_packet")
        if not self._held:
            return super()._query(statement)
        held, self._held = self._held, []
        if len(statement) + sum(map(len, held)) + 2 * len(held) > self._longest():
            for one in held:
                super()._query(one)
            return super()._query(statement)
        super()._query(b";\n".join([*held, statement]))
        for _ in held:
            self.nextset()
        return self.rowcount

    def _longest(self) -> int:
        return int(getattr(self.connection, "longest_packet", STATEMENT_BYTES)) - _PACKET_HEAD_BYTES


def _parts(query: str) -> tuple[bytes, bytes] | None:
    """Return what is before and behind the rows of an INSERT; None when its VALUES are not placeholders only."""
    before, found, tail = query.partition(" VALUES (")
    places, _, rest = tail.partition(")")
    return None if not found or places.strip("%s, ") else (before.encode(), rest.encode())


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


def mysql_engine(
    url: URL, options: StoreOptions, isolation: str, watch: Watch | None = None, **engine_options: Any
) -> Engine:
    """Return an engine on `url`, whose transactions have this isolation level.

    Its connections are watched, or without a watch have short timeouts, for a quick look at the database.
    """
    target = url.set(drivername="mysql+mysqldb", query={})
    arguments = connect_arguments(options, isolation)
    if watch is None:
        arguments |= {"read_timeout": PROBE_SECONDS, "write_timeout": PROBE_SECONDS}
    engine = sa.create_engine(target, connect_args=arguments, **engine_options)
    if watch is not None:
        event.listen(
            engine, "do_connect", lambda _dialect, _record, args, named: WatchedConnection(*args, watch=watch, **named)
        )
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


_SQL_MODE = (
    "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,"
    "NO_ENGINE_SUBSTITUTION"
)
"""MySQL's default, whatever the server's is, or becomes while statements are kept that were written for another.

With ANSI_QUOTES identifiers are quoted otherwise, and without STRICT_TRANS_TABLES what is too long is cut off.
"""


def connect_arguments(options: StoreOptions, isolation: str) -> dict[str, Any]:
    """Return the arguments of `MySQLdb.connect`; `isolation` is the level of every transaction of the session."""
    arguments: dict[str, Any] = {
        "charset": "utf8mb4",
        "cursorclass": WideCursor,
        "connect_timeout": PROBE_SECONDS,
        "init_command": f"SET SESSION TRANSACTION ISOLATION LEVEL {isolation}",
        "sql_mode": _SQL_MODE,
    }
    if ssl := _files(options):
        arguments["ssl"] = ssl
    if options.ssl_mode:
        # MariaDB's client library knows no PREFERRED, and its REQUIRED is just that.
        arguments["ssl_mode"] = "REQUIRED" if options.ssl_mode == "PREFERRED" else options.ssl_mode
    if options.socket:
        # The client library takes the socket for this host alone, and goes over the network to any other.
        arguments |= {"unix_socket": options.socket, "host": "localhost"}
    return arguments


_PLACE = "SELECT @@hostname, @@port, @@server_id"
_THREADS = "SELECT id, command, time FROM information_schema.processlist"
"""Without a privilege it lists the connections of this user."""


def server_place(connection: Any) -> object:
    """Return which server a driver's connection leads to."""
    with contextlib.closing(connection.cursor()) as cursor:
        cursor.execute(_PLACE)
        place: object = cursor.fetchone()
    return place


def look_around(url: URL, options: StoreOptions) -> Findings:
    """Ask a database on a new connection for its others; raises the driver's errors."""
    engine = mysql_engine(url, options, "READ COMMITTED", poolclass=NullPool)
    with contextlib.closing(engine.raw_connection()) as pooled:
        connection: Any = pooled.dbapi_connection
        with contextlib.closing(connection.cursor()) as cursor:
            cursor.execute(_THREADS)
            threads = {number: Thread(command == "Sleep", seconds) for number, command, seconds in cursor.fetchall()}
        # A proxy that numbers connections itself is told by this one, which is not among those of the server.
        place = server_place(connection) if connection.thread_id() in threads else None
    return Findings(place, threads)


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
