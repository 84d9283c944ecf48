"""The connection between client and server is cut in the middle of an upload, at any call and in a stream."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlmd_client.calls import CallError
from mlmd_client.download import download
from mlmd_client.transport import Transport, open_transport
from mlmd_client.upload import upload
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.places import artifact, every_artifact, read_files, write_files
from tests.conftest import StartServer
from tests.services.proxy import Moment, Proxy
from tests.services.server import Server
from tests.services.waiting import wait_for

CONTENTS = {"a": b"first", "b/c": b"second", "large": b"l" * (6 << 20)}
SERVICE = "/mlmd.v1.ArtifactStore"


@pytest.fixture
def server(sqlite_url: str, start_server: StartServer) -> Server:
    """A server with its bytes in a folder, which clients send over HTTP."""
    return start_server(sqlite_url, http=True)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """What stands between clients and the server's gRPC port."""
    with Proxy(server.grpc_port) as between:
        yield between


@pytest.fixture
def direct(server: Server) -> Iterator[Transport]:
    """A way past the proxy."""
    opened = open_transport(server.target)
    yield opened
    opened.close()


def says(call: str) -> Callable[[str], bool]:
    """Return what tells that a call is being made."""
    return lambda sent: f"{SERVICE}/{call}" in sent


def test_an_upload_outlives_a_cut_at_any_of_its_calls(server: Server, direct: Transport, tmp_path: Path) -> None:
    source = write_files(tmp_path / "source", CONTENTS)
    made = artifact(direct)
    rounds = [(call, moment) for call in ("BeginUpload", "DeclareFiles", "CommitUpload") for moment in Moment]
    for call, moment in rounds:
        # A proxy of its own: on a connection that is kept, names that went before are numbers and not seen.
        with Proxy(server.grpc_port) as proxy:
            store = open_transport(f"127.0.0.1:{proxy.port}")
            cut = proxy.cut(1, moment, says(call))
            uploaded = upload(store, made, source, part_size=5 << 20)
            assert cut.happened, (call, moment)
            target = tmp_path / f"{call}-{moment.name}"
            download(store, uploaded.artifact_id, target)
            assert read_files(target) == CONTENTS
            store.close()
    assert [one.state for one in every_artifact(direct)] == [pb.Artifact.LIVE] * len(rounds), "each begun once"


def test_a_stream_of_requests_that_was_cut_is_asked_for_again(proxy: Proxy, direct: Transport) -> None:
    files = [
        v1.UploadFile(path=f"{number:05}", size_bytes=1, sha256=bytes(32), md5s=[bytes(16)]) for number in range(3000)
    ]
    begin = v1.BeginUploadRequest(artifact=artifact(direct).SerializeToString(), files=files)
    begun = direct.unary(f"{SERVICE}/BeginUpload", begin, v1.BeginUploadResponse)
    wanted = v1.StreamUploadUrlsRequest(artifact_id=begun.artifact_id, batch_size=100)

    def streamed() -> Iterator[str]:
        store = open_transport(f"127.0.0.1:{proxy.port}")
        try:
            for batch in store.stream(f"{SERVICE}/StreamUploadUrls", wanted, v1.StreamUploadUrlsResponse):
                yield from (url.path for url in batch.urls)
        finally:
            store.close()

    assert list(streamed()) == [file.path for file in files]
    whole = proxy.bytes_to_client
    for share in (0.1, 0.5, 0.9):
        proxy.cut_after_bytes(to_client=int(whole * share))
        with pytest.raises(CallError) as broken:
            list(streamed())
        assert broken.value.code == Code.UNAVAILABLE

    def again() -> list[str]:
        try:
            return list(streamed())
        except CallError as error:  # gRPC may give the next channel the connection that is just breaking
            if error.code != Code.UNAVAILABLE:
                raise
            return []

    assert wait_for(again) == [file.path for file in files]
