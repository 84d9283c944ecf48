"""Blobs that belong to nobody any more: noted before the first of them is deleted, forgotten when no more can come.

A request that was signed while an upload was under way stores its bytes until it expires, whatever became of the
artifact. So the blobs of what was aborted or removed are deleted at once, and again by every sweep until that time is
over. One artifact may have several prefixes that are nobody's: those of restores that were given up. Those
are forgotten when no more can come; what is left of them as older versions is found by what they all begin with.

In a bucket that keeps versions what is deleted stays as an older one. Of an artifact whose facts were purged none
stays: that deletion is meant for good, whoever deletes the bytes and when.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from mlmd_metadata_store.tombstones import What
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.own import DELETION, TOMBSTONE
from mlmd_schemas.tables.v10 import Kind

from mlmd_artifact_store.blob_store import VALID_SECONDS, BlobStore
from mlmd_artifact_store.keys import is_key
from mlmd_artifact_store.locations import is_marked, restored_stem

LATE_SECONDS = VALID_SECONDS + 3600
"""How long after the end of an upload bytes may arrive: until the last request expires, and an hour to send them."""

_AT_ONCE = 500
_KEYS_AT_ONCE = 1000
_COLUMNS = ("artifact_id", "key_prefix", "until_ms", "create_ms")
_PURGED = sa.and_(
    TOMBSTONE.c.type_kind == Kind.ARTIFACT.value,
    TOMBSTONE.c.node_id == DELETION.c.artifact_id,
    TOMBSTONE.c.what == What.FACTS.value,
)
_PAGE = (
    sa.select(DELETION.c.artifact_id, DELETION.c.key_prefix, DELETION.c.until_ms, TOMBSTONE.c.node_id)
    .outerjoin(TOMBSTONE, _PURGED)
    .where(DELETION.c.artifact_id > sa.bindparam("after"))
    .order_by(DELETION.c.artifact_id)
    .limit(_AT_ONCE)
)
_NOTED = (
    sa.select(DELETION.c.artifact_id, DELETION.c.key_prefix, DELETION.c.until_ms)
    .where(DELETION.c.artifact_id.in_(sa.bindparam("ids", expanding=True)))
    .with_for_update()
)
_PURGED_OF = sa.select(TOMBSTONE.c.node_id).where(
    TOMBSTONE.c.type_kind == Kind.ARTIFACT.value,
    TOMBSTONE.c.node_id.in_(sa.bindparam("ids", expanding=True)),
    TOMBSTONE.c.what == What.FACTS.value,
)
_FORGET = sa.delete(DELETION).where(DELETION.c.artifact_id.in_(sa.bindparam("ids", expanding=True)))


class Deletion(NamedTuple):
    """What is to be deleted of an artifact."""

    artifact_id: int
    key_prefix: str
    """The prefixes of its keys, one a line; or what those of its restores begin with, which has no slash at its end."""
    until_ms: int
    """Until when blobs may still come."""
    every_version: bool = False
    """Whether nothing may stay in a bucket that keeps older versions."""


def late_until(ended_ms: int) -> int:
    """Return until when bytes may arrive of an upload that ended at this time."""
    return ended_ms + LATE_SECONDS * 1000


def with_restores(prefix: str) -> str:
    """Return a prefix of an artifact, and if it is a restore's what those of the restores before it begin with."""
    return f"{prefix}\n{restored_stem(prefix)}" if is_marked(prefix) else prefix


def note_deletions(tx: Transaction, deletions: Sequence[Deletion]) -> list[Deletion]:
    """Note, in the transaction that makes blobs nobody's, that they have to be deleted; what is noted already stays.

    Returns what is noted of these artifacts now.
    """
    ids = [deletion.artifact_id for deletion in deletions]
    noted = {row[0]: (row[1], row[2]) for row in tx.rows_in(_NOTED, ids)}
    purged = {row[0] for row in tx.rows_in(_PURGED_OF, ids)}
    merged: list[Deletion] = []
    for artifact_id, prefix, until, _ in deletions:
        before, before_until = noted.get(artifact_id, ("", 0))
        prefixes = "\n".join(dict.fromkeys([*before.splitlines(), *prefix.splitlines()]))
        merged.append(Deletion(artifact_id, prefixes, max(until, before_until), artifact_id in purged))
    if merged:
        now = tx.agreed_ms()
        tx.upsert(DELETION, _COLUMNS, [(*deletion[:3], now) for deletion in merged], _COLUMNS[:1])
    return merged


def noted_deletions(tx: Transaction, after: int) -> list[Deletion]:
    """Return a page of the deletions of artifacts after this one."""
    parameters: dict[str, Any] = {"after": after}
    return [Deletion(row[0], row[1], row[2], row[3] is not None) for row in tx.rows(_PAGE, parameters)]


def forget_deletions(tx: Transaction, deletions: Sequence[Deletion], now: int) -> list[int]:
    """Forget deletions that are done for good, and return their artifacts.

    Those stay to which another prefix was added meanwhile, or for which blobs may still come.
    """
    noted = {row[0]: (row[1], row[2]) for row in tx.rows_in(_NOTED, [deletion.artifact_id for deletion in deletions])}
    done = [
        artifact_id
        for artifact_id, prefixes, until, _ in deletions
        if until <= now and noted.get(artifact_id, (prefixes, until)) == (prefixes, until)
    ]
    tx.execute_in(_FORGET, done)
    return done


def delete_blobs(blobs: BlobStore, prefixes: str, *, every_version: bool = False) -> None:
    """Delete every blob of these prefixes, one a line; every version of them if asked.

    Of one that has no slash at its end go the versions of what is hidden already; it was deleted by its own prefix.
    What others put there under a key that none of ours can have (consoles do, for a folder) is theirs, and stays.
    Blobs are hidden before the first version goes, so that whoever is killed in between leaves nothing to be read.
    """
    keys: list[str] = []
    for key in _keys_of(blobs, prefixes):
        keys.append(key)
        if len(keys) == _KEYS_AT_ONCE:
            blobs.delete(keys)
            keys.clear()
    blobs.delete(keys)
    if every_version or blobs.deletes_versions:
        for prefix in prefixes.splitlines():
            if prefix.endswith("/"):
                blobs.delete_versions(prefix)
            else:
                blobs.delete_hidden_versions(prefix)


def _keys_of(blobs: BlobStore, prefixes: str) -> Iterator[str]:
    for prefix in prefixes.splitlines():
        for blob in blobs.list(prefix) if prefix.endswith("/") else ():
            if is_key(blob.key):
                yield blob.key
