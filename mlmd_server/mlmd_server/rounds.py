"""Whose turn it is when a server looks through its stores, again and again.

What waits to be done in a store mostly comes of writes through this very process. So with many tenants those are looked
at each time that were written to lately, and the others, where another server may have written, now and then.
"""

import time
import weakref

from mlmd_api.tenants import TenantStores
from mlmd_metadata_store.store import Store

FEW = 16
"""So many stores are looked at each time, whether or not they were written to."""
AWAKE_SECONDS = 120.0
"""How long after a write a store is looked at each time."""
ASLEEP_SECONDS = 15.0
"""How often the others are looked at."""


class Rounds:
    """Remembers when each store was looked at; for one thread."""

    def __init__(self) -> None:
        self._looked: weakref.WeakKeyDictionary[Store, float] = weakref.WeakKeyDictionary()

    def due(self, stores: TenantStores) -> list[Store]:
        """Return the opened stores that are to be looked at now."""
        opened = [store for store in stores.opened() if isinstance(store, Store)]
        now = time.monotonic()
        due = opened if len(opened) <= FEW else [store for store in opened if self._is_due(store, now)]
        self._looked.update(dict.fromkeys(due, now))
        return due

    def _is_due(self, store: Store, now: float) -> bool:
        looked = self._looked.get(store)
        return looked is None or now - looked >= ASLEEP_SECONDS or now - store.database.written < AWAKE_SECONDS
