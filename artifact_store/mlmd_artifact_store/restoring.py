"""Files that come back to an artifact whose manifest says that they are elsewhere, as an import leaves it.

A restore is an upload beside a manifest that is there already. What is told and sent has to be what that manifest says,
file by file and as a whole; until it is committed the artifact stays as it is, and so it does when it is given up.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.tombstones import tombstones_of
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Aborted, FailedPrecondition, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.imports import RESTORE
from mlmd_schemas.tables.own import VERSION
from mlmd_schemas.tables.v10 import ARTIFACT, TYPE, Kind

from mlmd_artifact_store.begin import Place
from mlmd_artifact_store.locations import artifact_prefix, restored_prefix, restored_stem
from mlmd_artifact_store.manifests import drop_manifest, find_manifest, read_manifest, some_stored_files
from mlmd_artifact_store.upload_rows import PendingFile, Upload, UploadState, find_upload, insert_upload

_ARTIFACT: sa.BindParameter[Any] = sa.bindparam("artifact")
_RESTORE = sa.select(RESTORE.c.root_uri, RESTORE.c.digest).where(RESTORE.c.artifact_id == _ARTIFACT)
_DROP = sa.delete(RESTORE).where(RESTORE.c.artifact_id == _ARTIFACT)
_NAMES = (
    sa.select(ARTIFACT.c.id, TYPE.c.name, ARTIFACT.c.name, VERSION.c.number)
    .select_from(ARTIFACT)
    .join(TYPE, TYPE.c.id == ARTIFACT.c.type_id)
    .outerjoin(VERSION, VERSION.c.artifact_id == ARTIFACT.c.id)
    .where(ARTIFACT.c.id.in_(sa.bindparam("ids", expanding=True)))
)
_MOVE_URIS = (
    sa.update(ARTIFACT)
    .where(ARTIFACT.c.uri == sa.bindparam("old_uri"))
    .values(uri=sa.bindparam("new_uri"), last_update_time_since_epoch=sa.bindparam("now"))
)
_SET_URI = (
    sa.update(ARTIFACT)
    .where(ARTIFACT.c.id == _ARTIFACT)
    .values(uri=sa.bindparam("new_uri"), last_update_time_since_epoch=sa.bindparam("now"))
)
_REVIVE = (
    sa.update(ARTIFACT)
    .where(ARTIFACT.c.id == _ARTIFACT, ARTIFACT.c.state == pb.Artifact.PENDING)
    .values(state=pb.Artifact.LIVE)
)


@dataclass(frozen=True, slots=True)
class Restore:
    """What an upload restores: where the files were, and the digest of the whole."""

    root_uri: str
    digest: bytes


def find_restore(tx: Transaction, artifact_id: int) -> Restore | None:
    """Return what the upload of an artifact restores; None when it is an upload like others."""
    for root_uri, digest in tx.rows(_RESTORE, {"artifact": artifact_id}):
        return Restore(root_uri, bytes(digest))
    return None


def begin_restore(tx: Transaction, place: Place, artifact_id: int) -> tuple[Upload, bool] | str:
    """Return the upload that restores an artifact's files, and whether it was begun before; the uri when they are here.

    That is "" when the artifact was purged.

    Raises NotFound without a manifest, FailedPrecondition when nobody knows what the files have to be or the artifact
    was purged.
    """
    upload = find_upload(tx, artifact_id, locked=True)
    if find_manifest(tx, artifact_id) is None:
        _require_undeleted(tx, artifact_id)
    manifest = read_manifest(tx, artifact_id)
    if not manifest.is_external:
        return manifest.told_uri
    if upload is not None:
        return upload, True
    if not manifest.digest:
        raise FailedPrecondition(
            f"artifact_id: the SHA-256s of the files of artifact {artifact_id} are not known, so nothing can be held "
            "against them; upload them as an artifact of their own."
        )
    _require_undeleted(tx, artifact_id)
    prefix = restored_prefix(_plain_prefixes(tx, place.tenant, [artifact_id])[artifact_id])
    now, subject = tx.agreed_ms(), tx.caller.subject[:255]
    begun = Upload(artifact_id, UploadState.PENDING, place.uri(prefix), prefix, 0, 0, b"", "", subject, now)
    try:
        insert_upload(tx, begun, [])
        tx.insert(RESTORE, ("artifact_id", "root_uri", "digest"), [(artifact_id, manifest.root_uri, manifest.digest)])
    except UniqueViolation as error:
        raise Aborted("The same files are being restored at this moment; try again.") from error
    return begun, False


def _require_undeleted(tx: Transaction, artifact_id: int) -> None:
    if tombstones_of(tx, Kind.ARTIFACT, [artifact_id]):
        raise FailedPrecondition(f"artifact_id: artifact {artifact_id} was purged or its bytes were deleted here.")


def _plain_prefixes(tx: Transaction, tenant: str, artifact_ids: Iterable[int]) -> dict[int, str]:
    """Return the prefixes that uploads of these artifacts would have; a version's is that of its collection."""
    prefixes: dict[int, str] = {}
    for artifact_id, type_name, name, number in tx.rows_in(_NAMES, artifact_ids):
        text = tx.text.decode(name or "")
        if number is not None:
            text = text.removesuffix(f"/{number}")
        prefixes[artifact_id] = artifact_prefix(tenant, tx.text.decode(type_name), text, artifact_id)
    return prefixes


