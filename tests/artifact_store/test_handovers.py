"""Files that are handed to a folder and back: whatever their size, synced before they are named, all or none."""

import contextlib
import errno
import hashlib
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.local_copies import LITTLE_BYTES
from mlmd_schemas.errors import InvalidArgument, NotFound, ResourceExhausted, Unavailable

from tests.artifact_store.conformance.suite import content_of, keys, md5
from tests.artifact_store.test_local import limited

MIB = 1 << 20
SIZES = (0, 1, LITTLE_BYTES, LITTLE_BYTES + 1, 4 * MIB, 4 * MIB + 1, 9 * MIB + 17)


@dataclass
class Handed:
    """A file that is handed over; `size_bytes` is what is said of it."""

    place: Path
    size_bytes: int
    flags: int = os.O_RDONLY
    path: str = "f"
    went: list[int] = field(default_factory=list)
    start: int = 0

    @contextlib.contextmanager
    def opened(self) -> Iterator[int]:
        """Open it."""
        descriptor = os.open(self.place, self.flags)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def moved(self, size_bytes: int) -> None:
        """Count."""
        self.went.append(size_bytes)


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An empty store."""
    return LocalStore(tmp_path / "artifacts")


def handed(folder: Path, size: int) -> tuple[Handed, bytes]:
    """Return a file of random bytes, and these."""
    content = random.Random(size).randbytes(size)
    place = folder / f"{size}.bin"
    place.write_bytes(content)
    return Handed(place, size), content


@pytest.mark.parametrize("by_kernel", [True, False])
@pytest.mark.parametrize("size", [size for size in SIZES if size])
def test_what_lies_within_a_larger_file_is_taken_from_there(
    store: LocalStore, tmp_path: Path, size: int, by_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not by_kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    file, content = handed(tmp_path, size)
    file.place.write_bytes(b"before" + content + b"after")
    file.start = len(b"before")
    (found,) = store.take_in([("a/k", file)])
    assert found.sha256 == hashlib.sha256(content).digest()
    assert content_of(store, "a/k") == content


@pytest.mark.parametrize("by_kernel", [True, False])
@pytest.mark.parametrize("size", SIZES)
def test_there_and_back(
    store: LocalStore, tmp_path: Path, size: int, by_kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not by_kernel:
        monkeypatch.delattr(os, "copy_file_range", raising=False)
    file, content = handed(tmp_path, size)
    (found,) = store.take_in([("a/k", file)])
    sha256 = hashlib.sha256(content).digest()
    assert found == (sha256, md5(content) if size <= LITTLE_BYTES else b"")
    assert content_of(store, "a/k") == content
    assert sum(file.went) == size
    expected = md5(content).hex() if size <= LITTLE_BYTES else sha256.hex()
    assert store.stat("a/k").etag == next(store.list("a/")).etag == expected
    target = Handed(tmp_path / "target", size, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    assert store.give_out("a/k", target).sha256 == sha256
    assert target.place.read_bytes() == content


def test_what_is_given_out_is_what_is_there(store: LocalStore, tmp_path: Path) -> None:
    file, _ = handed(tmp_path, 9 * MIB)
    store.take_in([("k", file)])
    (store.root / "k").write_bytes(b"changed by hand")
    target = Handed(tmp_path / "target", 0, os.O_RDWR | os.O_CREAT)
    assert store.give_out("k", target).sha256 == hashlib.sha256(b"changed by hand").digest()
    with pytest.raises(NotFound):
        store.give_out("none", target)


@pytest.mark.parametrize("size", [100, 2 * MIB, 9 * MIB])
def test_a_file_that_is_shorter_than_said_is_refused_with_all_of_its_batch(
    store: LocalStore, tmp_path: Path, size: int
) -> None:
    whole, _ = handed(tmp_path, 7)
    short, _ = handed(tmp_path, size)
    short.size_bytes += 1
    with pytest.raises(InvalidArgument, match=f"{size} bytes came of the {size + 1} declared"):
        store.take_in([("whole", whole), ("short", short)])
    assert keys(store) == []
    assert list((store.root / ".mlmd" / "scratch").iterdir()) == []


@pytest.mark.parametrize("size", [2 * MIB, 9 * MIB])
def test_disk_full(store: LocalStore, tmp_path: Path, size: int) -> None:
    file, _ = handed(tmp_path, size)
    with limited(MIB), pytest.raises(ResourceExhausted, match=r"disk .* is full; make room"):
        store.take_in([("big", file)])
    assert keys(store) == []
    assert list((store.root / ".mlmd" / "scratch").iterdir()) == []


def test_all_are_on_the_disk_before_one_has_its_name(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    sync, replace = os.fsync, os.replace

    def synced(descriptor: int) -> None:
        done.append("folder" if os.path.isdir(f"/proc/self/fd/{descriptor}") else "file")
        sync(descriptor)

    def named(source: Path, target: Path) -> None:
        replace(source, target)
        done.append("name")

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", named)
    store.make()
    store.take_in([(f"a/{size}", handed(tmp_path, size)[0]) for size in (1, 2, 3)])
    assert done == ["file"] * 3 + ["name"] * 3 + ["folder"] * 2  # that of the files, and the one above it


def sparse(folder: Path, size: int) -> Handed:
    """Return a file of zeros."""
    place = folder / "zeros.bin"
    with place.open("wb") as file:
        file.truncate(size)
    return Handed(place, size)


def test_a_large_file_goes_to_the_disk_while_it_comes(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    sync, went = os.fdatasync, sparse(tmp_path, 150 * MIB)

    def synced(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        sync(descriptor)

    monkeypatch.setattr(os, "fdatasync", synced)
    (found,) = store.take_in([("big", went)])
    assert found.sha256 == hashlib.sha256(bytes(150 * MIB)).digest()
    assert sizes[0] >= 64 * MIB
    copied = list(sizes)
    store.give_out("big", Handed(tmp_path / "back", 0, os.O_RDWR | os.O_CREAT))
    assert sizes == copied, "what is handed back is the reader's to sync"


def test_what_the_disk_says_once_is_heard(store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ill(descriptor: int) -> None:
        raise OSError(errno.EIO, "the disk is ill")

    monkeypatch.setattr(os, "fdatasync", ill)
    with pytest.raises(Unavailable, match=r"failed \(Input/output error\); look at the system's log"):
        store.take_in([("big", sparse(tmp_path, 150 * MIB))])
    assert keys(store) == []
    assert list((store.root / ".mlmd" / "scratch").iterdir()) == []


def test_a_key_cannot_be_file_and_folder(store: LocalStore, tmp_path: Path) -> None:
    store.take_in([("a/b", handed(tmp_path, 1)[0])])
    with pytest.raises(InvalidArgument, match="is a folder of other blobs"):
        store.take_in([("a", handed(tmp_path, 2)[0])])
    assert keys(store) == ["a/b"]
