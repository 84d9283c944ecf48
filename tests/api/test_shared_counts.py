"""The files in which workers count."""

import os
from pathlib import Path

import pytest
from mlmd_api import shared_counts
from mlmd_schemas.errors import Unavailable
from prometheus_client.mmap_dict import MmapedDict

from tests.services.disks import mounted


def test_the_files_have_their_blocks_before_anything_is_counted(tmp_path: Path) -> None:
    shared_counts.make_room(tmp_path / "counts")
    files = {file.name: file.stat() for file in (tmp_path / "counts").iterdir()}
    assert {name: state.st_size for name, state in files.items()} == {
        f"{kind}_{os.getpid()}.db": size_bytes for kind, size_bytes in shared_counts.SIZES.items()
    }
    assert all(state.st_blocks * 512 >= state.st_size for state in files.values())


def counted(file: Path, *counts: tuple[str, float]) -> None:
    """Count as a process does."""
    there = MmapedDict(str(file))
    for name, value in counts:
        there.write_value(name, value, 0.0)
    there.close()


def counts_of(file: Path) -> dict[str, float]:
    return {key.strip(): value for key, value, _, _ in MmapedDict.read_all_values_from_file(str(file))}


def test_however_many_processes_end_their_counts_take_two_files(tmp_path: Path) -> None:
    for pid in (11, 12, 13, 11):  # the system gives a number again
        counted(tmp_path / f"counter_{pid}.db", ("calls", 1000), (f"calls of {pid}", 1))
        counted(tmp_path / f"histogram_{pid}.db", ("seconds äöü", 0.25))
        assert shared_counts.add_to_gone(tmp_path, pid)
    assert {file.name for file in tmp_path.glob("*.db")} == {"counter_gone.db", "histogram_gone.db"}
    sums = counts_of(tmp_path / "counter_gone.db")
    assert sums == {"calls": 4000, "calls of 11": 2, "calls of 12": 1, "calls of 13": 1}
    assert counts_of(tmp_path / "histogram_gone.db") == {"seconds äöü": 1.0}
    assert (tmp_path / "counter_gone.db").stat().st_size < 1000


def test_nothing_is_moved_while_somebody_sums_up(tmp_path: Path) -> None:
    counted(tmp_path / "counter_11.db", ("calls", 3))
    with shared_counts.summing(tmp_path):
        assert not shared_counts.add_to_gone(tmp_path, 11)
        assert counts_of(tmp_path / "counter_11.db") == {"calls": 3}
    assert shared_counts.add_to_gone(tmp_path, 11)
    assert counts_of(tmp_path / "counter_gone.db") == {"calls": 3}


def test_counts_stay_where_they_are_when_there_is_no_room_for_their_sum(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=256k", "none"):
        folder = tmp_path / "small"
        counted(folder / "counter_11.db", *((f"calls of {number}", number) for number in range(1000)))
        (folder / "filling").write_bytes(bytes(256 * 1024 - 15 * 4096))
        assert not shared_counts.add_to_gone(folder, 11)
        assert len(counts_of(folder / "counter_11.db")) == 1000
        assert {file.name for file in folder.glob("counter*")} == {"counter_11.db"}
        (folder / "filling").unlink()
        assert shared_counts.add_to_gone(folder, 11)
        assert len(counts_of(folder / "counter_gone.db")) == 1000


def test_counts_that_cannot_be_read_end_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    counted(tmp_path / "counter_11.db", ("calls", 3))
    assert shared_counts.add_to_gone(tmp_path, 11)
    (tmp_path / "counter_12.db").write_bytes(b"\xff\x00\x00\x00" * 8)
    assert shared_counts.add_to_gone(tmp_path, 12)
    assert counts_of(tmp_path / "counter_gone.db") == {"calls": 3}
    assert "what was counted in counter_12.db cannot be read" in caplog.text


def test_a_folder_without_room_is_told_of_and_keeps_nothing_half_made(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=256k", "none"):
        with pytest.raises(Unavailable, match=r"No space left on device.*; make room there, or set TMPDIR"):
            shared_counts.make_room(tmp_path / "small" / "counts")
        assert not list((tmp_path / "small" / "counts").iterdir())
