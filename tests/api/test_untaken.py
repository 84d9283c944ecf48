"""Large answers that nobody takes are bounded, and keep no little one."""

import gc

import pytest
from mlmd_api.untaken import LITTLE_BYTES, PATIENCE_SECONDS, Untaken
from mlmd_schemas.errors import ResourceExhausted

LARGE = 10 * LITTLE_BYTES


def test_there_is_room_for_so_many_and_for_every_little_one() -> None:
    untaken = Untaken(2 * LARGE)
    first, second = untaken.take(LARGE), untaken.take(LARGE)
    assert first is not None
    assert second is not None
    with pytest.raises(ResourceExhausted, match=f"holds {2 * LARGE} bytes of answers .* max_result_size"):
        untaken.take(LITTLE_BYTES + 1)
    with pytest.raises(ResourceExhausted):
        untaken.check()
    assert untaken.take(LITTLE_BYTES) is None
    first.leave()
    first.leave()
    untaken.check()
    assert untaken.take(LARGE) is not None


def test_one_is_made_however_large_and_what_was_written_is_always_said() -> None:
    untaken = Untaken(LARGE)
    huge = untaken.take(100 * LARGE)
    assert huge is not None
    assert untaken.take(LARGE, by_force=True) is not None


def test_a_place_that_is_forgotten_is_given_back() -> None:
    untaken = Untaken(LARGE)
    place = untaken.take(LARGE)
    del place
    gc.collect()
    assert untaken.take(LARGE) is not None


def test_what_was_held_for_long_is_given_up_for_the_next() -> None:
    now = 0.0
    untaken = Untaken(LARGE, lambda: now)
    place = untaken.take(LARGE)
    assert place is not None
    place.end_by(place.leave)
    for now in (0.0, PATIENCE_SECONDS + 1):  # noqa: B007 - the clock reads it
        with pytest.raises(ResourceExhausted):
            untaken.check()
    untaken.check()
