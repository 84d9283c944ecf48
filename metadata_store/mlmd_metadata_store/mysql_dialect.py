"""MySQL and MariaDB as a dialect; see dialects.py."""

import math
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, ClassVar

import sqlalchemy as sa
from mlmd_schemas.errors import (
    Aborted,
    DataLoss,
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

from mlmd_metadata_store.connections import BoundedPool, Connections, NoConnectionLeft
from mlmd_metadata_store.dialects import (
    AnotherShape,
    ConnectionLost,
    Dialect,
    NotReached,
    TooLarge,
    TooLong,
    UniqueViolation,
)
from mlmd_metadata_store.mysql_watch import Findings, Watch
from mlmd_metadata_store.options import StoreOptions

_TABLE_LOCK_SECONDS = 60
"""How long a statement waits while somebody changes a table; MariaDB's default is a day."""


def wait_for_locks(connection: Any, patience_seconds: float | None) -> None:
    """Let the session wait for row locks no longer than the caller does, in steps of powers of two seconds.

    The setting stays with the session, so that calls with like deadlines do not set it again.
    """
    seconds = connection.longest_lock_seconds
    if patience_seconds is not None and patience_seconds < seconds:
        seconds = min(seconds, 1 << max(0, math.ceil(patience_seconds) - 1).bit_length())
    if seconds != connection.lock_seconds:
        connection.query(f"SET innodb_lock_wait_timeout = {seconds}")
        connection.lock_seconds = seconds


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
    2005: "the host name is not known; check the database's address",
    2026: "TLS failed; check the certificates, and that the database offers TLS",
    2054: "the client library does not know the user's authentication plugin; update it",
    2059: "the authentication plugin of the user could not be loaded; update the client library",
    2061: "the user's authentication wants TLS or the server's public key; switch TLS on",
    3024: "it ended a statement that took longer than max_execution_time allows",
    3032: "it is in offline mode",
}

_NO_CONNECTION_LEFT = (1040, 1203, 1226)
"""The last is what is said of every limit of a user; its text says which."""
_COLUMN = re.compile(r"for column .*[`'](\w+)[`'] at row")


def _too_long(text: str) -> TooLong:
    """Return our error for the database's sentence, which mostly names the column."""
    found = _COLUMN.search(text)
    column = f"{found[1]}: the text" if found else "A text of the request"
    return TooLong(f"{column} is longer than its column in the database.")


