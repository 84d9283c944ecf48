"""Work that one process does at a time, whichever of all that share a database."""

import sqlalchemy as sa
from mlmd_schemas.tables.own import LEASE

from mlmd_metadata_store.transaction import Transaction

_COLUMNS = ("name", "holder", "until_ms")
_TAKE = (
    sa.update(LEASE)
    .where(LEASE.c.name == sa.bindparam("wanted"), LEASE.c.until_ms <= sa.bindparam("now"))
    .values(holder=sa.bindparam("who"), until_ms=sa.bindparam("until"))
)


def take_lease(tx: Transaction, name: str, holder: str, seconds: float) -> bool:
    """Take a lease for so long and say whether it was free; nobody gives it back, it ends with its time."""
    tx.insert_ignore(LEASE, _COLUMNS, [(name, "", 0)])
    now = tx.agreed_ms()
    return tx.execute(_TAKE, {"wanted": name, "who": holder[:255], "now": now, "until": now + int(seconds * 1000)}) == 1
