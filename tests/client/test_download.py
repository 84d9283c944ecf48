"""A file is read as it comes, verified before its last bytes, and what was downloaded is told."""

import contextlib
from pathlib import Path

import pytest
from mlmd_client import download as downloads
from mlmd_client.bounded_work import Crew
from mlmd_client.calls import CallError
from mlmd_client.download import download, open_file, read_range, stream_file
from mlmd_client.fetching import Source
from mlmd_client.progress import Progress
from mlmd_client.service import Service
from mlmd_client.transfer_errors import DamagedBytes, TransferError
from mlmd_client.transport import Transport, open_transport
from mlmd_client.upload import upload
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import admin_pb2 as admin
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.places import artifact, kept_elsewhere, read_files, write_files
from tests.conftest import StartServer
from tests.services.ceph import S3Address

CHUNK = 4
CONTENTS = {"0": b"", "3": b"abc", "4": b"abcd", "8": b"abcdefgh", "9": b"abcdefghi"}


@pytest.fixture
def kept(folder_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """An artifact of the contents, whose files are read a few bytes at a time."""
    monkeypatch.setattr(downloads, "_STREAM_BYTES", CHUNK)
    return upload(folder_store, artifact(folder_store), write_files(tmp_path / "source", CONTENTS)).artifact_id


@pytest.mark.parametrize("path", CONTENTS)
def test_a_file_is_read_as_it_comes(folder_store: Transport, kept: int, path: str) -> None:
    content = CONTENTS[path]
    chunks = [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]
    assert list(stream_file(folder_store, kept, path)) == chunks
    with open_file(folder_store, kept, path) as file:
        assert file.readable()
        assert [file.read(3), file.read(3), file.read()] == [content[:3], content[3:6], content[6:]]


@pytest.mark.parametrize("path", ["3", "4", "9"])
def test_the_last_bytes_of_a_damaged_file_are_withheld(
    folder_store: Transport, kept: int, tmp_path: Path, path: str
) -> None:
    (place,) = (tmp_path / "store" / "artifacts").rglob(path)
    place.write_bytes(CONTENTS[path][::-1])
    chunks, came = stream_file(folder_store, kept, path), list[bytes]()
    with pytest.raises(DamagedBytes, match=f"'{path}' of artifact {kept} has changed"):
        came.extend(chunks)
    assert b"".join(came) == CONTENTS[path][::-1][: (len(CONTENTS[path]) - 1) // CHUNK * CHUNK]


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (0, -1)])
def test_a_range_that_cannot_be_is_refused(folder_store: Transport, kept: int, start: int, length: int) -> None:
    with pytest.raises(ValueError, match=f"{start} and {length} were given"):
        read_range(folder_store, kept, "9", start, length)


def test_what_is_closed_early_ends_its_transfer(
    folder_store: Transport, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[Source] = []
    monkeypatch.setattr(Source, "__exit__", lambda source, *error: ended.append(source))
    file = open_file(folder_store, kept, "9")
    assert file.read(1) == b"a"
    assert ended == []
    file.close()
    assert len(ended) == 1
    assert file.closed


@pytest.mark.parametrize(("prefix", "paths"), [("", list(CONTENTS)), ("8", ["8"])])
def test_what_was_downloaded_is_told(
    folder_store: Transport, kept: int, tmp_path: Path, prefix: str, paths: list[str]
) -> None:
    size = sum(len(CONTENTS[path]) for path in paths)
    for reused in (0, len(paths)):
        told: list[Progress] = []
        found = download(folder_store, kept, tmp_path / "target", prefix=prefix, progress=told.append)
        assert (found.file_count, found.size_bytes, found.files_reused) == (len(paths), size, reused)
        assert (found.root, found.only_path) == (tmp_path / "target", prefix)
        assert told[-1] == Progress(size, size, len(paths), len(paths), "")


def test_so_many_threads_fetch_as_was_asked(
    folder_store: Transport, kept: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Noting(Crew):
        def __init__(self, threads: int, *arguments: object) -> None:
            asked.append(threads)
            super().__init__(threads, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(downloads, "Crew", Noting)
    download(folder_store, kept, tmp_path / "target", workers=3)
    assert asked == [3]


def test_what_others_wrote_and_nobody_hashed_is_read_as_it_is(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    root = write_files(tmp_path / "theirs", CONTENTS)
    server = start_server(sqlite_url, http=True, options=("--artifacts-external-roots", root.as_uri()))
    with contextlib.closing(open_transport(server.target)) as store:
        made = artifact(store)
        made.uri = f"{root.as_uri()}/"
        files = [v1.UploadFile(path=path, size_bytes=len(content)) for path, content in CONTENTS.items()]
        request = v1.RecordExternalRequest(artifact=made.SerializeToString(), files=files)
        recorded = store.unary("/mlmd.v1.ArtifactStore/RecordExternal", request, v1.RecordExternalResponse).manifest
        for path, content in CONTENTS.items():
            assert b"".join(stream_file(store, recorded.artifact_id, path)) == content
        assert download(store, recorded.artifact_id, tmp_path / "target").file_count == len(CONTENTS)
    assert read_files(tmp_path / "target") == CONTENTS


def test_a_place_of_others_in_which_nothing_is_is_no_download(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    root = write_files(tmp_path / "theirs", {"there/f": b"content"})
    server = start_server(sqlite_url, http=True, options=("--artifacts-external-roots", root.as_uri()))
    with contextlib.closing(open_transport(server.target)) as store:
        gone = kept_elsewhere(store, f"{root.as_uri()}/gone")
        with pytest.raises(TransferError, match=f"artifact {gone}: there is nothing where its uri says") as refused:
            download(store, gone, tmp_path / "target")
        assert refused.value.code == Code.NOT_FOUND
        there = kept_elsewhere(store, f"{root.as_uri()}/there")
        assert download(store, there, tmp_path / "target").file_count == 1


@pytest.mark.parametrize("way", ["embedded", "http", "no http"])
def test_what_was_purged_in_a_bucket_is_fetched_from_the_server(
    request: pytest.FixtureRequest,
    start_server: StartServer,
    sqlite_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    s3: S3Address = request.getfixturevalue("s3")
    settings = {
        "AWS_ACCESS_KEY_ID": s3.access_key,
        "AWS_SECRET_ACCESS_KEY": s3.secret_key,
        "MLMD_ARTIFACTS": f"s3://{request.getfixturevalue('bucket')}",
        "MLMD_ARTIFACTS_ENDPOINT": s3.endpoint,
    }
    if way == "embedded":
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        target = str(tmp_path / "store")
    else:
        target = start_server(sqlite_url, http=way == "http", environment=settings).target
    store = open_transport(target)
    contents = CONTENTS | {"large": b"0123456789abcdef" * (1 << 20)}
    kept = upload(store, artifact(store), write_files(tmp_path / "source", contents)).artifact_id
    asked = admin.PurgeRequest(kind=admin.NODE_KIND_ARTIFACT, ids=[kept])
    service = Service(store)
    asked.digest, asked.reason = service.read(asked, admin.PurgeResponse).digest, "consent withdrawn"
    assert service.write(asked, admin.PurgeResponse).purged
    if way == "no http":
        with pytest.raises(CallError, match="--http-port"):
            download(store, kept, tmp_path / "fetched")
    else:
        download(store, kept, tmp_path / "fetched")
        assert read_files(tmp_path / "fetched") == contents
        assert b"".join(stream_file(store, kept, "9")) == contents["9"]
    store.close()
