"""The folder that files come into: nothing outside of it is written, and nothing in it is lost."""

import errno
import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest
from mlmd_client import download_target
from mlmd_client.download_target import DownloadTarget, disk_explained, in_the_way
from mlmd_client.hashing import sha256_of_path
from mlmd_client.transfer_errors import TransferError, UnfitFiles
from mlmd_schemas import set_aside, sorted_runs
from mlmd_schemas.errors import Code

ABANDONED = ".mlmd-0123456789abcdef"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder that is not there yet."""
    return tmp_path / "above" / "target"


def write(target: DownloadTarget, path: str, content: bytes) -> str:
    """Write a file as downloads do, and return where it is."""
    place = target.place(path)
    with target.written(place) as file:
        file.write(content)
    return place


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", ".", "..", "a/../b", "a/./b", "a\0b", "a\\b", "a/b\\c"])
def test_a_path_that_leads_elsewhere_is_refused_before_anything_is_made(root: Path, path: str) -> None:
    with pytest.raises(UnfitFiles, match=r"^path: .* would be written outside of '.*/target'\.$"):
        DownloadTarget(root).place(path)
    assert not root.exists()


def test_no_more_than_the_beginning_of_a_path_is_told(root: Path) -> None:
    path = f"../{'x' * 100}"
    with pytest.raises(UnfitFiles) as told:
        DownloadTarget(root).place(path)
    assert f"path: {path[:80]!r} would" in str(told.value)


def test_a_place_is_below_the_folder_and_its_folders_are_made(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert DownloadTarget(root).place("a/b/c.txt") == f"{root}/a/b/c.txt"
    assert (root / "a" / "b").is_dir()
    assert not (root / "a" / "b" / "c.txt").exists()
    monkeypatch.chdir(tmp_path)
    assert DownloadTarget(Path("here")).place("c.txt") == f"{tmp_path}/here/c.txt"
    assert DownloadTarget(Path("/")).folder == ""


@pytest.mark.parametrize("kind", ["link", "file", "pipe"])
def test_what_is_no_folder_where_one_has_to_be_is_told_and_not_followed(root: Path, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (root / "a").mkdir(parents=True)
    stands = root / "a" / "deep"
    if kind == "link":
        stands.symlink_to(outside)
    elif kind == "file":
        stands.touch()
    else:
        os.mkfifo(stands)
    with pytest.raises(UnfitFiles, match=r"a/deep' is a link or a file where a folder has to be; remove it, or choose"):
        DownloadTarget(root).place("a/deep/c.txt")
    assert list(outside.iterdir()) == []


def test_each_folder_is_cleared_once_of_what_dead_processes_left(root: Path) -> None:
    target = DownloadTarget(root)
    (root / "deep").mkdir(parents=True)
    for again in (False, True):
        (root / "deep" / ABANDONED).touch()
        target.place(f"deep/{again}")
        assert (root / "deep" / ABANDONED).exists() is again


def test_a_file_has_its_name_when_it_is_complete(root: Path) -> None:
    target = DownloadTarget(root)
    place = target.place("a.txt")
    with target.written(place) as file:
        file.write(b"some")
        assert not os.path.lexists(place)
        file.seek(0)
        assert file.read() == b"some"
    assert Path(place).read_bytes() == b"some"
    assert os.listdir(root) == ["a.txt"]


@pytest.mark.parametrize("deleted", [False, True])
def test_of_a_file_that_went_wrong_nothing_is_left(root: Path, deleted: bool) -> None:
    target = DownloadTarget(root)
    place = target.place("a.txt")

    def go_wrong() -> None:
        with target.written(place):
            if deleted:  # by somebody else, which hides nothing
                (root / os.listdir(root)[0]).unlink()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go_wrong()
    assert os.listdir(root) == []


def test_a_file_that_came_meanwhile_is_left_and_told(root: Path) -> None:
    target = DownloadTarget(root)
    Path(target.place("deep/a.txt")).write_bytes(b"mine")
    with pytest.raises(UnfitFiles, match=r"'.*/target' has another 'deep/a\.txt', and it would be lost"):
        write(target, "deep/a.txt", b"other")
    assert [path.read_bytes() for path in (root / "deep").iterdir()] == [b"mine"]


def test_files_of_one_size_and_time_are_compared(root: Path) -> None:
    target = DownloadTarget(root)
    place = target.place("a.txt")
    Path(place).write_bytes(b"mine")
    os.utime(place, (1, 1))
    (root / "new").write_bytes(b"thei")
    os.utime(root / "new", (1, 1))
    with pytest.raises(UnfitFiles, match="has another"):
        target.name(str(root / "new"), place)
    assert Path(place).read_bytes() == b"mine"


def test_a_file_that_came_with_the_same_bytes_is_left(root: Path) -> None:
    target = DownloadTarget(root)
    place = Path(target.place("a.txt"))
    place.write_bytes(b"same")
    before = place.stat().st_ino
    write(target, "a.txt", b"same")
    assert (os.listdir(root), place.stat().st_ino) == (["a.txt"], before)


def test_a_link_to_the_same_bytes_is_another_file(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").write_bytes(b"same")
    target = DownloadTarget(root)
    Path(target.place("a.txt")).symlink_to(tmp_path / "outside")
    with pytest.raises(UnfitFiles, match=r"has another 'a\.txt'"):
        write(target, "a.txt", b"same")


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_is_never_replaced(root: Path, overwrite: bool) -> None:
    target = DownloadTarget(root, overwrite=overwrite)
    Path(target.place("a.txt")).mkdir()
    with pytest.raises(UnfitFiles, match=r"a\.txt' is a folder where a file has to be; remove it"):
        write(target, "a.txt", b"some")
    assert os.listdir(root) == ["a.txt"]


@pytest.mark.parametrize("overwrite", [False, True])
def test_what_may_be_replaced_is(root: Path, overwrite: bool) -> None:
    target = DownloadTarget(root, overwrite=overwrite)
    place = target.place("a.txt")
    Path(place).write_bytes(b"mine")
    if not overwrite:
        target.may_replace(["a.txt"])
    write(target, "a.txt", b"theirs")
    assert Path(place).read_bytes() == b"theirs"


def test_what_is_there_is_told_by_its_bytes(root: Path) -> None:
    target, digest = DownloadTarget(root), hashlib.sha256(b"some").digest()
    place = target.place("a.txt")
    assert not target.has(place, 4, digest)
    Path(place).write_bytes(b"some")
    assert target.has(place, 4, digest)
    assert not target.has(place, 5, digest)
    assert not target.has(place, 4, b"")
    assert not target.has(place, 4, hashlib.sha256(b"sone").digest())
    (root / "some").write_bytes(b"some")
    (root / "link").symlink_to("some")  # the text of which is as long as the file
    assert not target.has(target.place("link"), 4, digest)


@pytest.mark.parametrize(("size_bytes", "reads"), [(64 * 1024, 2), (64 * 1024 + 1, 1)])
def test_a_large_file_is_read_once_until_it_changes(
    root: Path, monkeypatch: pytest.MonkeyPatch, size_bytes: int, reads: int
) -> None:
    read = list[Path]()

    def counted(path: Path) -> bytes:
        read.append(path)
        return sha256_of_path(path)

    monkeypatch.setattr(download_target, "sha256_of_path", counted)
    content = b"x" * size_bytes
    target, digest = DownloadTarget(root), hashlib.sha256(content).digest()
    place = write(target, "a.bin", content)
    assert target.has(place, size_bytes, digest)
    assert target.has(place, size_bytes, digest)
    assert len(read) == reads
    Path(place).write_bytes(b"y" * size_bytes)
    os.utime(place, ns=(1, 1))
    assert not target.has(place, size_bytes, digest)
    Path(place).unlink()
    assert not target.has(place, size_bytes, digest)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_disk_without_room_is_told(root: Path, number: int) -> None:
    with (
        pytest.raises(TransferError, match=r"The disk of '.*/target' is full; make room\.") as told,
        disk_explained(root),
    ):
        raise OSError(number, os.strerror(number))
    assert told.value.code == Code.RESOURCE_EXHAUSTED


def test_another_fault_of_the_disk_is_told_with_its_reason(root: Path) -> None:
    with (
        pytest.raises(UnfitFiles, match=r"target' cannot be written \(Read-only file system\)\."),
        disk_explained(root),
    ):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))
    with pytest.raises(UnfitFiles, match=r"cannot be written \(TimeoutError\)\."), disk_explained(root):
        raise TimeoutError


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (1, "another '0', and it would be lost; move it away"),
        (3, "another '0', '1', '2', and they would be lost; move them away"),
        (4, "another '0', '1', '2' and 1 more file, and they would be lost"),
        (1003, "another '0', '1', '2' and 1,000 more files, and they"),
    ],
)
def test_files_in_the_way_are_named_and_counted(root: Path, count: int, said: str) -> None:
    assert said in str(in_the_way(root, map(str, range(count)), count))


def test_files_that_may_be_replaced_take_some_ten_bytes_each(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "RUN", 500)
    monkeypatch.setattr(set_aside, "TOGETHER", 10)
    target = DownloadTarget(root)
    target.may_replace(str(number) for number in range(1_000))  # what is imported then
    tracemalloc.start()
    try:
        target.may_replace(f"a/folder/with/a/long/name/{number}.jpeg" for number in range(20_000))
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 25 * 20_000


def test_folders_that_were_made_are_not_all_remembered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download_target, "_MOST_FOLDERS", 3)
    target = DownloadTarget(root)
    places = [target.place(f"{folder}/f") for folder in (*"abcdefgh", "a")]
    assert all(Path(place).parent.is_dir() for place in places)
    tracemalloc.start()
    try:
        for number in range(2_000):
            target.place(f"{number:0200}/f")
        kept = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert kept < 100 * 2_000


def test_a_file_that_goes_or_changes_while_it_is_read_is_not_remembered(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_target, "_READ_TWICE", 3)
    target, digest = DownloadTarget(root), hashlib.sha256(b"some").digest()
    gone, changed = target.place("gone"), target.place("changed")

    def read(path: Path) -> bytes:
        found = sha256_of_path(path)
        if path.name == "gone":
            path.unlink()
        else:
            path.write_bytes(b"same")
        return found

    for place in (gone, changed):
        Path(place).write_bytes(b"some")
    with monkeypatch.context() as reading:
        reading.setattr(download_target, "sha256_of_path", read)
        assert target.has(gone, 4, digest)
        assert target.has(changed, 4, digest)
    assert not target.has(gone, 4, digest)
    assert not target.has(target.place("never"), 4, digest)
    assert not target.has(changed, 4, digest)


def test_larger_files_are_read_once_as_long_as_they_are_no_too_many(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download_target, "_READ_TWICE", 3)
    monkeypatch.setattr(download_target, "_MOST_REMEMBERED", 3)
    read: list[str] = []

    def noted(path: Path) -> bytes:
        read.append(path.name)
        return sha256_of_path(path)

    monkeypatch.setattr(download_target, "sha256_of_path", noted)
    target, digest = DownloadTarget(root), hashlib.sha256(b"some").digest()
    places = [target.place(name) for name in "abcde"]
    for place in places:
        Path(place).write_bytes(b"some")
    assert all(target.has(place, 4, digest) for place in places * 2)
    assert read == [*"abcde", *"de"]
    Path(places[0]).write_bytes(b"same")
    os.utime(places[0], ns=(1, 1))
    assert not target.has(places[0], 4, digest)
    os.unlink(places[1])
    assert not target.has(places[1], 4, digest)
