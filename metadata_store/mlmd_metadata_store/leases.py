"""Work that one process does at a time, whichever of all that share a database."""

import sqlalchemy as sa
from mlmd_schemas.tables.own import LEASE

from mlmd_metadata_store.transaction import Transaction

_LONGEST_SECONDS = 7 * 24 * 3600.0
"""What ends later was taken by a clock that ran ahead, and would keep everybody off until the right one gets there."""
_COLUMNS = ("name", "holder", "until_ms")
_TAKE = (
    sa.update(LEASE)
    .where(
        LEASE.c.name == sa.bindparam("wanted"),
        sa.or_(LEASE.c.until_ms <= sa.bindparam("now"), LEASE.c.until_ms > sa.bindparam("latest")),
    )
    .values(holder=sa.bindparam("who"), until_ms=sa.bindparam("until"))
)


def take_lease(tx: Transaction, name: str, holder: str, seconds: float) -> bool:
    """Take a lease for so long and say whether it was free; nobody gives it back, it ends with its time."""
    tx.insert_ignore(LEASE, _COLUMNS, [(name, "", 0)])
    now = tx.agreed_ms()
    until, latest = (now + int(span * 1000) for span in (seconds, max(seconds, _LONGEST_SECONDS)))
    parameters = {"wanted": name, "who": holder[:255], "now": now, "latest": latest, "until": until}
    return tx.execute(_TAKE, parameters) == 1
