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


def test_a_process_that_ended_keeps_its_counts_and_no_room(tmp_path: Path) -> None:
    shared_counts.make_room(tmp_path)
    counted = MmapedDict(str(tmp_path / f"counter_{os.getpid()}.db"))
    for number in range(1000):
        counted.write_value(f"a name {number}", number, 0.0)
    counted.close()
    shared_counts.give_room_back(tmp_path, os.getpid())
    path = tmp_path / f"counter_{os.getpid()}.db"
    assert path.stat().st_size < shared_counts.SIZES["counter"]
    values = {key.strip(): value for key, value, _, _ in MmapedDict.read_all_values_from_file(str(path))}
    assert values == {f"a name {number}": number for number in range(1000)}
    assert not list(MmapedDict.read_all_values_from_file(str(tmp_path / f"histogram_{os.getpid()}.db")))


def test_a_folder_without_room_is_told_of_and_keeps_nothing_half_made(tmp_path: Path) -> None:
    with mounted(tmp_path / "small", "-t", "tmpfs", "-o", "size=256k", "none"):
        with pytest.raises(Unavailable, match=r"No space left on device.*; make room there, or set TMPDIR"):
            shared_counts.make_room(tmp_path / "small" / "counts")
        assert not list((tmp_path / "small" / "counts").iterdir())
