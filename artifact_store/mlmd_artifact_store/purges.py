"""Purging artifacts together with their bytes; executions and contexts have none."""

from mlmd_metadata_store.purging import Chosen, check_confirmed, choose, preview, purge_facts
from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.tombstones import checked_reason
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller, Role
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.deletions import Deletion
from mlmd_artifact_store.removal import Held, carry_out, held_bytes, remove_bytes, uploading
from mlmd_artifact_store.upload_rows import copied_by

SERVICE = "mlmd.v1.Admin"


def purge(artifacts: Artifacts, request: v1.PurgeRequest, caller: Caller = LOCAL) -> v1.PurgeResponse:
    """Tell what would go, or with the digest of that answer purge it and delete the bytes if asked.

    Raises InvalidArgument, NotFound, FailedPrecondition when the digest confirms something else or an alias, a pin or
    an unfinished upload forbids it. When the blobs cannot be deleted now, a sweep does it later.
    """
    if request.include_bytes and request.kind != v1.NODE_KIND_ARTIFACT:
        raise InvalidArgument("include_bytes: only artifacts have bytes.")
    if not request.digest:
        checked_reason(request.reason, needed=False)
        return artifacts.store.database.read(caller, lambda tx: _looked_at(tx, request, locked=False)[2])
    if request.include_bytes:
        artifacts.ownership.check(fresh=True)
    noted: list[Deletion] = []

    def body(tx: Transaction, asked: v1.PurgeRequest) -> v1.PurgeResponse:
        noted[:] = []  # the body may run again
        checked_reason(asked.reason)
        chosen, held, answer = _looked_at(tx, asked, locked=True)
        check_confirmed(chosen, answer.digest, asked.digest)
        purge_facts(tx, chosen, asked.reason)
        noted.extend(remove_bytes(tx, held, asked.reason))
        answer.purged = True
        return answer

    rpc = Rpc(SERVICE, "Purge", v1.PurgeRequest, v1.PurgeResponse, Role.ADMIN, True, body)
    answer: v1.PurgeResponse = artifacts.store.call(rpc, caller, request)
    if noted:
        carry_out(artifacts, noted, caller)
    return answer


def _looked_at(
    tx: Transaction, request: v1.PurgeRequest, *, locked: bool
) -> tuple[Chosen, list[Held], v1.PurgeResponse]:
    chosen = choose(tx, request, locked=locked)
    held: list[Held] = []
    parts = [f"bytes {request.include_bytes}"]
    obstacles: list[str] = []
    if chosen.kind is Kind.ARTIFACT:
        obstacles = [
            f"The upload of artifact {artifact_id} has not ended; commit or abort it first."
            for artifact_id in uploading(tx, chosen.ids)
        ]
        if request.include_bytes:
            held = held_bytes(tx, chosen.ids, locked=locked)
            parts += [repr(one) for one in held]
            copied = copied_by(tx)
            obstacles += [
                f"The upload of artifact {copier} copies files from artifact {artifact_id}; commit or abort it first."
                for artifact_id in chosen.ids
                for copier in sorted(copied.get(artifact_id, ()))
            ]
    chosen = Chosen(chosen.kind, chosen.rows, (*chosen.obstacles, *obstacles))
    answer = preview(tx, chosen, chosen.digest(*parts))
    answer.file_count = sum(one.file_count for one in held if not one.is_external)
    answer.size_bytes = sum(one.size_bytes for one in held if not one.is_external)
    return chosen, held, answer
