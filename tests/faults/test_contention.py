"""Writers that want the same rows: the server sorts it out, and with retries switched off it says so."""

import contextlib
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.message import Message
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.receipts import Receipt
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import ARTIFACT

from tests.api.wires import Doors, say
from tests.conftest import StartServer
from tests.faults.contents import contents
from tests.faults.remote import Remote
from tests.faults.writes import WRITES, Ground
from tests.metadata_store.calls import RPCS, Calls
from tests.mlmd_server.processes import in_flight
from tests.services.lock_waits import loses, waits
from tests.services.mariadb import MariaDB
from tests.services.waiting import wait_for

OpenStore = Callable[..., Store]
THREADS = 64


@pytest.fixture
def open_store() -> Iterator[OpenStore]:
    """Open a store with options; all of them are closed at the end."""
    with contextlib.ExitStack() as opened:

        def open_one(url: str, **options: Any) -> Store:
            store = Store.open(url, StoreOptions(**options))
            opened.callback(store.close)
            return store

        yield open_one


class Meeting:
    """Lets two stores go on only when each is about to send a certain statement, the first time that it is."""

    def __init__(self) -> None:
        self._barrier = threading.Barrier(2)

    def at(self, store: Store, beginning: str, ending: str = "") -> None:
        """Let the store wait at its first statement of this beginning and end."""
        first = iter([True])

        def watch(statement: str) -> None:
            if statement.startswith(beginning) and statement.endswith(ending) and next(first, False):
                self._barrier.wait(30)

        store.database.watch = watch


def crossing_requests(ground: Ground) -> tuple[Message, Message]:
    """Two calls that change one artifact and one context: PutExecution in this order, the other in the other."""
    artifact, context = ground.new_artifact("first", id=ground.artifact), ground.new_context("first", id=ground.context)
    execution = service.PutExecutionRequest(
        execution=ground.new_execution("first"), artifact_event_pairs=[{"artifact": artifact}], contexts=[context]
    )
    artifact, context = ground.new_artifact("other", id=ground.artifact), ground.new_context("other", id=ground.context)
    subgraph = service.PutLineageSubgraphRequest(artifacts=[artifact], contexts=[context])
    for request in (execution.artifact_event_pairs[0].artifact, subgraph.artifacts[0]):
        request.ClearField("name")
    return execution, subgraph


@pytest.mark.parametrize("attempts", [1, 10])
def test_a_deadlock_on_purpose(mariadb_url: str, open_store: OpenStore, attempts: int) -> None:
    stores = [open_store(mariadb_url, attempts=attempts) for _ in range(2)]
    ground = Ground(Calls(stores[0]))
    requests = crossing_requests(ground)
    meeting = Meeting()
    meeting.at(stores[0], "SELECT `Context`", "FOR UPDATE")  # has changed the artifact, wants the context
    meeting.at(stores[1], "SELECT `Artifact`", "FOR UPDATE")  # has changed the context, wants the artifact
    with ThreadPoolExecutor(2) as pool:
        methods = ("PutExecution", "PutLineageSubgraph")
        waiting = [pool.submit(Calls(s).code, m, r) for s, m, r in zip(stores, methods, requests, strict=True)]
        codes = [future.result(60) for future in waiting]
    found = contents(mariadb_url)
    if attempts > 1:
        assert codes == [Code.OK, Code.OK]
        return
    assert sorted(codes) == [Code.OK, Code.ABORTED]
    winner, loser = ("first", "other") if codes[0] is Code.OK else ("other", "first")
    assert found.marked(winner).keys() >= {"Artifact", "ArtifactProperty", "ContextProperty"}
    assert not found.marked(loser)
    for store, method, request in zip(stores, methods, requests, strict=True):
        store.database.watch = None
        if codes[stores.index(store)] is Code.ABORTED:
            assert Calls(store).code(method, request) is Code.OK, "the next call works"


def fan_out(ground: Ground, run: str, name: str) -> Message:
    """What every task of a pipeline sends: the same pipeline, the same run, the same input."""
    return service.PutExecutionRequest(
        execution=ground.new_execution(name, suffix="-done"),
        artifact_event_pairs=[
            {"event": {"type": pb.Event.INPUT, "artifact_id": ground.artifact}},
            {"artifact": ground.new_artifact(name, suffix="-made"), "event": {"type": pb.Event.OUTPUT}},
        ],
        contexts=[pb.Context(type_id=ground.group, name="pipeline"), pb.Context(type_id=ground.group, name=run)],
        options={"reuse_context_if_already_exist": True},
    )


