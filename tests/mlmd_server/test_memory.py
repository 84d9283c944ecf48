"""What a serving process keeps is bounded, however many connections read a large database."""

import contextlib
import re
import socket
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from mlmd_client import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc
from mlmd_server.memory import SQLITE_BYTES

from tests.services.server import NO_PROXY, Server
from tests.services.waiting import wait_for

CONNECTIONS = 8
MEGABYTE = 1 << 20
READING = """
import sqlite3, sys
from pathlib import Path
from mlmd_server.memory import bound_memory

if sys.argv[2] == "bounded":
    bound_memory()
connections = [sqlite3.connect(sys.argv[1]) for _ in range(int(sys.argv[3]))]
for connection in connections:
    connection.execute("PRAGMA cache_size=-16000")
    for _ in range(2):
        assert connection.execute("SELECT count(*), sum(length(content)) FROM pages").fetchone() == (20000, 20000000)
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A database of 20 MB."""
    file = tmp_path / "large.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, content BLOB)")
        connection.executemany("INSERT INTO pages (content) VALUES (?)", ((bytes(1000),) for _ in range(20_000)))
    connection.close()
    return file


def peak_bytes(large: Path, how: str) -> int:
    """Return the most memory that a process had which read it all over many connections."""
    command = [sys.executable, "-c", READING, str(large), how, str(CONNECTIONS)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1024


def test_connections_share_what_sqlite_may_keep(large: Path) -> None:
    unbounded, bounded = peak_bytes(large, "unbounded"), peak_bytes(large, "bounded")
    all_caches = CONNECTIONS * 16_000 * 1024
    assert unbounded - bounded > (all_caches - SQLITE_BYTES) // 2


BOUND = """
import atexit, sqlite3, sys

def tell():
    print("limit:", sqlite3.connect(":memory:").execute("PRAGMA soft_heap_limit").fetchone()[0])

atexit.register(tell)
sys.argv = sys.argv[1:]
if sys.argv[0] == "mlmd":
    from mlmd_client.command_line import main
elif sys.argv[0] == "mlmd-server":
    from mlmd_server.cli import main
else:
    from mlmd_client import Store
    def main():
        Store(sys.argv[1]).close()
main()
"""


@pytest.mark.parametrize(
    ("words", "limit_bytes"),
    [
        (["mlmd", "--server", "STORE", "ls"], SQLITE_BYTES),
        (["mlmd", "--server", "STORE", "journals"], 0),
        (["mlmd", "--server", "STORE", "export", "archive"], SQLITE_BYTES),
        (["mlmd-server", "verify", "--database", "sqlite:///STORE/metadata.db"], SQLITE_BYTES),
        (["a program of somebody else", "STORE"], 0),
    ],
)
def test_commands_bound_what_sqlite_keeps_and_other_programs_do_as_they_like(
    tmp_path: Path, words: list[str], limit_bytes: int
) -> None:
    store = tmp_path / "store"
    Store(str(store)).close()
    words = [word.replace("STORE", str(store)) for word in words]
    ended = subprocess.run([sys.executable, "-c", BOUND, *words], capture_output=True, text=True, cwd=tmp_path)
    assert ended.stdout.splitlines()[-1] == f"limit: {limit_bytes}", ended.stderr


def kept_bytes(server: Server) -> int:
    """Return the memory of its own that a server has."""
    assert server.process is not None
    found = re.search(r"Private_Dirty: +(\d+)", Path(f"/proc/{server.process.pid}/smaps_rollup").read_text())
    assert found is not None
    return int(found[1]) * 1024


def test_what_a_large_call_took_is_given_back(tmp_path: Path) -> None:
    megabyte = 1 << 20
    with (
        Server(f"sqlite:///{tmp_path}/metadata.db", tmp_path / "server", fresh=True) as server,
        server.channel() as channel,
    ):
        stub = service_grpc.MetadataStoreServiceStub(channel)
        kind = stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "Large"})).type_id
        artifact = pb.Artifact(type_id=kind)
        artifact.custom_properties["text"].string_value = "x" * (60 * megabyte)
        before = kept_bytes(server)
        stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[artifact]))
        assert kept_bytes(server) > before + 50 * megabyte
        wait_for(lambda: kept_bytes(server) < before + 20 * megabyte)
        assert len(stub.GetArtifacts(service.GetArtifactsRequest()).artifacts) == 1


@pytest.fixture
def long_list(tmp_path: Path) -> Iterator[Server]:
    """A server whose list of artifacts is 40 MB long, nearly as long as an answer may be."""
    options = ("--max-message-bytes", str(41 * MEGABYTE))
    database = f"sqlite:///{tmp_path}/metadata.db"
    with (
        Server(database, tmp_path / "server", http=True, options=options) as server,
        server.channel() as channel,
    ):
        stub = service_grpc.MetadataStoreServiceStub(channel)
        kind = stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "Large"})).type_id
        artifact = pb.Artifact(type_id=kind)
        artifact.custom_properties["text"].string_value = "x" * (40 * MEGABYTE)
        stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[artifact]))
        yield server


