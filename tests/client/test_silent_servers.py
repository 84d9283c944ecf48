"""Servers that hang: suspended processes, which keep their connections and say nothing on them."""

import contextlib
import os
import signal
import sqlite3
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.calls import CallError
from mlmd_client.download import download
from mlmd_client.grpc_transport import GrpcTransport
from mlmd_client.progress import Progress
from mlmd_client.signed_http import Patience
from mlmd_client.transport import Transport, open_transport
from mlmd_client.upload import upload
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.uploads import upload_file
from tests.client.places import artifact, every_artifact, read_files, write_files
from tests.conftest import StartServer
from tests.services.server import Server

CONTENTS = {f"{number:03}.bin": os.urandom(2_000) for number in range(300)}
HASTY = Patience(first_seconds=0.01, longest_seconds=0.05, silent_seconds=2.0, silences=2)
QUICK = (
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 1_000),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
)
"""What the client does by itself, in seconds where it takes a minute."""


@pytest.fixture
def server(start_server: StartServer, sqlite_url: str) -> Iterator[Server]:
    """A server with its bytes in a folder; it is woken at the end."""
    found = start_server(sqlite_url, http=True)
    yield found
    with contextlib.suppress(ProcessLookupError):
        tell(found, signal.SIGCONT)


@pytest.fixture
def store(server: Server) -> Iterator[Transport]:
    """The way to it."""
    opened = open_transport(server.target)
    yield opened
    opened.close()


def tell(server: Server, number: signal.Signals) -> None:
    assert server.process is not None
    os.killpg(server.process.pid, number)


def begun_upload(store: Transport) -> int:
    """Begin an upload and send its one file."""
    calls = ArtifactCalls(store, threading.Event())
    request = v1.BeginUploadRequest(
        artifact=artifact(store).SerializeToString(), files=[upload_file("weights.bin", b"weights")]
    )
    found = calls.begin(request).artifact_id
    urls = calls.call("ListUploadUrls", v1.ListUploadUrlsRequest(artifact_id=found), v1.ListUploadUrlsResponse).urls
    signed = urls[0].request
    sent = urllib.request.Request(signed.url, b"weights", dict(signed.headers), method=signed.method)
    with urllib.request.urlopen(sent) as answer:
        assert answer.status < 300
    return found


@contextlib.contextmanager
def locked(server: Server) -> Iterator[None]:
    """Let every write to the database wait."""
    with contextlib.closing(sqlite3.connect(server.database.removeprefix("sqlite:///"), isolation_level=None)) as held:
        held.execute("BEGIN IMMEDIATE")
        yield
        held.execute("ROLLBACK")


def is_answered(call: Future[v1.CommitUploadResponse], seconds: float) -> bool:
    try:
        call.result(seconds)
    except TimeoutError:
        return False
    return True


def test_an_upload_ends_in_an_error_and_goes_on_later(server: Server, store: Transport, tmp_path: Path) -> None:
    source = write_files(tmp_path / "source", CONTENTS)

    def suspend(progress: Progress) -> None:
        if progress.bytes_done:
            tell(server, signal.SIGSTOP)

    with pytest.raises(CallError, match="hangs or is") as caught:
        upload(store, artifact(store), source, progress=suspend, patience=HASTY)
    assert caught.value.code == Code.UNAVAILABLE
    assert "goes on where it was" in caught.value.message
    tell(server, signal.SIGCONT)
    done = upload(store, artifact(store), source)
    assert len(every_artifact(store)) == 1
    download(store, done.artifact_id, tmp_path / "copy")
    assert read_files(tmp_path / "copy") == CONTENTS


def test_a_download_ends_in_an_error(server: Server, store: Transport, tmp_path: Path) -> None:
    done = upload(store, artifact(store), write_files(tmp_path / "source", CONTENTS))

    def suspend(progress: Progress) -> None:
        if progress.bytes_done:
            tell(server, signal.SIGSTOP)

    with pytest.raises(CallError, match="hangs or is") as caught:
        download(store, done.artifact_id, tmp_path / "copy", progress=suspend, patience=HASTY)
    assert caught.value.code == Code.UNAVAILABLE
    tell(server, signal.SIGCONT)
    download(store, done.artifact_id, tmp_path / "copy")
    assert read_files(tmp_path / "copy") == CONTENTS


def test_a_call_that_is_not_answered_names_what_hangs(server: Server, store: Transport) -> None:
    tell(server, signal.SIGSTOP)
    with pytest.raises(CallError, match=r"The server at 127\S+ hangs .* GetInfo was asked 2 times .* within 2 s"):
        ArtifactCalls(store, threading.Event(), HASTY).info()


def test_a_commit_ends_when_the_server_is_suspended(server: Server) -> None:
    store = GrpcTransport(server.target, options=QUICK)
    begun = begun_upload(store)
    with locked(server), ThreadPoolExecutor(1) as pool:
        under_way = pool.submit(ArtifactCalls(store, threading.Event(), HASTY).commit, begun)
        assert not is_answered(under_way, 1.0)
        tell(server, signal.SIGSTOP)
        with pytest.raises(CallError) as caught:
            under_way.result(120)
    assert caught.value.code == Code.UNAVAILABLE
    tell(server, signal.SIGCONT)
    assert ArtifactCalls(store, threading.Event()).commit(begun).manifest.file_count == 1
    store.close()


def test_a_long_commit_is_waited_for(server: Server) -> None:
    store = GrpcTransport(server.target)
    begun, hasty = begun_upload(store), Patience(silent_seconds=0.5, silences=1)
    with ThreadPoolExecutor(1) as pool:
        with locked(server):
            under_way = pool.submit(ArtifactCalls(store, threading.Event(), hasty).commit, begun)
            assert not is_answered(under_way, 2.0)
        assert under_way.result(120).manifest.file_count == 1
    store.close()


def test_an_answer_that_comes_too_late_is_told_with_its_causes(server: Server, store: Transport) -> None:
    every_artifact(store)  # the connection is there
    tell(server, signal.SIGSTOP)
    with pytest.raises(CallError, match="did not answer in the time that the call has: it is busy or hangs") as caught:
        store.unary(
            "/ml_metadata.MetadataStoreService/GetArtifacts",
            service.GetArtifactsRequest(),
            service.GetArtifactsResponse,
            timeout_seconds=0.5,
        )
    assert (caught.value.code, server.target in caught.value.message) == (Code.DEADLINE_EXCEEDED, True)
