"""How many connections a process keeps for many databases, and what it does when their server has none left."""

import contextlib
import itertools
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mlmd_metadata_store import connections as module
from mlmd_metadata_store.connections import LEAST_IDLE, Connections, NoConnectionLeft
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.run_reaping import reap_runs
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, StoreError

from tests.metadata_store.calls import Calls
from tests.services.mariadb import MariaDB
from tests.services.sql_server import Address
from tests.services.waiting import wait_for

MOST = 24
"""What the server takes."""
TENANTS = 40
THREADS = 8
MOST_IDLE = 6
SHORT = StoreOptions(pool_timeout_seconds=0.3)


class Server:
    """A MariaDB that takes few connections, and a connection there that counts the others."""

    def __init__(self, server: MariaDB) -> None:
        self.server = server
        self._own = server.connect()
        self._lock = threading.Lock()
        self._names = itertools.count()
        self._stores: list[Store] = []

    def ask(self, statement: str) -> list[tuple[object, ...]]:
        """Return the rows of a statement."""
        with self._lock, contextlib.closing(self._own.cursor()) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def open(self) -> int:
        """Return how many other connections there are."""
        ((count,),) = self.ask(
            "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
            " AND user NOT IN ('system user', 'event_scheduler')"
        )
        assert isinstance(count, int)
        return count

    def status(self, name: str) -> int:
        """Return a counter of the server."""
        ((_, value),) = self.ask(f"SHOW GLOBAL STATUS LIKE '{name}'")
        return int(str(value))

    def stores(self, count: int, connections: Connections, options: StoreOptions = SHORT) -> list[Store]:
        """Open stores, the first so many of this test, on databases that other tests may have used."""
        urls = [self.server.url(f"facts_{next(self._names)}") for _ in range(count)]
        with ThreadPoolExecutor(4) as threads:
            opened = list(threads.map(lambda url: Store.open(url, options, connections), urls))
        self._stores += opened
        return opened

    def close_stores(self) -> None:
        """Close the stores that were opened."""
        for store in self._stores:
            store.close()

    def close(self) -> None:
        """Close the stores and the connection that counts."""
        self.close_stores()
        self._own.close()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A MariaDB that takes few connections."""
    server = MariaDB(tmp_path_factory.mktemp("few") / "mariadb", (f"--max-connections={MOST}",))
    server.start()
    yield server
    server.discard()


@pytest.fixture
def server(running: MariaDB) -> Iterator[Server]:
    """The server, on which nobody else has a connection."""
    with contextlib.closing(Server(running)) as counting:
        wait_for(lambda: counting.open() == 0)
        yield counting


def take_turns(server: Server, stores: list[Store], calls: int) -> int:
    """Call the stores from several threads in any order; return the most connections that were seen."""
    most = 0

    def work(thread: int) -> None:
        nonlocal most
        chance = random.Random(thread)
        for number in range(calls):
            store = chance.choice(stores)
            Calls(store)("PutArtifactType", artifact_type={"name": f"T{thread}-{number}"})
            assert Calls(store)("GetArtifactTypes").artifact_types
            reap_runs(chance.choice(stores))
            most = max(most, server.open())

    with ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(work, range(THREADS)))
    return most


def test_many_databases_in_turns_keep_few_connections(server: Server) -> None:
    connections = Connections(MOST_IDLE, visits=True)
    stores = server.stores(TENANTS, connections)
    assert 0 < take_turns(server, stores, 40) <= MOST_IDLE + 2 * THREADS  # the server takes a moment to close one
    wait_for(lambda: server.open() == connections.idle())
    assert connections.idle() <= MOST_IDLE
    server.close_stores()
    wait_for(lambda: server.open() == 0)
    assert connections.idle() == 0


@contextlib.contextmanager
def closing_rested(each: list[Connections], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what rests, as servers do, but sooner."""
    monkeypatch.setattr(module, "REST_SECONDS", 0.5)
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.1):
            for connections in each:
                connections.close_rested()

    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(work)
        try:
            yield
        finally:
            over.set()
        done.result(60)


def test_no_call_fails_for_idle_connections_of_other_databases(server: Server) -> None:
    """The process would keep more than the server has, and nobody closes what rests."""
    stores = server.stores(TENANTS, Connections(1000, visits=True), StoreOptions())
    assert (
        MOST_IDLE + THREADS < take_turns(server, stores, 20) <= MOST + 1
    )  # administrators, as this user is, get one more


