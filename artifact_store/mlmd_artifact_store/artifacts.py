"""The artifact store of one tenant: its facts in a database, its bytes in a store of blobs.

What talks to the store of blobs never does so within a transaction; each step can be repeated after a death in the
middle of it.
"""

import hashlib
from collections.abc import Iterator
from typing import BinaryIO

import sqlalchemy as sa
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction, now_ms
from mlmd_metadata_store.version_collections import adopt_version
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Aborted, DataLoss, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.own import VERSION
from mlmd_schemas.tables.v10 import ARTIFACT, TYPE

from mlmd_artifact_store.begin import Place, begin_upload, record_external
from mlmd_artifact_store.blob_store import Blob, BlobStore, Part
from mlmd_artifact_store.manifests import (
    Manifest,
    StoredFile,
    find_manifest,
    list_files,
    mark_verified,
    page_size,
    read_file,
    read_manifest,
    write_manifest,
)
from mlmd_artifact_store.proof import prove_files
from mlmd_artifact_store.upload_rows import (
    PendingFile,
    Upload,
    UploadState,
    drop_upload,
    find_upload,
    name_parts,
    pending_file,
    pending_files,
    set_state,
)

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


class Artifacts:
    """Uploads, manifests and downloads; safe to use from many threads."""

    def __init__(self, store: Store, blobs: BlobStore, tenant: str = "") -> None:
        self.store = store
        self.blobs = blobs
        self.place = Place(tenant, blobs.uri)

    def begin(self, tx: Transaction, request: v1.BeginUploadRequest) -> v1.BeginUploadResponse:
        """Begin an upload, in the caller's transaction; see `begin_upload`."""
        return begin_upload(tx, self.place, request)

    def record_external(self, tx: Transaction, request: v1.RecordExternalRequest) -> v1.RecordExternalResponse:
        """Record bytes that are elsewhere, in the caller's transaction."""
        return record_external(tx, request)

    def begin_upload(self, request: v1.BeginUploadRequest, caller: Caller = LOCAL) -> v1.BeginUploadResponse:
        """Begin an upload in a transaction of its own."""
        return self.store.database.write(caller, lambda tx: self.begin(tx, request))

    def pending(self, artifact_id: int, path: str, caller: Caller = LOCAL) -> tuple[Upload, PendingFile]:
        """Return one file of an upload under way; raises NotFound, FailedPrecondition when it is not under way."""

        def body(tx: Transaction) -> tuple[Upload, PendingFile]:
            upload = under_way(tx, artifact_id)
            file = pending_file(tx, artifact_id, path)
            if file is None or file.source_key:
                raise NotFound(f"path: the upload of artifact {artifact_id} awaits no file {path[:80]!r}.")
            return upload, file

        return self.store.database.read(caller, body)

    def put_file(
        self, artifact_id: int, path: str, source: BinaryIO, part_number: int = 0, caller: Caller = LOCAL
    ) -> Blob | Part:
        """Take a file, or one part of it, from a stream; raises InvalidArgument when it is not as declared."""
        upload, file = self.pending(artifact_id, path, caller)
        key = upload.key_prefix + path
        if file.in_parts != (part_number > 0) or part_number > len(file.md5s):
            raise InvalidArgument(
                f"part_number: {part_number} is none of {path[:80]!r}, which is sent "
                f"{f'in the parts 1 to {len(file.md5s)}' if file.in_parts else 'whole (0)'}."
            )
        if not part_number:
            return self.blobs.put(key, source, file.size_bytes, file.md5s[0])
        name = self.parts_name(upload, file, caller)
        size_bytes = file.span(part_number)[1]
        return self.blobs.put_part(key, name, part_number, source, size_bytes, file.md5s[part_number - 1])

    def parts_name(self, upload: Upload, file: PendingFile, caller: Caller) -> str:
        """Return the store's name of a file's upload in parts, begun now if it was not."""
        if file.parts_name:
            return file.parts_name
        key = upload.key_prefix + file.path
        name = self.blobs.begin_parts(key, file.media_type)

        def body(tx: Transaction) -> str:
            under_way(tx, upload.artifact_id, locked=True)
            if name_parts(tx, upload.artifact_id, file.path, "", name):
                return name
            found = pending_file(tx, upload.artifact_id, file.path)
            if found is None:
                raise Aborted("The upload changed at this moment; try again.")
            return found.parts_name

        kept = self.store.database.write(caller, body)
        if kept != name:
            self.blobs.abort_parts(key, name)
        return kept

    def commit_upload(self, artifact_id: int, caller: Caller = LOCAL) -> v1.CommitUploadResponse:
        """Prove every file and make the artifact LIVE with its manifest.

        Raises FailedPrecondition naming what lacks.
        """
        upload, files = self.store.database.read(caller, lambda tx: _to_commit(tx, artifact_id))
        if upload is None:
            return self.store.database.read(caller, lambda tx: _committed(tx, artifact_id))
        stored = prove_files(self.blobs, upload.key_prefix, files, caller)
        return self.store.database.write(caller, lambda tx: _commit(tx, upload, stored), repeatable=True)

    def abort_upload(self, artifact_id: int, caller: Caller = LOCAL) -> None:
        """Make the artifact ABANDONED, then delete what was sent, then forget the upload; each step can be repeated."""
        found = self.store.database.write(caller, lambda tx: _abandon(tx, artifact_id), repeatable=True)
        if found is None:
            return
        upload, files = found
        for file in files:
            if file.parts_name:
                self.blobs.abort_parts(upload.key_prefix + file.path, file.parts_name)
        self.blobs.delete([blob.key for blob in self.blobs.list(upload.key_prefix)])
        self.store.database.write(caller, lambda tx: drop_upload(tx, artifact_id), repeatable=True)

    def manifest(self, artifact_id: int, caller: Caller = LOCAL) -> Manifest:
        """Return an artifact's manifest; raises NotFound."""
        return self.store.database.read(caller, lambda tx: read_manifest(tx, artifact_id))

    def files(
        self, artifact_id: int, prefix: str = "", after: str = "", size: int = 0, caller: Caller = LOCAL
    ) -> tuple[Manifest, list[StoredFile]]:
        """Return the manifest and a page of files by path, from after a path on."""
        count = page_size(size)

        def body(tx: Transaction) -> tuple[Manifest, list[StoredFile]]:
            return read_manifest(tx, artifact_id), list_files(tx, artifact_id, after, count, prefix)

        return self.store.database.read(caller, body)

    def file(self, artifact_id: int, path: str, caller: Caller = LOCAL) -> tuple[Manifest, StoredFile]:
        """Return the manifest and one file; raises NotFound, FailedPrecondition when the bytes are elsewhere."""

        def body(tx: Transaction) -> tuple[Manifest, StoredFile]:
            manifest = read_manifest(tx, artifact_id)
            return kept_here(manifest), read_file(tx, artifact_id, path)

        return self.store.database.read(caller, body)

    def read(self, artifact_id: int, path: str, caller: Caller = LOCAL) -> Iterator[bytes]:
        """Yield the bytes of a file; before the last of them DataLoss when they are not those of the manifest.

        Bytes that were right make a declared digest a verified one.
        """
        manifest, file = self.file(artifact_id, path, caller)
        chunks = self.blobs.read(manifest.key_prefix + path)
        return self._checked(artifact_id, file, chunks, caller)

    def read_range(
        self, artifact_id: int, path: str, start: int, length: int | None, caller: Caller = LOCAL
    ) -> Iterator[bytes]:
        """Yield a part of a file; what is not read whole cannot be held against its digest."""
        manifest, _ = self.file(artifact_id, path, caller)
        return self.blobs.read(manifest.key_prefix + path, start, length)

    def _checked(self, artifact_id: int, file: StoredFile, chunks: Iterator[bytes], caller: Caller) -> Iterator[bytes]:
        digest, size_bytes, held = hashlib.sha256(), 0, b""
        for chunk in chunks:  # one behind, so that wrong bytes never look complete
            digest.update(chunk)
            size_bytes += len(chunk)
            if held:
                yield held
            held = chunk
        if size_bytes != file.size_bytes or (file.sha256 and digest.digest() != file.sha256):
            raise DataLoss(
                f"The file {file.path!r} of artifact {artifact_id} has changed in the store or was never what its "
                f"manifest says ({size_bytes} of {file.size_bytes} bytes); restore it from a copy."
            )
        if file.sha256 and file.verified_ms <= 0:
            self.store.database.write(caller, lambda tx: mark_verified(tx, artifact_id, [file.path]), repeatable=True)
        if held:
            yield held


