"""What is told to the server at once, and what is sent, of files of every size."""

import contextlib
import itertools
import math
import os
import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from mlmd_client import hashing, progress, sending
from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.calls import CallError
from mlmd_client.download import download
from mlmd_client.file_listing import list_files
from mlmd_client.http_connections import Body, Connections
from mlmd_client.progress import Meter, Progress
from mlmd_client.sending import size_of_parts
from mlmd_client.signed_http import PATIENCE, Renew, SignedHttp
from mlmd_client.transfer_errors import Stopped
from mlmd_client.transport import Transport
from mlmd_client.upload import upload
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.places import artifact, read_files, write_files

PART = 5 << 20
MIB = 1 << 20
CONTENTS = {f"small/{number}": b"%d" % number for number in range(6)} | {
    f"large/{number}": random.Random(number).randbytes(2 * PART + number + 1) for number in range(3)
}

PIECES = sorted((path, part) for path in CONTENTS for part in ((0,) if path.startswith("small") else (1, 2, 3)))


class Told:
    """What is asked of the server of an upload."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.declared: list[tuple[int, bool]] = []
        """How many files were told in each call, and whether to sign nothing."""
        self.windows: list[tuple[str, int]] = []
        self.sent: list[tuple[str, int]] = []
        """Files and their parts; 0: the whole."""
        declare, sign_parts, submit = ArtifactCalls.declare, ArtifactCalls.sign_parts, sending.Sending._submit

        def declared(calls: ArtifactCalls, request: v1.DeclareFilesRequest) -> list[v1.UploadUrl]:
            self.declared.append((len(request.files), request.unsigned))
            return declare(calls, request)

        def signed(calls: ArtifactCalls, request: v1.SignPartsRequest) -> list[v1.UploadUrl]:
            self.windows.append((request.path, len(request.parts)))
            return sign_parts(calls, request)

        def submitted(*arguments: Any) -> None:
            url: Any = arguments[3]
            self.sent.append((url.path, url.part_number))
            submit(*arguments)

        monkeypatch.setattr(ArtifactCalls, "declare", declared)
        monkeypatch.setattr(ArtifactCalls, "sign_parts", signed)
        monkeypatch.setattr(sending.Sending, "_submit", submitted)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Six small files and three of three parts."""
    return write_files(tmp_path / "source", CONTENTS)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    """What is asked, a few files at a time."""
    for name, value in {"_FIRST_BATCH_FILES": 1, "_BATCH_FILES": 3, "_TOLD_AT_ONCE": 2, "_WINDOW_PARTS": 1}.items():
        monkeypatch.setattr(sending, name, value)
    return Told(monkeypatch)


