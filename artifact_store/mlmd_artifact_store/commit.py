"""The end of an upload: what was declared is sealed, proven without being read, and made the artifact's files.

Files are taken a page at a time, so that an upload of any number of files is proven in little memory; what was proven
is what is committed, because telling the upload anything new in between breaks the seal.
"""

from collections.abc import Iterable
from dataclasses import replace

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.node_ids import existing_ids
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import adopt_version
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Aborted, FailedPrecondition, NotFound
from mlmd_schemas.paths import PathOrder, check_paths
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.own import VERSION
from mlmd_schemas.tables.v10 import ARTIFACT, TYPE, Kind

from mlmd_artifact_store.deletions import Deletion, late_until, note_deletions
from mlmd_artifact_store.manifests import (
    Manifest,
    ManifestDigest,
    StoredFile,
    find_manifest,
    read_manifest,
    take_over_files,
)
from mlmd_artifact_store.outputs import note_output
from mlmd_artifact_store.restoring import check_whole, drop_restore, find_restore, take_place
from mlmd_artifact_store.upload_rows import (
    Upload,
    UploadState,
    drop_upload,
    every_file,
    find_upload,
    mark_copies,
    parts_names,
    seal_upload,
    set_state,
)

_SHOWN = 5
_ARTIFACT: sa.BindParameter[int] = sa.bindparam("artifact")
_END = (
    sa.update(ARTIFACT)
    .where(ARTIFACT.c.id == _ARTIFACT)
    .values(
        state=sa.bindparam("new_state"),
        uri=sa.bindparam("new_uri"),
        last_update_time_since_epoch=sa.bindparam("now"),
    )
)
_TYPE_NAME = sa.select(TYPE.c.name).join(ARTIFACT, ARTIFACT.c.type_id == TYPE.c.id).where(ARTIFACT.c.id == _ARTIFACT)
_VERSION = sa.select(VERSION.c.number).where(VERSION.c.artifact_id == _ARTIFACT)


class AlreadyCommitted(Exception):
    """Somebody else committed the upload meanwhile."""


def under_way(tx: Transaction, artifact_id: int, *, locked: bool = False) -> Upload:
    """Return an upload that is under way; raises FailedPrecondition when it has ended, NotFound when there is none."""
    upload = find_upload(tx, artifact_id, locked=locked)
    if upload is not None and upload.state is UploadState.PENDING:
        return upload
    if upload is not None:
        raise FailedPrecondition(f"artifact_id: the upload of artifact {artifact_id} was aborted; begin another.")
    if _is_committed(tx, artifact_id):
        raise FailedPrecondition(f"artifact_id: artifact {artifact_id} is committed and cannot change; begin another.")
    if find_manifest(tx, artifact_id) is not None:
        raise FailedPrecondition(
            f"artifact_id: there is no upload of artifact {artifact_id}, whose files are elsewhere; begin a restore."
        )
    raise NotFound(f"artifact_id: there is no upload of artifact {artifact_id}; begin one.")


def _is_committed(tx: Transaction, artifact_id: int) -> bool:
    """Whether an artifact without an upload has its files here; a restore that was given up leaves them elsewhere."""
    manifest = find_manifest(tx, artifact_id)
    return manifest is not None and not manifest.is_external


def seal(tx: Transaction, artifact_id: int, *, marks_copies: bool) -> Upload | None:
    """Return an upload whose files are all told, None when it is committed already; it is sealed if it was not.

    Files that are copied are marked if asked: from here on they cannot be told otherwise, because nobody can call back
    a copy that an object store was asked for. Raises FailedPrecondition when digests are not told yet, or nothing is.
    """
    if find_upload(tx, artifact_id, locked=True) is None and _is_committed(tx, artifact_id):
        return None
    upload = under_way(tx, artifact_id)
    if marks_copies:
        mark_copies(tx, artifact_id)
    return upload if upload.digest else _sealed(tx, artifact_id)


def _sealed(tx: Transaction, artifact_id: int) -> Upload:
    digest, order, file_count, size_bytes = ManifestDigest(), PathOrder(), 0, 0
    untold, shown = 0, list[str]()
    for file in every_file(tx, artifact_id):
        digest.add(file.path, file.size_bytes, file.sha256)
        order.add(file.path)
        file_count += 1
        size_bytes += file.size_bytes
        if file.is_open:
            untold += 1
            shown += [repr(file.path)] * (untold <= _SHOWN)
    if not file_count:
        raise FailedPrecondition("files: none were declared; an artifact of bytes has at least one file.")
    if untold:
        raise FailedPrecondition(
            f"files: the digests of {counted(untold, 'file')} are not told yet ({', '.join(shown)}); declare them "
            "again."
        )
    if not order.is_plain:
        check_paths(file.path for file in every_file(tx, artifact_id))
    restore = find_restore(tx, artifact_id)
    if restore is not None:
        check_whole(restore, artifact_id, digest.digest(), every_file(tx, artifact_id))
    seal_upload(tx, artifact_id, digest.digest(), file_count, size_bytes)
    return under_way(tx, artifact_id)


