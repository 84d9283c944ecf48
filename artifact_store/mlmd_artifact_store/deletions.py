"""Blobs that belong to nobody any more: noted before the first of them is deleted, forgotten when no more can come.

A request that was signed while an upload was under way stores its bytes until it expires, whatever became of the
artifact. So the blobs of what was aborted or removed are deleted at once, and again by every sweep until that time is
over. One artifact may have several prefixes that are nobody's: those of restores that were given up.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.own import DELETION

from mlmd_artifact_store.blob_store import VALID_SECONDS, BlobStore
from mlmd_artifact_store.paths import is_key

LATE_SECONDS = VALID_SECONDS + 3600
"""How long after the end of an upload bytes may arrive: until the last request expires, and an hour to send them."""
Deletion = tuple[int, str, int]
"""The artifact, the prefixes of its keys, one a line, and the time (ms) until which blobs may still come."""

_AT_ONCE = 500
_KEYS_AT_ONCE = 1000
_COLUMNS = ("artifact_id", "key_prefix", "until_ms", "create_ms")
_PAGE = (
    sa.select(DELETION.c.artifact_id, DELETION.c.key_prefix, DELETION.c.until_ms)
    .where(DELETION.c.artifact_id > sa.bindparam("after"))
    .order_by(DELETION.c.artifact_id)
    .limit(_AT_ONCE)
)
_NOTED = (
    sa.select(DELETION.c.artifact_id, DELETION.c.key_prefix, DELETION.c.until_ms)
    .where(DELETION.c.artifact_id.in_(sa.bindparam("ids", expanding=True)))
    .with_for_update()
)
_FORGET = sa.delete(DELETION).where(
    DELETION.c.artifact_id.in_(sa.bindparam("ids", expanding=True)), DELETION.c.until_ms <= sa.bindparam("now")
)


def late_until(ended_ms: int) -> int:
    """Return until when bytes may arrive of an upload that ended at this time."""
    return ended_ms + LATE_SECONDS * 1000


def note_deletions(tx: Transaction, deletions: Sequence[Deletion]) -> None:
    """Note, in the transaction that makes blobs nobody's, that they have to be deleted; what is noted already stays."""
    noted = {row[0]: (row[1], row[2]) for row in tx.rows_in(_NOTED, [deletion[0] for deletion in deletions])}
    now = now_ms()
    rows = []
    for artifact_id, prefix, until in deletions:
        before, before_until = noted.get(artifact_id, ("", 0))
        prefixes = dict.fromkeys([*before.splitlines(), prefix])
        rows.append((artifact_id, "\n".join(prefixes), max(until, before_until), now))
    if rows:
        tx.upsert(DELETION, _COLUMNS, rows, _COLUMNS[:1])


def noted_deletions(tx: Transaction, after: int) -> list[Deletion]:
    """Return a page of the deletions of artifacts after this one."""
    parameters: dict[str, Any] = {"after": after}
    return [(row[0], row[1], row[2]) for row in tx.rows(_PAGE, parameters)]


def forget_deletions(tx: Transaction, artifact_ids: Sequence[int], now: int) -> None:
    """Forget deletions that are done for good; those to which another prefix was added meanwhile stay."""
    tx.execute_in(_FORGET, artifact_ids, now=now)


def delete_blobs(blobs: BlobStore, prefixes: str) -> None:
    """Delete every blob of these prefixes, one a line, each ending with a slash.

    What others put there under a key that none of ours can have (consoles do, for a folder) is theirs, and stays.
    """
    keys: list[str] = []
    for key in _keys_of(blobs, prefixes):
        keys.append(key)
        if len(keys) == _KEYS_AT_ONCE:
            blobs.delete(keys)
            keys.clear()
    blobs.delete(keys)


def _keys_of(blobs: BlobStore, prefixes: str) -> Iterator[str]:
    for prefix in prefixes.splitlines():
        for blob in blobs.list(prefix):
            if is_key(blob.key):
                yield blob.key