@pytest.mark.parametrize("attempts", [1, 10])
def test_64_tasks_of_one_run(database_url: str, open_store: OpenStore, attempts: int) -> None:
    store = open_store(database_url, attempts=attempts)
    ground = Ground(Calls(store))
    start = threading.Barrier(THREADS)

    def task(number: int) -> list[tuple[str, Code]]:
        start.wait(60)
        names = [f"t{number}-{run}-" for run in range(3)]
        return [(name, Calls(store).code("PutExecution", fan_out(ground, name[-2], name))) for name in names]

    with ThreadPoolExecutor(THREADS) as pool:
        codes = {name: code for answers in pool.map(task, range(THREADS)) for name, code in answers}
    assert set(codes.values()) <= ({Code.OK} if attempts > 1 else {Code.OK, Code.ABORTED})
    found = contents(database_url)
    names = {cell for table in ("Execution", "Artifact") for row in found.rows[table] for cell in row}
    for name, code in codes.items():
        there = {f"{name}-done", f"{name}-made"} & names
        assert len(there) == (2 if code is Code.OK else 0), name
    successes = list(codes.values()).count(Code.OK)
    assert len(found.rows["Event"]) == 2 * successes
    assert len(found.rows["Association"]) == 2 * successes
    assert len(found.rows["Context"]) == 2 + 1 + 3, "the kept ones, the pipeline and its three runs"


def test_a_lock_that_is_not_to_be_had_in_time(own_mariadb: MariaDB, open_store: OpenStore) -> None:
    own_mariadb.execute("SET GLOBAL innodb_lock_wait_timeout = 1")
    url = own_mariadb.create("facts")
    impatient, patient = open_store(url, attempts=1), open_store(url, attempts=10)
    ground = Ground(Calls(impatient))
    before = contents(url)
    with contextlib.closing(own_mariadb.connect("facts", autocommit=False)) as blocker:
        blocker.cursor().execute("SELECT * FROM Artifact FOR UPDATE")
        calls = Calls(impatient)
        assert calls.code("PutArtifacts", WRITES["PutArtifacts"](ground, "early")) is Code.ABORTED
        assert calls("GetArtifacts").artifacts, "reading goes on"
        late = Calls(patient, replace(LOCAL, deadline=time.monotonic() + 0.5))
        assert late.code("PutArtifacts", WRITES["PutArtifacts"](ground, "late")) is Code.DEADLINE_EXCEEDED
        with ThreadPoolExecutor(1) as pool:
            is_at_it_again = loses(patient)
            call = pool.submit(Calls(patient), "PutArtifacts", WRITES["PutArtifacts"](ground, "patient"))
            wait_for(is_at_it_again)
            blocker.rollback()
            assert call.result(60).artifact_ids
    after = contents(url)
    assert not after.marked("early")
    assert not after.marked("late")
    assert after.more(before)["Artifact"] == 2


@contextlib.contextmanager
def writing(store: Store, ground: Ground) -> Iterator[None]:
    """Another writer has changed the ground's artifact and has not committed yet."""
    written, goes_on = threading.Event(), threading.Event()

    def body(tx: Any) -> None:
        tx.execute(sa.update(ARTIFACT).where(ARTIFACT.c.id == ground.artifact).values(uri="by the other"))
        written.set()
        assert goes_on.wait(60)

    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(store.database.write, LOCAL, body)
        try:
            assert written.wait(30)
            yield
        finally:
            goes_on.set()
        other.result(60)


def test_write_71_a_put_that_waits_too_long_is_aborted_and_can_be_made_again(
    database_url: str, open_store: OpenStore
) -> None:
    holder, store = open_store(database_url), open_store(database_url, attempts=1, lock_timeout_seconds=0.1)
    if store.database.dialect.name == "mysql":
        with store.database.writer.connect() as connection:  # else MySQL waits for 50 seconds
            connection.exec_driver_sql("SET SESSION innodb_lock_wait_timeout = 1")
    calls, ground = Calls(store), Ground(Calls(holder))
    late = service.PutArtifactsRequest(artifacts=[pb.Artifact(id=ground.artifact, uri="late")])
    with writing(holder, ground):
        assert calls.code("PutArtifacts", late) is Code.ABORTED
    (found,) = calls("GetArtifactsByID", artifact_ids=[ground.artifact]).artifacts
    assert found.uri == "by the other"
    assert calls.code("PutArtifacts", late) is Code.OK
    (found,) = calls("GetArtifactsByID", artifact_ids=[ground.artifact]).artifacts
    assert found.uri == "late"


HOLDER = (
    "import sqlite3, sys\n"
    "held = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
    "held.execute('BEGIN IMMEDIATE')\n"
    "print('held', flush=True)\n"
    "sys.stdin.read()\n"
)


