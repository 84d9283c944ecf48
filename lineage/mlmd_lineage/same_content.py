"""Artifacts whose files are the same, byte for byte, whoever recorded them."""

from collections import defaultdict
from collections.abc import Collection

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.own import MANIFEST

_DIGESTS = sa.select(MANIFEST.c.artifact_id, MANIFEST.c.digest).where(
    MANIFEST.c.artifact_id.in_(sa.bindparam("ids", expanding=True)), MANIFEST.c.digest != sa.literal(b"")
)
_HOLDERS = sa.select(MANIFEST.c.artifact_id, MANIFEST.c.digest).where(
    MANIFEST.c.digest.in_(sa.bindparam("digests", expanding=True))
)


def same_content(tx: Transaction, artifact_ids: Collection[int]) -> list[list[int]]:
    """Return, for each content that one of these artifacts has and another artifact too, its artifacts, ascending."""
    digests = {bytes(digest) for _, digest in tx.rows_in(_DIGESTS, artifact_ids)}
    if not digests:
        return []
    holders: dict[bytes, list[int]] = defaultdict(list)
    for artifact_id, digest in tx.rows_in(_HOLDERS, digests, name="digests"):
        holders[bytes(digest)].append(artifact_id)
    return sorted(sorted(ids) for ids in holders.values() if len(ids) > 1)