def restored_stems(tx: Transaction, tenant: str, artifact_ids: Iterable[int]) -> dict[int, str]:
    """Return what the prefixes of all restores of these artifacts begin with, under the names that they have."""
    prefixes = _plain_prefixes(tx, tenant, artifact_ids)
    return {artifact_id: restored_stem(prefix) for artifact_id, prefix in prefixes.items()}


def as_recorded(tx: Transaction, artifact_id: int, files: list[PendingFile]) -> list[PendingFile]:
    """Return told files of a restore as the manifest calls them; raises InvalidArgument for a file that it has not."""
    known = some_stored_files(tx, artifact_id, (file.path for file in files))
    for file in files:
        recorded = known.get(file.path)
        if recorded is None:
            raise InvalidArgument(f"files[{file.path[:80]!r}]: artifact {artifact_id} has no such file to restore.")
        same = file.size_bytes == recorded.size_bytes and (file.is_open or file.sha256 == recorded.sha256)
        if not same:
            said = counted(file.size_bytes, "byte") + (f" with SHA-256 {file.sha256.hex()}" if not file.is_open else "")
            raise InvalidArgument(
                f"files[{file.path[:80]!r}]: {said} is not what the manifest of artifact {artifact_id} says, "
                f"{counted(recorded.size_bytes, 'byte')} with SHA-256 {recorded.sha256.hex()}; take them from "
                "another copy."
            )
    return [replace(file, media_type=known[file.path].media_type) for file in files]


def check_whole(restore: Restore, artifact_id: int, digest: bytes, files: Iterable[PendingFile]) -> None:
    """Raise FailedPrecondition unless what was told is all that the manifest has."""
    if digest != restore.digest:
        count = sum(1 for _ in files)
        raise FailedPrecondition(
            f"files: the {count} that were told are not all that the manifest of artifact {artifact_id} has; tell the "
            "rest (DeclareFiles), then commit again."
        )


def take_place(tx: Transaction, restore: Restore, upload: Upload) -> None:
    """Make room for the manifest of a restore that is proven, and let uris that led to where the files were follow."""
    drop_manifest(tx, upload.artifact_id)
    uri, now = tx.text.encode(upload.root_uri), now_ms()
    tx.execute(_SET_URI, {"artifact": upload.artifact_id, "new_uri": uri, "now": now})
    tx.execute(_MOVE_URIS, {"old_uri": tx.text.encode(restore.root_uri), "new_uri": uri, "now": now})
    tx.execute(_REVIVE, {"artifact": upload.artifact_id})
    drop_restore(tx, upload.artifact_id)


def drop_restore(tx: Transaction, artifact_id: int) -> None:
    """Forget that an upload restores something."""
    tx.execute(_DROP, {"artifact": artifact_id})
