"""What is waited for is told, and why; what waiting does not mend is not waited for."""

import logging
import re
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from minio import Minio
from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.calls import Answers, CallError, M, Metadata, Transport
from mlmd_client.download import download, open_file, read_range
from mlmd_client.failures import Unreachable
from mlmd_client.service import Service
from mlmd_client.transport import open_transport
from mlmd_client.upload import upload
from mlmd_client.waits import LOG, Waits
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1 import server_pb2

from tests.client.command_line.conftest import run_on
from tests.client.places import artifact, write_files
from tests.conftest import StartServer
from tests.services.ports import free_port

GONE = "is no longer the place that it was.*mount or put back"


class Counting:
    """A transport that counts how often each method is called."""

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.counts: dict[str, int] = {}

        self.target = inner.target

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def stream(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        timeout_seconds: float | None = None,
        metadata: Metadata = (),
    ) -> Answers[M]:
        """Make a call."""
        return self._inner.stream(path, request, response_type, timeout_seconds=timeout_seconds, metadata=metadata)

    def close(self) -> None:
        """Close the inner one."""
        self._inner.close()

    def unary(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        timeout_seconds: float | None = None,
        metadata: Metadata = (),
    ) -> M:
        """Count and make a call."""
        name = path.rpartition("/")[2]
        self.counts[name] = self.counts.get(name, 0) + 1
        return self._inner.unary(path, request, response_type, timeout_seconds=timeout_seconds, metadata=metadata)


def test_the_same_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    calls = (
        (1.0, "a", "It is busy."),
        (2.0, "a", "It is busy."),
        (3.0, "a", "It is away."),
        (4.0, "b", "It is busy."),
        (7.0, "a", "It is away."),
        (30.0, "a", "It is away."),
        (70.0, "a", "It is away."),
    )
    times = iter([when for when, _, _ in calls])
    waits = Waits(lambda: next(times))
    waits.tell("a", "too short.", 0.1)
    for _, target, reason in calls:
        waits.tell(target, reason, 1.0)
    told = [
        "waiting for a, and trying again: It is busy.",
        "waiting for b, and trying again: It is busy.",
        "waiting for a, and trying again: It is away.",
        "waiting for a, and trying again: It is away.",
    ]
    assert said_by_the_client(caplog) == told


@pytest.fixture
def stopped(caplog: pytest.LogCaptureFixture) -> Iterator[threading.Event]:
    """An event that the client's first warning sets, as somebody who saw it and will not wait."""
    event = threading.Event()

    class Watch(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.name == LOG.name:  # and not what the house of another store says, which logs below it
                event.set()

    watch = Watch(logging.WARNING)
    LOG.addHandler(watch)
    yield event
    LOG.removeHandler(watch)


def said_by_the_client(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what the client said."""
    return [record.getMessage() for record in caplog.records if record.name == LOG.name]


def test_a_transfer_tells_that_it_waits_for_the_server(
    stopped: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    transport = Counting(open_transport(f"grpc://127.0.0.1:{free_port()}"))
    with pytest.raises(CallError, match="no server answers"):
        ArtifactCalls(transport, stopped).call("ListFiles", v1.ListFilesRequest(), v1.ListFilesResponse)
    assert transport.counts == {"ListFiles": 4}, "it is seen before the third wait, which ends"
    (said,) = said_by_the_client(caplog)
    assert said.startswith("waiting for 127.0.0.1:")
    assert "trying again: no server answers at" in said


def test_a_call_tells_that_it_waits_for_the_server(caplog: pytest.LogCaptureFixture) -> None:
    service = Service(open_transport(f"grpc://127.0.0.1:{free_port()}"))
    with pytest.raises(Unreachable):
        service.read(server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse)
    (said,) = said_by_the_client(caplog)
    assert "trying again: no server answers at" in said


def empty(s3_admin: Minio, bucket: str) -> None:
    """Delete everything in a bucket, as somebody does who makes it anew."""
    for one in s3_admin.list_objects(bucket, recursive=True):
        s3_admin.remove_object(bucket, one.object_name or "")


def test_a_folder_that_is_gone_is_not_waited_for(
    start_server: StartServer, sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "artifacts"
    server = start_server(sqlite_url, http=True, options=("--artifacts", str(folder)))
    transport = Counting(open_transport(server.target))
    source = write_files(tmp_path / "source", {"a": b"first"})
    kept = upload(transport, artifact(transport), source).artifact_id
    shutil.rmtree(folder)
    transport.counts.clear()
    with pytest.raises(CallError, match=GONE) as refused:
        upload(transport, artifact(transport), source)
    assert (refused.value.code, transport.counts["BeginUpload"]) == (Code.UNAVAILABLE, 1)
    with pytest.raises(CallError, match=GONE):
        download(transport, kept, tmp_path / "target")
    request = v1.BeginRestoreRequest(artifact_id=kept)
    with pytest.raises(Unreachable, match=GONE):
        Service(transport).write(request, v1.BeginRestoreResponse)
    assert transport.counts["BeginRestore"] == 1
    told = run_on(f"grpc://{server.target}")("put", str(source), "again")
    assert told.status != 0
    assert re.search(GONE, told.err)
    assert said_by_the_client(caplog) == []


def test_an_emptied_bucket_is_told_by_the_server_and_not_by_the_bucket(
    s3_admin: Minio, bucket: str, s3_store: Transport, tmp_path: Path
) -> None:
    transport = Counting(s3_store)
    source = write_files(tmp_path / "source", {f"{number}": b"%d" % number for number in range(20)})
    kept = upload(transport, artifact(transport), source)
    s3_admin.remove_object(bucket, f"{kept.uri.partition(f'{bucket}/')[2]}7")
    with pytest.raises(CallError, match=r"has no '7'.*which artifact .* has by its manifest") as missed:
        download(transport, kept.artifact_id, tmp_path / "target")
    assert missed.value.code == Code.NOT_FOUND
    empty(s3_admin, bucket)
    transport.counts.clear()
    with pytest.raises(CallError, match=GONE) as gone:
        download(transport, kept.artifact_id, tmp_path / "other")
    assert (gone.value.code, transport.counts["Diagnose"]) == (Code.UNAVAILABLE, 1)
    with pytest.raises(CallError, match=GONE):
        open_file(transport, kept.artifact_id, "3").read()
    with pytest.raises(CallError, match=GONE):
        read_range(transport, kept.artifact_id, "3", 0, 1)


def test_the_command_says_on_one_line_what_it_waits_for() -> None:
    told = run_on(f"grpc://127.0.0.1:{free_port()}")("ls")
    waits, refused = told.err.splitlines()
    assert re.fullmatch(r"mlmd: waiting for 127\.0\.0\.1:\d+, and trying again: no server answers at .*", waits)
    assert refused.startswith("mlmd: ")
    assert logging.getLogger("mlmd").handlers == []
