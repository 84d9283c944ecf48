"""The watch over runs: those that are not heard from any more are ended while the server serves."""

import logging
import threading
from functools import partial

from mlmd_api.tenants import TenantStores
from mlmd_metadata_store.run_reaping import reap_runs
from mlmd_metadata_store.store import Store
from mlmd_schemas.chance import CHANCE

from mlmd_server.troubles import Troubles

_LOG = logging.getLogger("mlmd.runs")
EVERY_SECONDS = 2.0
_LONGEST_END_SECONDS = 5.0
_TROUBLES = Troubles(_LOG, "ending runs that are not heard from")


class Reaper:
    """A thread that ends lapsed runs in every opened store, again and again until it is stopped."""

    def __init__(self, stores: TenantStores, every_seconds: float = EVERY_SECONDS) -> None:
        self._stores = stores
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="reaper", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> bool:
        """Stop watching, once what is being done is done; False when a database keeps that waiting for too long."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_LONGEST_END_SECONDS)
        return not self._thread.is_alive()

    def _watch(self) -> None:
        # Servers that share a database look at different moments; one that comes second finds nothing to do.
        while not self._stopped.wait(self._every_seconds * CHANCE.uniform(0.75, 1.25)):
            reap_opened(self._stores)


def reap_opened(stores: TenantStores) -> None:
    """End the lapsed runs of every opened store; says in the log which, and what failed until the next time."""
    for store in stores.opened():
        if not isinstance(store, Store):
            continue
        nothing: list[int] = []
        if ended := _TROUBLES.kept_off(store.store_uuid, partial(reap_runs, store), nothing):
            _LOG.info("ended %d runs that were not heard from: executions %s", len(ended), ended[:20])