class MySqlDialect(Dialect):
    """MySQL 8 and 9 and MariaDB 10.11 through mysqlclient."""

    name = "mysql"
    parameter = "%s"
    typed_values = False
    keeps_infinities = False
    dives = True
    joins_statements = True
    keeps_values = False
    few_rows = 200
    clock: sa.Select[Any] | None = sa.select(
        sa.literal_column("TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(3)) DIV 1000")
    )
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
    _NOT_REACHED = (2002, 2003)
    """Refused, or accepted and reset before the client looked: the client library tells both alike."""
    _TOO_LONG = (1406, 1265, 1366)
    """1366 is what MariaDB says of a text that would have to be cut within a character."""
    _PACKET = (1153, 2020)
    _OTHER_SHAPE = (1054, 1051, 1136, 1146, 1288, 1347, 1356, 1364, 1471)
    """A table or column that is not there, a view in its place, a column more that has no default."""
    _DAMAGED = (126, 127, 144, 145, 1033, 1034, 1035, 1194, 1195, 1712, 1812, 1814, 1877, 1932)

    def __init__(self, url: URL, options: StoreOptions, connections: Connections) -> None:
        super().__init__(url, options, connections)
        self._database = url.database or ""

    def prepare(self) -> None:
        """Connect once, so that it is told why when that cannot be done; create the database when that is allowed."""
        from mlmd_metadata_store.mysql_driver import reach_database

        try:
            reach_database(self.url, self.options)
        except DBAPIError as error:
            raise self.translate(error) from error

    def engine(self, *, writer: bool) -> Engine:
        """Return an engine; writers read what is committed, readers read one snapshot."""
        return self._engine(self.url, "READ COMMITTED" if writer else "REPEATABLE READ")

    def visitor(self, reader: Engine) -> Engine:
        """Return the engine whose connections go from database to database of one account."""
        if not self.connections.visits:
            return reader
        account = self.url.set(database="")
        return self.connections.visitor((account, self.options), lambda: self._engine(account, "REPEATABLE READ"))

    def _engine(self, url: URL, isolation: str) -> Engine:
        from mlmd_metadata_store.mysql_driver import mysql_engine

        engine = mysql_engine(url, self.options, isolation, self._watch, **self._pool_arguments(url))
        event.listen(engine, "connect", self._connected)
        return engine

    def _pool_arguments(self, url: URL) -> dict[str, Any]:
        ours = {"poolclass": BoundedPool, "connections": self.connections, "database": url}
        return self.pool_arguments() | ours

    def _connected(self, connection: Any, _record: Any) -> None:
        from mlmd_metadata_store.mysql_driver import server_place

        cursor = connection.cursor()
        # MariaDB turns lists of 1,000 and more into joined subqueries, which can scan (and lock) whole tables.
        # Literals are compared byte by byte, columns as they say; SQLAlchemy's SET NAMES has just chosen otherwise.
        cursor.execute(
            "SET /*M!100307 in_predicate_conversion_threshold = 0, */ collation_connection = utf8mb4_bin, "
            f"lock_wait_timeout = {_TABLE_LOCK_SECONDS}"
        )
        cursor.execute("SELECT @@auto_increment_increment, @@max_allowed_packet, @@innodb_lock_wait_timeout")
        connection.id_step, connection.longest_packet, connection.lock_seconds = map(int, cursor.fetchone())
        connection.longest_lock_seconds = connection.lock_seconds
        cursor.close()
        self._longest_packet = connection.longest_packet
        connection.line.place = server_place(connection)

    _longest_packet = 0

    @cached_property
    def _watch(self) -> Watch:
        return Watch(self._look_around)

    def _look_around(self) -> Findings | None:
        from mlmd_metadata_store.mysql_driver import look_around

        try:
            return look_around(self.url, self.options)
        except DBAPIError as error:
            driver: Exception = error
        except self.driver_errors as error:
            driver = error
        if isinstance(self.translate(driver), ConnectionLost):
            return None
        raise OSError("the database refuses a connection") from driver

    def gave_up(self, connection: Any) -> bool:
        """Tell whether the watch ended the connection because the database answers nobody."""
        return bool(connection.line.unanswered)

    def turn(self, timeout_seconds: float) -> AbstractContextManager[Any]:
        """InnoDB locks rows; every thread may write."""
        return nullcontext()

    def translate(self, error: Exception) -> StoreError:
        """Map MySQL's and the client library's error numbers."""
        driver = error.orig if isinstance(error, DBAPIError) else error
        arguments = driver.args if driver is not None else ()
        number = arguments[0] if arguments and isinstance(arguments[0], int) else 0
        words = " ".join(map(str, arguments[1:]))
        return (
            self._of_request(number, words)
            or self._of_connection(number, words)
            or self._of_database(number, words)
            or Internal("The database refused a statement of the server; the server's log has the reason.")
        )

    def _of_request(self, number: int, words: str) -> StoreError | None:
        """Return what is wrong with what is written, or with the moment."""
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
        if number == 1264:
            return OutOfRange(
                "A number of the request does not fit the 32-bit columns of this database; "
                "`mlmd-server migrate` widens them to 64 bits."
            )
        return _too_long(words) if number in self._TOO_LONG else None

    def _of_connection(self, number: int, words: str) -> StoreError | None:
        """Return why there is none, or no longer."""
        if number in self._LOST:
            return ConnectionLost("The connection to the database was lost. What was not committed is undone.")
        if number in self._NOT_REACHED:
            return NotReached(
                "The database cannot be used: nothing listens on its socket or host and port; "
                "check that the database runs."
            )
        if number in _NO_CONNECTION_LEFT and (number != 1226 or "connections'" in words):
            return NoConnectionLeft(f"The database cannot be used: {_CONNECT_REASONS[number]}.")
        if number in _CONNECT_REASONS:
            return Unavailable(f"The database cannot be used: {_CONNECT_REASONS[number]}.")
        return None

    def _of_database(self, number: int, words: str) -> StoreError | None:
        """Return what is wrong with its tables or its disk."""
        if number in self._FULL or (number in self._FILE_ERRORS and " 28 " in words):
            return ResourceExhausted("The database has no room left. Nothing was written; make room on its disk.")
        if number in self._OTHER_SHAPE:
            return AnotherShape()
        if number in self._DAMAGED:
            return DataLoss(
                "A table of the database is damaged, as the database says (the server's log has its words); look with "
                "CHECK TABLE there, and repair the table or restore the database from a backup."
            )
        if number in self._READ_ONLY:
            return FailedPrecondition("The database is read-only. Nothing was written; make it writable.")
        return None

    @cached_property
    def driver_errors(self) -> tuple[type[Exception], ...]:
        """Return mysqlclient's errors; imported only where MySQL is used."""
        from mlmd_metadata_store.mysql_driver import DRIVER_ERRORS

        return DRIVER_ERRORS

    def begin(self, connection: Any, patience_seconds: float | None, *, write: bool) -> None:
        """Sessions are not in autocommit: the first statement begins the transaction."""
        if connection.database != self._database:
            connection.select_db(self._database)
        if write:
            wait_for_locks(connection, patience_seconds)

    def end_reading(self, connection: Any) -> None:
        """Nobody waits for the answer, which takes as long as the shortest statement."""
        connection.roll_back_unheard()

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
