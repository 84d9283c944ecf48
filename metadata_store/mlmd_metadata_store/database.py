"""A database: sessions that read one snapshot, sessions that write, and the rules for trying again."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import Aborted, DeadlineExceeded, ResourceExhausted, StoreError, Unavailable
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mlmd_metadata_store.dialects import ConnectionLost, Dialect, SqliteDialect, UndecodableText
from mlmd_metadata_store.text import TEXT_CODECS, TextCodec
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_cache import TypeCache

LOG = logging.getLogger(__name__)
T = TypeVar("T")

TURN_SECONDS = 60.0
"""How long a write waits for the other writes of this process, when the caller sets no deadline."""
BACKOFF_SECONDS = 0.005
"""The mean wait before a second attempt; it doubles with each attempt, up to a second."""


class Database:
    """Two connection pools on one database and the transactions that run over them."""

    def __init__(self, dialect: Dialect, text_mode: str) -> None:
        self.dialect = dialect
        self.text: TextCodec = TEXT_CODECS[text_mode]
        self.types = TypeCache()
        self.reader: Engine = dialect.engine(writer=False)
        self.writer: Engine = dialect.engine(writer=True)

    def read(self, caller: Caller, body: Callable[[Transaction], T]) -> T:
        """Run `body` on one snapshot; a lost connection is opened again and the body run once more."""
        for attempt in range(3):
            try:
                return self._read_once(caller, body)
            except ConnectionLost:
                if attempt == 2:
                    raise
            except UndecodableText:
                self._read_leniently()
        raise AssertionError("unreachable")

    def write(self, caller: Caller, body: Callable[[Transaction], T], *, repeatable: bool = False) -> T:
        """Run `body` in a write transaction and commit it.

        A body that loses against another write is run again with growing, jittered waits, until the attempts or the
        caller's time are used up: then Aborted. A connection lost before COMMIT is opened again; one lost during
        COMMIT is tried again only when the write is `repeatable`, else Unavailable says that the outcome is unknown.
        """
        careful, attempt = False, 0
        while True:
            attempt += 1
            try:
                return self._write_once(caller, body, careful, repeatable)
            except _Again:
                careful = True
                attempt -= 1
            except UndecodableText:
                self._read_leniently()
            except (Aborted, ConnectionLost) as error:
                if attempt >= self.dialect.options.attempts or isinstance(error, Contradicted):
                    raise
                self._wait(caller, attempt)

    def _read_once(self, caller: Caller, body: Callable[[Transaction], T]) -> T:
        with self._connection(self.reader, caller) as conn:
            try:
                return body(self._transaction(conn, caller))
            finally:
                self._undo(conn)

    def _write_once(self, caller: Caller, body: Callable[[Transaction], T], careful: bool, repeatable: bool) -> T:
        patience = caller.remaining_seconds()
        turn = self.dialect.turn(TURN_SECONDS if patience is None else patience)
        with turn, self._connection(self.writer, caller) as conn:
            tx = self._transaction(conn, caller, careful)
            try:
                result = body(tx)
                caller.check_deadline()
            except StoreError as error:
                self._undo(conn)
                if tx.setwise and not careful and not isinstance(error, _NOT_OF_THE_REQUEST):
                    raise _Again from error
                raise
            except BaseException:
                self._undo(conn)
                raise
            self._commit(conn, repeatable)
            return result

    def _commit(self, conn: Connection, repeatable: bool) -> None:
        try:
            conn.commit()
        except DBAPIError as error:
            self._undo(conn)
            ours = self.dialect.translate(error)
            if isinstance(ours, ConnectionLost) and not repeatable:
                raise Unavailable(
                    "The connection to the database was lost during COMMIT, so the outcome is unknown. Read back what "
                    "the call would have written, or send writes with an idempotency key, which makes repeating safe."
                ) from error
            raise ours from error

    def _transaction(self, conn: Connection, caller: Caller, careful: bool = False) -> Transaction:
        return Transaction(conn, self.dialect, self.text, self.types, caller, careful=careful)

    def _connection(self, engine: Engine, caller: Caller) -> Connection:
        caller.check_deadline()
        try:
            conn = engine.connect()
        except PoolTimeout as error:
            raise ResourceExhausted(
                "All connections to the database are in use. Try again later, or raise the pool size of the server."
            ) from error
        except DBAPIError as error:
            raise self.dialect.translate(error) from error
        try:
            conn.begin()
        except DBAPIError as error:
            conn.close()
            raise self.dialect.translate(error) from error
        return conn

    def _undo(self, conn: Connection) -> None:
        try:
            conn.rollback()
        except DBAPIError:
            conn.invalidate()

    def _wait(self, caller: Caller, attempt: int) -> None:
        seconds = min(1.0, BACKOFF_SECONDS * 2**attempt) * random.uniform(0.5, 1.5)
        remaining = caller.remaining_seconds()
        if remaining is not None and remaining <= seconds:
            raise DeadlineExceeded(
                "The deadline of the call passed while it waited for other writes; nothing was written."
            )
        time.sleep(seconds)

    def _read_leniently(self) -> None:
        """Read bytes that are not UTF-8 as surrogates from here on, so that they leave as they came."""
        if not isinstance(self.dialect, SqliteDialect) or self.dialect.lenient_text:
            raise AssertionError("only a strict SQLite session meets undecodable text")
        LOG.warning("the database holds text that is not UTF-8; it is read and returned as it is")
        self.dialect.lenient_text = True
        self.reader.dispose()
        self.writer.dispose()

    def ping(self) -> None:
        """Make one round trip; raises Unavailable or another StoreError when the database does not answer."""

        def body(tx: Transaction) -> None:
            tx.conn.exec_driver_sql("SELECT 1").scalar_one()

        self.read(Caller(deadline=time.monotonic() + 5), body)

    def close(self) -> None:
        """Close every connection."""
        self.reader.dispose()
        self.writer.dispose()


class Contradicted(Aborted):
    """Aborted that trying again inside the server cannot help; the caller is told at once."""


class _Again(Exception):
    """The set-wise run met an error; the careful run finds the exact one."""


_NOT_OF_THE_REQUEST = (ConnectionLost, DeadlineExceeded, ResourceExhausted, UndecodableText)