def under_way(tx: Transaction, artifact_id: int, *, locked: bool = False) -> Upload:
    """Return an upload that is under way; raises FailedPrecondition when it has ended, NotFound when there is none."""
    upload = find_upload(tx, artifact_id, locked=locked)
    if upload is not None and upload.state is UploadState.PENDING:
        return upload
    if upload is not None:
        raise FailedPrecondition(f"artifact_id: the upload of artifact {artifact_id} was aborted; begin another.")
    if find_manifest(tx, artifact_id) is not None:
        raise FailedPrecondition(f"artifact_id: artifact {artifact_id} is committed and cannot change; begin another.")
    raise NotFound(f"artifact_id: there is no upload of artifact {artifact_id}; begin one.")


def kept_here(manifest: Manifest) -> Manifest:
    """Return the manifest; raises FailedPrecondition when its bytes are not in this store."""
    if manifest.is_external:
        raise FailedPrecondition(
            f"artifact_id: the bytes of artifact {manifest.artifact_id} are not in this store; fetch them from "
            f"{manifest.root_uri}."
        )
    return manifest


def _to_commit(tx: Transaction, artifact_id: int) -> tuple[Upload | None, list[PendingFile]]:
    if find_upload(tx, artifact_id) is None and find_manifest(tx, artifact_id) is not None:
        return None, []
    return under_way(tx, artifact_id), pending_files(tx, artifact_id)


