"""A database: sessions that read one snapshot, sessions that write, and the rules for trying again."""

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import sqlalchemy as sa
from mlmd_schemas.caller import Caller
from mlmd_schemas.chance import CHANCE
from mlmd_schemas.errors import Aborted, DataLoss, DeadlineExceeded, ResourceExhausted, StoreError, Unavailable
from mlmd_schemas.tables.v10 import TYPE
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mlmd_metadata_store.dialects import AnotherShape, ConnectionLost, Dialect, NotReached, Unanswered, UndecodableText
from mlmd_metadata_store.plans import Plans
from mlmd_metadata_store.property_cache import NO_CACHE, PropertyCache
from mlmd_metadata_store.sqlite_dialect import SqliteDialect
from mlmd_metadata_store.text import TEXT_CODECS, TextCodec
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_cache import TypeCache
from mlmd_metadata_store.ways import Ways

LOG = logging.getLogger(__name__)
T = TypeVar("T")
_A_LITTLE = sa.select(TYPE.c.id).limit(1)
"""What a look at the database reads: a row of the table that every call begins with."""

TURN_SECONDS = 60.0
"""How long a write waits at most for the other writes of this process, and from when on it is not tried again."""
READ_ATTEMPTS = 3
_PROPERTIES = "mlmd_properties"
"""Where a pooled connection keeps its cache; it goes with the connection."""
_LONG_SECONDS = 5.0
"""A connection that fails after so long was refused by nobody: nothing answers."""
BACKOFF_SECONDS = 0.005
"""Half the mean wait before a second attempt; it doubles with each attempt, up to a second."""


