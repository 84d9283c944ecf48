"""What a serving process keeps is bounded, however many connections read a large database."""

import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc
from mlmd_server.memory import SQLITE_BYTES

from tests.services.server import Server
from tests.services.waiting import wait_for

CONNECTIONS = 8
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