def _committed(tx: Transaction, artifact_id: int) -> v1.CommitUploadResponse:
    numbers = tx.rows(_VERSION, {"artifact": artifact_id})
    return v1.CommitUploadResponse(
        manifest=read_manifest(tx, artifact_id).message(), version_number=numbers[0][0] if numbers else 0
    )


def _commit(tx: Transaction, seen: Upload, files: list[StoredFile]) -> v1.CommitUploadResponse:
    artifact_id = seen.artifact_id
    if find_upload(tx, artifact_id, locked=True) is None and find_manifest(tx, artifact_id) is not None:
        return _committed(tx, artifact_id)  # somebody else was faster
    upload = under_way(tx, artifact_id)
    manifest = Manifest(
        artifact_id,
        upload.root_uri,
        upload.key_prefix,
        False,
        upload.file_count,
        upload.size_bytes,
        upload.digest,
        now_ms(),
    )
    try:
        write_manifest(tx, manifest, files)
    except UniqueViolation as error:
        raise Aborted("The same upload is being committed at this moment; try again.") from error
    if upload.collection:
        adopt_version(tx, _type_of(tx, artifact_id), upload.collection, artifact_id)
    _end(tx, upload, pb.Artifact.LIVE)
    drop_upload(tx, artifact_id)
    return _committed(tx, artifact_id)


def _type_of(tx: Transaction, artifact_id: int) -> str:
    rows = tx.rows(_TYPE_NAME, {"artifact": artifact_id})
    return tx.text.decode(rows[0][0]) if rows else ""


def _end(tx: Transaction, upload: Upload, state: int) -> None:
    """Give the artifact its state, and the uri that calls of MLMD may have wiped meanwhile."""
    uri = tx.text.encode(upload.root_uri)
    parameters = {"artifact": upload.artifact_id, "new_state": state, "new_uri": uri, "now": now_ms()}
    if not tx.execute(_END, parameters):
        raise NotFound(f"artifact_id: artifact {upload.artifact_id} is no longer in the store.")


def _abandon(tx: Transaction, artifact_id: int) -> tuple[Upload, list[PendingFile]] | None:
    upload = find_upload(tx, artifact_id, locked=True)
    if upload is None:
        manifest = find_manifest(tx, artifact_id)
        if manifest is not None:
            under_way(tx, artifact_id)
        return None
    if upload.state is UploadState.PENDING:
        set_state(tx, artifact_id, UploadState.ABORTED)
        _end(tx, upload, pb.Artifact.ABANDONED)
    return upload, pending_files(tx, artifact_id)
