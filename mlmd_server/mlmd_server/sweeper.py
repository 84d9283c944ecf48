"""The sweep while the server serves: unfinished uploads and interrupted deletions, in every tenant's store.

Of all workers and replicas that share a database one sweeps at a time: a lease in the database says who may, and when
the next time is.
"""

import logging
import os
import socket
import threading
import time
from functools import partial

from mlmd_api.artifacts import TenantArtifacts
from mlmd_artifact_store.sweeping import sweep
from mlmd_metadata_store.leases import take_lease
from mlmd_schemas.caller import Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.troubles import Troubles

_LOG = logging.getLogger("mlmd.sweeper")
LEASE = "sweep"
LONGEST_PAUSE_SECONDS = 60.0
"""How long it may take until it is looked whose time has come."""


class Sweeper:
    """Sweep each tenant's store every `every_seconds`, until `stopped` is set.

    What is being deleted at that moment may be left to the next sweep.
    """

    def __init__(
        self, artifacts: TenantArtifacts, tenants: list[str], every_seconds: float, stopped: threading.Event
    ) -> None:
        self._artifacts = artifacts
        self._every_seconds = every_seconds
        self._stopped = stopped
        self._due = dict.fromkeys(tenants, 0.0)
        self._troubles = Troubles(_LOG, "sweeping")

    def sweep_due(self) -> None:
        """Sweep the stores whose time has come; what fails is logged and done the next time."""
        for tenant in [tenant for tenant, at in self._due.items() if at <= time.monotonic()]:
            if not self._stopped.is_set():
                self._troubles.kept_off(f"tenant {tenant!r}", partial(self._sweep, tenant), None)
                self._due[tenant] = time.monotonic() + self._every_seconds

    def _sweep(self, tenant: str) -> None:
        requests = self._artifacts.of(tenant)
        caller = Caller(subject="sweeper", tenant=tenant, request_id="sweeper", gone=self._stopped)
        holder = f"{socket.gethostname()}/{os.getpid()}"
        store = requests.artifacts.store
        if not store.database.write(caller, lambda tx: take_lease(tx, LEASE, holder, self._every_seconds)):
            return
        swept = self._artifacts.errands.done(partial(sweep, requests.artifacts, requests.grace_seconds, caller))
        for failure in swept.failures:
            _LOG.warning("the sweep of tenant %r goes on the next time with %s", tenant, failure)
        if swept.abandoned or swept.deleted:
            _LOG.info(
                "swept tenant %r: gave up %s, finished %s",
                tenant,
                counted(len(swept.abandoned), "upload"),
                counted(len(swept.deleted), "deletion"),
            )
