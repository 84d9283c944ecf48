"""Posting to webhooks while the server serves, for every opened store by turns."""

import logging
import math
import threading
import time
from functools import partial

from mlmd_api.tenants import TenantStores
from mlmd_model_registry.courier import Courier
from mlmd_schemas.troubles import Troubles

from mlmd_server.rounds import Rounds

_LOG = logging.getLogger("mlmd.couriers")
EVERY_SECONDS = 1.0
_TURN_SECONDS = 5.0
"""How long new deliveries of one store are begun before those of the next have their turn."""


class Couriers:
    """Post what is due in every opened store, until `stopped` is set.

    What is being posted at that moment may be posted again by another server.
    """

    def __init__(self, stores: TenantStores, stopped: threading.Event, *, private_too: bool) -> None:
        self._stores = stores
        self._stopped = stopped
        self._private_too = private_too
        self._rounds = Rounds()
        self._troubles = Troubles(_LOG, "posting to webhooks")

    def post_due(self) -> None:
        """Post what is due now; what fails is logged and left to the next time."""
        stores = self._rounds.due(self._stores)
        for store in stores:
            # One whose receivers are slow must not keep the others from being posted to.
            until = time.monotonic() + _TURN_SECONDS if len(stores) > 1 else math.inf
            courier = Courier(store, private_too=self._private_too)
            deliver = partial(courier.deliver_due, partial(self._is_over, until))
            self._troubles.kept_off(f"store {store.store_uuid}", deliver, 0)

    def _is_over(self, until: float) -> bool:
        return self._stopped.is_set() or time.monotonic() > until