LIST = "/ml_metadata.MetadataStoreService/GetArtifacts"


def test_answers_that_nobody_takes_are_bounded(long_list: Server) -> None:
    said = f"POST {LIST} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/proto\r\ncontent-length: 0\r\n\r\n"
    with contextlib.ExitStack() as stack:
        # A client without it takes more unasked, the slower the machine is.
        options = [NO_PROXY, ("grpc.http2.bdp_probe", 0), ("grpc.max_receive_message_length", -1)]
        channel = stack.enter_context(grpc.insecure_channel(long_list.target, options=options))
        streams = list[Any]()
        for _ in range(2):
            over_http = stack.enter_context(socket.create_connection(("127.0.0.1", long_list.http_port), timeout=60))
            over_http.sendall(said.encode())
            assert b" 200 " in over_http.recv(64)
            # As a stream a message is taken when it is asked for.
            streams.append(channel.unary_stream(LIST, None, None)(b""))
            assert streams[-1].initial_metadata() is not None
        stub = service_grpc.MetadataStoreServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetArtifacts(service.GetArtifactsRequest(), timeout=60)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "answers that their callers have not taken yet" in (caught.value.details() or "")
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(
                urllib.request.Request(
                    f"{long_list.http_url}{LIST}", b"{}", {"content-type": "application/json"}, method="POST"
                )
            )
        with refused.value as answer:
            assert answer.code == 429
        assert len(stub.GetArtifactTypes(service.GetArtifactTypesRequest()).artifact_types) == 1, "a little one"
        assert len(next(streams[0])) > 40 * MEGABYTE
        wait_for(lambda: is_answered(stub))
    wait_for(lambda: is_answered_by(long_list))


def is_answered(stub: service_grpc.MetadataStoreServiceStub) -> bool:
    """Whether the long list is answered."""
    try:
        return len(stub.GetArtifacts(service.GetArtifactsRequest(), timeout=60).artifacts) == 1
    except grpc.RpcError:
        return False


def is_answered_by(server: Server) -> bool:
    """Whether the long list is answered, over a connection of its own."""
    with server.channel() as channel:
        return is_answered(service_grpc.MetadataStoreServiceStub(channel))


@pytest.mark.parametrize("content_type", ["application/grpc", "application/proto"])
def test_large_calls_that_come_together_wait_for_each_other(tmp_path: Path, content_type: str) -> None:
    largest, calls = 16 * MEGABYTE, 48
    options = ("--max-message-bytes", str(largest))
    database = f"sqlite:///{tmp_path}/metadata.db"
    with Server(database, tmp_path / "server", http=True, options=options, fresh=True) as server:
        with server.channel() as channel:
            stub = service_grpc.MetadataStoreServiceStub(channel)
            kind = stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "Large"})).type_id
        artifact = pb.Artifact(type_id=kind)
        artifact.custom_properties["text"].string_value = "x" * (15 * MEGABYTE)
        body = service.PutArtifactsRequest(artifacts=[artifact]).SerializeToString()
        before = peak_of(server)
        send = sent_over_grpc if content_type == "application/grpc" else sent_over_http
        assert send(server, body, calls) == calls
        # One at work takes six times its size, and what few others hold comes to it; together they have 45 times it.
        assert peak_of(server) < before + 28 * largest


def peak_of(server: Server) -> int:
    """Return the most memory that a server had, in bytes."""
    assert server.process is not None
    found = re.search(r"VmHWM: +(\d+)", " ".join(Path(f"/proc/{server.process.pid}/status").read_text().split()))
    assert found is not None
    return int(found[1]) * 1024


PUT = "/ml_metadata.MetadataStoreService/PutArtifacts"


def sent_over_grpc(server: Server, body: bytes, calls: int) -> int:
    """Send a message many times at once; returns how many were answered."""
    with server.channel() as channel:
        call = channel.unary_unary(PUT, None, service.PutArtifactsResponse.FromString)
        return sum(len(one.result().artifact_ids) for one in [call.future(body, timeout=120) for _ in range(calls)])


def sent_over_http(server: Server, body: bytes, calls: int) -> int:
    """Send a message many times at once; returns how many were answered."""
    said = f"POST {PUT} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/proto\r\n"
    head = f"{said}content-length: {len(body)}\r\n\r\n".encode()

    def send(_: int) -> bool:
        with socket.create_connection(("127.0.0.1", server.http_port), timeout=120) as connection:
            connection.sendall(head)
            connection.sendall(body)
            return b" 200 " in connection.recv(64)

    with ThreadPoolExecutor(calls) as pool:
        return sum(pool.map(send, range(calls)))
