"""The sweep while the server serves: unfinished uploads and interrupted deletions, in every tenant's store.

Of all workers and replicas that share a database one sweeps at a time: a lease in the database says who may, and when
the next time is.
"""

import logging
import os
import socket
import threading
import time

from mlmd_api.artifacts import TenantArtifacts
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep
from mlmd_metadata_store.leases import take_lease
from mlmd_schemas.caller import Caller
from mlmd_schemas.chance import CHANCE
from mlmd_schemas.errors import StoreError

_LOG = logging.getLogger("mlmd.sweeper")
LEASE = "sweep"
_LONGEST_PAUSE_SECONDS = 60.0
_LONGEST_END_SECONDS = 5.0


class Sweeper:
    """A thread that sweeps every `every_seconds`, until it is stopped."""

    def __init__(self, artifacts: TenantArtifacts, tenants: list[str], every_seconds: float) -> None:
        self._artifacts = artifacts
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._due = dict.fromkeys(tenants, 0.0)
        self._thread = threading.Thread(target=self._watch, name="sweeper", daemon=True)

    def start(self) -> None:
        """Begin to sweep."""
        self._thread.start()

    def stop(self) -> bool:
        """Stop sweeping; what is being deleted at this moment may be left to the next sweep. False while it goes on."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(_LONGEST_END_SECONDS)
        return not self._thread.is_alive()

    def _watch(self) -> None:
        pause = min(self._every_seconds, _LONGEST_PAUSE_SECONDS)
        while not self._stopped.wait(pause * CHANCE.uniform(0.5, 1.0)):
            self.sweep_due()

    def sweep_due(self) -> None:
        """Sweep the stores whose time has come."""
        for tenant in [tenant for tenant, at in self._due.items() if at <= time.monotonic()]:
            if not self._stopped.is_set():
                self._sweep_quietly(tenant)
                self._due[tenant] = time.monotonic() + self._every_seconds

    def _sweep_quietly(self, tenant: str) -> None:
        """Sweep a tenant's store if it is time; what fails is logged and done the next time."""
        try:
            self._sweep(tenant, self._artifacts.of(tenant))
        except StoreError as error:
            _LOG.warning("the sweep of tenant %r stopped and goes on the next time: %s", tenant, error.message)
        except Exception:  # noqa: BLE001 - the thread goes on; a fault of one tenant's is not the others'
            _LOG.exception("the sweep of tenant %r failed", tenant)

    def _sweep(self, tenant: str, requests: Requests) -> None:
        caller = Caller(subject="sweeper", tenant=tenant, request_id="sweeper", gone=self._stopped)
        holder = f"{socket.gethostname()}/{os.getpid()}"
        store = requests.artifacts.store
        if not store.database.write(caller, lambda tx: take_lease(tx, LEASE, holder, self._every_seconds)):
            return
        swept = sweep(requests.artifacts, requests.grace_seconds, caller)
        if swept.abandoned or swept.deleted:
            _LOG.info(
                "swept tenant %r: gave up %d uploads, finished %d deletions",
                tenant,
                len(swept.abandoned),
                len(swept.deleted),
            )
