"""Work that one process does at a time."""

import pytest
from mlmd_metadata_store.leases import take_lease
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL

DAY_SECONDS = 24 * 3600.0


def _take(store: Store, seconds: float) -> bool:
    return store.database.write(LOCAL, lambda tx: take_lease(tx, "sweep", "me", seconds))


@pytest.mark.parametrize("seconds", [60.0, 6 * DAY_SECONDS])
def test_a_lease_that_somebody_has_is_not_to_be_had(store: Store, seconds: float) -> None:
    assert _take(store, seconds)
    assert not _take(store, 60)


def test_a_lease_that_was_taken_by_a_clock_that_ran_ahead_holds_nobody_up(store: Store) -> None:
    assert _take(store, 3650 * DAY_SECONDS)
    assert _take(store, 60)
    assert not _take(store, 60)


def test_who_takes_it_for_long_waits_as_long_for_others(store: Store) -> None:
    assert _take(store, 30 * DAY_SECONDS)
    assert not _take(store, 30 * DAY_SECONDS + 60)
