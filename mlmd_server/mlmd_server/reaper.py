"""The watch over runs: those that are not heard from any more are ended while the server serves."""

import logging
from collections.abc import Callable
from functools import partial

from mlmd_api.tenants import TenantStores
from mlmd_metadata_store.run_reaping import REAPER, reap_runs
from mlmd_metadata_store.store import Store
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Unavailable
from mlmd_schemas.troubles import Troubles

from mlmd_server.rounds import Rounds

_LOG = logging.getLogger("mlmd.runs")
EVERY_SECONDS = 2.0
_TROUBLES = Troubles(_LOG, "ending runs that are not heard from")


def reap_opened(stores: TenantStores, rounds: Rounds | None = None) -> None:
    """End the lapsed runs of the opened stores; says in the log which, and what failed until the next time.

    A run that cannot be ended keeps no other waiting. With `rounds` those are looked at whose turn it is, else all. Of
    servers that share a database the one that comes second finds nothing to do.
    """
    rounds = Rounds() if rounds is None else rounds  # of new ones every store is due
    for store in rounds.due(stores):
        nothing: list[int] = []
        if ended := _TROUBLES.kept_off(f"store {store.store_uuid}", partial(_reap, store), nothing):
            _LOG.info("ended %s not heard from: executions %s", counted(len(ended), "run"), ended[:20])


def _reap(store: Store) -> list[int]:
    def apart(run: str, attempt: Callable[[], bool]) -> bool:
        return _TROUBLES.kept_off(f"{run} in store {store.store_uuid}", attempt, False, but=(Unavailable,))

    return reap_runs(store, REAPER, apart)
