"""Server processes as they die, share a database, and share a port."""

import contextlib
import itertools
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.faults.contents import Contents, contents
from tests.faults.remote import Remote, code_of
from tests.faults.writes import PROPERTIES, Ground
from tests.services.server import Server

CLIENTS = 64
PROPERTIES_EACH = 6
LONG = os.environ.get("MLMD_SOAK", "") not in ("", "0")
WRITING_SECONDS = 60.0 if LONG else 0.5
"""How long clients write at least before a server is killed; `make soak` takes its time."""
FEWEST = 50
"""Executions that are written by then; half a second may be none on a busy machine."""

Start = Callable[..., Server]


@pytest.fixture
def launch(tmp_path: Path) -> Iterator[Start]:
    """Start servers without waiting for them; they are killed at the end."""
    started: list[Server] = []

    def start(database: str, *options: str) -> Server:
        server = Server(database, tmp_path / f"server_{len(started) + 1}", options=("--log-level", "warning", *options))
        started.append(server)
        server.launch()
        return server

    yield start
    for server in started:
        server.kill()


@pytest.fixture
def connect() -> Iterator[Callable[[Server], Remote]]:
    """Open clients; they are closed at the end."""
    with contextlib.ExitStack() as opened:

        def open_one(server: Server) -> Remote:
            return opened.enter_context(contextlib.closing(Remote(server)))

        yield open_one


def whole_execution(ground: Ground, name: str) -> service.PutExecutionRequest:
    """An execution with an input, an output, a new context and a shared one."""
    return service.PutExecutionRequest(
        execution=ground.new_execution(name),
        artifact_event_pairs=[
            {"event": {"type": pb.Event.INPUT, "artifact_id": ground.artifact}},
            {"artifact": ground.new_artifact(name), "event": {"type": pb.Event.OUTPUT}},
        ],
        contexts=[ground.new_context(name), pb.Context(type_id=ground.group, name="shared")],
        options={"reuse_context_if_already_exist": True},
    )


def check_wholeness(found: Contents) -> set[str]:
    """Check that every execution that is there is there with all that came with it; return their names."""
    properties = Counter((table, row[0]) for table in found.rows if "Property" in table for row in found.rows[table])
    rows = {table: {row[0]: row for row in found.rows[table]} for table in ("Artifact", "Execution", "Context")}
    events = Counter(row[2] for row in found.rows["Event"])
    associations = Counter(row[2] for row in found.rows["Association"])
    names = {}
    for table, nodes in rows.items():
        names[table] = {cell for row in nodes.values() for cell in row if isinstance(cell, str) and cell[:1] == "w"}
        for node_id, row in nodes.items():
            if names[table] & set(row):
                assert properties[f"{table}Property", node_id] == PROPERTIES_EACH, row
    assert names["Artifact"] == names["Execution"] == names["Context"]
    for node_id, row in rows["Execution"].items():
        if names["Execution"] & set(row):
            assert events[node_id] == 2, row
            assert associations[node_id] == 2, row
    assert set(events) <= set(rows["Execution"])
    return names["Execution"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_sigkill_while_64_clients_write(
    database_url: str, launch: Start, connect: Callable[[Server], Remote], workers: str
) -> None:
    server = launch(database_url, "--workers", workers)
    server.wait_ready()
    ground = Ground(connect(server))
    acknowledged: list[str] = []
    refusals: set[Code] = set()
    started = threading.Barrier(CLIENTS + 1)
    remotes = [connect(server) for _ in range(8)]

    def write(client: int) -> None:
        started.wait(60)
        for number in itertools.count():
            name = f"w{client}-{number}"
            try:
                remotes[client % len(remotes)]("PutExecution", whole_execution(ground, name))
            except grpc.RpcError as error:
                refusals.add(code_of(error))
                return
            acknowledged.append(name)

    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(write, number) for number in range(CLIENTS)]
        started.wait(60)
        until = time.monotonic() + WRITING_SECONDS
        while (time.monotonic() < until or len(acknowledged) < FEWEST) and not any(one.done() for one in clients):
            time.sleep(0.01)
        server.kill()
        for client in clients:
            client.result(60)
    assert refusals == {Code.UNAVAILABLE}
    assert len(acknowledged) >= FEWEST
    names = check_wholeness(contents(database_url))
    assert names >= set(acknowledged)
    assert len(names) <= len(acknowledged) + CLIENTS
    again = launch(database_url)
    again.wait_ready()
    connect(again)("PutExecution", whole_execution(ground, "w-after"))
    assert check_wholeness(contents(database_url)) == names | {"w-after"}