class Database:
    """Two connection pools on one database and the transactions that run over them."""

    def __init__(self, dialect: Dialect, text_mode: str) -> None:
        """Make the pools, without a connection yet; `text_mode` is a key of TEXT_CODECS, as the store's row says."""
        self.dialect = dialect
        self.text: TextCodec = TEXT_CODECS[text_mode]
        self.types = TypeCache()
        """Forgotten when the database was away or had lost a table: what comes back may be a backup with others."""
        self.ways = Ways()
        self.reader: Engine = dialect.engine(writer=False)
        self.writer: Engine = dialect.engine(writer=True)
        self.visitor = dialect.visitor(self.reader)
        dialect.connections.join(self)
        self.plans = Plans(self.reader.dialect)
        self._connecting_errors: tuple[type[Exception], ...] = (DBAPIError, *dialect.driver_errors)
        self.written = -math.inf
        """When a write began last, on this process's clock; what waits to be done mostly comes of one."""
        self.watch: Callable[[str], None] | None = None
        """Called with each statement before it is sent; for tests and measurements."""
        self.committed: Callable[[set[str]], None] | None = None
        """Called with the topics of a transaction that has some, once it is committed and before its caller hears."""

    def read(self, caller: Caller, body: Callable[[Transaction], T], *, in_passing: bool = False) -> T:
        """Run `body` on one snapshot; a lost connection is opened again and the body run once more.

        What is asked of one database after another, again and again, is asked `in_passing`: it opens none for itself.
        """
        engine = self.visitor if in_passing else self.reader
        attempt = 0
        while True:
            attempt += 1
            try:
                return self._read_once(engine, caller, body)
            except (Aborted, ConnectionLost) as error:
                if attempt >= min(READ_ATTEMPTS, _most_attempts(error)):
                    raise
            except UndecodableText:
                self._read_leniently()

    @contextmanager
    def snapshot(self, caller: Caller) -> Iterator[Transaction]:
        """A transaction on one snapshot for as long as the context lasts; nothing in it is tried again."""
        with self._session(self.reader, caller, write=False) as session:
            yield session.transaction(self, caller)

    def write(self, caller: Caller, body: Callable[[Transaction], T], *, repeatable: bool = False) -> T:
        """Run `body` in a write transaction and commit it.

        A body that loses against another write is run again with growing, jittered waits, until the attempts or the
        caller's time are used up: then Aborted. A connection lost before COMMIT is opened again; one lost during
        COMMIT is tried again only when the write is `repeatable`, else Unavailable says that the outcome is unknown.
        """
        course = _Course(repeatable)
        try:
            return self._write(caller, body, course)
        except _NOT_OF_THE_REQUEST as error:
            if course.unknown:
                raise course.unknown_outcome() from error
            raise

    def _write(self, caller: Caller, body: Callable[[Transaction], T], course: "_Course") -> T:
        while True:
            course.attempts += 1
            try:
                return self._write_once(caller, body, course)
            except _Again:
                course.careful = True
                course.attempts -= 1
            except UndecodableText:
                self._read_leniently()
            except (Aborted, ConnectionLost) as error:
                most = min(self.dialect.options.attempts, _most_attempts(error))
                if isinstance(error, Contradicted) or course.is_over(most):
                    raise
                self._wait(caller, course.attempts)

    def _read_once(self, engine: Engine, caller: Caller, body: Callable[[Transaction], T]) -> T:
        with self._session(engine, caller, write=False) as session:
            return body(session.transaction(self, caller))

    def _write_once(self, caller: Caller, body: Callable[[Transaction], T], course: "_Course") -> T:
        self.written = time.monotonic()
        patience = caller.remaining_seconds()
        turn = self.dialect.turn(TURN_SECONDS if patience is None else min(TURN_SECONDS, patience))
        with turn, self._session(self.writer, caller, write=True) as session:
            tx = session.transaction(self, caller, course.careful)
            try:
                result = body(tx)
                tx.send_held()
                caller.check_deadline()
            except StoreError as error:
                if tx.setwise and not course.careful and _is_of_the_request(error):
                    raise _Again from error
                raise
            try:
                self._commit(session, course)
            finally:  # a COMMIT that failed may have been done nevertheless
                if tx.topics and self.committed is not None:
                    self.committed(tx.topics)
            return result

    def _commit(self, session: "_Session", course: "_Course") -> None:
        try:
            session.commit()
        except self.dialect.driver_errors as error:
            ours = self.dialect.translate(error)
            course.unknown = course.unknown or isinstance(ours, ConnectionLost)
            raise ours from error

    @contextmanager
    def _session(self, engine: Engine, caller: Caller, *, write: bool) -> "Iterator[_Session]":
        """A pooled connection in a transaction, which is undone unless it was committed."""
        caller.check_deadline()
        patience = self.dialect.options.pool_timeout_seconds
        remaining = caller.remaining_seconds()
        patience = patience if remaining is None else min(patience, remaining)
        pooled = self.dialect.connections.patiently(patience, lambda: self._connection(engine))
        session = _Session(pooled, self.dialect)
        try:
            session.begin(caller.remaining_seconds(), write=write)
            yield session
            session.went_well = True
        except ConnectionLost as error:
            session.broken = True
            if self.dialect.gave_up(session.connection):
                raise Unanswered from error
            raise
        except AnotherShape:
            self.types.clear()
            raise
        finally:
            session.end()
            if session.broken:
                self.types.clear()
                engine.dispose()  # the others of the pool were lost with it, or will be tried first for nothing

    def _connection(self, engine: Engine) -> Any:
        """Return a connection out of the pool; raises our error when there is none to be had."""
        began = time.monotonic()
        try:
            return engine.raw_connection()
        except PoolTimeout as error:
            raise ResourceExhausted(
                "All connections to the database are in use. Try again later, or raise the pool size of the server."
            ) from error
        except self._connecting_errors as error:
            self.types.clear()
            ours = self.dialect.translate(error)
            if isinstance(ours, ConnectionLost) and time.monotonic() - began > _LONG_SECONDS:
                raise Unanswered from error
            raise ours from error

    def _wait(self, caller: Caller, attempt: int) -> None:
        seconds = min(1.0, BACKOFF_SECONDS * 2**attempt) * CHANCE.uniform(0.5, 1.5)
        remaining = caller.remaining_seconds()
        if remaining is not None and remaining <= seconds:
            raise DeadlineExceeded(
                "The deadline of the call passed while it waited for other writes; nothing was written."
            )
        time.sleep(seconds)

    def _read_leniently(self) -> None:
        """Read bytes that are not UTF-8 as surrogates from here on, so that they leave as they came."""
        if not isinstance(self.dialect, SqliteDialect):
            raise AssertionError("only a SQLite session meets undecodable text")
        if self.dialect.lenient_text:
            return  # another call met it first
        LOG.warning("the database holds text that is not UTF-8; it is read and returned as it is")
        self.dialect.lenient_text = True
        self.reader.dispose()
        self.writer.dispose()

    def ping(self) -> None:
        """Make one round trip; raises Unavailable when the database does not answer, DataLoss when it is damaged.

        It reads as little as there is, since it is asked for every few seconds. So it finds what no call can do
        without: a file that is cut off or none of SQLite's, tables that were dropped. A page that is damaged in the
        middle of a large table it does not find; the calls that need it say so, and the others go on.
        """

        def body(tx: Transaction) -> None:
            tx.rows(_A_LITTLE)

        self.read(Caller(deadline=time.monotonic() + 5), body, in_passing=True)

    def agreed_ms(self, caller: Caller) -> int:
        """Return the time that every server of the database reads alike, as `Transaction.agreed_ms` does."""
        return self.read(caller, Transaction.agreed_ms)

    def let_go(self) -> None:
        """Close the connections that nobody uses, where they keep what they were given last."""
        if self.dialect.keeps_values:
            self.reader.dispose()
            self.writer.dispose()

    def close(self) -> None:
        """Close every connection."""
        self.reader.dispose()
        self.writer.dispose()
        self.dialect.connections.leave(self)


