"""What nobody finished: uploads are given up after a grace period, interrupted deletions are taken up again."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Aborted, FailedPrecondition, InvalidArgument
from mlmd_schemas.tables.own import UPLOAD

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.deletions import Deletion, noted_deletions
from mlmd_artifact_store.locations import tenant_prefix
from mlmd_artifact_store.removal import carry_out
from mlmd_artifact_store.upload_rows import UploadState

LONGEST_GRACE_SECONDS = 3650 * 86400
_AT_ONCE = 100
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


def sweep(artifacts: Artifacts, grace_seconds: float, caller: Caller = LOCAL) -> Swept:
    """Give up the uploads that began longer ago than `grace_seconds`, and finish deletions.

    Several sweeps at the same time do no harm. Raises InvalidArgument for a grace that is none.
    """
    if grace_seconds > LONGEST_GRACE_SECONDS:
        raise InvalidArgument(f"grace_seconds: {grace_seconds:g} is more than {LONGEST_GRACE_SECONDS}.")
    swept = Swept(sweep_uploads(artifacts, grace_seconds, caller), sweep_deletions(artifacts, caller))
    if not caller.is_gone:
        artifacts.ownership.check(fresh=True, claim=False)
        # Whatever was begun before the grace belonged to an upload that has ended: a process died in between.
        artifacts.blobs.tidy(tenant_prefix(artifacts.place.tenant), now_ms() - int(grace_seconds * 1000))
    return swept


def sweep_deletions(artifacts: Artifacts, caller: Caller = LOCAL) -> list[int]:
    """Delete the blobs that are noted to be nobody's; return the artifacts for which no more can come."""
    done, after = list[int](), 0
    while True:

        def body(tx: Transaction, after: int = after) -> list[Deletion]:
            return noted_deletions(tx, after)

        page = artifacts.store.database.read(caller, body)
        if not page or caller.is_gone:
            return done
        done += carry_out(artifacts, page, caller)
        after = page[-1][0]


def sweep_uploads(artifacts: Artifacts, grace_seconds: float, caller: Caller = LOCAL) -> list[int]:
    """Abort the uploads that began longer ago than `grace_seconds`; return the ids of their artifacts.

    Each artifact becomes ABANDONED and its bytes are deleted. Killed in the middle, it goes on where it was when it is
    called again; an upload that is committed meanwhile is left alone, and so is one that took its place.
    """
    before, swept, after = now_ms() - int(grace_seconds * 1000), list[int](), 0
    while True:
        parameters = {"after": after, "before": before}

        def body(tx: Transaction, parameters: dict[str, Any] = parameters) -> Sequence[tuple[int, str]]:
            return tx.rows(_OLD, parameters)

        page = artifacts.store.database.read(caller, body)
        for artifact_id, key_prefix in page:
            if caller.is_gone:
                return swept
            try:
                if artifacts.abort_upload(artifact_id, caller, key_prefix):
                    swept.append(artifact_id)
            except (FailedPrecondition, Aborted):  # committed a moment ago; or a file is being written, till next time
                continue
        if len(page) < _AT_ONCE:
            return swept
        after = page[-1][0]
