"""Very much is sorted in little memory, wherever there is room for it."""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmd_artifact_store.local import LocalStore
from mlmd_client import files
from mlmd_client.file_listing import list_files
from mlmd_schemas import set_aside, sorted_runs
from mlmd_schemas.paths import check_paths
from mlmd_schemas.sorted_runs import in_order

from tests.artifact_store.test_local import limited
from tests.services import memory


@pytest.fixture(autouse=True)
def _short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "RUN", 500)
    monkeypatch.setattr(set_aside, "TOGETHER", 10)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(items=st.lists(st.binary(max_size=3)), run=st.integers(1, 5))
def test_items_come_by_their_bytes_as_often_as_they_are_there(
    items: list[bytes], run: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorted_runs, "RUN", run)
    assert list(in_order(iter(items))) == sorted(items)


def names(many: int) -> Iterator[bytes]:
    """Yield names that are in no order."""
    return (b"an image of something, number %07d.jpeg" % (number * 7919 % many) for number in range(many))


def test_where_no_file_can_be_made_memory_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    assert list(in_order(names(2_000))) == sorted(names(2_000))


@pytest.mark.parametrize("room", [0, 10_000])
def test_what_a_full_disk_does_not_take_stays_in_memory(room: int) -> None:
    with limited(room):
        assert list(in_order(names(2_000))) == sorted(names(2_000))


def most(work: Callable[[], Iterable[object]]) -> int:
    """Return how much memory work takes at most, in bytes; what it yields is not kept."""
    return memory.most(lambda: deque(work(), maxlen=0))


def test_ten_times_as_many_take_little_more_memory() -> None:
    most(lambda: in_order(names(700)))  # what is imported then
    few, many = most(lambda: in_order(names(2_000))), most(lambda: in_order(names(20_000)))
    assert many - few < 20 * 18_000, "a block of each run"


def test_paths_that_may_differ_in_normalisation_are_checked_in_little_memory() -> None:
    def checked(many: int) -> Iterable[object]:
        check_paths(f"u\u0308ber/{name.decode()}" for name in names(many))
        return ()

    most(lambda: checked(700))
    few, many = most(lambda: checked(2_000)), most(lambda: checked(20_000))
    assert many - few < 50 * 18_000


def test_one_folder_of_many_files_is_walked_in_little_memory(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts" / "many"
    folder.mkdir(parents=True)

    def kept_of(file_count: int) -> tuple[int, int, int]:
        for name in names(file_count):
            (folder / name.decode()).touch()
        store = LocalStore(tmp_path / "artifacts")
        expected = [f"many/{name.decode()}" for name in sorted(names(file_count))]
        assert [blob.key for blob in store.list("many/")] == expected
        listed = most(lambda: store.list("many/"))
        return listed, most(lambda: (list_files(folder),)), most(lambda: files._state(folder))

    few, many = kept_of(800), kept_of(8_000)
    assert many[0] - few[0] < 60 * 7_200, "the server's"
    assert many[1] - few[1] < 100 * 7_200, "the client's, packed"
    assert many[2] - few[2] < 60 * 7_200, "the client's cache"
