"""Files in the making: whose they are is told by a lock, on file systems without locks by nothing."""

import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmd_client.unfinished_files import begin_file, discard_abandoned, is_unfinished


def open_files() -> int:
    """Return how many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))


@pytest.fixture(autouse=True)
def _nothing_stays_open() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() == before


def names(folder: Path) -> set[str]:
    """Return what is in a folder."""
    return set(os.listdir(folder))


def test_a_begun_file_is_locked_and_of_ordinary_mode(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        path, descriptor = begin_file(tmp_path)
    finally:
        os.umask(umask)
    with open(descriptor, "rb+") as file:
        assert re.fullmatch(r"\.mlmd-[0-9a-f]{16}", os.path.basename(path))
        assert is_unfinished(os.path.basename(path))
        assert stat.S_IMODE(os.fstat(descriptor).st_mode) == 0o644
        assert not os.get_inheritable(descriptor)
        with open(path, "rb") as other, pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        discard_abandoned(tmp_path)
        assert names(tmp_path) == {os.path.basename(path)}
        assert file.write(b"bytes") == 5
    discard_abandoned(tmp_path)
    assert names(tmp_path) == set()


@pytest.mark.parametrize(
    "name", [".mlmd-", ".mlmd-0123456789abcde", "xmlmd-0123456789abcdef", ".mlmd-0123456789abcdef0"]
)
def test_other_names_are_of_others(tmp_path: Path, name: str) -> None:
    assert not is_unfinished(name)
    (tmp_path / name).touch()
    discard_abandoned(tmp_path)
    assert names(tmp_path) == {name}


def test_a_file_that_was_taken_for_an_abandoned_one_is_begun_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, calls = fcntl.flock, list[int]()

    def taken(descriptor: int, operation: int) -> None:
        calls.append(operation)
        if len(calls) == 1:  # somebody has the lock, and is about to delete it
            raise BlockingIOError
        if len(calls) == 2:  # somebody had it, and deleted it
            for name in names(tmp_path):
                (tmp_path / name).unlink()
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", taken)
    path, descriptor = begin_file(tmp_path)
    os.close(descriptor)
    assert len(calls) == 3
    assert names(tmp_path) == {os.path.basename(path)}


def test_without_locks_files_are_begun_and_none_is_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refused)
    path, descriptor = begin_file(tmp_path)
    os.close(descriptor)
    discard_abandoned(tmp_path)
    assert names(tmp_path) == {os.path.basename(path)}


def test_what_cannot_be_opened_does_not_keep_the_others(tmp_path: Path) -> None:
    (tmp_path / ".mlmd-0123456789abcdef").mkdir()
    (tmp_path / ".mlmd-0123456789abcdee").symlink_to("nowhere")
    os.mkfifo(tmp_path / ".mlmd-0123456789abcdea")
    for number in range(4):
        (tmp_path / f".mlmd-{number:016x}").touch()
    discard_abandoned(tmp_path)
    assert not any(name.startswith(".mlmd-000") for name in names(tmp_path))
    assert {".mlmd-0123456789abcdef", ".mlmd-0123456789abcdee"} <= names(tmp_path)
