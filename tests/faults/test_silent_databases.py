"""A database that says nothing any more, though its machine acknowledges all it is sent: no call hangs on it for ever.

The proxy swallows what both sides send, on every connection or on one, and closes nothing. What only takes long is
waited for all the same.
"""

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from mlmd_metadata_store import database, mysql_driver, mysql_watch
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, StoreError

from tests.conftest import StartServer
from tests.faults.contents import contents
from tests.faults.test_cut_connections import is_commit
from tests.faults.writes import WRITES, Ground
from tests.metadata_store.calls import Calls
from tests.services.mysql_packets import packets
from tests.services.proxy import Moment, Proxy
from tests.services.sql_server import Address
from tests.services.waiting import wait_for

PATIENCE_SECONDS = 2.0
PUT = "PutArtifacts"


@dataclass
class Far:
    """A store whose database is behind a proxy."""

    proxy: Proxy
    store: Store
    url: str
    ground: Ground

    def start(self, mark: str, key: str | None = None) -> "Started":
        """Begin a write in a thread."""
        return Started(Calls(self.store, replace(LOCAL, idempotency_key=key)), WRITES[PUT](self.ground, mark))

    def written(self, mark: str) -> int:
        """Return how many artifacts of a write are there."""
        return contents(self.url).marked(mark).get("Artifact", 0)


class Started:
    """A write under way."""

    def __init__(self, calls: Calls, request: Any) -> None:
        self.error: StoreError | None = None
        self._thread = threading.Thread(target=self._run, args=(calls, request), daemon=True)
        self._thread.start()

    def _run(self, calls: Calls, request: Any) -> None:
        try:
            calls(PUT, request)
        except StoreError as error:
            self.error = error

    def outcome(self) -> StoreError | None:
        """Wait for the end, which has to come; return the error."""
        self._thread.join(100)
        assert not self._thread.is_alive(), "the call hangs"
        return self.error


@pytest.fixture
def far(mariadb: Address, database_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Far]:
    """A store that is patient for two seconds, on warm connections."""
    monkeypatch.setattr(mysql_watch, "PATIENCE_SECONDS", PATIENCE_SECONDS)
    monkeypatch.setattr(mysql_driver, "PROBE_SECONDS", 2)
    monkeypatch.setattr(database, "_LONG_SECONDS", 1.0)
    with mariadb.database(database_name) as url, Proxy(mariadb.port, packets) as proxy:
        direct = Store.open(url)
        store = Store.open(Address(proxy.port).url(database_name), StoreOptions(pool_size=4))
        found = Far(proxy, store, url, Ground(Calls(direct)))
        assert found.start("warm").outcome() is None
        Calls(store)("GetArtifacts")
        proxy.calm()
        yield found
        proxy.calm()
        proxy.cut_all()
        store.close()
        direct.close()


def test_a_database_that_fell_silent_is_told_and_found_again(far: Far) -> None:
    far.proxy.frozen = True
    writes = [far.start(f"silent-{number}") for number in range(3)]
    assert Calls(far.store).code("GetArtifacts") is Code.UNAVAILABLE
    for write in writes:
        error = write.outcome()
        assert error is not None
        assert error.code is Code.UNAVAILABLE
        assert "does not answer" in error.message
    again = far.start("silent-3").outcome()
    assert again is not None, "a new connection gets no answer either"
    assert again.code is Code.UNAVAILABLE
    far.proxy.frozen = False
    assert far.start("back").outcome() is None
    assert Calls(far.store)("GetArtifacts").artifacts
    assert (far.written("silent-"), far.written("back")) == (0, 3)
    assert {pool: in_use for pool, (in_use, _) in far.store.pool_use().items()} == {"read": 0, "write": 0}


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.ANSWERED])
@pytest.mark.parametrize("key", [None, "k"])
def test_a_commit_whose_answer_never_comes_is_unknown(far: Far, moment: Moment, key: str | None) -> None:
    cut = far.proxy.cut(1, moment, is_commit, silent=True)
    write = far.start("unknown", key)
    assert cut.wait()
    far.proxy.frozen = True
    error = write.outcome()
    assert error is not None
    assert error.code is Code.UNAVAILABLE
    assert "the outcome is unknown" in error.message
    assert ("same idempotency key" in error.message) == (key is not None)
    far.proxy.calm()
    far.proxy.cut_all()
    if key is None:
        assert far.written("unknown") == (3 if moment is Moment.ANSWERED else 0), "it was not tried again"
        return
    assert far.start("unknown", key).outcome() is None
    assert far.written("unknown") == 3, "it took place once"


