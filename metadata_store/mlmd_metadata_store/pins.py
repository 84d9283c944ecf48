"""Pins: artifacts that are kept whatever the rules of keeping say."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import FailedPrecondition, NotFound
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.own import PIN
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.keyset_tokens import long_page_size, number_of_token, token_after
from mlmd_metadata_store.named_files import require_named_files
from mlmd_metadata_store.node_ids import existing_ids
from mlmd_metadata_store.tombstones import checked_reason, tombstones_of
from mlmd_metadata_store.transaction import Transaction

_COLUMNS = ("artifact_id", "subject", "reason", "create_ms")
_SELECT = sa.select(*(PIN.c[name] for name in _COLUMNS))
_PAGE = (
    _SELECT.where(PIN.c.artifact_id > sa.bindparam("after"))
    .order_by(PIN.c.artifact_id)
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_ALL = _SELECT.order_by(PIN.c.artifact_id)
_PINNED = sa.select(PIN.c.artifact_id)
_OF = _SELECT.where(PIN.c.artifact_id.in_(sa.bindparam("ids", expanding=True)))
_DROP = sa.delete(PIN).where(PIN.c.artifact_id == sa.bindparam("artifact"))
# Whoever deletes what is not pinned locks the artifact first, so that neither overlooks the other.
_LOCKED = sa.select(ARTIFACT.c.id, ARTIFACT.c.uri).where(ARTIFACT.c.id == sa.bindparam("artifact")).with_for_update()


def pin_artifact(tx: Transaction, request: v1.PinArtifactRequest) -> v1.PinArtifactResponse:
    """Pin an artifact, or say anew why; raises NotFound, FailedPrecondition when something of it was deleted."""
    parameters = {"artifact": request.artifact_id}
    reason = checked_reason(request.reason, needed=False)
    found = tx.rows(_LOCKED, parameters)
    if not found:
        raise _not_found(request.artifact_id)
    for tombstone in tombstones_of(tx, Kind.ARTIFACT, [request.artifact_id]):
        what = v1.Tombstone.What.Name(tombstone.what).removeprefix("WHAT_").lower()
        raise FailedPrecondition(
            f"artifact_id: the {what} of artifact {request.artifact_id} were deleted by "
            f"{tombstone.subject or 'somebody'}; there is nothing left to keep."
        )
    require_named_files(tx, "artifact_id", request.artifact_id, found[0][1])
    tx.upsert(PIN, _COLUMNS, [(request.artifact_id, tx.caller.subject[:255], reason, now_ms())], _COLUMNS[:1])
    return v1.PinArtifactResponse()


def unpin_artifact(tx: Transaction, request: v1.UnpinArtifactRequest) -> v1.UnpinArtifactResponse:
    """Take a pin away; nothing happens when the artifact has none. Raises NotFound when there is no such artifact."""
    dropped = tx.execute(_DROP, {"artifact": request.artifact_id})
    # A row that another hand deleted may have left its pin.
    if not dropped and not existing_ids(tx, Kind.ARTIFACT, [request.artifact_id]):
        raise _not_found(request.artifact_id)
    return v1.UnpinArtifactResponse()


def _not_found(artifact_id: int) -> NotFound:
    return NotFound(f"artifact_id: there is no artifact {artifact_id}.")


def list_pins(tx: Transaction, request: v1.ListPinsRequest) -> v1.ListPinsResponse:
    """Return a page of pins by artifact."""
    count = long_page_size(request.page_size)
    rows = tx.rows(_PAGE, {"after": number_of_token("pins", request.page_token) or 0, "rows": count + 1})
    token = token_after("pins", str(rows[count - 1][0])) if len(rows) > count else ""
    return v1.ListPinsResponse(pins=[_message(row) for row in rows[:count]], next_page_token=token)


def all_pins(tx: Transaction) -> list[v1.Pin]:
    """Return every pin."""
    return [_message(row) for row in tx.rows(_ALL)]


def pinned_ids(tx: Transaction) -> set[int]:
    """Return the artifacts of `all_pins`."""
    return {row[0] for row in tx.rows(_PINNED)}


def pins_of(tx: Transaction, artifact_ids: Iterable[int]) -> list[v1.Pin]:
    """Return the pins of these artifacts."""
    return [_message(row) for row in tx.rows_in(_OF, artifact_ids)]


def _message(row: Any) -> v1.Pin:
    return v1.Pin(artifact_id=row[0], subject=row[1], reason=row[2], create_ms=row[3])
