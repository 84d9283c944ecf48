"""Purging artifacts together with their bytes; executions and contexts have none."""

from dataclasses import dataclass

from mlmd_metadata_store.alias_targets import aliases_of
from mlmd_metadata_store.pins import pins_of
from mlmd_metadata_store.purging import Chosen, check_confirmed, choose, preview, purge_facts, without_facts
from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.tombstones import checked_reason
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller, Role
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.begin import Place
from mlmd_artifact_store.deletions import Deletion, note_deletions, with_restores
from mlmd_artifact_store.locations import prefix_of_uri, tenant_prefix
from mlmd_artifact_store.named_places import namers
from mlmd_artifact_store.removal import Held, carry_out, forget_manifests, held_bytes, remove_bytes, uploading
from mlmd_artifact_store.restoring import restored_stems
from mlmd_artifact_store.upload_rows import copied_by

SERVICE = "mlmd.v1.Admin"


def purge(artifacts: Artifacts, request: v1.PurgeRequest, caller: Caller = LOCAL) -> v1.PurgeResponse:
    """Tell what would go, or with the digest of that answer purge it and delete the bytes if asked.

    Raises InvalidArgument, NotFound, FailedPrecondition when the digest confirms something else or an alias, a pin or
    an unfinished upload forbids it, or the store of blobs does not let older versions be found. When blobs cannot be
    deleted after the facts, what it raises says so, and a sweep does it later.
    """
    if request.include_bytes and request.kind != v1.NODE_KIND_ARTIFACT:
        raise InvalidArgument("include_bytes: only artifacts have bytes.")
    if not request.digest:
        checked_reason(request.reason, needed=False)
        hidden = _hidden(artifacts, request)
        return artifacts.store.database.read(caller, lambda tx: _look(tx, artifacts.place, request, hidden).answer)
    if request.include_bytes:
        artifacts.ownership.check(fresh=True)
    hidden = _hidden(artifacts, request)
    noted: list[Deletion] = []

    def body(tx: Transaction, asked: v1.PurgeRequest) -> v1.PurgeResponse:
        noted[:] = []  # the body may run again
        checked_reason(asked.reason)
        look = _look(tx, artifacts.place, asked, hidden, locked=True)
        check_confirmed(look.chosen, look.answer.digest, asked.digest)
        purge_facts(tx, look.chosen, asked.reason)
        forget_manifests(tx, look.elsewhere)
        noted.extend(remove_bytes(tx, look.held, asked.reason))
        noted.extend(note_deletions(tx, look.left))
        look.answer.purged = True
        return look.answer

    rpc = Rpc(SERVICE, "Purge", v1.PurgeRequest, v1.PurgeResponse, Role.ADMIN, True, body, kept=without_facts)
    answer: v1.PurgeResponse = artifacts.store.call(rpc, caller, request)
    carry_out(artifacts, noted, caller).check()
    return answer


@dataclass(frozen=True, slots=True)
class _Look:
    chosen: Chosen
    held: list[Held]
    left: list[Deletion]
    """Where bytes were of artifacts that hold none any more, or never held any: older versions may be left of them."""
    elsewhere: list[int]
    """Artifacts whose files are not here: what is known of these is facts, and goes with them."""
    answer: v1.PurgeResponse


def _hidden(artifacts: Artifacts, request: v1.PurgeRequest) -> str:
    """Return why older versions of blobs cannot be found, "" when they can or nobody asks for them."""
    if request.include_bytes:
        try:
            artifacts.blobs.check_versions(tenant_prefix(artifacts.place.tenant))
        except FailedPrecondition as error:
            return error.message
    return ""


def _look(tx: Transaction, place: Place, request: v1.PurgeRequest, hidden: str, *, locked: bool = False) -> _Look:
    chosen = choose(tx, request, locked=locked)
    held: list[Held] = []
    elsewhere: list[int] = []
    left: list[Deletion] = []
    parts = [f"bytes {request.include_bytes}"]
    obstacles: list[str] = []
    if chosen.kind is Kind.ARTIFACT:
        obstacles = [
            f"The upload of artifact {artifact_id} has not ended; commit or abort it first."
            for artifact_id in uploading(tx, chosen.ids)
        ]
        if request.include_bytes:
            held = held_bytes(tx, chosen.ids, locked=locked)
            left = _left(chosen, {one.artifact_id for one in held}, place) + _given_up(tx, held, place)
            parts += [repr(one) for one in held]
            copied = copied_by(tx)
            obstacles += [
                f"The upload of artifact {copier} copies files from artifact {artifact_id}; commit or abort it first."
                for artifact_id in chosen.ids
                for copier in sorted(copied.get(artifact_id, ()))
            ]
            obstacles += _named(tx, chosen, held, locked=locked)
            obstacles += [hidden] if hidden and (left or any(not one.is_external for one in held)) else []
        else:
            elsewhere = [one.artifact_id for one in held_bytes(tx, chosen.ids, locked=locked) if one.is_external]
    chosen = Chosen(chosen.kind, chosen.rows, (*chosen.obstacles, *obstacles))
    answer = preview(tx, chosen, chosen.digest(*parts))
    answer.file_count = sum(one.file_count for one in held if not one.is_external)
    answer.size_bytes = sum(one.size_bytes for one in held if not one.is_external)
    return _Look(chosen, held, left, elsewhere, answer)


def _named(tx: Transaction, chosen: Chosen, held: list[Held], *, locked: bool) -> list[str]:
    """Return what forbids it because the uri of another artifact, which an alias or a pin keeps, leads to the files."""
    named_by = namers(tx, {one.artifact_id: one.root_uri for one in held if not one.is_external})
    with_files = {one.artifact_id for one in held_bytes(tx, named_by) if not one.is_external}
    others = {namer: holder for namer, holder in named_by.items() if namer not in with_files | set(chosen.ids)}
    keepers = [
        (namer, f"the alias {alias!r} of {collection} points at", "move or remove the alias")
        for namer, collection, alias in aliases_of(tx, others, locked=locked)
    ]
    keepers += [(pin.artifact_id, f"{pin.subject!r} has pinned", "unpin it") for pin in pins_of(tx, others)]
    return [
        f"The uri of artifact {namer}, which {keeps}, is where the files of artifact {others[namer]} are; {mend} first."
        for namer, keeps, mend in keepers
    ]


def _left(chosen: Chosen, held: set[int], place: Place) -> list[Deletion]:
    """Return where bytes of artifacts without a manifest were, as their uris say: gc or an abort deleted them."""
    prefixes = {
        artifact_id: prefix_of_uri(uri, place.root, place.tenant, artifact_id)
        for artifact_id, _, _, uri, _ in chosen.rows
        if artifact_id not in held
    }
    return [Deletion(artifact_id, with_restores(prefix), 0) for artifact_id, prefix in prefixes.items() if prefix]


def _given_up(tx: Transaction, held: list[Held], place: Place) -> list[Deletion]:
    """Return where files were that restores sent which were given up; what nobody knows the digest of has none."""
    ids = [one.artifact_id for one in held if one.is_external and one.digest]
    return [Deletion(artifact_id, stem, 0) for artifact_id, stem in restored_stems(tx, place.tenant, ids).items()]
