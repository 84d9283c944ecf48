"""What is set aside comes back in its order, wherever there is room for it, and in little memory."""

import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mlmd_schemas import set_aside
from mlmd_schemas.set_aside import SetAside

from tests.artifact_store.test_local import limited

ITEMS = st.lists(st.tuples(st.text(max_size=3), st.integers(0, 1 << 64), st.binary(max_size=3)))


def kept(items: "list[tuple[str, int, bytes]]") -> "list[list[tuple[str, int, bytes]]]":
    """Set items aside and return them as they come, twice."""
    with SetAside[tuple[str, int, bytes]]() as aside:
        for item in items:
            aside.append(item)
        assert len(aside) == len(items)
        return [list(aside), list(aside)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ITEMS, st.integers(1, 5), st.integers(1, 3))
def test_it_comes_back_as_it_was_as_often_as_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, items: list[tuple[str, int, bytes]], in_memory: int, together: int
) -> None:
    monkeypatch.setattr(set_aside, "IN_MEMORY", in_memory)
    monkeypatch.setattr(set_aside, "TOGETHER", together)
    assert kept(items) == [items, items]


MANY = [(f"a path of a file, number {number}", number, bytes(8)) for number in range(2_000)]


def test_where_no_file_can_be_made_memory_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "IN_MEMORY", 300)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    assert kept(MANY) == [MANY, MANY]


@pytest.mark.parametrize("room", [0, 10_000])
def test_what_a_full_disk_does_not_take_stays_in_memory(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "IN_MEMORY", 300)
    with limited(room):
        assert kept(MANY) == [MANY, MANY]


def test_very_much_takes_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "IN_MEMORY", 300)
    with SetAside[tuple[str, int, bytes]]() as aside:
        for item in MANY[:600]:  # what is imported then
            aside.append(item)
        tracemalloc.start()
        try:
            for number in range(20_000):
                aside.append((f"a path of a file, number {number}", number, bytes(8)))
            assert sum(1 for _ in aside) == len(aside)
            most = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert most < 15 * 20_000
