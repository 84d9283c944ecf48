"""Deleting what nothing keeps: metadata first, with a tombstone, then the blobs.

What is deleted is decided on one snapshot, as a dry run decides it, and looked at once more in each transaction that
deletes: what got an alias, a pin or a user meanwhile, or was registered, reused or named by a uri, stays.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.alias_targets import aliases_of
from mlmd_metadata_store.pins import pins_of
from mlmd_metadata_store.registered_artifacts import registered_among
from mlmd_metadata_store.served_versions import artifacts_served
from mlmd_metadata_store.tombstones import checked_reason
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.tables.v10 import ARTIFACT, EVENT, EXECUTION

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.deletions import Deletion
from mlmd_artifact_store.garbage import Keeping, look
from mlmd_artifact_store.keep_rules import UNFINISHED, Rules
from mlmd_artifact_store.late_keeping import catch_up
from mlmd_artifact_store.named_places import namers
from mlmd_artifact_store.removal import Held, carry_out, held_bytes, remove_bytes
from mlmd_artifact_store.upload_rows import copied_by

BATCH = 200
"""How many artifacts one transaction takes."""
REASON = "garbage collection: no rule keeps it"

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_NODES = sa.select(ARTIFACT.c.id).where(ARTIFACT.c.id.in_(_IDS)).order_by(ARTIFACT.c.id).with_for_update()
_RUNNING = (
    sa.select(EVENT.c.artifact_id)
    .join(EXECUTION, EXECUTION.c.id == EVENT.c.execution_id)
    .where(EVENT.c.artifact_id.in_(_IDS), EXECUTION.c.last_known_state.in_(UNFINISHED))
)

_USED_SINCE = sa.select(EVENT.c.artifact_id).where(EVENT.c.artifact_id.in_(_IDS), EVENT.c.id > sa.bindparam("last"))


@dataclass(slots=True)
class Collection:
    """What one collection of garbage is about: what it keeps and what it deletes."""

    keeping: Keeping
    garbage: list[int]
    more: bool

    @property
    def kept_count(self) -> int:
        """How many artifacts keep their bytes."""
        return sum(self.keeping.keeps(artifact_id) for artifact_id in self.keeping.held)


def plan(artifacts: Artifacts, rules: Rules, limit: int | None = None, caller: Caller = LOCAL) -> Collection:
    """Decide what is garbage, the oldest first, and at most `limit` artifacts of it."""
    keeping = artifacts.store.database.read(caller, lambda tx: look(tx, rules))
    found = list(keeping.garbage())
    return Collection(keeping, found[:limit], more=limit is not None and len(found) > limit)


def described(artifacts: Artifacts, artifact_ids: list[int], caller: Caller = LOCAL) -> list[Held]:
    """Return what these artifacts hold, for a dry run."""
    return artifacts.store.database.read(caller, lambda tx: held_bytes(tx, artifact_ids))


def collect(
    artifacts: Artifacts,
    garbage: list[int],
    reason: str = "",
    caller: Caller = LOCAL,
    seen: Keeping | None = None,
) -> Iterator[list[Held]]:
    """Delete the bytes of these artifacts and yield, batch by batch, what was deleted.

    `seen` is what was decided on; what somebody reused or used meanwhile stays, also when that execution has ended, and
    with what is kept since stays what it was made from. It learns that from batch to batch.

    Killed at any point it has deleted nothing by halves: either an artifact is whole, or its manifest is gone and its
    blobs are deleted now or by the next sweep.
    """
    why = checked_reason(reason, needed=False) or REASON
    if garbage:
        artifacts.ownership.check(fresh=True)
    for start in range(0, len(garbage), BATCH):
        batch = garbage[start : start + BATCH]
        held, noted = artifacts.store.database.write(caller, _removal(batch, why, seen))
        carry_out(artifacts, noted, caller).check()
        yield held


def _removal(
    batch: list[int], reason: str, seen: Keeping | None
) -> Callable[[Transaction], tuple[list[Held], list[Deletion]]]:
    def body(tx: Transaction) -> tuple[list[Held], list[Deletion]]:
        kept = {artifact_id for artifact_id, _, _ in aliases_of(tx, batch, locked=True)}
        tx.rows_in(_NODES, batch)
        locked = held_bytes(tx, batch, locked=True)  # from here on nobody begins to copy from it, or to reuse it
        kept |= _in_use(tx, batch) | copied_by(tx).keys()
        named_by = namers(tx, {one.artifact_id: one.root_uri for one in locked})
        kept |= {named_by[artifact_id] for artifact_id in _keeping(tx, named_by, seen)}
        if seen is not None:
            catch_up(tx, seen)
            kept |= {artifact_id for artifact_id in batch if seen.keeps(artifact_id)}
            kept |= {row[0] for row in tx.rows_in(_USED_SINCE, batch, last=seen.last_event)}
            kept |= {
                one.artifact_id for one in locked if one.create_ms != seen.held.get(one.artifact_id, one.create_ms)
            }
        held = [one for one in locked if not one.is_external and one.artifact_id not in kept]
        return held, remove_bytes(tx, held, reason)

    return body


def _keeping(tx: Transaction, named_by: Iterable[int], seen: Keeping | None) -> set[int]:
    """Return those of the artifacts that name files of others which keep these files.

    What was kept by the look, or was not there yet, names them since; else the look would have kept them.
    """
    with_files = {one.artifact_id for one in held_bytes(tx, named_by) if not one.is_external}
    ids = [artifact_id for artifact_id in named_by if artifact_id not in with_files]
    found = {artifact_id for artifact_id, _, _ in aliases_of(tx, ids)} | _in_use(tx, ids)
    if seen is not None:
        found |= {row[0] for row in tx.rows_in(_USED_SINCE, ids, last=seen.last_event)}
        found |= {artifact_id for artifact_id in ids if artifact_id > seen.last_artifact or seen.keeps(artifact_id)}
    return found


def _in_use(tx: Transaction, artifact_ids: list[int]) -> set[int]:
    """Return those of these artifacts that are pinned, versions of models in use, or used by what has not ended."""
    running = {row[0] for row in tx.rows_in(_RUNNING, artifact_ids)} | artifacts_served(tx, artifact_ids)
    return {pin.artifact_id for pin in pins_of(tx, artifact_ids)} | registered_among(tx, artifact_ids) | running
