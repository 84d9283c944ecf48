"""The artifact store of one tenant: its facts in a database, its bytes in a store of blobs.

What talks to the store of blobs never does so within a transaction; each step can be repeated after a death in the
middle of it.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import islice
from typing import BinaryIO, cast

from mlmd_metadata_store.keyset_tokens import long_page_size
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import CHUNK, Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Aborted, DataLoss, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_artifact_store.begin import Place, begin_upload, record_external
from mlmd_artifact_store.blob_store import Blob, BlobStore, Guard, Part
from mlmd_artifact_store.commit import (
    AlreadyCommitted,
    abandon,
    check_sealed,
    commit,
    committed,
    forget,
    seal,
    under_way,
)
from mlmd_artifact_store.deletions import delete_blobs
from mlmd_artifact_store.external_records import check_elsewhere, record_files, unrecorded
from mlmd_artifact_store.externals import BlobReader, ExternalRoots, file_at, files_at
from mlmd_artifact_store.late_streams import Arriving
from mlmd_artifact_store.local_copies import LITTLE_BYTES
from mlmd_artifact_store.manifests import (
    Manifest,
    StoredFile,
    find_manifest,
    find_manifest_and_file,
    list_files,
    read_manifest,
)
from mlmd_artifact_store.outputs import note_output
from mlmd_artifact_store.ownership import Ownership
from mlmd_artifact_store.proof import Others, prove_files
from mlmd_artifact_store.purged_places import untold
from mlmd_artifact_store.ranges import whole_range
from mlmd_artifact_store.restoring import begin_restore
from mlmd_artifact_store.upload_holds import UploadHolds
from mlmd_artifact_store.upload_rows import (
    PendingFile,
    Upload,
    UploadState,
    files_after,
    name_parts,
    pending_file,
    upload_and_file,
)
from mlmd_artifact_store.verified_marks import VerifiedMarks

NO_ROOTS = ExternalRoots()


class Artifacts:
    """Uploads, manifests and downloads; safe to use from many threads."""

    def __init__(self, store: Store, blobs: BlobStore, tenant: str = "", externals: ExternalRoots = NO_ROOTS) -> None:
        """Take where facts and bytes are; nothing is asked or sent yet. `tenant` is the first segment of every key.

        `externals` are the places of others from which bytes may be read, none of them by default.
        """
        self.store = store
        self.blobs = blobs
        self.ownership = Ownership(blobs, tenant, store)
        self.externals = externals
        self.place = Place(tenant, blobs.uri, blobs.longest_key_bytes)
        self.holds = UploadHolds(blobs, tenant)
        self._marks = VerifiedMarks(store.database)

    def begin(self, tx: Transaction, request: v1.BeginUploadRequest) -> v1.BeginUploadResponse:
        """Begin an upload, in the caller's transaction; see `begin_upload`."""
        return begin_upload(tx, self.place, request)

    def record_external(self, tx: Transaction, request: v1.RecordExternalRequest) -> v1.RecordExternalResponse:
        """Record bytes that are elsewhere, in the caller's transaction; raises InvalidArgument for a place of ours."""
        check_elsewhere(tx, self.externals, self.place.root, request)
        return record_external(tx, request)

    def begin_upload(self, request: v1.BeginUploadRequest, caller: Caller = LOCAL) -> v1.BeginUploadResponse:
        """Begin an upload in a transaction of its own."""
        self.ownership.check()
        return self.store.database.write(caller, lambda tx: self.begin(tx, request))

    def begin_restore(self, artifact_id: int, caller: Caller = LOCAL) -> v1.BeginRestoreResponse:
        """Begin to send the files that a manifest says are elsewhere, or go on; see `begin_restore`.

        One that was given up and not swept is swept first.
        """
        for _ in range(2):
            found = self.store.database.write(
                caller, lambda tx: begin_restore(tx, self.place, artifact_id), repeatable=True
            )
            if isinstance(found, str):
                return v1.BeginRestoreResponse(present=True, uri=found)
            upload, resumed = found
            if upload.state is UploadState.PENDING:
                return v1.BeginRestoreResponse(uri=upload.root_uri, resumed=resumed)
            self.abort_upload(artifact_id, caller, upload.key_prefix)
        raise Aborted("The restore is being given up at this moment; try again.")

    def pending(self, artifact_id: int, path: str, caller: Caller = LOCAL) -> tuple[Upload, PendingFile]:
        """Return one file of an upload under way; raises NotFound, FailedPrecondition when it is not under way."""

        def body(tx: Transaction) -> tuple[Upload, PendingFile]:
            upload, file = upload_and_file(tx, artifact_id, path)
            if upload is None or upload.state is not UploadState.PENDING:
                upload = under_way(tx, artifact_id)  # it says why it is not
            if file is None or file.source_key:
                raise NotFound(f"path: the upload of artifact {artifact_id} awaits no file {path[:80]!r}.")
            return upload, file

        return self.store.database.read(caller, body)

    def put_file(
        self,
        artifact_id: int,
        path: str,
        source: BinaryIO,
        part_number: int = 0,
        caller: Caller = LOCAL,
        *,
        md5: bytes | None = None,
    ) -> Blob | Part:
        """Take a file, or one part of it, from a stream; raises InvalidArgument when it is not as declared.

        `md5` is that of a part whose MD5 is not declared yet, needed in an object store; what counts is the one that is
        declared at last.
        """
        self.ownership.check()
        if not part_number:
            return self._put_whole(artifact_id, path, Arriving(source, LITTLE_BYTES), caller)
        upload, file = self.pending(artifact_id, path, caller)
        check_part(file, part_number)
        declared = md5 or (None if file.is_open else file.md5s[part_number - 1])
        if declared is None and self.blobs.presigner is not None:
            raise InvalidArgument(f"md5: that of part {part_number} of {path[:80]!r} is not declared; send it along.")
        name = self.parts_name(upload, file, caller)
        size_bytes = file.span(part_number)[1]
        return self.blobs.put_part(upload.key_prefix + path, name, part_number, source, size_bytes, declared)

    def _put_whole(self, artifact_id: int, path: str, source: Arriving, caller: Caller) -> Blob:
        """Take a whole file; a little one, all of which came already, by one look at the database."""

        def put(guard: Guard) -> Blob:
            declared = file.md5s[0] if file.md5s else None
            source.is_hashed = declared is None
            stream = cast("BinaryIO", source)
            return self.blobs.put(upload.key_prefix + path, stream, file.size_bytes, declared, guard, only_new=True)

        if source.is_little:
            try:
                with self.holds.naming(artifact_id):
                    upload, file = self.pending(artifact_id, path, caller)
                    check_part(file, 0)
                    return put(lambda: source.checked(file.sha256))
            except (NotFound, FailedPrecondition):  # no such upload, or none any more, that would drop its lock
                self.holds.drop(artifact_id)
                raise
        upload, file = self.pending(artifact_id, path, caller)
        check_part(file, 0)

        @contextmanager
        def still_wanted() -> Iterator[None]:
            with source.checked(file.sha256), self.holds.naming(artifact_id):
                self._still(artifact_id, file, caller)
                yield

        return put(still_wanted)

    def _still(self, artifact_id: int, before: PendingFile, caller: Caller) -> None:
        """Raise Aborted when another file is told in the place of one that was coming, as `pending` does else."""
        _, file = self.pending(artifact_id, before.path, caller)
        if (file.size_bytes, file.sha256, file.md5s) != (before.size_bytes, before.sha256, before.md5s):
            raise Aborted(f"The file {before.path[:80]!r} was told otherwise while it was being sent; send it again.")

    def parts_name(self, upload: Upload, file: PendingFile, caller: Caller) -> str:
        """Return the store's name of a file's upload in parts, begun now if it was not."""
        if file.parts_name:
            return file.parts_name
        self.ownership.check()
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

        try:
            kept = self.store.database.write(caller, body)
        except (FailedPrecondition, NotFound):  # the upload ended meanwhile
            self.blobs.abort_parts(key, name)
            raise
        if kept != name:
            self.blobs.abort_parts(key, name)
        return kept

    def forget_parts(self, upload: Upload, file: PendingFile, caller: Caller) -> None:
        """Forget a file's upload in parts, which is not there any more; the next one who wants one begins it."""

        def body(tx: Transaction) -> None:
            name_parts(tx, upload.artifact_id, file.path, file.parts_name, "")

        self.store.database.write(caller, body, repeatable=True)

    def commit_upload(
        self, artifact_id: int, caller: Caller = LOCAL, made_by: v1.MadeBy | None = None
    ) -> v1.CommitUploadResponse:
        """Prove every file and make the artifact LIVE with its manifest, an output of what it was `made_by`.

        Raises FailedPrecondition naming what lacks, InvalidArgument for a maker that is not there.
        """
        self.ownership.check()
        signs = self.blobs.presigner is not None
        sealed = partial(seal, artifact_id=artifact_id, marks_copies=signs)
        upload = self.store.database.write(caller, sealed, repeatable=True)
        if upload is None:
            return self._committed(artifact_id, caller, made_by)
        self.holds.settle(artifact_id)  # what was sent of anything else has its name by now, or is refused
        still = partial(self.store.database.read, caller, partial(check_sealed, sealed=upload))
        guard: Guard = nullcontext if signs else partial(self.holds.naming, artifact_id, still)
        with Others() as others:
            try:
                pages = self._pages(artifact_id, caller)
                prove_files(self.blobs, upload.key_prefix, pages, caller, guard, others)
            except AlreadyCommitted:
                return self._committed(artifact_id, caller, made_by)

            def body(tx: Transaction) -> v1.CommitUploadResponse:
                return commit(tx, upload, (StoredFile(*fields) for fields in others), made_by)

            with self.holds.ending(artifact_id):
                done = self.store.database.write(caller, body, repeatable=True)
        self.holds.drop(artifact_id)
        return done

    def _committed(self, artifact_id: int, caller: Caller, made_by: v1.MadeBy | None) -> v1.CommitUploadResponse:
        """Tell of an upload that was committed before; what is noted of it here keeps its bytes, or they are gone."""
        if made_by is None:
            return self.store.database.read(caller, lambda tx: committed(tx, artifact_id))

        def body(tx: Transaction) -> v1.CommitUploadResponse:
            read_manifest(tx, artifact_id, held=True)
            note_output(tx, artifact_id, made_by)
            return committed(tx, artifact_id)

        return self.store.database.write(caller, body, repeatable=True)

    def _pages(self, artifact_id: int, caller: Caller) -> Iterator[list[PendingFile]]:
        """Yield the files of an upload by path, each page read on its own."""
        after = ""
        while page := self.store.database.read(caller, partial(_page, artifact_id, after)):
            yield page
            after = page[-1].path

    def abort_upload(self, artifact_id: int, caller: Caller = LOCAL, key_prefix: str = "") -> bool:
        """Make the artifact ABANDONED, then delete what was sent, then forget the upload; each step can be repeated.

        With a `key_prefix`, only the upload that has it: the artifact may have another one since it was looked at.
        What requests that were signed before still store is deleted by later sweeps. Returns whether there was one.
        Raises NotFound when there is no such artifact, FailedPrecondition when it is committed.
        """
        self.ownership.check(fresh=True)
        found = self.store.database.write(caller, lambda tx: abandon(tx, artifact_id, key_prefix), repeatable=True)
        if found is None:
            return False
        upload, parts = found
        self.holds.settle(artifact_id)
        for path, name in parts:
            self.blobs.abort_parts(upload.key_prefix + path, name)
        delete_blobs(self.blobs, upload.key_prefix)
        self.store.database.write(caller, lambda tx: forget(tx, upload), repeatable=True)
        self.holds.drop(artifact_id)
        return True

    def manifest(self, artifact_id: int, caller: Caller = LOCAL) -> Manifest:
        """Return an artifact's manifest; raises NotFound."""
        return self.store.database.read(caller, lambda tx: read_manifest(tx, artifact_id))

    def files(
        self, artifact_id: int, prefix: str = "", after: str = "", size: int = 0, caller: Caller = LOCAL
    ) -> tuple[Manifest, list[StoredFile]]:
        """Return the manifest and a page of files by path, from after a path on."""
        count = long_page_size(size)

        def body(tx: Transaction) -> tuple[Manifest, list[StoredFile]]:
            manifest = find_manifest(tx, artifact_id) or unrecorded(tx, artifact_id, self.externals, self.place)
            return manifest, list_files(tx, artifact_id, after, count, prefix) if manifest.is_recorded else []

        manifest, files = self.store.database.read(caller, body)
        if not manifest.is_recorded:
            place = self.externals.place(manifest.root_uri, self.place.root)
            files = list(islice(files_at(*place, after, prefix), count))
        return manifest, files

    def manifest_or_uri(self, artifact_id: int, caller: Caller = LOCAL) -> Manifest:
        """Return an artifact's manifest, or what its uri says where none was recorded; raises NotFound."""
        return self.store.database.read(
            caller, lambda tx: find_manifest(tx, artifact_id) or unrecorded(tx, artifact_id, self.externals, self.place)
        )

    def file(self, artifact_id: int, path: str, caller: Caller = LOCAL) -> tuple[Manifest, StoredFile]:
        """Return the manifest and one file; raises NotFound, FailedPrecondition when it may not be read."""

        def body(tx: Transaction) -> tuple[Manifest, StoredFile | None]:
            found = find_manifest_and_file(tx, artifact_id, path)
            return found if found is not None else (unrecorded(tx, artifact_id, self.externals, self.place), None)

        manifest, file = self.store.database.read(caller, body)
        if file is None:
            _, file = file_at(*self.externals.place(manifest.root_uri, self.place.root), path)
        return manifest, file

    def blob_of(self, manifest: Manifest, path: str) -> tuple[BlobReader, str]:
        """Return the reader and the key of a file's blob; raises FailedPrecondition when it may not be read."""
        if not manifest.is_external:
            return self.blobs, manifest.key_prefix + path
        reader, key = self.externals.place(manifest.root_uri, self.place.root)
        return reader, f"{key}{path}" if manifest.is_recorded else file_at(reader, key, path)[0]

    def record_files(self, artifact_id: int, caller: Caller = LOCAL) -> Manifest:
        """Write down what is at the uri of an artifact that somebody else recorded; see `external_records`."""
        return record_files(self.store, self.externals, self.place.root, artifact_id, caller)

    def read(self, artifact_id: int, path: str, caller: Caller = LOCAL) -> Iterator[bytes]:
        """Yield the bytes of a file; before the last of them DataLoss when they are not those of the manifest.

        Bytes that were right make a declared digest a verified one.
        """
        return self.bytes_of(*self.file(artifact_id, path, caller), caller)

    def bytes_of(self, manifest: Manifest, file: StoredFile, caller: Caller) -> Iterator[bytes]:
        """Yield the bytes of a file that was looked up, as `read` does."""
        with self._sought(manifest):
            reader, key = self.blob_of(manifest, file.path) if file.sha256 else self.unchanged(manifest, file)
            chunks = reader.read(key)
        return self._checked(manifest.artifact_id, file, chunks, caller)

    def read_range(
        self, artifact_id: int, path: str, start: int, length: int | None, caller: Caller = LOCAL
    ) -> Iterator[bytes]:
        """Yield a part of a file; what is not read whole cannot be held against its digest."""
        return self.range_of(*self.file(artifact_id, path, caller), start, length)

    def range_of(self, manifest: Manifest, file: StoredFile, start: int, length: int | None) -> Iterator[bytes]:
        """Yield a part of a file that was looked up, as `read_range` does."""
        with self._sought(manifest):
            reader, key = self.unchanged(manifest, file)
            return whole_range(reader.read(key, start, length), manifest.artifact_id, file, start, length)

    @contextmanager
    def _sought(self, manifest: Manifest) -> Iterator[None]:
        place = untold(manifest.key_prefix, is_purged=manifest.is_purged)
        with place, self.ownership.sought(is_external=manifest.is_external):
            yield

    def unchanged(self, manifest: Manifest, file: StoredFile) -> tuple[BlobReader, str]:
        """Return reader and key of a file; raises DataLoss when others changed it since it was written down."""
        reader, key = self.blob_of(manifest, file.path)
        if manifest.is_external and manifest.is_recorded and file.etag and reader.stat(key).etag != file.etag:
            raise DataLoss(
                f"The file {file.path!r} of artifact {manifest.artifact_id} is no longer the one that was recorded at "
                f"{manifest.root_uri}; whoever wrote it has replaced it."
            )
        return reader, key

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
                f"manifest says ({size_bytes} of {counted(file.size_bytes, 'byte')}); restore it from a copy."
            )
        if file.sha256 and file.verified_ms <= 0:
            self._marks.note(artifact_id, file.path, caller, was_damaged=file.verified_ms < 0)
        if held:
            yield held


def _page(artifact_id: int, after: str, tx: Transaction) -> list[PendingFile]:
    return files_after(tx, artifact_id, after, CHUNK)


def check_part(file: PendingFile, part_number: int) -> None:
    """Raise InvalidArgument unless the file is sent in parts and has this one, or is sent whole and it is 0."""
    if file.in_parts != (part_number > 0) or not 0 <= part_number <= file.count:
        raise InvalidArgument(
            f"part_number: {part_number} is none of {file.path[:80]!r}, which is sent "
            f"{f'in the parts 1 to {file.count}' if file.in_parts else 'whole (0)'}."
        )
