"""Client and server hold little of what they move, however much it is."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import server_at
from tests.conftest import StartServer
from tests.services.server import Server

MOST_MIB = 150
PROGRAM = """
import json, sys
from pathlib import Path
from mlmd_client.download import download
from mlmd_client.transport import open_transport
from mlmd_client.upload import upload
from tests.client.places import artifact
store = open_transport(sys.argv[1])
uploaded = upload(store, artifact(store), Path(sys.argv[2]))
download(store, uploaded.artifact_id, Path(sys.argv[3]))
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""


def peak_mib(pid: int) -> float:
    """Return the most memory that a process ever held."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024


@pytest.mark.parametrize("place", ["http-folder", "s3"])
def test_a_large_file_is_never_held(
    place: str, sqlite_url: str, request: pytest.FixtureRequest, start_server: StartServer, tmp_path: Path
) -> None:
    server: Server = server_at(place, sqlite_url, request, start_server, fresh=True)
    source = tmp_path / "source"
    source.mkdir()
    with (source / "large").open("wb") as file:
        file.truncate(400 << 20)
    command = [sys.executable, "-c", PROGRAM, server.target, str(source), str(tmp_path / "target")]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert int(json.loads(done.stdout)) / 1024 < MOST_MIB
    assert server.process is not None
    assert peak_mib(server.process.pid) < MOST_MIB
    assert (tmp_path / "target" / "large").stat().st_size == 400 << 20


def test_many_files_are_never_held(sqlite_url: str, start_server: StartServer) -> None:
    server = start_server(sqlite_url, http=True, fresh=True)
    many = 30_000
    program = f"""
import sys, threading
from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.transport import open_transport
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from tests.client.places import artifact
store = open_transport(sys.argv[1])
calls = ArtifactCalls(store, threading.Event())
begun = calls.begin(v1.BeginUploadRequest(artifact=artifact(store).SerializeToString(), more_files=True))
for start in range(0, {many}, 1000):
    files = [
        v1.UploadFile(path=f"{{n:07}}", size_bytes=1, sha256=bytes(32), md5s=[bytes(16)])
        for n in range(start, start + 1000)
    ]
    calls.declare(v1.DeclareFilesRequest(artifact_id=begun.artifact_id, files=files))
try:
    calls.commit(begun.artifact_id)
except Exception as refused:
    print(refused)
"""
    command = [sys.executable, "-c", program, server.target]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert f"{many} of {many} files are not as declared" in done.stdout
    assert server.process is not None
    assert peak_mib(server.process.pid) < MOST_MIB


def test_one_message_tells_few_files(sqlite_url: str, start_server: StartServer) -> None:
    server = start_server(sqlite_url, fresh=True)
    program = """
import sys, threading
from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.calls import CallError
from mlmd_client.transport import open_transport
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from tests.client.places import artifact
store = open_transport(sys.argv[1])
made = artifact(store).SerializeToString()
for many in (100_000, 30_000):
    paths = (f"a/folder/of/files/{number:07}.parquet" for number in range(many))
    files = [v1.UploadFile(path=path, size_bytes=1, sha256=bytes(32), md5s=[bytes(16)]) for path in paths]
    try:
        print(ArtifactCalls(store, threading.Event()).begin(v1.BeginUploadRequest(artifact=made, files=files)))
    except CallError as refused:
        print(refused.code, refused)
"""
    command = [sys.executable, "-c", program, server.target]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("8 request: it has ")
    assert "begin with more_files, and tell the files by DeclareFiles" in done.stdout
    assert "files_to_send: 30000" in done.stdout
    assert server.process is not None
    assert peak_mib(server.process.pid) < MOST_MIB
