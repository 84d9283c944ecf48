"""Connections that the database ends by itself: the next call opens others, and nobody notices."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from sqlalchemy.pool import QueuePool

from tests.faults.contents import contents
from tests.faults.writes import WRITES, Ground
from tests.metadata_store.calls import Calls
from tests.services import mysql as mysql_service
from tests.services.missing import missing
from tests.services.sql_server import Address, SqlServer
from tests.services.waiting import wait_for

CONNECTIONS = 4


@pytest.fixture(params=["mariadb", pytest.param("mysql9", marks=pytest.mark.mysql9)])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlServer]:
    """A server of the test's own: MySQL says why it ends an idle connection, MariaDB does not."""
    if request.param == "mariadb":
        yield request.getfixturevalue("own_mariadb")
        return
    if (sentence := mysql_service.absence()) is not None:
        missing(sentence, tolerated=True)
    pytest.importorskip("MySQLdb")
    started = mysql_service.MySQL(tmp_path / "mysql9")
    started.start()
    yield started
    started.discard()


@pytest.fixture
def own_store(server: SqlServer) -> Iterator[Store]:
    """A store on that server."""
    store = Store.open(server.create("facts"), StoreOptions(pool_size=CONNECTIONS))
    yield store
    store.close()


def fill_pools(store: Store) -> None:
    """Use every connection of both pools at once, so that all of them are open."""
    barrier = threading.Barrier(CONNECTIONS)
    ended = threading.Barrier(CONNECTIONS)

    def hold(engine: sa.Engine) -> None:
        connection = engine.raw_connection()
        barrier.wait(30)
        ended.wait(30)
        connection.close()

    for engine in (store.database.reader, store.database.writer):
        with ThreadPoolExecutor(CONNECTIONS) as threads:
            list(threads.map(hold, [engine] * CONNECTIONS))
    pool = store.database.reader.pool
    assert isinstance(pool, QueuePool)
    assert pool.checkedin() == CONNECTIONS


def connections(server: Address) -> list[int]:
    rows = server.execute("SELECT id FROM information_schema.processlist WHERE db IS NOT NULL AND db <> ''")
    return [connection for (connection,) in rows]


def all_calls_work(store: Store, ground: Ground, mark: str) -> None:
    """Read and write from many threads at once; each call succeeds at once."""
    calls = Calls(store)

    def work(number: int) -> None:
        assert calls("GetArtifactsByID", artifact_ids=[ground.artifact]).artifacts
        calls("PutArtifacts", WRITES["PutArtifacts"](ground, f"{mark}{number}"))

    with ThreadPoolExecutor(2 * CONNECTIONS) as pool:
        list(pool.map(work, range(4 * CONNECTIONS)))


def wait_until_gone(server: Address) -> None:
    wait_for(lambda: not connections(server))


def test_connections_that_were_idle_for_too_long(own_store: Store, server: SqlServer) -> None:
    ground = Ground(Calls(own_store))
    own_store.database.reader.dispose()
    own_store.database.writer.dispose()
    server.execute("SET GLOBAL wait_timeout = 1")
    fill_pools(own_store)
    server.execute("SET GLOBAL wait_timeout = 28800")  # a busy thread of ours may be idle for longer than a second
    wait_until_gone(server)
    all_calls_work(own_store, ground, "idle")


def test_connections_that_were_killed(own_store: Store, server: SqlServer) -> None:
    import MySQLdb

    ground = Ground(Calls(own_store))
    for round_number in range(3):
        fill_pools(own_store)
        for connection in connections(server):
            with contextlib.suppress(MySQLdb.OperationalError):  # one that was closed in the last round, and gone now
                server.execute(f"KILL {connection}")
        all_calls_work(own_store, ground, f"killed-{round_number}-")


def test_a_write_whose_statement_is_killed_is_made_again(own_store: Store, server: SqlServer) -> None:
    """The connection is killed while a statement of it waits for a lock."""
    ground = Ground(Calls(own_store))
    with contextlib.closing(server.connect("facts", autocommit=False)) as blocker:
        blocker.cursor().execute("SELECT * FROM Artifact FOR UPDATE")
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(Calls(own_store), "PutArtifacts", WRITES["PutArtifacts"](ground, "waiting"))
            killed: list[int] = []
            for _ in range(3):
                killed.append(waiting(server, killed))
                server.execute(f"KILL {killed[-1]}")
            blocker.rollback()
            assert len(call.result(60).artifact_ids) == 3
    assert contents(server.url("facts")).marked("waiting")["Artifact"] == 3


def waiting(server: Address, others: list[int]) -> int:
    """Return a connection whose statement waits for a lock, none of the `others`."""

    def another() -> int:
        return next((connection for connection in server.waiting("facts") if connection not in others), 0)

    return wait_for(another)


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_a_server_that_was_restarted(own_store: Store, server: SqlServer, end: str) -> None:
    server.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    ground = Ground(Calls(own_store))
    fill_pools(own_store)
    before = Calls(own_store)("GetArtifacts")
    request = WRITES["PutExecution"](ground, "away")
    getattr(server, end)()
    for method in ("GetArtifacts", "GetContexts"):
        assert Calls(own_store).code(method) is Code.UNAVAILABLE
    message = Calls(own_store).message("PutExecution", request)
    assert "nothing listens" in message or "was lost" in message
    with pytest.raises(StoreError) as refused:
        own_store.ping()
    assert refused.value.code is Code.UNAVAILABLE
    server.start()
    own_store.ping()
    assert Calls(own_store)("GetArtifacts") == before
    all_calls_work(own_store, ground, "back")
    assert not contents(server.url("facts")).marked("away")


def test_calls_go_on_through_a_restart(own_store: Store, server: SqlServer) -> None:
    """Calls made all the time while the server restarts end in OK or UNAVAILABLE; what was acknowledged is there."""
    ground = Ground(Calls(own_store))
    over = threading.Event()
    codes: set[Code] = set()
    acknowledged: list[str] = []

    def work(worker: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            name = f"w{worker}-{number}"
            caller = replace(LOCAL, idempotency_key=name)
            artifact = pb.Artifact(type_id=ground.data, name=name)
            code = Calls(own_store, caller).code("PutArtifacts", artifacts=[artifact])
            codes.add(code)
            if code is Code.OK:
                acknowledged.append(name)
            codes.add(Calls(own_store).code("GetArtifactsByID", artifact_ids=[ground.artifact]))

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(work, worker) for worker in range(4)]
        wait_for(lambda: acknowledged)
        server.restart()
        so_far = len(acknowledged)
        try:
            wait_for(lambda: len(acknowledged) >= so_far + 40)
        finally:
            over.set()
        for worker in workers:
            worker.result(60)
    assert codes <= {Code.OK, Code.UNAVAILABLE}
    stored = {artifact.name for artifact in Calls(own_store)("GetArtifacts").artifacts}
    assert stored >= set(acknowledged)


def test_the_kernel_watches_over_silent_peers(own_store: Store) -> None:
    connection = own_store.database.writer.raw_connection()
    driver: Any = connection.dbapi_connection
    descriptor = driver.fileno()
    with contextlib.closing(socket.socket(fileno=socket.dup(descriptor))) as watched:
        assert watched.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert 0 < watched.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000
    connection.close()
