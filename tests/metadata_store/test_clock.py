"""The noted time: it goes on, stands still while the clock is a little behind, and follows a clock that was wrong."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_metadata_store import clock

START = 1_795_693_525_000


def noted(patch: pytest.MonkeyPatch, *read: int) -> list[int]:
    """Return what is noted when the system's clock shows these milliseconds after START, one after another."""
    shown = iter(read)
    patch.setattr("mlmd_metadata_store.clock._latest_ms", 0)
    patch.setattr("mlmd_metadata_store.clock.time_ns", lambda: (START + next(shown)) * 1_000_000 + 999_999)
    return [clock.now_ms() - START for _ in read]


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    return lambda *read: noted(monkeypatch, *read)


def test_a_clock_that_is_a_little_behind_stands_still(notes: Callable[..., list[int]]) -> None:
    assert notes(7, 8, 5, 6, 8, 9) == [7, 8, 8, 8, 8, 9]
    assert notes(2_000, 1_000, 1_999, 2_001) == [2_000, 2_000, 2_000, 2_001]


def test_a_clock_that_was_far_ahead_is_followed_at_once(notes: Callable[..., list[int]]) -> None:
    assert notes(3_600_000, 0, 1) == [3_600_000, 0, 1]
    assert notes(2_000, 999, 1_000) == [2_000, 999, 1_000]


@given(read=st.lists(st.integers(0, 5_000), max_size=30))
def test_what_is_noted_is_what_is_read_or_what_was_noted_before(read: list[int]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        before = None
        for shown, now in zip(read, noted(patch, *read), strict=True):
            assert now == shown or (now == before and 0 < now - shown <= 1_000)
            assert before is None or now >= before or before - shown > 1_000
            before = now