@pytest.fixture
def pair(database_url: str, launch: Start, connect: Callable[[Server], Remote]) -> tuple[Remote, Remote]:
    """Two servers that started at the same moment on an empty database."""
    servers = [launch(database_url) for _ in range(2)]
    for server in servers:
        server.wait_ready()
    return connect(servers[0]), connect(servers[1])


def test_a_type_made_by_one_server_is_known_to_the_other_at_once(pair: tuple[Remote, Remote]) -> None:
    one, other = pair
    for number in range(20):
        made = pb.ArtifactType(name=f"Type{number}", properties={"a": pb.INT})
        type_id = one("PutArtifactType", artifact_type=made).type_id
        artifact = pb.Artifact(type_id=type_id)
        artifact.properties["a"].int_value = 1
        assert other("PutArtifacts", artifacts=[artifact]).artifact_ids
        made.properties["b"] = pb.STRING
        assert one("PutArtifactType", artifact_type=made, can_add_fields=True).type_id == type_id
        artifact.properties["b"].string_value = "x"
        (artifact_id,) = other("PutArtifacts", artifacts=[artifact]).artifact_ids
        (found,) = one("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
        assert found.properties["b"].string_value == "x"
        assert other("GetArtifactType", type_name=made.name).artifact_type.properties == made.properties
        one, other = other, one


def test_two_servers_with_sixteen_writers_each(pair: tuple[Remote, Remote], database_url: str) -> None:
    ground = Ground(pair[0])
    writers = [(remote, f"{name}{number}") for name, remote in zip("ab", pair, strict=True) for number in range(16)]
    start = threading.Barrier(len(writers))

    def write(writer: tuple[Remote, str]) -> list[int]:
        remote, name = writer
        start.wait(60)
        numbers = []
        for number in range(3):
            remote("PutArtifactType", artifact_type=pb.ArtifactType(name=f"Shared{number}", properties=PROPERTIES))
            remote("PutExecution", whole_execution(ground, f"w{name}-{number}"))
            version = remote("AddVersion", type_name="Data", name="counted", artifact=b"").version
            numbers.append(version.number)
        return numbers

    with ThreadPoolExecutor(len(writers)) as pool:
        numbers = sorted(number for some in pool.map(write, writers) for number in some)
    assert numbers == list(range(1, 3 * len(writers) + 1))
    found = contents(database_url)
    assert len(check_wholeness(found)) == 3 * len(writers)
    types = Counter(name for row in found.rows["Type"] for name in row if str(name).startswith("Shared"))
    assert types == {"Shared0": 1, "Shared1": 1, "Shared2": 1}
    assert len(found.rows["mlmd_versions"]) == 3 * len(writers) + 1


def test_two_workers_and_sixteen_clients(database_url: str, launch: Start, connect: Callable[[Server], Remote]) -> None:
    server = launch(database_url, "--workers", "2")
    server.wait_ready()
    ground = Ground(connect(server))
    start = threading.Barrier(16)

    def work(client: int) -> None:
        remote = connect(server)
        start.wait(60)
        for number in range(4):
            made = remote("PutExecution", whole_execution(ground, f"w{client}-{number}"))
            assert remote("GetExecutionsByID", execution_ids=[made.execution_id]).executions
            assert remote("GetArtifactsByID", artifact_ids=made.artifact_ids).artifacts
            query = f"name = 'w{client}-{number}'"
            assert len(remote("GetExecutions", options={"filter_query": query}).executions) == 1

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    assert len(check_wholeness(contents(database_url))) == 64
    assert connect(server).code("GetArtifactTypes") is Code.OK
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    assert len(children) == 2
    assert "ended with status" not in server.output()
