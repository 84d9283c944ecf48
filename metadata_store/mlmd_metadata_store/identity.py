"""The identity of a store, by which others know it and its bytes are its own."""

import uuid

import sqlalchemy as sa
from mlmd_schemas.tables.own import CLAIM, STORE

from mlmd_metadata_store.transaction import Transaction

_RENEW = sa.update(STORE).values(store_uuid=sa.bindparam("made"))
_FORGET_PLACES = sa.delete(CLAIM)


def renew_identity(tx: Transaction) -> str:
    """Give a database that is a copy an identity of its own, and return it; the original's places are none of its."""
    made = str(uuid.uuid4())
    tx.execute(_RENEW, {"made": made})
    tx.execute(_FORGET_PLACES)
    return made
