"""The connections of one process to the servers of its databases: how many stay open while nobody uses them.

Each database has pools of its own, so that its connections never serve another. What is idle in them is bounded over
all together: with hundreds of databases on one server a process would else keep hundreds of connections, and the
server, which has 151 by default, would refuse the next one.
"""

import logging
import math
import threading
import time
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from mlmd_schemas.chance import CHANCE
from mlmd_schemas.errors import Unavailable
from sqlalchemy.engine import Engine
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

T = TypeVar("T")
LOG = logging.getLogger(__name__)
MOST_IDLE = 32
LEAST_IDLE = 4
"""So many are kept however long they rest: a process with little to do answers the next call as fast."""
REST_SECONDS = 20.0
"""How long others are kept: less than callers wait, so that a process gets what another one of ours keeps."""
CLOSE_EVERY_SECONDS = 3.0
_CLOSED_AT_ONCE = 4
_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.01, 0.5
_TELL_EVERY_SECONDS = 60.0
_TURN_SECONDS = 1.0
"""After so long it is seen that a connection may be opened since one of the pool was closed from outside."""


class NoConnectionLeft(Unavailable):
    """The server of the database has as many connections as it takes; one may be free at any moment."""


class Connections:
    """What the pools of one process keep open; safe to use from many threads.

    At most `most_idle` connections are idle: when one more is given back, those of other databases are closed that have
    been idle for longest. A database alone keeps as many as its pools hold.
    """

    def __init__(self, most_idle: int = MOST_IDLE, *, visits: bool = False) -> None:
        """`visits` says that the databases of one account share connections for looks in passing."""
        self.most_idle = most_idle
        self.visits = visits
        self._idle: OrderedDict[ConnectionPoolEntry, tuple[BoundedPool, float]] = OrderedDict()
        """The idle ones and since when, those that have been idle for longest first."""
        # What the garbage collector finds gives its connection back wherever a thread just is: so the lock lets the
        # same thread in, and `_idle` is walked through by a list of its keys, any of which may be gone meanwhile.
        self._lock = threading.RLock()
        self._visitors: dict[Hashable, Engine] = {}
        self._users: weakref.WeakSet[Any] = weakref.WeakSet()
        self._told = -_TELL_EVERY_SECONDS

    def join(self, user: object) -> None:
        """Note a user of the connections for visits."""
        with self._lock:
            self._users.add(user)

    def leave(self, user: object) -> None:
        """Forget a user; with the last one the connections for visits are closed."""
        with self._lock:
            self._users.discard(user)
            visitors = [] if self._users else list(self._visitors.values())
        for visitor in visitors:
            visitor.dispose()

    def visitor(self, account: Hashable, make: Callable[[], Engine]) -> Engine:
        """Return the engine whose connections visit every database of an account."""
        with self._lock:
            visitor = self._visitors.get(account)
            if visitor is None:
                visitor = self._visitors[account] = make()
            return visitor

    def idle(self) -> int:
        """Return how many connections are open that nobody uses."""
        with self._lock:
            return len(self._idle)

    def took(self, record: ConnectionPoolEntry) -> None:
        """Note that a connection is in use."""
        with self._lock:
            self._idle.pop(record, None)

    def give_back(self, pool: "BoundedPool", record: ConnectionPoolEntry) -> None:
        """Put a connection back into its pool, and close what are too many then."""
        with self._lock:
            if not pool.put_back(record):
                closing = [record]
            else:
                self._idle[record] = (pool, time.monotonic())
                closing = self._withdrawn(self._too_many(pool.database))
        _close(closing)

    def disposing(self, pool: "BoundedPool") -> None:
        """Note that a pool keeps nothing any more."""
        with self._lock:
            pool.is_disposed = True
            for record in list(self._idle):
                if self._entry(record)[0] is pool:
                    self._idle.pop(record, None)

    def close_rested(self) -> None:
        """Close what nobody has used for some time, all but a few; to be called every few seconds."""
        until = time.monotonic() - REST_SECONDS
        with self._lock:
            spare = list(self._idle)[: max(0, len(self._idle) - LEAST_IDLE)]
            closing = self._withdrawn([record for record in spare if self._entry(record)[1] < until])
        _close(closing)

    def close_some(self) -> None:
        """Close a few of those that have been idle for longest, whose ever they are."""
        with self._lock:
            closing = self._withdrawn(list(self._idle)[:_CLOSED_AT_ONCE])
        _close(closing)

    def patiently(self, seconds: float, connect: Callable[[], T]) -> T:
        """Connect; where the server has no connection left, close idle ones of ours and try again for so long.

        Another process of ours gives back what it does not use within `REST_SECONDS`.
        """
        until = time.monotonic() + seconds
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return connect()
            except NoConnectionLeft as error:
                self._tell(error)
                self.close_some()
                waited = pause * CHANCE.uniform(0.5, 1.5)
                if time.monotonic() + waited > until:
                    raise
            time.sleep(waited)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _tell(self, error: NoConnectionLeft) -> None:
        now = time.monotonic()
        if now - self._told >= _TELL_EVERY_SECONDS:
            self._told = now
            LOG.warning("closing idle connections and waiting: %s", error.message)

    def _too_many(self, database: object) -> list[ConnectionPoolEntry]:
        more = len(self._idle) - self.most_idle
        if more <= 0:
            return []
        entries = [(record, self._entry(record)[0]) for record in list(self._idle)]
        return [record for record, pool in entries if pool is not None and pool.database != database][:more]

    def _entry(self, record: ConnectionPoolEntry) -> "tuple[BoundedPool | None, float]":
        return self._idle.get(record, (None, math.inf))

    def _withdrawn(self, records: list[ConnectionPoolEntry]) -> list[ConnectionPoolEntry]:
        """Take these out of their pools; return those that nobody else took at this moment."""
        entries = [(record, self._idle.pop(record, None)) for record in records]
        return [record for record, entry in entries if entry is not None and entry[0].withdraw(record)]


