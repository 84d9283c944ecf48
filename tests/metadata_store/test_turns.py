"""How long a write waits for the other writes of its process."""

import time
from contextlib import AbstractContextManager, nullcontext

import pytest
from mlmd_metadata_store.database import TURN_SECONDS
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import Caller


@pytest.mark.parametrize(
    ("patience", "most"), [(None, TURN_SECONDS), (5.0, 5.0), (3600.0, TURN_SECONDS), (1e12, TURN_SECONDS)]
)
def test_a_write_waits_for_its_turn_as_long_as_its_caller_and_no_longer_than_a_minute(
    store: Store, monkeypatch: pytest.MonkeyPatch, patience: float | None, most: float
) -> None:
    waited = list[float]()

    def turn(seconds: float) -> AbstractContextManager[None]:
        waited.append(seconds)
        return nullcontext()

    monkeypatch.setattr(store.database.dialect, "turn", turn)
    deadline = None if patience is None else time.monotonic() + patience
    store.database.write(Caller(deadline=deadline), lambda tx: None)
    (seconds,) = waited
    assert 0 < seconds <= most
