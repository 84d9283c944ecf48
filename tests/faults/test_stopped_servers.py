"""A server that is stopped (SIGSTOP) at the very step where a file gets its name, or is copied, while another goes on.

Then it is let go on, or killed. What another committed meanwhile is what it was, byte for byte.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import grpc
import pytest
import urllib3
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.metadata_store_service_pb2_grpc import MetadataStoreServiceStub
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.served import Client, uploaded
from tests.artifact_store.uploads import upload_file
from tests.conftest import StartServer
from tests.faults.test_artifact_store import ask_to_commit
from tests.services.ceph import S3Address
from tests.services.server import Server
from tests.services.waiting import wait_for

FIRST, SECOND = b"the first", b"something"

STOPPING = """
import os, signal, threading

def _stopping(module, name, here):
    plain = getattr(module, name)
    def called(*arguments, **named):
        if here(arguments) and os.path.exists(os.environ["STOP_ONCE"]):
            os.unlink(os.environ["STOP_ONCE"])
            signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)  # another thread would take it later
        return plain(*arguments, **named)
    setattr(module, name, called)

_stopping(os, "replace", lambda arguments: os.path.basename(str(arguments[1])) == "a")
try:
    from mlmd_artifact_store.s3_copies import S3Copies
except ImportError:
    pass
else:
    _stopping(S3Copies, "copy", lambda arguments: True)
"""
"""What Python runs as the server starts: it stops itself where its step begins, when a file says so."""


@pytest.fixture
def http() -> Iterator[urllib3.PoolManager]:
    """A plain HTTP client."""
    with urllib3.PoolManager() as pool:
        yield pool


class Stopping:
    """A server that can be told to stop at its next step."""

    def __init__(self, server: Server, told: Path) -> None:
        self.server = server
        self._told = told

    def arm(self) -> None:
        """Let it stop at the next step."""
        self._told.touch()

    def wait_stopped(self) -> None:
        """Wait until it has stopped."""
        assert self.server.process is not None
        stat = Path(f"/proc/{self.server.process.pid}/stat")
        wait_for(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")

    def go_on(self) -> None:
        """Let it go on."""
        assert self.server.process is not None
        os.kill(self.server.process.pid, signal.SIGCONT)


@pytest.fixture(params=["local", "s3"])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[tuple[str, ...], dict[str, str]]:
    """Where two servers keep bytes: options and environment."""
    if request.param == "local":
        return ("--artifacts", str(tmp_path / "bytes")), {}
    s3: S3Address = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    login = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    return ("--artifacts", f"s3://{bucket}/p", "--artifacts-endpoint", s3.endpoint), login


@pytest.fixture
def stopping(
    sqlite_url: str, start_server: StartServer, tmp_path: Path, options: tuple[tuple[str, ...], dict[str, str]]
) -> Iterator[Stopping]:
    """The server that is stopped."""
    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "sitecustomize.py").write_text(STOPPING)
    told = tmp_path / "stop-once"
    environment = options[1] | {"PYTHONPATH": str(tmp_path / "python"), "STOP_ONCE": str(told)}
    found = Stopping(start_server(sqlite_url, http=True, options=options[0], environment=environment), told)
    yield found
    if found.server.process is not None:
        found.go_on()


@pytest.fixture
def other(
    sqlite_url: str, start_server: StartServer, stopping: Stopping, options: tuple[tuple[str, ...], dict[str, str]]
) -> Client:
    """A client of the server that goes on."""
    return Client(start_server(sqlite_url, http=True, options=options[0], environment=options[1]))


def waits_for_lock(server: Server, artifact_id: int) -> bool:
    """Tell whether a server has the file of an upload's lock open, which it keeps trying until it has the lock."""
    assert server.process is not None
    for descriptor in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            if os.readlink(descriptor).endswith(f"/.mlmd/locks/_.{artifact_id}"):
                return True
    return False


def begin(client: Client) -> int:
    """Begin an upload whose files are told later."""
    put = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="system.Model"))
    type_id = MetadataStoreServiceStub(client.channel).PutArtifactType(put).type_id
    made = pb.Artifact(type_id=type_id).SerializeToString()
    begun = client.artifacts.BeginUpload(v1.BeginUploadRequest(artifact=made, more_files=True))
    return int(begun.artifact_id)


def declare(client: Client, artifact_id: int, content: bytes, unchanged_from: int = 0) -> list[v1.UploadUrl]:
    """Tell the file `a`."""
    request = v1.DeclareFilesRequest(
        artifact_id=artifact_id, files=[upload_file("a", content)], unchanged_from_artifact_id=unchanged_from
    )
    return list(client.artifacts.DeclareFiles(request).urls)


def send(client: Client, http: urllib3.PoolManager, artifact_id: int, content: bytes) -> None:
    """Tell the file `a` and send it."""
    for url in declare(client, artifact_id, content):
        assert client.send(http, url, content) == 200


