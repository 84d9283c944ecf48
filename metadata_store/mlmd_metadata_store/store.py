"""A store: one database, opened, and the calls that it answers."""

import logging
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from google.protobuf.message import Message
from mlmd_migrations import Condition, SchemaError, condition_of, open_schema
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import BY_CODE, Code, FailedPrecondition, InvalidArgument, StoreError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import QueuePool

from mlmd_metadata_store.connections import Connections, NoConnectionLeft
from mlmd_metadata_store.database import Database
from mlmd_metadata_store.dialect_choice import make_dialect
from mlmd_metadata_store.dialects import Dialect, TooLong
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.receipts import Receipt
from mlmd_metadata_store.rpc import MLMD_SERVICE, Rpc, StreamRpc
from mlmd_metadata_store.transaction import Transaction

T = TypeVar("T")
LOG = logging.getLogger(__name__)
DEFAULT_OPTIONS = StoreOptions()


class Store:
    """One database and its calls; safe to use from many threads."""

    def __init__(self, database: Database, store_uuid: str) -> None:
        """Take a database that is opened and has all tables (see `open`), and the identity in its `mlmd_store`."""
        self.database = database
        self.store_uuid = store_uuid

    @classmethod
    def open(cls, url: str, options: StoreOptions = DEFAULT_OPTIONS, connections: Connections | None = None) -> "Store":
        """Open a database by URL, making the schema when there is none.

        `connections` are those that all databases of the process keep together; without, this one keeps its own.

        Raises the errors of the mlmd-write contract, section 9: FailedPrecondition for another schema version without
        leave to upgrade, Aborted for a schema that is there in part, Unavailable when the database cannot be reached.
        """
        dialect = make_dialect(url, options, connections)

        def opened() -> Store:
            dialect.prepare()
            return cls._opened(dialect, options)

        return dialect.connections.patiently(options.pool_timeout_seconds, opened)

    @classmethod
    def _opened(cls, dialect: Dialect, options: StoreOptions) -> "Store":
        engine = dialect.engine(writer=True)
        try:
            schema = open_schema(
                engine,
                enable_upgrade=options.enable_upgrade,
                downgrade_to=options.downgrade_to,
                google_text=options.google_text,
            )
        except SchemaError as error:
            raise _told(error, dialect, "opening the database") from error
        except DBAPIError as error:
            raise dialect.translate(error) from error
        finally:
            engine.dispose()
        return cls(Database(dialect, schema.text_mode), schema.store_uuid)

    def call(self, rpc: Rpc, caller: Caller, request: Message) -> Any:
        """Answer one call in one transaction; raises StoreError only.

        A write that carries an idempotency key is answered once: a repeat gets the stored response. A text that is
        longer than its column is the caller's error, but where MLMD's contract calls it INTERNAL.
        """
        try:
            return self._answer(rpc, caller, request)
        except TooLong as error:
            if rpc.service == MLMD_SERVICE:
                raise
            raise InvalidArgument(error.message) from error

    def _answer(self, rpc: Rpc, caller: Caller, request: Message) -> Any:
        if not rpc.write:
            return self.database.read(caller, lambda tx: rpc.body(tx, request))
        receipt = None if caller.idempotency_key is None else Receipt(rpc, request, caller.idempotency_key)
        answer = self._glanced(rpc, caller, request, receipt)
        if answer is not None:
            return answer
        if receipt is None:
            return self.database.write(caller, lambda tx: rpc.body(tx, request))
        return self.database.write(caller, receipt.body, repeatable=True)

    def _glanced(self, rpc: Rpc, caller: Caller, request: Message, receipt: Receipt | None) -> Any:
        """Raise what refuses a write at once; return the stored answer of one that is a repeat, None when it is to run.

        A repeat finds what the call itself changed, so it is known by its receipt before it is refused.
        """
        glance = rpc.glance
        if glance is None:
            return None

        def look(tx: Transaction) -> Any:
            try:
                glance(tx, request)
            except FailedPrecondition:
                answer = receipt.answer(tx) if receipt is not None else None
                if answer is None:
                    raise
                return answer
            return None

        return self.database.read(caller, look)

    def read(self, caller: Caller, body: Callable[[Transaction], T]) -> T:
        """Run several reads on one snapshot; raises StoreError and what `body` raises.

        A body whose connection was lost is run once more.
        """
        return self.database.read(caller, body)

    def stream(self, rpc: StreamRpc, caller: Caller, request: Message) -> Iterator[Any]:
        """Answer one call with a stream of one snapshot, held until the stream ends; raises StoreError only."""
        with self.database.snapshot(caller) as tx:
            for response in rpc.body(tx, request):
                yield response
                if caller.gone is not None and caller.gone.is_set():
                    return

    def ping(self) -> None:
        """Make one round trip to the database; raises Unavailable when it does not answer."""
        try:
            self.database.ping()
        except StoreError:
            raise
        except DBAPIError as error:
            raise self.database.dialect.translate(error) from error

    def condition(self) -> Condition:
        """Compare the shape of the database with what this code expects; raises StoreError."""
        dialect = self.database.dialect

        def looked() -> Condition:
            try:
                return condition_of(self.database.reader)
            except SchemaError as error:
                raise _told(error, dialect, "looking at the database's shape") from error

        return dialect.connections.patiently(dialect.options.pool_timeout_seconds, looked)

    def pool_use(self) -> dict[str, tuple[int, int]]:
        """Return connections in use and the size, for each pool."""
        pools = {"read": self.database.reader.pool, "write": self.database.writer.pool}
        bounded = {name: pool for name, pool in pools.items() if isinstance(pool, QueuePool)}
        return {name: (pool.checkedout(), pool.size()) for name, pool in bounded.items()}

    def close(self) -> None:
        """Close every connection."""
        self.database.close()


def _told(error: SchemaError, dialect: Dialect, doing: str) -> StoreError:
    """Return our error for one of the schema's; the database's own words go to the log."""
    if isinstance(error.__cause__, DBAPIError):
        ours = dialect.translate(error.__cause__)
        if isinstance(ours, NoConnectionLeft):
            return ours
    if error.detail:
        LOG.error("%s: %s", doing, error.detail)
    return BY_CODE[Code(error.code)](error.message)