@contextlib.contextmanager
def held_by_another_process(url: str) -> Iterator[None]:
    """Another process holds SQLite's write lock."""
    command = [sys.executable, "-c", HOLDER, url.removeprefix("sqlite:///")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield
        holder.communicate("")


def test_sqlite_held_by_another_process(sqlite_url: str, open_store: OpenStore) -> None:
    impatient = open_store(sqlite_url, attempts=2, lock_timeout_seconds=0.1)
    patient = open_store(sqlite_url, attempts=1000, lock_timeout_seconds=0.1)
    ground = Ground(Calls(impatient))
    before = contents(sqlite_url)
    with ThreadPoolExecutor(1) as pool:
        with held_by_another_process(sqlite_url):
            calls = Calls(impatient)
            assert "Nothing was written" in calls.message("PutExecution", WRITES["PutExecution"](ground, "early"))
            assert calls.code("PutExecution", WRITES["PutExecution"](ground, "early")) is Code.ABORTED
            assert calls("GetArtifacts").artifacts, "reading goes on"
            late = Calls(patient, replace(LOCAL, deadline=time.monotonic() + 0.3))
            assert late.code("PutExecution", WRITES["PutExecution"](ground, "late")) is Code.DEADLINE_EXCEEDED
            assert contents(sqlite_url) == before
            is_at_it_again = loses(patient)
            call = pool.submit(Calls(patient), "PutExecution", WRITES["PutExecution"](ground, "patient"))
            wait_for(is_at_it_again)
        assert call.result(60).execution_id
    assert calls.code("PutExecution", WRITES["PutExecution"](ground, "after")) is Code.OK
    after = contents(sqlite_url)
    assert not after.marked("early")
    assert not after.marked("late")
    assert after.more(before)["Execution"] == 2


def test_one_call_sent_twice_at_once_under_its_key(database_url: str, open_store: OpenStore) -> None:
    """The second sending comes while the first is carried out, as when the answer to a COMMIT got lost."""
    first, second = open_store(database_url), open_store(database_url, attempts=200, lock_timeout_seconds=0.2)
    ground = Ground(Calls(first))
    before = contents(database_url)
    caller = replace(LOCAL, idempotency_key="twice")
    request = WRITES["PutArtifacts"](ground, "twice")
    inner = Receipt(RPCS["PutArtifacts"], request, "twice").body
    written, goes_on = threading.Event(), threading.Event()

    def body(tx: Any) -> Any:
        answer = inner(tx)
        written.set()
        goes_on.wait(30)
        return answer

    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(first.database.write, caller, body, repeatable=True)
        assert written.wait(30)
        has_met_it = waits(second)
        two = pool.submit(Calls(second, caller), "PutArtifacts", request)
        wait_for(has_met_it)
        goes_on.set()
        assert one.result(60) == two.result(60)
    assert contents(database_url).more(before)["Artifact"] == 2


def test_readers_see_all_of_a_write_or_nothing(database_url: str, open_store: OpenStore) -> None:
    writing, reading = Calls(open_store(database_url)), Calls(open_store(database_url))
    ground = Ground(writing)
    ids = [ground.fresh("artifact") for _ in range(10)]
    over = threading.Event()
    rounds: Counter[str] = Counter()

    def write(worker: int) -> int:
        number = 0
        while not over.is_set():
            number += 1
            rounds[f"write {worker}"] = number
            changed = [pb.Artifact(id=node_id, uri=f"{worker}-{number}") for node_id in ids]
            for artifact in changed:
                artifact.custom_properties["again"].string_value = artifact.uri
            writing("PutArtifacts", artifacts=changed)
        return number

    def read(reader: int) -> int:
        seen = set()
        while not over.is_set():
            artifacts = reading("GetArtifactsByID", artifact_ids=ids).artifacts
            texts = {text for a in artifacts for text in (a.uri, a.custom_properties["again"].string_value)} - {""}
            assert len(texts) == 1 or all("fresh" in text for text in texts), texts
            seen |= texts
            rounds[f"read {reader}"] = len(seen)
        return len(seen)

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(write, 1), pool.submit(write, 2), pool.submit(read, 1), pool.submit(read, 2)]
        try:
            wait_for(
                lambda: (
                    any(future.done() for future in work) or (len(rounds) == len(work) and min(rounds.values()) >= 10)
                )
            )
        finally:
            over.set()
        assert min(future.result(60) for future in work) >= 10


@pytest.mark.parametrize("wire", ["grpc", "connect-proto"])
def test_readers_and_health_are_answered_while_every_writer_waits(
    sqlite_url: str, start_server: StartServer, wire: str
) -> None:
    """Far more writes than threads wait for a lock that another process holds."""
    server = start_server(sqlite_url, http=True, options=("--threads", "4", "--log-level", "warning"))
    remote, doors = Remote(server), Doors(server.grpc_port, server.http_port)
    ground = Ground(remote)

    def write(number: int) -> Code:
        request = service.PutArtifactsRequest(artifacts=[ground.new_artifact(f"waiting-{number}")])
        return say(wire, doors, RPCS["PutArtifacts"].path, request).code

    with ThreadPoolExecutor(16) as pool:
        with held_by_another_process(sqlite_url):
            waiting = [pool.submit(write, number) for number in range(16)]
            wait_for(lambda: in_flight(server) == 4)  # they have all threads, and the others wait for one
            for method in ("GetArtifacts", "GetContexts"):
                assert say(wire, doors, RPCS[method].path, b"", timeout=30).code is Code.OK
            assert server.serving()
            assert not any(call.done() for call in waiting)
        assert {call.result(60) for call in waiting} == {Code.OK}
    remote.close()
