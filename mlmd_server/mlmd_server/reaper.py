"""The watch over runs: those that are not heard from any more are ended while the server serves."""

import logging
from functools import partial

from mlmd_api.tenants import TenantStores
from mlmd_metadata_store.run_reaping import reap_runs
from mlmd_schemas.counting import counted

from mlmd_server.rounds import Rounds
from mlmd_server.troubles import Troubles

_LOG = logging.getLogger("mlmd.runs")
EVERY_SECONDS = 2.0
_TROUBLES = Troubles(_LOG, "ending runs that are not heard from")


def reap_opened(stores: TenantStores, rounds: Rounds | None = None) -> None:
    """End the lapsed runs of the opened stores; says in the log which, and what failed until the next time.

    With `rounds` those are looked at whose turn it is, else all. Of servers that share a database the one that
    comes second finds nothing to do.
    """
    rounds = Rounds() if rounds is None else rounds  # of new ones every store is due
    for store in rounds.due(stores):
        nothing: list[int] = []
        if ended := _TROUBLES.kept_off(f"store {store.store_uuid}", partial(reap_runs, store), nothing):
            _LOG.info("ended %s not heard from: executions %s", counted(len(ended), "run"), ended[:20])
