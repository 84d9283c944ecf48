"""Taking the bytes of artifacts away: first what is known of them, in one transaction, then the blobs.

Killed between the two, or among the blobs, the next sweep goes on: what has to be deleted is noted in that transaction.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.tombstones import Gone, What, put_tombstones
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import FILE, MANIFEST, UPLOAD
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.deletions import (
    Deletion,
    delete_blobs,
    forget_deletions,
    late_until,
    note_deletions,
    with_restores,
)
from mlmd_artifact_store.local_watch import carried
from mlmd_artifact_store.purged_places import IS_PURGED, without_places

_AT_ONCE = 8
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_HELD = (
    sa.select(
        MANIFEST.c.artifact_id,
        MANIFEST.c.key_prefix,
        MANIFEST.c.root_uri,
        MANIFEST.c.is_external,
        MANIFEST.c.file_count,
        MANIFEST.c.size_bytes,
        MANIFEST.c.digest,
        MANIFEST.c.create_ms,
        IS_PURGED,
    )
    .where(MANIFEST.c.artifact_id.in_(_IDS))
    .order_by(MANIFEST.c.artifact_id)
)
_LOCKED = _HELD.with_for_update()
_UPLOADS = sa.select(UPLOAD.c.artifact_id).where(UPLOAD.c.artifact_id.in_(_IDS)).order_by(UPLOAD.c.artifact_id)
_DROP_FILES = sa.delete(FILE).where(FILE.c.artifact_id.in_(_IDS))
_DROP_MANIFESTS = sa.delete(MANIFEST).where(MANIFEST.c.artifact_id.in_(_IDS))
_DELETED = (
    sa.update(ARTIFACT)
    .where(ARTIFACT.c.id.in_(_IDS))
    .values(state=pb.Artifact.DELETED, last_update_time_since_epoch=sa.bindparam("now"))
)


@dataclass(frozen=True, slots=True)
class Held:
    """The bytes of one artifact as its manifest has them; those of an external one are not ours to delete."""

    artifact_id: int
    key_prefix: str
    root_uri: str
    is_external: bool
    file_count: int
    size_bytes: int
    digest: bytes
    create_ms: int
    is_purged: bool

    @property
    def told_uri(self) -> str:
        """Where they are, for callers; "" when that has a name that was purged."""
        return "" if self.is_purged else self.root_uri


def held_bytes(tx: Transaction, artifact_ids: Iterable[int], *, locked: bool = False) -> list[Held]:
    """Return what these artifacts hold, by id; those without a manifest are left out."""
    rows = tx.rows_in(_LOCKED if locked else _HELD, artifact_ids)
    return [
        Held(row[0], row[1], row[2], bool(row[3]), row[4], row[5], bytes(row[6]), row[7], bool(row[8])) for row in rows
    ]


def uploading(tx: Transaction, artifact_ids: Iterable[int]) -> list[int]:
    """Return those of the artifacts whose upload has not ended, or not been swept."""
    return [row[0] for row in tx.rows_in(_UPLOADS, artifact_ids)]


def forget_manifests(tx: Transaction, artifact_ids: Iterable[int]) -> None:
    """Forget what is known of files, and delete none."""
    ids = list(artifact_ids)
    tx.execute_in(_DROP_FILES, ids)
    tx.execute_in(_DROP_MANIFESTS, ids)


def remove_bytes(tx: Transaction, held: Sequence[Held], reason: str) -> list[Deletion]:
    """Forget manifests, make the artifacts DELETED, leave tombstones, and note the blobs that are to be deleted."""
    ids = [one.artifact_id for one in held]
    forget_manifests(tx, ids)
    tx.execute_in(_DELETED, ids, now=now_ms())
    gone = [Gone(one.artifact_id, one.file_count, one.size_bytes) for one in held]
    put_tombstones(tx, Kind.ARTIFACT, What.BYTES, gone, reason)
    return note_deletions(
        tx,
        [
            Deletion(one.artifact_id, with_restores(one.key_prefix), late_until(one.create_ms))
            for one in held
            if not one.is_external
        ],
    )


@dataclass(frozen=True, slots=True)
class Carried:
    """What became of deletions: artifacts for which no more can come, and what failed, which stays noted."""

    done: list[int]
    failures: list[tuple[int, StoreError]]
    """Each with its artifact."""

    def check(self) -> None:
        """Raise the first failure, saying what it left."""
        for artifact_id, error in self.failures:
            others = f" and {len(self.failures) - 1} others" if len(self.failures) > 1 else ""
            raise type(error)(
                f"The bytes of artifact {artifact_id}{others} are not all deleted: {error.message} What the store "
                "knew of them is gone; their deletion is noted, and every sweep tries it again."
            )


def carry_out(artifacts: Artifacts, deletions: Sequence[Deletion], caller: Caller) -> Carried:
    """Delete noted blobs, several artifacts at a time; one that fails does not keep the others."""

    def delete(deletion: Deletion) -> StoreError | None:
        try:
            delete_blobs(artifacts.blobs, deletion.key_prefix, every_version=deletion.every_version)
        except StoreError as error:
            return without_places(error, deletion.key_prefix.splitlines()) if deletion.every_version else error
        return None

    if deletions:
        artifacts.ownership.check(fresh=True)
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="delete") as pool:
        answers = list(zip(deletions, pool.map(carried(delete), deletions), strict=True))
    now = artifacts.store.database.agreed_ms(caller) if deletions else 0
    over = [deletion for deletion, failure in answers if failure is None and deletion.until_ms <= now]
    done = list[int]()
    if over:
        done = artifacts.store.database.write(caller, lambda tx: forget_deletions(tx, over, now), repeatable=True)
    return Carried(done, [(deletion.artifact_id, error) for deletion, error in answers if error is not None])