class _Session:
    """A driver's connection out of the pool, for one transaction."""

    __slots__ = ("_dialect", "_open", "_pooled", "broken", "connection", "properties", "went_well")

    def __init__(self, pooled: Any, dialect: Dialect) -> None:
        self._pooled = pooled
        self._dialect = dialect
        self._open = False
        self.broken = self.went_well = False
        self.connection = pooled.dbapi_connection
        self.properties = NO_CACHE

    def begin(self, patience_seconds: float | None, *, write: bool) -> None:
        """Begin; raises our error when the database does not let it."""
        try:
            self._open = True  # whatever fails here, memory for one, may fail behind the database's beginning
            self._dialect.begin(self.connection, patience_seconds, write=write)
            if not write:
                self._look_up_version()
        except self._dialect.driver_errors as error:
            raise self._dialect.translate(error) from error

    def _look_up_version(self) -> None:
        version = self._dialect.version(self.connection)
        if version is not None:
            cache: PropertyCache = self._pooled.info.setdefault(_PROPERTIES, PropertyCache())
            self.properties = cache.at(version)

    def transaction(self, database: Database, caller: Caller, careful: bool = False) -> Transaction:
        """Return the transaction as bodies see it."""
        return Transaction(
            database.dialect.cursor(self.connection),
            database.plans,
            database.dialect,
            database.text,
            database.types,
            caller,
            careful=careful,
            watch=database.watch,
            properties=self.properties,
            ways=database.ways,
        )

    def commit(self) -> None:
        """Commit; raises the driver's error."""
        self._dialect.commit(self.connection)
        self._open = False

    def end(self) -> None:
        """Undo what was not committed and give the connection back, or throw it away when it is of no more use."""
        if self._open and not self.broken:
            undo = self._dialect.end_reading if self.went_well else self._dialect.roll_back
            try:
                undo(self.connection)
            except Exception:  # noqa: BLE001 - the connection goes, and what led here is told
                self.broken = True
        if self.broken:
            self._pooled.invalidate()
        else:
            self._pooled.close()


class Contradicted(Aborted):
    """Aborted that trying again inside the server cannot help; the caller is told at once."""


class _Again(Exception):
    """The set-wise run met an error; the careful run finds the exact one."""


@dataclass(slots=True)
class _Course:
    """What became of a write so far."""

    repeatable: bool
    attempts: int = 0
    careful: bool = False
    unknown: bool = False
    """An earlier attempt may have been committed: the connection was lost during its COMMIT."""
    began: float = field(default_factory=time.monotonic)

    def is_over(self, attempts: float) -> bool:
        """Tell whether the write is not to be tried again, of at most `attempts` times."""
        if self.unknown and not self.repeatable:
            return True
        return self.attempts >= attempts or time.monotonic() - self.began > TURN_SECONDS

    def unknown_outcome(self) -> Unavailable:
        """Return what the caller is told when nobody can say whether the write took place."""
        mend = (
            "Send the call again under the same idempotency key: it takes place once."
            if self.repeatable
            else "Read back what the call would have written, or send writes with an idempotency key, which makes "
            "repeating safe."
        )
        return Unavailable(f"The connection to the database was lost during COMMIT, so the outcome is unknown. {mend}")


_NOT_OF_THE_REQUEST = (Aborted, DataLoss, DeadlineExceeded, ResourceExhausted, Unavailable, UndecodableText)


def _most_attempts(error: StoreError) -> float:
    """Return how often at most a call is tried that fails like this."""
    if isinstance(error, Unanswered):
        return 1
    return READ_ATTEMPTS if isinstance(error, NotReached) else math.inf


def _is_of_the_request(error: StoreError) -> bool:
    """Tell whether the error may be another one when the request is taken item by item."""
    return isinstance(error, Contradicted) or not isinstance(error, _NOT_OF_THE_REQUEST)
