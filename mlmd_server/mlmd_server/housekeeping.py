"""What a server does beside answering, for a store inside another process: now and then, by one thread.

Runs that fell silent are ended, webhooks are posted to, and by the lease that servers share too, uploads that nobody
finished are swept. A program that ends at once still posts what it brought about.
"""

import threading
from typing import TYPE_CHECKING

from mlmd_schemas.chance import CHANCE

from mlmd_server.couriers import Couriers
from mlmd_server.reaper import reap_opened
from mlmd_server.rests import Rests
from mlmd_server.sweeper import Sweeper

if TYPE_CHECKING:
    from mlmd_server.config import Config
    from mlmd_server.wiring import Parts

FIRST_SECONDS, EVERY_SECONDS = 1.0, 15.0
_LONGEST_END_SECONDS = 5.0


class Housekeeping:
    """A daemon thread that keeps a store in order until it is stopped."""

    def __init__(self, parts: "Parts", config: "Config") -> None:
        self._stores = parts.stores
        self._stopped = threading.Event()
        # Its own event, never set: what is due is posted at the end, too.
        self._couriers = Couriers(parts.stores, threading.Event(), private_too=config.webhook_private_addresses)
        every_seconds = config.artifacts.sweep_every_seconds
        self._sweeps = every_seconds > 0
        self._sweeper = Sweeper(parts.artifacts, parts.stores.names, every_seconds, self._stopped)
        self._every_seconds = EVERY_SECONDS
        self._rests = Rests()
        self._thread = threading.Thread(target=self._work, name="mlmd-housekeeping", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Post what is due, and end; after five seconds it is left to whoever opens the store next."""
        self._stopped.set()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(_LONGEST_END_SECONDS)

    def _work(self) -> None:
        pause = min(FIRST_SECONDS, self._every_seconds)
        while not self._stopped.wait(pause):
            with self._rests.work():
                reap_opened(self._stores)
            with self._rests.work():
                self._couriers.post_due()
            if self._sweeps:
                with self._rests.work():
                    self._sweeper.sweep_due()
            pause = self._every_seconds * CHANCE.uniform(0.75, 1.25)
        self._couriers.post_due()
