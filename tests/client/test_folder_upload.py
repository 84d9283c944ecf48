"""What goes into a folder, in what groups, and what the server is told of it, without a store."""

import hashlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlmd_client import folder_upload
from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.calls import CallError
from mlmd_client.file_doors import Digests, HandedFile
from mlmd_client.file_listing import Listing, list_files
from mlmd_client.folder_upload import FolderSending, FolderUpload, packed_told
from mlmd_client.progress import Meter, Progress
from mlmd_client.transfer_errors import ChangedFile, Stopped
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

KIB = 1024
MIB = 1024 * KIB
LITTLE = 64 * KIB


class Folder:
    """Notes what it is told and given; wants files of some paths, and has files of some sizes in other artifacts."""

    target = "here"

    def __init__(self, wanted: Iterable[str] = (), sizes: Iterable[int] = ()) -> None:
        self.declared: list[v1.DeclareFilesRequest] = []
        self.taken: list[list[str]] = []
        self.listed: list[int] = []
        self.stop = threading.Event()
        self.progress: list[Progress] = []
        self.taking: Callable[[Sequence[HandedFile]], object] = lambda files: None
        self._wanted = set(wanted)
        self._sizes = sizes

    def unary(self, path: str, request: Any, response: Any, **_: object) -> Any:
        if path.endswith("/ListFiles"):
            self.listed.append(request.artifact_id)
            return v1.ListFilesResponse(
                files=[v1.File(size_bytes=size, sha256=digests(bytes(size))[0]) for size in self._sizes]
            )
        told = v1.DeclareFilesRequest()
        told.CopyFrom(request)
        self.declared.append(told)
        wanted = [file.path for file in request.files if file.path in self._wanted]
        return v1.DeclareFilesResponse(urls=[v1.UploadUrl(path=path) for path in wanted])

    def take_in(self, artifact_id: int, files: Sequence[HandedFile]) -> Sequence[Digests]:
        self.taken.append([file.path for file in files])
        self.taking(files)
        return [self._read(file) for file in files]

    def _read(self, file: HandedFile) -> Digests:
        with file.opened() as descriptor:
            content = os.pread(descriptor, min(file.size_bytes, MIB), file.start)
            file.moved(file.size_bytes)
        return digests(content)

    def send(
        self, listing: Listing, told: Iterable[v1.UploadFile] | None = None, workers: int = 16, **upload: Any
    ) -> None:
        """Send a listing as artifact 7."""
        fields = {"unchanged_from": 0, "resumed": False, "again": False, **upload}
        meter = Meter(self.progress.append, clock=itertools.count().__next__)
        calls: Any = ArtifactCalls(self, self.stop)  # type: ignore[arg-type]
        door: Any = self
        sending = FolderSending(calls, door, listing, meter, self.stop, FolderUpload(7, **fields))
        sending.run(None if told is None else packed_told(told), workers)


def digests(content: bytes) -> Digests:
    """Return SHA-256 and MD5."""
    return hashlib.sha256(content).digest(), hashlib.md5(content, usedforsecurity=False).digest()


def files_of(folder: Path, *sizes: int) -> Listing:
    """Make files of zeros, 000, 001 and so on, and list them."""
    folder.mkdir()
    for number, size in enumerate(sizes):
        with (folder / f"{number:03}").open("wb") as file:
            file.truncate(size)
    return list_files(folder)


def test_fresh_files_are_copied_first_and_declared_hundreds_at_a_time(tmp_path: Path) -> None:
    store = Folder()
    store.send(files_of(tmp_path / "source", *range(700)))
    assert [len(one.files) for one in store.declared] == [512, 188]
    assert {(one.artifact_id, one.unsigned, one.only_missing) for one in store.declared} == {(7, True, False)}
    told = [file for one in store.declared for file in one.files]
    assert [(file.path, file.size_bytes) for file in told] == [(f"{size:03}", size) for size in range(700)]
    assert [(file.sha256, *file.md5s) for file in told] == [digests(bytes(size)) for size in range(700)]
    assert store.listed == [], "there is no earlier one"
    last = store.progress[-1]
    assert (last.files_done, last.bytes_done) == (700, sum(range(700)))


@pytest.mark.parametrize(
    ("sizes", "groups"),
    [
        ([LITTLE] * 129, [128, 1]),
        ([LITTLE] * 128, [128]),
        ([LITTLE + 1] * 33, [32, 1]),
        ([16 * MIB] * 4, [3, 1]),
        ([16 * MIB, 16 * MIB + 1, 1], [2, 1]),
        ([33 * MIB] * 2, [1, 1]),
    ],
)
def test_files_go_in_together_up_to_so_many_and_so_many_bytes(
    tmp_path: Path, sizes: list[int], groups: list[int]
) -> None:
    store = Folder()
    store.send(files_of(tmp_path / "source", *sizes), workers=1)
    assert [len(taken) for taken in store.taken] == groups


@pytest.mark.parametrize(
    ("sizes", "workers", "threads"),
    [([1] * 128 * 4, 16, 2), ([1] * 128 * 4, 1, 1), ([33 * MIB] * 16, 16, 8), ([33 * MIB] * 6, 3, 3)],
)
def test_so_many_threads_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sizes: list[int], workers: int, threads: int
) -> None:
    store, together = Folder(), threading.Barrier(threads)
    made: list[int] = []

    def noted(count: int, **named: Any) -> ThreadPoolExecutor:
        made.append(count)
        return ThreadPoolExecutor(count, **named)

    monkeypatch.setattr(folder_upload, "ThreadPoolExecutor", noted)
    store.taking = lambda _: together.wait(20)
    store.send(files_of(tmp_path / "source", *sizes), workers=workers)
    assert made == [threads]


