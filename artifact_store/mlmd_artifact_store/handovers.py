"""Files handed over within this machine: from their paths into the folder of artifacts, and from there to others."""

import hashlib
from collections.abc import Iterator, Sequence
from functools import partial

from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.paths import check_path

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import Digests, Folder, HandedFile
from mlmd_artifact_store.commit import under_way
from mlmd_artifact_store.externals import BlobReader
from mlmd_artifact_store.purged_places import untold
from mlmd_artifact_store.upload_rows import Upload, unseal_upload


def take_in(
    artifacts: Artifacts, artifact_id: int, files: Sequence[HandedFile], caller: Caller = LOCAL
) -> list[Digests]:
    """Copy files into the folder as files of an upload under way, and return what was written.

    They count once they are declared with that. Raises FailedPrecondition when the store is no folder, or the upload
    is not under way, and InvalidArgument for a path that cannot be.
    """

    def body(tx: Transaction) -> Upload:
        return under_way(tx, artifact_id)

    def unseal(tx: Transaction) -> None:
        under_way(tx, artifact_id, locked=True)
        unseal_upload(tx, artifact_id)

    def still() -> None:
        upload = artifacts.store.database.read(caller, body)
        if upload.digest:  # a commit may be proving what these replace
            artifacts.store.database.write(caller, unseal, repeatable=True)

    artifacts.ownership.check()
    upload = artifacts.store.database.read(caller, body)
    for file in files:
        check_path(file.path)
    keyed = [(upload.key_prefix + file.path, file) for file in files]
    return _folder(artifacts.blobs).take_in(keyed, partial(artifacts.holds.naming, artifact_id, still))


def give_out(
    artifacts: Artifacts, artifact_id: int, files: Sequence[HandedFile], caller: Caller = LOCAL
) -> list[Digests]:
    """Copy files of an artifact into open, empty ones, and return what was written; nothing is verified.

    Raises NotFound, and FailedPrecondition when the artifact's files are in no folder.
    """
    manifest = artifacts.manifest_or_uri(artifact_id, caller)
    if not manifest.is_external:
        blobs, prefix = artifacts.blobs, manifest.key_prefix
        with untold(prefix, is_purged=manifest.is_purged), artifacts.ownership.sought():
            if manifest.is_purged and not isinstance(blobs, Folder):  # whose place no signed request tells
                return [_written(blobs.read(prefix + file.path), file) for file in files]
            return [_folder(blobs).give_out(prefix + file.path, file) for file in files]
    found: list[Digests] = []
    for file in files:
        reader, key = artifacts.unchanged(*artifacts.file(artifact_id, file.path, caller))
        found.append(_folder(reader).give_out(key, file))
    return found


def _written(chunks: Iterator[bytes], target: HandedFile) -> Digests:
    """Write what is read into an empty file."""
    digest = hashlib.sha256()
    with target.opened() as descriptor, open(descriptor, "wb", closefd=False) as file:
        for chunk in chunks:
            file.write(chunk)
            digest.update(chunk)
            target.moved(len(chunk))
    return Digests(digest.digest(), b"")


def _folder(blobs: BlobReader) -> Folder:
    if not isinstance(blobs, Folder):
        raise FailedPrecondition("artifacts: these files are in no folder; send or fetch them by signed requests.")
    return blobs
