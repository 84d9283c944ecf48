"""A server whose folder of artifacts is on a file system that does not come back, as NFS when its server is away.

Facts and probes go on, calls that need the folder are refused, the server ends when it is told to, and when the folder
answers everything works as before.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import urllib3
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.metadata_store_service_pb2_grpc import MetadataStoreServiceStub
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1 import server_pb2 as server_v1
from mlmd_schemas.pb.v1.server_pb2_grpc import ServerStub

from tests.artifact_store.served import uploaded
from tests.artifact_store.uploads import upload_file
from tests.conftest import StartServer
from tests.services.server import Server

HANGING = """
import builtins, io, os, time

def _waiting(call):
    folder, flag, is_there = os.environ["HANGS"], os.environ["HANGS_WHILE"], os.path.exists
    def called(*arguments, **named):
        path = os.fspath(arguments[0]) if isinstance(arguments[0], (str, os.PathLike)) else ""
        if path == folder or path.startswith(folder + "/"):
            while is_there(flag):
                time.sleep(0.01)
        return call(*arguments, **named)
    return called

for _name in ("link", "mkdir", "open", "replace", "rmdir", "scandir", "stat", "statvfs", "unlink", "utime"):
    setattr(os, _name, _waiting(getattr(os, _name)))
builtins.open = io.open = _waiting(io.open)
"""
"""What Python runs as the server starts: calls into a folder do not come back while there is a file."""
SECONDS = 60
"""How long a client waits at most; what is refused is refused long before."""
THREADS = 3


class Hanging:
    """A server on a folder that can be made to hang."""

    def __init__(self, start: StartServer, database: str, tmp_path: Path, pool: urllib3.PoolManager) -> None:
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "sitecustomize.py").write_text(HANGING)
        self.folder, self._flag = tmp_path / "bytes", tmp_path / "hangs"
        environment = {
            "PYTHONPATH": str(tmp_path / "site"),
            "HANGS": str(self.folder),
            "HANGS_WHILE": str(self._flag),
        }
        options = ("--artifacts", str(self.folder), "--threads", str(THREADS))
        self.server: Server = start(database, http=True, options=options, environment=environment)
        self.pool = pool
        self.client, self.artifact_id = uploaded(self.server, pool, {"a": b"the bytes"})
        self.url = self.client.downloads(self.artifact_id)["a"].url
        self.facts = MetadataStoreServiceStub(self.client.channel)

    def hang(self) -> None:
        """Let no call into the folder come back."""
        self._flag.touch()

    def answer(self) -> None:
        """Let the calls go on."""
        self._flag.unlink(missing_ok=True)

    def get(self) -> tuple[int, bytes]:
        """Fetch the file."""
        answer = self.pool.request("GET", self.url, retries=False, timeout=SECONDS)
        return answer.status, answer.data

    def begin(self) -> v1.BeginUploadResponse:
        """Begin another upload, of one file."""
        made = pb.Artifact(type_id=10).SerializeToString()
        request = v1.BeginUploadRequest(artifact=made, files=[upload_file("b", b"more")])
        begun: v1.BeginUploadResponse = self.client.artifacts.BeginUpload(request, timeout=SECONDS)
        return begun

    def diagnosis(self) -> str:
        """Return what the server finds of its bytes."""
        findings = ServerStub(self.client.channel).Diagnose(server_v1.DiagnoseRequest(), timeout=SECONDS).findings
        return " ".join(part.found for part in findings if not part.ok)

    def artifacts(self) -> int:
        """Return how many artifacts there are."""
        return len(self.facts.GetArtifacts(service.GetArtifactsRequest(), timeout=SECONDS).artifacts)

    def put_type(self, name: str) -> int:
        """Write a fact."""
        request = service.PutContextTypeRequest(context_type=pb.ContextType(name=name))
        return int(self.facts.PutContextType(request, timeout=SECONDS).type_id)

    def probe(self, page: str) -> int:
        """Return the status of a probe."""
        return self.pool.request("GET", f"{self.server.http_url}/{page}", retries=False, timeout=SECONDS).status


@pytest.fixture
def hanging(sqlite_url: str, start_server: StartServer, tmp_path: Path) -> Iterator[Hanging]:
    """A server whose folder answers yet."""
    with urllib3.PoolManager(maxsize=20) as pool:
        made = Hanging(start_server, sqlite_url, tmp_path, pool)
        yield made
        made.answer()


def _code(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    try:
        call()
    except grpc.RpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


def test_facts_go_on_and_bytes_are_refused_until_the_folder_answers(hanging: Hanging) -> None:
    begun = hanging.begin()
    (url,) = hanging.client.urls(begun.artifact_id)
    before = hanging.artifacts()

    def missing() -> object:
        return hanging.client.urls(begun.artifact_id, only_missing=True)

    def streamed() -> object:
        request = v1.StreamUploadUrlsRequest(artifact_id=begun.artifact_id, only_missing=True)
        return list(hanging.client.artifacts.StreamUploadUrls(request, timeout=SECONDS))

    hanging.hang()
    with ThreadPoolExecutor(20) as threads:
        stuck = [threads.submit(_code, hanging.begin) for _ in range(2 * THREADS)]
        stuck += [threads.submit(_code, lambda: hanging.client.commit(begun.artifact_id))]
        reading = [threads.submit(_code, missing) for _ in range(2 * THREADS)]
        reading += [threads.submit(_code, streamed)]
        diagnosing = threads.submit(hanging.diagnosis)
        putting = threads.submit(hanging.client.send, hanging.pool, url, b"more")
        getting = threads.submit(hanging.get)
        assert hanging.put_type("while the folder hangs") > 0
        assert hanging.artifacts() == before
        assert [hanging.probe(page) for page in ("healthz", "readyz", "metrics")] == [200, 200, 200]
        for refused in (one.result() for one in (*stuck, *reading)):
            assert refused[0] is grpc.StatusCode.UNAVAILABLE
            assert f"The artifact folder {str(hanging.folder)!r} has not answered for " in refused[1]
        assert f"The artifact folder {str(hanging.folder)!r} has not answered for " in diagnosing.result()
        assert putting.result() == 503
        status, said = getting.result()
        assert (status, str(hanging.folder) in said.decode()) == (503, True)
    assert hanging.client.artifacts.GetManifest(v1.GetManifestRequest(artifact_id=hanging.artifact_id))
    assert _code(hanging.begin)[0] is grpc.StatusCode.UNAVAILABLE
    hanging.answer()
    while hanging.get()[0] == 503:  # until the look comes back that has been under way all the while
        pass
    assert hanging.get() == (200, b"the bytes")
    assert hanging.client.send(hanging.pool, url, b"more") == 200
    assert hanging.client.commit(begun.artifact_id).manifest.file_count == 1
    assert hanging.artifacts() == before, "nobody waits for the uploads that were given up"
    assert [path.name for path in (hanging.folder / ".mlmd" / "scratch").iterdir()] == []


def test_the_server_ends_while_calls_are_in_the_folder(hanging: Hanging) -> None:
    hanging.hang()
    with ThreadPoolExecutor(2) as threads:
        refused = threads.submit(_code, hanging.begin)
        reading = threads.submit(hanging.get)
        assert refused.result()[0] is grpc.StatusCode.UNAVAILABLE
        assert reading.result()[0] == 503
    assert hanging.server.stop() == 0
    assert "gave up 2 threads in a folder of artifacts that does not answer" in hanging.server.output()
