"""Files leave a folder in batches, few of little files at a time; what is not as it should be has no name."""

import hashlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from mlmd_client import folder_download
from mlmd_client.calls import CallError
from mlmd_client.download_target import DownloadTarget
from mlmd_client.file_doors import Digests, HandedFile
from mlmd_client.folder_download import FolderFetching
from mlmd_client.progress import Meter, Progress
from mlmd_client.transfer_errors import DamagedBytes, Stopped, UnfitFiles
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.places import read_files, write_files

BATCH, LITTLE = 32, 64 * 1024
"""Files of a batch, and the bytes that they have on average at most when they are little."""


class Later:
    """A crew and its stop: does the oldest piece of its work when somebody who waits looks whether it has stopped."""

    def __init__(self, *, stopped: bool) -> None:
        self.works: list[Callable[[], None]] = []
        self.submitted = self.looks = 0
        self._stopped = stopped

    def submit(self, work: Callable[[], None]) -> None:
        """Take a piece of work."""
        self.works.append(work)
        self.submitted += 1

    def is_set(self) -> bool:
        """Be looked at."""
        self.looks += 1
        if not self._stopped:
            self.works.pop(0)()
        return self._stopped


@pytest.fixture
def _copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy nothing, and look often."""
    monkeypatch.setattr(FolderFetching, "_copy", lambda fetching, files: None)
    monkeypatch.setattr(folder_download, "_LOOK_SECONDS", 0.001)


def submit(crew: Any, batches: int, batch_bytes: int) -> None:
    """Have batches copied of so many bytes each."""
    nothing = cast("Any", None)
    fetching = FolderFetching(nothing, 1, nothing, Meter(None), crew)
    for _ in range(batches):
        for _ in range(BATCH - 1):
            fetching.submit(crew, v1.File(path="a", size_bytes=batch_bytes // BATCH))
        fetching.submit(crew, v1.File(path="a", size_bytes=batch_bytes // BATCH + batch_bytes % BATCH))
    fetching.flush(crew)  # nothing is left


@pytest.mark.usefixtures("_copying")
@pytest.mark.parametrize(
    ("batches", "batch_bytes", "waits"),
    [(2, 0, 0), (3, 0, 1), (5, BATCH * LITTLE, 3), (5, BATCH * LITTLE + 1, 0)],
)
def test_two_batches_of_little_files_are_copied_at_a_time(batches: int, batch_bytes: int, waits: int) -> None:
    crew = Later(stopped=False)
    submit(crew, batches, batch_bytes)
    assert (crew.looks, crew.submitted) == (waits, batches)


@pytest.mark.usefixtures("_copying")
def test_what_has_stopped_is_not_waited_for() -> None:
    crew = Later(stopped=True)
    submit(crew, 5, 0)
    assert (crew.looks, crew.submitted) == (3, 5)


class Folder:
    """A store in this process whose folder holds these bytes."""

    def __init__(self, contents: Mapping[str, bytes]) -> None:
        self.contents = contents
        self.error: CallError | None = None

    def give_out(self, artifact_id: int, files: Sequence[HandedFile]) -> Sequence[Digests]:
        """Copy two bytes at a time."""
        found = []
        for file in files:
            content = self.contents[file.path]
            with file.opened() as descriptor:
                for start in range(0, len(content), 2):
                    file.moved(os.write(descriptor, content[start : start + 2]))
            found.append((hashlib.sha256(content).digest(), b""))
        if self.error:
            raise self.error
        return found


class AtOnce:
    """A crew that does what it is handed."""

    def submit(self, work: Callable[[], None]) -> None:
        """Do it."""
        work()


class Copies:
    """The copying of files, and what is told of it."""

    def __init__(self, folder: Path) -> None:
        self.seen: list[Progress] = []
        self.stop, self.meter = threading.Event(), Meter(self.seen.append, itertools.count().__next__)
        self._target = DownloadTarget(folder)

    def run(self, store: Folder, files: Mapping[str, bytes], *, hashed: bool = True) -> None:
        """Copy files whose manifest says these bytes."""
        copying, crew = (
            FolderFetching(cast("Any", store), 7, self._target, self.meter, self.stop),
            cast("Any", AtOnce()),
        )
        for path, content in files.items():
            self.meter.expect(1, len(content))
            digest = hashlib.sha256(content).digest() if hashed else b""
            copying.submit(crew, v1.File(path=path, size_bytes=len(content), sha256=digest))
        copying.flush(crew)
        self.meter.end()


CONTENTS = {"a": b"first", "b": b"second", "c": b"third"}


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[Copies]:
    """A copying into a folder; at its end nothing unfinished is left, and no descriptor is open."""
    before = len(os.listdir("/proc/self/fd"))
    yield Copies(tmp_path)
    assert list(tmp_path.rglob(".mlmd-*")) == []
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("hashed", [True, False])
def test_files_are_copied_and_counted(copies: Copies, tmp_path: Path, hashed: bool) -> None:
    copies.run(Folder(CONTENTS), CONTENTS, hashed=hashed)
    assert read_files(tmp_path) == CONTENTS
    size = sum(map(len, CONTENTS.values()))
    assert copies.seen[-1] == Progress(size, size, 3, 3, "")


@pytest.mark.parametrize("hashed", [True, False])
def test_the_first_that_is_damaged_is_told_and_the_sound_have_their_names(
    copies: Copies, tmp_path: Path, hashed: bool
) -> None:
    there = CONTENTS | {"a": b"1", "c": b"3"}
    with pytest.raises(DamagedBytes, match="'a' of artifact 7 has changed"):
        copies.run(Folder(there), CONTENTS, hashed=hashed)
    assert read_files(tmp_path) == {"b": b"second"}


def test_what_stops_copies_no_more(copies: Copies, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        copies.seen.append(progress)
        copies.stop.set()

    copies.meter = Meter(stop)
    with pytest.raises(Stopped):
        copies.run(Folder(CONTENTS), CONTENTS)
    assert [progress.bytes_done for progress in copies.seen] == [2]
    assert read_files(tmp_path) == {}


def test_what_is_there_is_counted_and_not_copied(copies: Copies, tmp_path: Path) -> None:
    write_files(tmp_path, CONTENTS)
    store = Folder({})
    store.error = CallError(Code.UNAVAILABLE, "not asked")
    copies.run(store, CONTENTS)
    size = sum(map(len, CONTENTS.values()))
    assert copies.seen[-1] == Progress(size, size, 3, 3, "")


def test_a_target_that_is_no_folder_is_told(tmp_path: Path) -> None:
    write_files(tmp_path, {"target": b"mine"})
    with pytest.raises(UnfitFiles, match="target' cannot be written"):
        Copies(tmp_path / "target").run(Folder(CONTENTS), CONTENTS)


def test_what_somebody_deleted_meanwhile_does_not_hide_what_went_wrong(copies: Copies, tmp_path: Path) -> None:
    def delete(progress: Progress) -> None:
        for unfinished in tmp_path.rglob(".mlmd-*"):
            unfinished.unlink()

    copies.meter, store = Meter(delete), Folder(CONTENTS)
    store.error = CallError(Code.UNAVAILABLE, "away")
    with pytest.raises(CallError, match="away"):
        copies.run(store, CONTENTS)


@pytest.mark.parametrize(("code", "told"), [(Code.NOT_FOUND, True), (Code.UNAVAILABLE, False)])
def test_a_store_that_has_not_what_it_should_is_told_with_the_mend(
    copies: Copies, tmp_path: Path, code: Code, told: bool
) -> None:
    store = Folder(CONTENTS)
    store.error = CallError(code, "There is no 'c'.")
    with pytest.raises(CallError, match="There is no 'c'") as refused:
        copies.run(store, CONTENTS)
    assert refused.value.code == code
    assert ("which artifact 7 has by its manifest" in refused.value.message) == told
    assert read_files(tmp_path) == {}