def code_of(step: Callable[[], object]) -> grpc.StatusCode | None:
    """Return how a call is refused, None when it is not."""
    try:
        step()
    except grpc.RpcError as error:
        found: grpc.StatusCode = error.code()
        return found
    return None


def content(client: Client, http: urllib3.PoolManager, artifact_id: int) -> bytes:
    """Fetch the file `a` through the server, which holds it against the manifest."""
    url = f"{client.server.http_url}/artifacts/{artifact_id}/files/a"
    answer = http.request("GET", url, retries=False)
    assert answer.status == 200
    return answer.data


@pytest.mark.parametrize("options", ["local"], indirect=True)
@pytest.mark.parametrize("end", ["goes on", "is killed"])
def test_a_server_is_stopped_as_a_file_gets_its_name(
    stopping: Stopping, other: Client, http: urllib3.PoolManager, end: str
) -> None:
    artifact_id = begin(other)
    (url,) = declare(Client(stopping.server), artifact_id, FIRST)
    stopping.arm()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(_put, url, FIRST)
        stopping.wait_stopped()
        send(other, http, artifact_id, SECOND)
        committed = other.artifacts.CommitUpload.future(v1.CommitUploadRequest(artifact_id=artifact_id))
        wait_for(lambda: waits_for_lock(other.server, artifact_id))
        assert not committed.done()
        if end == "goes on":
            stopping.go_on()
            assert late.result(60) == 200
            assert code_of(committed.result) is grpc.StatusCode.FAILED_PRECONDITION
            send(other, http, artifact_id, SECOND)
            other.commit(artifact_id)
        else:
            stopping.server.kill()
            assert late.result(60) == 0
            assert code_of(committed.result) is None
    assert content(other, http, artifact_id) == SECOND


@pytest.mark.parametrize("options", ["local"], indirect=True)
def test_whoever_waits_for_a_server_that_is_stopped_is_told(
    stopping: Stopping, other: Client, http: urllib3.PoolManager
) -> None:
    artifact_id = begin(other)
    (url,) = declare(Client(stopping.server), artifact_id, FIRST)
    stopping.arm()
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(_put, url, FIRST)
        stopping.wait_stopped()
        for call in (
            lambda: other.commit(artifact_id),
            lambda: other.artifacts.AbortUpload(v1.AbortUploadRequest(artifact_id=artifact_id)),
        ):
            with pytest.raises(grpc.RpcError) as told:
                call()
            assert told.value.code() is grpc.StatusCode.ABORTED
            assert f".mlmd/locks/_.{artifact_id} names it" in str(told.value.details())
        assert uploaded(other.server, http, {"a": SECOND})  # everything else goes on
        stopping.go_on()
        assert late.result(60) == 200
    other.artifacts.AbortUpload(v1.AbortUploadRequest(artifact_id=artifact_id))
    assert not list(Path(str(stopping.server.options[1])).glob(f"_/**/{artifact_id}/a"))


@pytest.mark.parametrize("end", ["goes on", "is killed"])
def test_a_server_is_stopped_as_its_commit_copies(
    stopping: Stopping, other: Client, http: urllib3.PoolManager, end: str
) -> None:
    source = begin(other)
    send(other, http, source, FIRST)
    other.commit(source)
    artifact_id = begin(other)
    assert declare(other, artifact_id, FIRST, unchanged_from=source) == []
    stopping.arm()
    asking = ask_to_commit(stopping.server, artifact_id)
    stopping.wait_stopped()
    wanted = SECOND
    with ThreadPoolExecutor(1) as pool:
        sent = code_of(partial(send, other, http, artifact_id, SECOND))
        in_a_bucket = stopping.server.options[1].startswith("s3://")
        assert sent is (grpc.StatusCode.INVALID_ARGUMENT if in_a_bucket else None)
        if in_a_bucket:
            wanted = FIRST
        beside = pool.submit(code_of, partial(other.commit, artifact_id))
        if wanted == SECOND:
            wait_for(lambda: beside.done() or waits_for_lock(other.server, artifact_id))
        else:
            assert beside.result(60) is None
        if end == "goes on":
            stopping.go_on()
        else:
            stopping.server.kill()
        asking.wait(60)
        if beside.result(60) is not None:
            send(other, http, artifact_id, SECOND)
            other.commit(artifact_id)
    assert content(other, http, artifact_id) == wanted
    assert content(other, http, source) == FIRST


def _put(url: v1.UploadUrl, content: bytes) -> int:
    """Send a file; 0 when the server went away."""
    with urllib3.PoolManager() as http:
        try:
            headers = dict(url.request.headers)
            return http.request("PUT", url.request.url, body=content, headers=headers, retries=False).status
        except urllib3.exceptions.HTTPError:
            return 0