def test_files_are_told_as_they_are_hashed(s3_store: Transport, source: Path, tmp_path: Path, told: Told) -> None:
    made = upload(s3_store, artifact(s3_store), source, part_size=PART)
    assert told.windows == [(f"large/{number}", 1) for number in range(3) for _ in range(3)]
    opened, small, large = [(1, False)] * 3, [(1, False), (3, False), (2, False)], [(2, True), (1, True)]
    assert told.declared == [*opened, *small, *large]
    assert sorted(told.sent) == PIECES
    download(s3_store, made.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == CONTENTS


@pytest.mark.parametrize("most_bytes", [8, 11])
def test_a_batch_is_full_by_its_bytes_too(
    s3_store: Transport, tmp_path: Path, told: Told, monkeypatch: pytest.MonkeyPatch, most_bytes: int
) -> None:
    for name, value in {"_FIRST_BATCH_FILES": 9, "_BATCH_FILES": 9, "_BATCH_BYTES": most_bytes}.items():
        monkeypatch.setattr(sending, name, value)
    source = write_files(tmp_path / "other", dict.fromkeys("abcdefg", b"four"))
    upload(s3_store, artifact(s3_store), source, part_size=PART)
    assert told.declared == [(3, False), (3, False), (1, False)]


def test_files_that_were_hashed_before_are_told_whole(
    s3_store: Transport, source: Path, tmp_path: Path, told: Told
) -> None:
    made = upload(s3_store, artifact(s3_store), source, collection="fraud", reuse=True, part_size=PART)
    assert told.windows == []
    assert told.declared == [(2, False)] * 4 + [(1, False)]
    assert sorted(told.sent) == PIECES
    download(s3_store, made.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == CONTENTS


def test_what_an_earlier_artifact_has_is_not_sent(
    s3_store: Transport, source: Path, tmp_path: Path, told: Told
) -> None:
    first = upload(s3_store, artifact(s3_store), source, part_size=PART)
    told.sent.clear()
    write_files(source, {"small/1": b"other", "large/new": CONTENTS["large/1"][:-1]})
    (source / "large/2").rename(source / "moved")
    second = upload(s3_store, artifact(s3_store), source, part_size=PART, unchanged_from=first.artifact_id)
    assert sorted(told.sent) == [*(("large/new", part) for part in (1, 2, 3)), ("small/1", 0)]
    download(s3_store, second.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == read_files(source)


def lose(s3_admin: Minio, bucket: str, path: str) -> None:
    """Delete a file of an upload from the bucket, or the parts that have come of it."""
    for found in s3_admin.list_objects(bucket, recursive=True):
        if str(found.object_name).endswith(f"/{path}"):
            s3_admin.remove_object(bucket, str(found.object_name))
    for begun in s3_admin._list_multipart_uploads(bucket).uploads:
        if begun.object_name.endswith(f"/{path}"):
            s3_admin._abort_multipart_upload(bucket, begun.object_name, str(begun.upload_id))


@pytest.mark.parametrize(("lost", "parts"), [("small/1", [0]), ("large/0", [1, 2, 3])])
def test_what_the_store_lost_is_sent_again_and_counted_once(
    s3_store: Transport,
    s3_admin: Minio,
    bucket: str,
    source: Path,
    tmp_path: Path,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    lost: str,
    parts: list[int],
) -> None:
    commit, before, seen = ArtifactCalls.commit, list[tuple[str, int]](), list[Progress]()

    def late(calls: ArtifactCalls, *arguments: Any, **named: Any) -> v1.CommitUploadResponse:
        if not before:
            before.extend(told.sent)
            lose(s3_admin, bucket, lost)
        return commit(calls, *arguments, **named)

    monkeypatch.setattr(ArtifactCalls, "commit", late)
    made = upload(s3_store, artifact(s3_store), source, part_size=PART, progress=seen.append)
    assert told.sent[len(before) :] == [(lost, part) for part in parts]
    total = sum(map(len, CONTENTS.values()))
    assert seen[-1] == Progress(total, total, len(CONTENTS), len(CONTENTS), "")
    assert max(progress.bytes_done for progress in seen) == total
    assert max(progress.files_done for progress in seen) == len(CONTENTS)
    download(s3_store, made.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == CONTENTS


@pytest.mark.parametrize("missing", [[], [("large/0", 2), ("large/1", 3), ("small/3", 0)]])
def test_an_upload_that_goes_on_sends_what_is_missing_and_counts_the_rest(
    s3_store: Transport,
    source: Path,
    tmp_path: Path,
    told: Told,
    monkeypatch: pytest.MonkeyPatch,
    missing: list[tuple[str, int]],
) -> None:
    send, seen = sending.Sending._send, list[Progress]()

    def some(*arguments: Any) -> None:
        if (arguments[2].path, arguments[2].part_number) not in missing:
            send(*arguments)

    def away(*arguments: Any, **named: Any) -> None:
        raise CallError(Code.UNAVAILABLE, "away")

    made = artifact(s3_store)
    with monkeypatch.context() as patched:
        patched.setattr(sending.Sending, "_send", some)
        patched.setattr(ArtifactCalls, "commit", away)
        with pytest.raises(CallError, match="away"):
            upload(s3_store, made, source, part_size=PART)
    told.sent.clear()
    uploaded = upload(s3_store, made, source, part_size=PART, progress=seen.append)
    assert sorted(told.sent) == missing
    total = sum(map(len, CONTENTS.values()))
    assert seen[-1] == Progress(total, total, len(CONTENTS), len(CONTENTS), "")
    download(s3_store, uploaded.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == CONTENTS


@pytest.mark.parametrize("reuse", [False, True])
def test_a_piece_is_signed_anew_for_itself_until_it_is_stored(
    s3_store: Transport, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reuse: bool
) -> None:
    put, pieces = SignedHttp.put, list[str]()

    def late(http: SignedHttp, request: v1.SignedRequest, body: Body, path: str, renew: Renew) -> None:
        fresh = renew()
        assert fresh is not None
        assert piece(fresh) == piece(request)
        put(http, fresh, body, path, renew)
        assert renew() is None
        pieces.append(piece(request))

    monkeypatch.setattr(SignedHttp, "put", late)
    made = upload(s3_store, artifact(s3_store), source, collection="fraud", reuse=reuse, part_size=PART)
    assert len(set(pieces)) == len(pieces) == len(PIECES)
    download(s3_store, made.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == CONTENTS


def piece(request: v1.SignedRequest) -> str:
    """Return which file, or which part of one, a request sends."""
    path, _, query = request.url.partition("?")
    return f"{path} {query.partition('partNumber=')[2].partition('&')[0]}"


@pytest.mark.parametrize("reuse", [False, True])
def test_a_file_of_one_part_goes_whole(s3_store: Transport, tmp_path: Path, told: Told, reuse: bool) -> None:
    source = write_files(tmp_path / "one", {"f": bytes(PART)})
    upload(s3_store, artifact(s3_store), source, collection="fraud", reuse=reuse, part_size=PART)
    assert told.windows == []
    assert told.sent == [("f", 0)]


@pytest.mark.parametrize("reuse", [False, True])
def test_a_file_is_counted_with_its_last_part(
    s3_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reuse: bool
) -> None:
    monkeypatch.setattr(progress, "CALLS_A_SECOND", math.inf)
    source, seen = write_files(tmp_path / "one", {"f": CONTENTS["large/1"]}), list[Progress]()
    upload(
        s3_store,
        artifact(s3_store),
        source,
        collection="fraud",
        reuse=reuse,
        part_size=PART,
        workers=1,
        progress=seen.append,
    )
    assert seen[-1].files_done == 1
    assert {told.bytes_done for told in seen if told.files_done} == {len(CONTENTS["large/1"])}


@pytest.mark.parametrize("reuse", [False, True])
def test_what_a_name_says_of_the_content_is_told(s3_store: Transport, tmp_path: Path, reuse: bool) -> None:
    source = write_files(tmp_path / "two", {"small.csv": b"1", "large.json": bytes(PART + 1)})
    made = upload(s3_store, artifact(s3_store), source, collection="fraud", reuse=reuse, part_size=PART)
    files = ArtifactCalls(s3_store, threading.Event()).files(made.artifact_id)
    assert [file.media_type for file in files] == ["application/json", "text/csv"]


class Stopping:
    """An upload whose stop is in the hands of the test."""

    def __init__(self, transport: Transport, source: Path) -> None:
        self.stop, self.seen = threading.Event(), list[Progress]()
        self.listing, self.connections = list_files(source), Connections()
        calls, meter = ArtifactCalls(transport, self.stop, PATIENCE), Meter(self._told, itertools.count().__next__)
        meter.expect(len(self.listing.files), self.listing.size_bytes)
        http = SignedHttp(self.connections, self.stop, calls.info().http_address)
        self.sending = sending.Sending(calls, http, None, self.listing, meter, self.stop, 1, PART, 0)
        begun = calls.begin(v1.BeginUploadRequest(artifact=artifact(transport).SerializeToString(), more_files=True))
        self.sending.begin(begun.artifact_id, begun.uri, resumed=False)

    def _told(self, progress: Progress) -> None:
        self.seen.append(progress)
        if progress.bytes_done:
            self.stop.set()

    def end(self) -> int:
        """Run until it stops; return how many bytes had gone at most; those of a part that was broken off are none."""
        with contextlib.suppress(Stopped), contextlib.closing(self.connections):
            self.sending.run(None)
        self.sending.meter.end()
        return max(progress.bytes_done for progress in self.seen)


def watch_hashing(
    monkeypatch: pytest.MonkeyPatch,
    before: Callable[[], object] = lambda: None,
    after: Callable[[], object] = lambda: None,
) -> list[int]:
    """Return the sizes of what is read to be hashed, as they come; each reading calls `before` and `after`."""
    read, sizes = os.preadv, list[int]()

    def seen(*arguments: Any) -> int:
        if not threading.current_thread().name.startswith("sha256_"):
            return read(*arguments)
        before()
        sizes.append(read(*arguments))
        after()
        return sizes[-1]

    monkeypatch.setattr(os, "preadv", seen)
    return sizes


def test_what_stops_sends_no_more_of_what_is_under_way(s3_store: Transport, tmp_path: Path) -> None:
    source = write_files(tmp_path / "one", {"f": bytes(PART)})
    assert 0 < Stopping(s3_store, source).end() < PART


def test_what_stops_reads_no_more_to_hash_it(
    s3_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = Stopping(s3_store, write_files(tmp_path / "large", {"f": bytes(4 * PART)}))
    hashed = watch_hashing(monkeypatch, after=stopping.stop.set)
    stopping.end()
    assert 0 < sum(hashed) <= hashing.CHUNK_BYTES
    with pytest.raises(Stopped):
        stopping.sending.hashed()


def test_what_stops_hashes_no_small_files_either(
    s3_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = Stopping(s3_store, write_files(tmp_path / "small", {"a": b"a", "b": b"b"}))
    hashed: list[object] = []
    monkeypatch.setattr(sending, "digests", lambda *arguments: hashed.append(arguments))
    stopping.stop.set()
    with pytest.raises(Stopped), contextlib.closing(stopping.connections):
        stopping.sending.hashed()
    assert hashed == []


def test_what_has_stopped_begins_no_more_parts(
    s3_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = Stopping(s3_store, write_files(tmp_path / "large", {"f": bytes(4 * PART)}))
    begun: list[object] = []
    monkeypatch.setattr(sending, "part_md5s", lambda *arguments: begun.append(arguments))
    stopping.stop.set()
    assert stopping.end() == 0
    assert begun == []


def test_what_is_refused_stops_what_hashes(
    s3_store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = Stopping(s3_store, write_files(tmp_path / "large", {"f": bytes(4 * PART)}))
    hashed = watch_hashing(monkeypatch, before=lambda: stopping.stop.wait(20))

    def refuse(*arguments: Any) -> None:
        raise CallError(Code.INVALID_ARGUMENT, "refused")

    monkeypatch.setattr(ArtifactCalls, "declare", refuse)
    with pytest.raises(CallError, match="refused"):
        stopping.end()
    assert sum(hashed) <= hashing.CHUNK_BYTES


@pytest.mark.parametrize(
    ("size_bytes", "asked_bytes", "found"),
    [
        (0, PART, PART),
        (10_000 * PART, PART, PART),
        (10_000 * PART + 1, PART, 6 * MIB),
        (10_000 * 6 * MIB, PART, 6 * MIB),
        (5 << 40, 16 * MIB, 525 * MIB),
        (5 << 40, 600 * MIB, 600 * MIB),
    ],
)
def test_no_file_has_more_parts_than_a_store_takes(size_bytes: int, asked_bytes: int, found: int) -> None:
    assert size_of_parts(size_bytes, asked_bytes) == found
    assert -(-size_bytes // found) <= 10_000
