"""How pieces of files become files: each byte in its place and counted once, and nothing else gets a name."""

import contextlib
import errno
import hashlib
import io
import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from mlmd_client import fetching
from mlmd_client.bounded_work import Crew
from mlmd_client.calls import CallError
from mlmd_client.download_target import DownloadTarget
from mlmd_client.fetching import Fetching, Source
from mlmd_client.http_connections import Connections
from mlmd_client.progress import Meter, Progress
from mlmd_client.signed_http import PATIENCE, Bytes, Span
from mlmd_client.transfer_errors import DamagedBytes, Stopped, UnfitFiles
from mlmd_client.transport import Transport
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.places import read_files, write_files

PIECE = 10
CONTENTS = {f"{size:02}": bytes(range(65, 65 + size)) for size in (0, 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE - 1)}
"""The first three fit into a piece; the others have 2, 2 and 3."""


class Held:
    """Where bytes come from: what is held here, a few at a time."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = dict(contents)
        self.once: dict[str, bytes] = {}
        """What comes instead, the first time."""
        self.stop, self.door = threading.Event(), None
        self.asked: list[tuple[str, Span]] = []
        self.before_chunk: Callable[[str], None] = lambda path: None

    def fetch(self, artifact_id: int, url: v1.DownloadUrl, span: Span, sink: Callable[[Bytes], None]) -> None:
        """Give bytes, as a connection does that takes any OSError for its own."""
        path = url.file.path
        self.asked.append((path, span))
        try:
            content = self.once.pop(path, self.contents[path][span.start : span.end])
            for start in range(0, len(content), 4):
                self.before_chunk(path)
                sink(memoryview(content[start : start + 4]))
        except OSError:
            raise AssertionError("what befell the disk is taken for a connection that broke off") from None


class Work:
    """Files of an artifact on their way into a folder, the pieces of work in the hands of the test."""

    def __init__(self, held: Held, folder: Path) -> None:
        self.held, self.works, self.seen = held, list[Callable[[], None]](), list[Progress]()
        self.meter = Meter(self.seen.append, itertools.count().__next__)
        self.fetching = Fetching(cast("Source", held), 7, DownloadTarget(folder), self.meter)

    def submit(self, work: Callable[[], None]) -> None:
        """Be a crew that does nothing yet."""
        self.works.append(work)

    def finish(self) -> None:
        """Be a crew that does all of it, in the order that it has by now."""
        works, self.works = self.works, []
        for work in works:
            work()

    def take(self, contents: Mapping[str, bytes], *, hashed: bool = True) -> None:
        """Have files fetched whose manifest says these bytes."""
        for path, content in contents.items():
            digest = hashlib.sha256(content).digest() if hashed else b""
            self.meter.expect(1, len(content))
            file = v1.File(path=path, size_bytes=len(content), sha256=digest)
            self.fetching.submit(cast("Crew", self), v1.DownloadUrl(file=file))

    def run(self, contents: Mapping[str, bytes], *, hashed: bool = True) -> None:
        """Fetch all."""
        self.take(contents, hashed=hashed)
        self.fetching.finish(cast("Crew", self))
        self.meter.end()


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "PIECE_BYTES", PIECE)
    monkeypatch.setattr(fetching, "_HASHED_AT_ONCE", 4)


@pytest.fixture
def held() -> Held:
    """The contents, as the manifest has them."""
    return Held(CONTENTS)


@pytest.fixture
def work(held: Held, tmp_path: Path) -> Iterator[Work]:
    """A fetching of them; at its end nothing unfinished is left, and no descriptor is open."""
    before = set(os.listdir("/proc/self/fd"))
    made = Work(held, tmp_path / "target")
    yield made
    made.fetching.close()
    assert list(tmp_path.rglob(".mlmd-*")) == []
    assert len(set(os.listdir("/proc/self/fd"))) == len(before)


def total(contents: Mapping[str, bytes]) -> Progress:
    """Return what is told at the end."""
    size = sum(map(len, contents.values()))
    return Progress(size, size, len(contents), len(contents), "")


def test_what_is_larger_than_a_piece_is_asked_for_in_pieces(held: Held, work: Work, tmp_path: Path) -> None:
    work.run(CONTENTS)
    assert read_files(tmp_path / "target") == CONTENTS
    assert held.asked == [
        (path, Span(start, min(start + PIECE, len(content)), len(content)))
        for path, content in CONTENTS.items()
        for start in range(0, len(content) or 1, PIECE)
    ]
    assert work.seen[-1] == total(CONTENTS)
    found = work.fetching
    assert (found.file_count, found.size_bytes, found.files_reused) == (len(CONTENTS), total(CONTENTS).bytes_done, 0)
    assert found.last_path == max(CONTENTS)


@pytest.mark.parametrize("seed", range(8))
def test_pieces_come_in_any_order(work: Work, tmp_path: Path, seed: int) -> None:
    work.take(CONTENTS)
    random.Random(seed).shuffle(work.works)
    work.finish()
    work.meter.end()
    assert read_files(tmp_path / "target") == CONTENTS
    assert work.seen[-1] == total(CONTENTS)


def test_a_file_has_its_name_with_its_last_piece(work: Work, tmp_path: Path) -> None:
    work.take({"29": CONTENTS["29"]})
    last, *others = work.works
    for other in others:
        other()
        assert not (tmp_path / "target" / "29").exists()
    last()
    assert (tmp_path / "target" / "29").read_bytes() == CONTENTS["29"]


def test_a_disk_that_takes_and_gives_few_bytes_at_a_time(
    work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, preadv = os.pwrite, os.preadv
    monkeypatch.setattr(os, "pwrite", lambda descriptor, content, at: pwrite(descriptor, content[:3], at))
    monkeypatch.setattr(os, "preadv", lambda descriptor, buffers, at: preadv(descriptor, [buffers[0][:3]], at))
    work.run(CONTENTS)
    assert read_files(tmp_path / "target") == CONTENTS


@pytest.mark.parametrize("path", ["01", "10", "11", "29"])
@pytest.mark.parametrize("place", [0, -1])
def test_other_bytes_get_no_name(held: Held, work: Work, tmp_path: Path, path: str, place: int) -> None:
    other = bytearray(CONTENTS[path])
    other[place] ^= 1
    held.contents[path] = bytes(other)
    with pytest.raises(DamagedBytes, match=f"'{path}' of artifact 7 has changed"):
        work.run({path: CONTENTS[path]})
    work.fetching.close()
    assert read_files(tmp_path / "target") == {}


@pytest.mark.parametrize("first", [b"", b"shorter", b"or longer than it is", CONTENTS["10"][::-1]])
def test_a_small_file_that_comes_damaged_is_fetched_once_more_and_counted_once(
    held: Held, work: Work, tmp_path: Path, first: bytes
) -> None:
    held.once["10"] = first
    work.run({"10": CONTENTS["10"]})
    assert read_files(tmp_path / "target") == {"10": CONTENTS["10"]}
    assert len(held.asked) == 2
    assert work.seen[-1] == total({"10": CONTENTS["10"]})


def test_without_a_digest_what_has_the_size_is_taken(held: Held, work: Work, tmp_path: Path) -> None:
    work.run(CONTENTS, hashed=False)
    assert read_files(tmp_path / "target") == CONTENTS
    assert len(held.asked) == 1 + 1 + 1 + 2 + 2 + 3
    held.contents["01"] = b""
    (tmp_path / "target" / "01").unlink()
    with pytest.raises(DamagedBytes, match="'01'"):
        work.run({"01": CONTENTS["01"]}, hashed=False)


def test_what_is_there_is_counted_and_not_fetched(held: Held, work: Work, tmp_path: Path) -> None:
    write_files(tmp_path / "target", CONTENTS)
    work.run(CONTENTS)
    assert held.asked == []
    assert work.fetching.files_reused == len(CONTENTS)
    assert work.seen[-1] == total(CONTENTS)


@pytest.mark.parametrize("path", ["10", "29"])
def test_what_stops_writes_no_more(held: Held, work: Work, path: str) -> None:
    held.before_chunk = lambda _path: held.stop.set() if work.seen else None
    with pytest.raises(Stopped):
        work.run({path: CONTENTS[path]})
    assert [progress.bytes_done for progress in work.seen] == [4]


def test_an_unfinished_file_that_somebody_shortens_is_told(held: Held, work: Work, tmp_path: Path) -> None:
    def shorten(path: str) -> None:
        for unfinished in tmp_path.rglob(".mlmd-*"):
            os.truncate(unfinished, 0)

    held.before_chunk = shorten
    work.take({"29": CONTENTS["29"]})
    work.works.reverse()
    with pytest.raises(UnfitFiles, match=r"target: '.*/target/29' was shortened while it was written"):
        work.finish()
    work.fetching.close()
    assert read_files(tmp_path / "target") == {}


@pytest.mark.parametrize("path", ["10", "29"])
def test_an_unfinished_file_that_somebody_deletes_is_told(held: Held, work: Work, tmp_path: Path, path: str) -> None:
    def delete(path: str) -> None:
        for unfinished in tmp_path.rglob(".mlmd-*"):
            unfinished.unlink()

    held.before_chunk = delete
    with pytest.raises(UnfitFiles, match=r"target' cannot be written \(No such file"):
        work.run({path: CONTENTS[path]})


def full(*arguments: Any) -> int:
    """Be a disk without room."""
    raise OSError(errno.ENOSPC, "no room")


@pytest.mark.parametrize("path", ["10", "29"])
def test_a_full_disk_is_told_at_once(work: Work, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    @contextlib.contextmanager
    def written(target: DownloadTarget, place: str) -> Iterator[Any]:
        file = io.BytesIO()
        monkeypatch.setattr(file, "write", full, raising=False)
        yield file

    monkeypatch.setattr(DownloadTarget, "written", written)
    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(CallError, match="target' is full; make room") as refused:
        work.run({path: CONTENTS[path]})
    assert refused.value.code == Code.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("path", ["10", "29"])
def test_a_target_that_is_no_folder_is_told(work: Work, tmp_path: Path, path: str) -> None:
    (tmp_path / "target").write_bytes(b"mine")
    with pytest.raises(UnfitFiles, match="target' cannot be written"):
        work.run({path: CONTENTS[path]})


def test_what_is_signed_is_fetched_even_where_the_store_is_in_this_process(held: Held, tmp_path: Path) -> None:
    held.door = cast("Any", object())
    work = Work(held, tmp_path)
    request = v1.SignedRequest(url="http://bucket/10")
    work.fetching.submit(cast("Crew", work), v1.DownloadUrl(file=v1.File(path="10", size_bytes=10), request=request))
    work.finish()
    assert read_files(tmp_path) == {"10": CONTENTS["10"]}


class Hashing:
    """The lock of whoever hashes; while it is held, another thread brings pieces, sees that, and goes."""

    def __init__(self, bring: Callable[[], None]) -> None:
        self._bring, self._is_held = bring, False

    def acquire(self, *, blocking: bool) -> bool:
        """Take it, unless it is held; who does not get it has more to fetch, and does not wait."""
        assert not blocking
        taken, self._is_held = not self._is_held, True
        return taken

    def release(self) -> None:
        """Let it go, right after the other thread did not get it."""
        bring, self._bring = self._bring, lambda: None
        bring()
        self._is_held = False


def test_a_piece_that_comes_while_another_thread_hashes_is_hashed_by_it(tmp_path: Path) -> None:
    content = CONTENTS["11"]
    file = v1.File(path="11", size_bytes=len(content), sha256=hashlib.sha256(content).digest())
    large = fetching._LargeFile(7, file, DownloadTarget(tmp_path), str(tmp_path / "11"))
    large.write(content, 0)
    brought: list[bool] = []
    large._hashing = cast("Any", Hashing(lambda: brought.append(large.arrived(1))))
    assert large.arrived(0)
    assert brought == [False]
    assert not large.arrived(1), "it is complete once"
    assert read_files(tmp_path) == {"11": content}


@pytest.fixture
def source(folder_store: Transport) -> Iterator[Source]:
    """Where the bytes of a store in this process come from."""
    with Source(folder_store, PATIENCE) as opened:
        yield opened


@pytest.mark.parametrize(
    ("code", "expires_ms", "looks"), [(Code.NOT_FOUND, 5, 1), (Code.NOT_FOUND, 0, 0), (Code.UNAVAILABLE, 5, 0)]
)
def test_the_server_is_asked_once_after_the_place_of_what_an_object_store_has_not(
    source: Source, monkeypatch: pytest.MonkeyPatch, code: Code, expires_ms: int, looks: int
) -> None:
    asked: list[str] = []

    def missed(*arguments: Any) -> None:
        raise CallError(code, "It is not to be had.")

    def look() -> str:
        assert source._looking.locked(), "or another thread would ask, too"
        asked.append("place")
        return ""

    monkeypatch.setattr(source._http, "get", missed)
    monkeypatch.setattr(source.calls, "look_at_place", look)
    request = v1.SignedRequest(url="http://bucket/a", expires_ms=expires_ms)
    for _ in range(2):
        with pytest.raises(CallError, match="It is not to be had") as refused:
            source.fetch(7, v1.DownloadUrl(file=v1.File(path="a"), request=request), Span(0, 1, 1), print)
        assert refused.value.code == code
        assert ("by its manifest" in refused.value.message) == (code == Code.NOT_FOUND)
    assert len(asked) == looks


def test_of_what_begins_with_a_path_no_more_than_the_first_is_asked_for(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = iter([v1.DownloadUrl(file=v1.File(path=f"a/{number}")) for number in range(3)])
    monkeypatch.setattr(source.calls, "download_urls", lambda artifact_id, prefix: listed)
    with pytest.raises(CallError, match="path: artifact 7 has no file 'a'") as refused:
        source.url(7, "a")
    assert refused.value.code == Code.NOT_FOUND
    assert len(list(listed)) == 2


def test_connections_are_closed_with_what_they_were_for(
    folder_store: Transport, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[Connections] = []
    monkeypatch.setattr(Connections, "close", lambda connections: closed.append(connections))
    with Source(folder_store, PATIENCE):
        assert closed == []
    assert len(closed) == 1
