"""Artifacts that somebody else recorded, Kubeflow for one: a uri and no manifest. Their files are where it says."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.collection_methods import parse_artifact
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import Aborted, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.paths import check_paths
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.v10 import ARTIFACT

from mlmd_artifact_store.begin import Place
from mlmd_artifact_store.declarations import MOST_FILES
from mlmd_artifact_store.externals import ExternalRoots, file_at, files_at, is_below, why_unread
from mlmd_artifact_store.locations import as_folder, folder_and_name, prefix_of_uri
from mlmd_artifact_store.manifests import Manifest, StoredFile, find_manifest, read_manifest, write_manifest
from mlmd_artifact_store.named_places import artifact_at
from mlmd_artifact_store.upload_rows import find_upload

_URI = sa.select(ARTIFACT.c.uri).where(ARTIFACT.c.id == sa.bindparam("artifact"))
_LOCKED = _URI.with_for_update()


def unrecorded(tx: Transaction, artifact_id: int, externals: ExternalRoots, place: Place) -> Manifest:
    """Return a stand-in for the manifest of an artifact whose uri may be read; raises NotFound for any other."""
    uri, own = _uri_of(tx, artifact_id), place.root
    if not uri or find_upload(tx, artifact_id) is not None or prefix_of_uri(uri, own, place.tenant, artifact_id):
        return read_manifest(tx, artifact_id)  # it says what is missing
    if externals.find(uri) is None:
        raise NotFound(why_unread(uri, own))
    return Manifest(artifact_id, uri, "", True, 0, 0, b"", 0)


def check_elsewhere(tx: Transaction, externals: ExternalRoots, own: str, request: v1.RecordExternalRequest) -> None:
    """Raise InvalidArgument for bytes that are said to be others' where the store keeps what is uploaded to it.

    What is recorded there could never be read, and goes with the artifact that has it.
    """
    uri = parse_artifact(request.artifact).uri
    if not is_below(uri, own) or externals.find(uri) is not None:
        return
    holder = artifact_at(tx, uri)
    mend = (
        f"use artifact {holder}, which has the files there"
        if holder
        else (
            "upload the files, or ask the operator to name that place among the roots that may be read "
            "(--artifacts-external-roots)"
        )
    )
    raise InvalidArgument(
        f"artifact.uri: {uri[:200]!r} is below {own!r}, where this store keeps what is uploaded to it, and nothing is "
        f"read there as bytes of others; {mend}."
    )


def _uri_of(tx: Transaction, artifact_id: int, *, locked: bool = False) -> str:
    rows: Any = tx.rows(_LOCKED if locked else _URI, {"artifact": artifact_id})
    return tx.text.decode(rows[0][0] or "") if rows else ""


def record_files(store: Store, externals: ExternalRoots, own: str, artifact_id: int, caller: Caller) -> Manifest:
    """Write a manifest of what is at an artifact's uri now: sizes and ETags; digests are learnt by verification.

    An artifact that has a manifest keeps it; `own` is the URI below which the store keeps what is uploaded to it.
    Raises NotFound when there is nothing, FailedPrecondition when the uri may not be read or an upload is under way,
    InvalidArgument for files that no manifest takes.
    """
    found, uri = store.database.read(caller, lambda tx: _before(tx, artifact_id))
    if found is not None:
        return found
    reader, key = externals.place(uri, own)
    files = list(islice(files_at(reader, key), MOST_FILES + 1))
    if not files:
        raise NotFound(f"uri: there is nothing at {uri[:200]!r}.")
    if len(files) > MOST_FILES:
        raise InvalidArgument(f"uri: more than {MOST_FILES} files are below {uri[:200]!r}; name a folder of it.")
    _check_recordable(uri, files)
    is_file = len(files) == 1 and file_at(reader, key, files[0].path)[0] == key
    root = folder_and_name(uri)[0] if is_file else as_folder(uri)
    size_bytes = sum(file.size_bytes for file in files)
    manifest = Manifest(artifact_id, root, "", True, len(files), size_bytes, b"", create_ms=0)

    def body(tx: Transaction) -> Manifest:
        if _uri_of(tx, artifact_id, locked=True) != uri:
            raise Aborted("The artifact's uri changed at this moment; try again.")
        there = find_manifest(tx, artifact_id)
        if there is not None:
            return there
        dated = replace(manifest, create_ms=tx.agreed_ms())
        try:
            write_manifest(tx, dated, files)
        except UniqueViolation as error:
            raise Aborted("The same files are being recorded at this moment; try again.") from error
        return dated

    return store.database.write(caller, body, repeatable=True)


def _check_recordable(uri: str, files: Sequence[StoredFile]) -> None:
    """Raise InvalidArgument when a file is called as no path may be; others' keys are not ours to choose."""
    try:
        check_paths(file.path for file in files)
    except InvalidArgument as error:
        raise InvalidArgument(
            f"uri: what is at {uri[:200]!r} cannot be recorded as it is called there ({error.message.rstrip('.')}); "
            "it is read unrecorded, or record a folder of it without that file."
        ) from error


def _before(tx: Transaction, artifact_id: int) -> tuple[Manifest | None, str]:
    found = find_manifest(tx, artifact_id)
    if found is not None:
        return found, ""
    if find_upload(tx, artifact_id) is not None:
        raise FailedPrecondition(f"artifact_id: the upload of artifact {artifact_id} has not ended; commit it.")
    uri = _uri_of(tx, artifact_id)
    if not uri:
        raise NotFound(f"artifact_id: there is no artifact {artifact_id}, or it has no uri.")
    return None, uri