def test_no_call_fails_for_what_rests_in_another_process(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    each = [Connections(1000, visits=True) for _ in range(2)]
    stores = [store for some in each for store in server.stores(TENANTS // 2, some, StoreOptions())]
    with closing_rested(each, monkeypatch):
        assert MOST_IDLE + THREADS < take_turns(server, stores, 20) <= MOST + 1


def test_no_call_fails_where_the_user_may_have_few_connections(server: Server) -> None:
    server.ask("CREATE OR REPLACE USER limited@127.0.0.1 IDENTIFIED BY 'limited' WITH MAX_USER_CONNECTIONS 3")
    server.ask("GRANT ALL ON `limited%`.* TO limited@127.0.0.1")
    address = Address(server.server.port, user="limited", password="limited")
    connections = Connections(1000)
    stores = [Store.open(address.url(f"limited_{number}"), StoreOptions(), connections) for number in range(4)]
    for _ in range(2):
        for store in stores:
            Calls(store)("PutArtifactType", artifact_type={"name": "T"})
            assert Calls(store)("GetArtifactTypes").artifact_types
    assert 0 < connections.idle() <= 3
    for store in stores:
        store.close()


@contextlib.contextmanager
def filled(server: Server) -> Iterator[list[Any]]:
    """Open connections, as others would, until the server takes no more; yield them."""
    import MySQLdb

    taken: list[Any] = []
    try:
        while True:
            try:
                taken.append(server.server.connect())
            except MySQLdb.OperationalError as error:
                assert error.args[0] == 1040  # noqa: PT017 - how many are taken until then is not known
                break
        yield taken
    finally:
        for connection in taken:
            connection.close()


def test_a_connection_is_waited_for_that_others_keep(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    connections = Connections()
    (store,) = server.stores(1, connections, StoreOptions())
    with filled(server) as taken, ThreadPoolExecutor(1) as threads:
        call = threads.submit(Calls(store), "GetArtifactTypes")
        wait_for(lambda: "no connection left" in caplog.text)
        assert not call.done()
        taken.pop().close()
        assert call.result(60) is not None


def test_where_others_keep_all_connections_the_error_names_the_settings(server: Server) -> None:
    (store,) = server.stores(1, Connections())
    url = server.server.create("new")
    settings = r"raise max_connections there, or lower the pool size of the servers"
    with filled(server):
        for failing in (
            lambda: Calls(store)("GetArtifactTypes"),
            lambda: Calls(store)("PutArtifactType", artifact_type={"name": "T"}),
            store.ping,
            store.condition,
            lambda: Store.open(url, SHORT),
        ):
            with pytest.raises(NoConnectionLeft, match=settings) as refused:
                failing()
            assert refused.value.code is Code.UNAVAILABLE
    Calls(store)("GetArtifactTypes")


def test_a_busy_database_keeps_its_connections_whatever_others_do(server: Server) -> None:
    """Its calls open none, and go to no other database; looks in passing take one connection for all."""
    connections = Connections(MOST_IDLE, visits=True)
    busy, *others = server.stores(6, connections)
    calls = Calls(busy)
    calls("PutArtifactType", artifact_type={"name": "T"})
    calls("GetArtifactTypes")
    reap_runs(busy)
    opened, asked = server.status("Connections"), Calls(busy)
    before = server.status("Com_select")
    for _ in range(20):
        asked("GetArtifactTypes")
    alone = server.status("Com_select") - before
    for _ in range(20):
        for other in others:
            assert not reap_runs(other)
    visited = server.status("Com_change_db")
    before = server.status("Com_select")
    for _ in range(20):
        asked("GetArtifactTypes")
    assert server.status("Com_select") - before == alone
    assert server.status("Connections") == opened
    assert visited > 0
    assert server.status("Com_change_db") == visited


def test_a_database_alone_keeps_what_its_calls_use_at_a_time(server: Server) -> None:
    """The bound is for many databases; a burst on one leaves what the next burst takes."""
    connections = Connections(2)
    (store,) = server.stores(1, connections)
    for _ in range(2):
        with contextlib.ExitStack() as stack:
            for _ in range(THREADS):
                stack.enter_context(store.database.snapshot(LOCAL))
            opened = server.status("Connections")
        assert connections.idle() == THREADS
    assert server.status("Connections") == opened
    server.close_stores()
    assert connections.idle() == 0


def test_what_rests_is_closed_but_a_few(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = Connections()
    (store,) = server.stores(1, connections)
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS):
            stack.enter_context(store.database.snapshot(LOCAL))
    connections.close_rested()
    assert connections.idle() == THREADS
    monkeypatch.setattr(module, "REST_SECONDS", 0.0)
    connections.close_rested()
    wait_for(lambda: server.open() == LEAST_IDLE)
    assert connections.idle() == LEAST_IDLE
    with contextlib.ExitStack() as stack:  # what was closed counts no more among those that the pool may have
        for _ in range(store.database.dialect.options.pool_size):
            stack.enter_context(store.database.snapshot(LOCAL))


def test_who_waits_for_a_pool_gets_a_new_connection_when_one_is_closed_from_outside(server: Server) -> None:
    connections = Connections()
    (store,) = server.stores(1, connections, StoreOptions(pool_size=1))
    snapshot = store.database.snapshot(LOCAL)
    snapshot.__enter__()
    with ThreadPoolExecutor(2) as threads:
        calls = [threads.submit(Calls(store), "GetArtifactTypes") for _ in range(2)]
        snapshot.__exit__(None, None, None)
        connections.close_some()
        for call in calls:
            assert call.result(60) is not None


def test_what_was_in_use_when_its_pool_was_disposed_of_is_closed(server: Server) -> None:
    connections = Connections()
    (store,) = server.stores(1, connections)
    with store.database.snapshot(LOCAL):
        store.database.reader.dispose()
        assert server.open() == 1
    wait_for(lambda: server.open() == 0)
    assert connections.idle() == 0


def test_a_visit_to_a_database_that_is_gone_leads_to_no_other(server: Server) -> None:
    connections = Connections(visits=True)
    gone, there = server.stores(2, connections)
    reap_runs(there)
    server.ask(f"DROP DATABASE `{gone.database.dialect.url.database}`")
    with pytest.raises(StoreError, match="there is no database of that name"):
        reap_runs(gone)
    assert reap_runs(there) == []
