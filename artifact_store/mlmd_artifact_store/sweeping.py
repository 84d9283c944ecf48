"""Uploads that nobody finished: given up after a grace period, and the deletion of aborted ones taken up again."""

from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction, now_ms
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.tables.own import UPLOAD

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.upload_rows import UploadState

_AT_ONCE = 100
_OLD = (
    sa.select(UPLOAD.c.artifact_id)
    .where(
        UPLOAD.c.artifact_id > sa.bindparam("after"),
        sa.or_(UPLOAD.c.state == UploadState.ABORTED.value, UPLOAD.c.create_ms < sa.bindparam("before")),
    )
    .order_by(UPLOAD.c.artifact_id)
    .limit(_AT_ONCE)
)


def sweep_uploads(artifacts: Artifacts, grace_seconds: float, caller: Caller = LOCAL) -> list[int]:
    """Abort the uploads that began longer ago than `grace_seconds`; return the ids of their artifacts.

    Each artifact becomes ABANDONED and its bytes are deleted. Killed in the middle, it goes on where it was when it is
    called again; an upload that is committed meanwhile is left alone.
    """
    before, swept, after = now_ms() - int(grace_seconds * 1000), list[int](), 0
    while True:
        parameters = {"after": after, "before": before}

        def body(tx: Transaction, parameters: dict[str, Any] = parameters) -> list[int]:
            return [row[0] for row in tx.rows(_OLD, parameters)]

        page = artifacts.store.database.read(caller, body)
        for artifact_id in page:
            try:
                artifacts.abort_upload(artifact_id, caller)
            except FailedPrecondition:  # committed a moment ago
                continue
            swept.append(artifact_id)
        if len(page) < _AT_ONCE:
            return swept
        after = page[-1]
