"""What nobody finished: uploads are given up after a grace period, interrupted deletions are taken up again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Aborted, InvalidArgument, StoreError, Unavailable
from mlmd_schemas.tables.own import UPLOAD

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.deletions import Deletion, noted_deletions
from mlmd_artifact_store.locations import tenant_prefix
from mlmd_artifact_store.removal import carry_out
from mlmd_artifact_store.upload_rows import UploadState

LONGEST_GRACE_SECONDS = 3650 * 86400
SHOWN = 100
"""How many failures are told one by one."""
_AT_ONCE = 100
_MOST_AWAY = 3
"""How often in a row the store of blobs may be out of reach before the rest is left to the next sweep."""
_OLD = (
    sa.select(UPLOAD.c.artifact_id, UPLOAD.c.key_prefix)
    .where(
        UPLOAD.c.artifact_id > sa.bindparam("after"),
        sa.or_(UPLOAD.c.state == UploadState.ABORTED.value, UPLOAD.c.create_ms < sa.bindparam("before")),
    )
    .order_by(UPLOAD.c.artifact_id)
    .limit(_AT_ONCE)
)


@dataclass(slots=True)
class Swept:
    """What a sweep did: artifacts whose upload was given up, artifacts of whose bytes nothing can be left."""

    abandoned: list[int] = field(default_factory=list)
    deleted: list[int] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """What could not be done, a sentence each; the first hundred. It is noted, and the next sweep tries it again."""
    failure_count: int = 0

    def fail(self, what: str, error: StoreError) -> None:
        """Note what could not be done."""
        self.failure_count += 1
        if len(self.failures) < SHOWN:
            self.failures.append(f"{what}: {error.message}")

    def add(self, other: "Swept") -> None:
        """Take what another did along."""
        self.abandoned += other.abandoned
        self.deleted += other.deleted
        self.failures += other.failures[: SHOWN - len(self.failures)]
        self.failure_count += other.failure_count


def sweep(artifacts: Artifacts, grace_seconds: float, caller: Caller = LOCAL) -> Swept:
    """Give up the uploads that began longer ago than `grace_seconds`, and finish deletions.

    What fails is told and does not keep the rest. Several sweeps at the same time do no harm. Raises InvalidArgument
    for a grace that is none, FailedPrecondition when the bytes are another store's.
    """
    if grace_seconds > LONGEST_GRACE_SECONDS:
        raise InvalidArgument(f"grace_seconds: {grace_seconds:g} is more than {LONGEST_GRACE_SECONDS}.")
    artifacts.ownership.check(fresh=True, claim=False)
    swept = sweep_uploads(artifacts, grace_seconds, caller)
    swept.add(sweep_deletions(artifacts, caller))
    if not caller.is_gone:
        swept.add(_tidy(artifacts, grace_seconds, caller))
    return swept


def _tidy(artifacts: Artifacts, grace_seconds: float, caller: Caller) -> Swept:
    """Give up what was begun before the grace: it belonged to an upload that has ended, and a process died between."""
    swept = Swept()
    try:
        artifacts.ownership.check(fresh=True, claim=False)
        artifacts.blobs.tidy(tenant_prefix(artifacts.place.tenant), _before(artifacts, grace_seconds, caller))
    except StoreError as error:
        swept.fail("what was begun and never ended", error)
    return swept


def _before(artifacts: Artifacts, grace_seconds: float, caller: Caller) -> int:
    """Return when the grace began (ms), by the clock by which all servers note when uploads do."""
    return artifacts.store.database.agreed_ms(caller) - int(grace_seconds * 1000)


def sweep_deletions(artifacts: Artifacts, caller: Caller = LOCAL) -> Swept:
    """Delete the blobs that are noted to be nobody's; tell the artifacts for which no more can come."""
    swept, after = Swept(), 0
    while True:

        def body(tx: Transaction, after: int = after) -> list[Deletion]:
            return noted_deletions(tx, after)

        page = artifacts.store.database.read(caller, body)
        if not page or caller.is_gone:
            return swept
        carried = carry_out(artifacts, page, caller)
        swept.deleted += carried.done
        for artifact_id, error in carried.failures:
            swept.fail(f"the bytes of artifact {artifact_id}", error)
        if len(carried.failures) == len(page) and all(isinstance(it, Unavailable) for _, it in carried.failures):
            return swept
        after = page[-1].artifact_id


def sweep_uploads(artifacts: Artifacts, grace_seconds: float, caller: Caller = LOCAL) -> Swept:
    """Abort the uploads that began longer ago than `grace_seconds`; tell their artifacts.

    Each artifact becomes ABANDONED and its bytes are deleted. Killed in the middle, it goes on where it was when it is
    called again; an upload that is committed meanwhile is left alone, and so is one that took its place.
    """
    before, swept, after, away = _before(artifacts, grace_seconds, caller), Swept(), 0, 0
    while True:
        parameters = {"after": after, "before": before}

        def body(tx: Transaction, parameters: dict[str, Any] = parameters) -> Sequence[tuple[int, str]]:
            return tx.rows(_OLD, parameters)

        page = artifacts.store.database.read(caller, body)
        for artifact_id, key_prefix in page:
            if caller.is_gone or away == _MOST_AWAY:
                return swept
            try:
                if artifacts.abort_upload(artifact_id, caller, key_prefix):
                    swept.abandoned.append(artifact_id)
                away = 0
            except Aborted:  # a file is being written, till next time
                continue
            except StoreError as error:
                swept.fail(f"the upload of artifact {artifact_id}", error)
                away = away + 1 if isinstance(error, Unavailable) else 0
        if len(page) < _AT_ONCE:
            return swept
        after = page[-1][0]