def test_the_first_failure_ends_the_others(tmp_path: Path) -> None:
    store = Folder()
    ends: list[Stopped] = []

    def take(files: Sequence[HandedFile]) -> None:
        if files[0].path == "000":
            raise CallError(Code.RESOURCE_EXHAUSTED, "full")
        assert store.stop.wait(20)
        with pytest.raises(Stopped) as stopped:
            files[0].moved(1)
        ends.append(stopped.value)
        raise stopped.value

    store.taking = take
    with pytest.raises(CallError, match="full"):
        store.send(files_of(tmp_path / "source", *[33 * MIB] * 40), workers=2)
    assert len(ends) == len(store.taken) - 1
    assert len(store.taken) <= 3
    assert store.declared == []


def test_nothing_is_done_when_the_transfer_has_stopped(tmp_path: Path) -> None:
    store = Folder()
    store.stop.set()
    listing = files_of(tmp_path / "source", 1, 2)
    for resumed in (False, True):
        with pytest.raises(Stopped):
            store.send(listing, resumed=resumed)
    assert (store.taken, store.declared) == ([], [])


@pytest.mark.parametrize("size", [LITTLE, LITTLE + 1])
def test_what_may_have_arrived_is_hashed_and_only_what_is_missing_copied(tmp_path: Path, size: int) -> None:
    store = Folder(wanted=["001"])
    store.send(files_of(tmp_path / "source", 5, 6, size), resumed=True)
    assert store.taken == [["001"]]
    (asked,) = store.declared
    assert (asked.only_missing, asked.unsigned) == (True, False)
    sha256, md5 = digests(bytes(size))
    assert (asked.files[2].sha256, list(asked.files[2].md5s)) == (sha256, [md5] if size == LITTLE else [])
    last = store.progress[-1]
    assert (last.files_done, last.bytes_done) == (3, 5 + 6 + size)


def test_what_an_earlier_artifact_may_have_is_asked_after_the_rest(tmp_path: Path) -> None:
    store = Folder(sizes=[6])
    store.send(files_of(tmp_path / "source", 5, 6, 7), unchanged_from=3)
    assert (store.listed, store.taken) == ([3], [["000", "002"]])
    asked = {one.unsigned: one for one in store.declared}
    assert [file.path for file in asked[False].files] == ["001"]
    assert [file.path for file in asked[True].files] == ["000", "002"]
    assert (asked[False].unchanged_from_artifact_id, asked[True].unchanged_from_artifact_id) == (3, 0)
    assert not any(one.only_missing for one in store.declared)


def test_what_was_hashed_before_is_not_read(tmp_path: Path) -> None:
    listing = files_of(tmp_path / "source", 5, LITTLE + 1)
    said = [
        v1.UploadFile(path=file.path, sha256=b"s" * 32, md5s=[f"{file.path:>16}".encode()]) for file in listing.files
    ]
    for file in listing.files:
        os.unlink(listing.location(file))
    store = Folder()
    store.send(listing, said)
    (asked,) = store.declared
    assert [(file.path, file.size_bytes, file.sha256) for file in asked.files] == [
        ("000", 5, b"s" * 32),
        ("001", LITTLE + 1, b"s" * 32),
    ]
    assert [list(file.md5s) for file in asked.files] == [list(said[0].md5s), []], "a large one has no use for it"


def test_one_that_is_not_what_was_declared_is_told(tmp_path: Path) -> None:
    store = Folder(wanted=["000", "001"])
    listing = files_of(tmp_path / "source", 5, 6)
    said = [v1.UploadFile(path=file.path, sha256=digests(bytes(5))[0], md5s=[b"m" * 16]) for file in listing.files]
    with pytest.raises(ChangedFile, match="'001' changed during the upload"):
        store.send(listing, said)


def test_one_that_changes_between_its_opening_and_its_end_is_told(tmp_path: Path) -> None:
    store = Folder()
    descriptors: list[int] = []

    def read(file: HandedFile, content: bytes | None = None) -> None:
        with file.opened() as descriptor:
            descriptors.append(descriptor)
            if content is not None:
                (tmp_path / "source" / file.path).write_bytes(content)

    def take(files: Sequence[HandedFile]) -> None:
        read(files[0])
        with pytest.raises(ChangedFile, match="'000' changed while"):
            read(files[0], b"other bytes")
        for descriptor in descriptors:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(descriptor)
        descriptors.clear()

    store.taking = take
    with pytest.raises(ChangedFile):
        store.send(files_of(tmp_path / "source", 5))
    assert descriptors == [], "both were looked at"


def test_what_was_counted_before_is_not_counted_again(tmp_path: Path) -> None:
    store = Folder(wanted=["001"])
    store.send(files_of(tmp_path / "source", 5, 6), resumed=True, again=True)
    assert store.taken == [["001"]]
    assert store.progress == []


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("data.csv/part", ""),
        ("part/data.csv", "text/csv"),
        ("my.model.json", "application/json"),
        ("all.tar.gz", "application/x-tar"),
        (".csv", ""),
        ("csv", ""),
        ("csv.", ""),
    ],
)
def test_a_name_says_of_what_kind_a_file_is(tmp_path: Path, path: str, media_type: str) -> None:
    place = tmp_path / "source" / path
    place.parent.mkdir(parents=True)
    place.write_bytes(b"1")
    store = Folder()
    store.send(list_files(tmp_path / "source"))
    assert [(file.path, file.media_type) for file in store.declared[0].files] == [(path, media_type)]