@pytest.mark.parametrize("moment", [Moment.BEFORE, Moment.ANSWERED])
def test_one_connection_that_fell_silent_is_replaced(far: Far, moment: Moment) -> None:
    """The database answers on others, and says that it waits for this one to ask."""
    cut = far.proxy.cut(2, moment, lambda statement: not is_commit(statement), silent=True)
    assert far.start("lonely").outcome() is None
    assert cut.happened
    assert far.written("lonely") == 3
    cut = far.proxy.cut(1, moment, lambda statement: statement.startswith("SELECT"), silent=True)
    assert Calls(far.store)("GetArtifacts").artifacts
    assert cut.happened


def test_a_commit_on_one_silent_connection_is_unknown_without_a_key(far: Far) -> None:
    far.proxy.cut(1, Moment.ANSWERED, is_commit, silent=True)
    error = far.start("alone").outcome()
    assert error is not None
    assert "the outcome is unknown" in error.message
    assert far.written("alone") == 3, "and it was not tried again"
    far.proxy.cut(1, Moment.ANSWERED, is_commit, silent=True)
    assert far.start("keyed", "a-key").outcome() is None
    assert far.written("keyed") == 3


def test_what_takes_long_is_waited_for(far: Far, mariadb: Address) -> None:
    """A statement that works, a lock, and an answer that trickles in last longer than the patience."""
    long = sa.text(f"SELECT SLEEP({2.5 * PATIENCE_SECONDS})")
    rows = far.store.read(LOCAL, lambda tx: tx.rows(long))
    assert rows == ((0,),)
    blocker = mariadb.connect(far.url.rsplit("/", 1)[1], autocommit=False)
    blocker.cursor().execute("SELECT * FROM Artifact FOR UPDATE")
    write = far.start("locked")
    time.sleep(2.5 * PATIENCE_SECONDS)  # how long it waits is what is tested
    blocker.rollback()
    blocker.close()
    assert write.outcome() is None
    assert far.written("locked") == 3
    text = sa.text("SELECT REPEAT('x', 600000)")
    far.proxy.bytes_per_second = 100_000
    ((found,),) = far.store.read(LOCAL, lambda tx: tx.rows(text))
    assert len(found) == 600_000


def test_idle_connections_are_left_alone(far: Far) -> None:
    with far.store.database.snapshot(LOCAL) as tx:
        before = tx.rows(sa.text("SELECT CONNECTION_ID()"))
        time.sleep(2 * PATIENCE_SECONDS)  # how long it rests is what is tested
        assert tx.rows(sa.text("SELECT CONNECTION_ID()")) == before


def test_readiness_says_so_meanwhile(start_server: StartServer, mariadb: Address, database_name: str) -> None:
    with mariadb.database(database_name), Proxy(mariadb.port, packets) as proxy:
        server = start_server(Address(proxy.port).url(database_name), http=True)
        with httpx.Client(base_url=f"http://127.0.0.1:{server.http_port}", timeout=60, trust_env=False) as client:
            assert client.get("/readyz").status_code == 200
            proxy.frozen = True
            with ThreadPoolExecutor(20) as pool:
                answers = list(pool.map(lambda _: client.get("/readyz"), range(20)))
            assert {answer.status_code for answer in answers} == {503}
            assert {answer.text for answer in answers} == {"The database has not answered for 5 seconds.\n"}
            assert client.get("/healthz").status_code == 200
            proxy.frozen = False
            wait_for(lambda: client.get("/readyz").status_code == 200)
