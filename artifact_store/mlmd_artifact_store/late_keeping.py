"""What is kept since it was decided what is garbage, with all that it was made from.

A collection of very much goes on for an hour, in which people move aliases. What gets one is not deleted; what it was
made from may come in an earlier batch, and has to be known by then. So each batch looks first what is new.
"""

from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.v10 import EVENT

from mlmd_artifact_store.garbage import Keeping, close
from mlmd_artifact_store.keep_rules import decided, resumed

_OPEN = 10_000
"""So many ids of events before the newest are read again: transactions that were open then may have taken them."""
_SINCE = sa.select(EVENT.c.id, EVENT.c.artifact_id).where(EVENT.c.id > sa.bindparam("last"))


def catch_up(tx: Transaction, seen: Keeping) -> None:
    """Add to what is kept what got an alias, a pin, a version in use or a user since, and what that was made from.

    A transaction that is undone afterwards may have added it, since none of that is undone with it.
    """
    since: list[Any] = list(tx.rows(_SINCE, {"last": max(seen.last_event, seen.late_event - _OPEN)}))
    used = {artifact_id for _, artifact_id in since} | resumed(tx, seen.look_ms)
    fresh = {one for one in decided(tx) | used if not seen.keeps(one)}
    if fresh:  # the set of all that is kept is made for that alone, not for each batch
        close(tx, seen, fresh, {*seen.reasons, *seen.made_from, *seen.late})
        seen.late |= fresh
    seen.late_event = max([seen.late_event, *(row[0] for row in since)])