def check_sealed(tx: Transaction, sealed: Upload) -> None:
    """Raise Aborted when an upload is no longer sealed as it was, FailedPrecondition when it was given up.

    AlreadyCommitted when somebody else was faster.
    """
    if find_upload(tx, sealed.artifact_id) is None and _is_committed(tx, sealed.artifact_id):
        raise AlreadyCommitted
    _still(tx, sealed)


def _still(tx: Transaction, sealed: Upload) -> Upload:
    upload = under_way(tx, sealed.artifact_id)
    if upload.seal != sealed.seal:
        raise Aborted("The upload was told of other files while it was being committed; commit it again.")
    return upload


def committed(tx: Transaction, artifact_id: int) -> v1.CommitUploadResponse:
    """Return what is told of an upload that was committed."""
    numbers = tx.rows(_VERSION, {"artifact": artifact_id})
    return v1.CommitUploadResponse(
        manifest=read_manifest(tx, artifact_id).message(), version_number=numbers[0][0] if numbers else 0
    )


def commit(
    tx: Transaction, sealed: Upload, others: Iterable[StoredFile], made_by: v1.MadeBy | None = None
) -> v1.CommitUploadResponse:
    """Make a proven upload's files those of its artifact; `others` are those that are not quite as declared."""
    artifact_id = sealed.artifact_id
    is_over = find_upload(tx, artifact_id, locked=True) is None and _is_committed(tx, artifact_id)
    if made_by is not None:
        note_output(tx, artifact_id, made_by)
    if is_over:
        return committed(tx, artifact_id)  # somebody else was faster
    upload, now = _still(tx, sealed), tx.agreed_ms()
    manifest = Manifest(
        artifact_id,
        upload.root_uri,
        upload.key_prefix,
        False,
        upload.file_count,
        upload.size_bytes,
        upload.digest,
        now,
    )
    restore = find_restore(tx, artifact_id)
    if restore is not None:
        take_place(tx, restore, upload)
    try:
        take_over_files(tx, manifest, (replace(it, verified_ms=now) if it.verified_ms else it for it in others))
    except UniqueViolation as error:
        raise Aborted("The same upload is being committed at this moment; try again.") from error
    if upload.collection:
        adopt_version(tx, _type_of(tx, artifact_id), upload.collection, artifact_id)
    if restore is None:
        end_upload(tx, upload, pb.Artifact.LIVE)
    drop_upload(tx, artifact_id)
    return committed(tx, artifact_id)


def end_upload(tx: Transaction, upload: Upload, state: int) -> None:
    """Give the artifact its state, and the uri that calls of MLMD may have wiped meanwhile."""
    uri = tx.text.encode(upload.root_uri)
    parameters = {"artifact": upload.artifact_id, "new_state": state, "new_uri": uri, "now": now_ms()}
    if not tx.execute(_END, parameters):
        raise NotFound(f"artifact_id: artifact {upload.artifact_id} is no longer in the store.")


def forget(tx: Transaction, upload: Upload) -> None:
    """Forget an upload whose bytes are deleted, but not that more of them may come.

    The artifact may have another one by now: somebody else forgot this one, and a restore began anew.
    """
    found = find_upload(tx, upload.artifact_id, locked=True)
    if found is not None and found.key_prefix == upload.key_prefix:
        drop_upload(tx, upload.artifact_id)
        drop_restore(tx, upload.artifact_id)
    note_deletions(tx, [Deletion(upload.artifact_id, upload.key_prefix, late_until(tx.agreed_ms()))])


def abandon(tx: Transaction, artifact_id: int, key_prefix: str) -> tuple[Upload, list[tuple[str, str]]] | None:
    """Give an upload up; return it and its undertakings in parts, None when there is none (with that prefix).

    Raises NotFound when there is no such artifact, FailedPrecondition when it is committed.
    """
    upload = find_upload(tx, artifact_id, locked=True)
    if upload is not None and key_prefix not in ("", upload.key_prefix):
        return None
    if upload is None:
        if not key_prefix:
            _check_may_be_over(tx, artifact_id)
        return None
    if upload.state is UploadState.PENDING:
        set_state(tx, artifact_id, UploadState.ABORTED)
        if find_restore(tx, artifact_id) is None:  # else it stays what it was
            end_upload(tx, upload, pb.Artifact.ABANDONED)
    return upload, parts_names(tx, artifact_id)


def _check_may_be_over(tx: Transaction, artifact_id: int) -> None:
    """Raise what tells that an artifact without an upload never had one that could be given up."""
    if find_manifest(tx, artifact_id) is not None:
        under_way(tx, artifact_id)  # it says that it cannot be given up any more
    if not existing_ids(tx, Kind.ARTIFACT, [artifact_id]):
        raise NotFound(f"artifact_id: there is no artifact {artifact_id}.")


def _type_of(tx: Transaction, artifact_id: int) -> str:
    rows = tx.rows(_TYPE_NAME, {"artifact": artifact_id})
    return tx.text.decode(rows[0][0]) if rows else ""