class BoundedPool(QueuePool):
    """The pool of one database, whose idle connections count among those of the process."""

    connections: Connections
    database: object
    """What it leads to; a database's pools have the same."""
    is_disposed = False

    def __init__(
        self,
        creator: Any,
        pool_size: int = 5,
        max_overflow: int = 10,
        timeout: float = 30.0,
        use_lifo: bool = False,
        connections: Connections | None = None,
        database: object = None,
        **named: Any,
    ) -> None:
        """Take SQLAlchemy's arguments, all by the names that `create_engine` looks up, and ours."""
        super().__init__(creator, pool_size, max_overflow, min(timeout, _TURN_SECONDS), use_lifo, **named)
        self.patience_seconds = timeout
        self.connections = connections if connections is not None else Connections()
        self.database = database

    def recreate(self) -> "BoundedPool":
        """Return a new pool like this one."""
        new = super().recreate()
        if not isinstance(new, BoundedPool):
            raise AssertionError("a pool is recreated as one of its class")
        new.patience_seconds, new.connections, new.database = self.patience_seconds, self.connections, self.database
        return new

    def dispose(self) -> None:
        """Close what is idle; what is in use is closed when it is given back."""
        self.connections.disposing(self)
        super().dispose()

    def put_back(self, record: ConnectionPoolEntry) -> bool:
        """Put a connection back; False when it is to be closed, since the pool was disposed of."""
        if self.is_disposed:
            return False
        super()._do_return_conn(record)
        return True

    def withdraw(self, record: ConnectionPoolEntry) -> bool:
        """Take a connection out for good; False when somebody else took it out."""
        # SQLAlchemy lets nobody do so: `invalidate` would close it under who takes it out at this moment.
        with self._pool.mutex:  # type: ignore[attr-defined]  # SQLAlchemy's queue for threads has one
            try:
                self._pool.queue.remove(record)  # type: ignore[attr-defined]
            except ValueError:
                return False
        return self._dec_overflow()

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        self.connections.give_back(self, record)

    def _do_get(self) -> ConnectionPoolEntry:
        until = time.monotonic() + self.patience_seconds
        while True:
            try:
                record = super()._do_get()
            except PoolTimeout:
                if time.monotonic() >= until:
                    raise
            else:
                self.connections.took(record)
                return record


def _close(records: list[ConnectionPoolEntry]) -> None:
    for record in records:
        record.close()
