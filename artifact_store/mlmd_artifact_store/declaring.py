"""Files that are told while others are being sent already: hashing need not be over before sending begins."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_artifact_store.artifacts import check_part
from mlmd_artifact_store.begin import pending_of
from mlmd_artifact_store.commit import under_way
from mlmd_artifact_store.declarations import check_files, check_keys
from mlmd_artifact_store.requests import Requests, pieces_of
from mlmd_artifact_store.restoring import as_recorded, find_restore
from mlmd_artifact_store.upload_rows import PendingFile, Upload, in_one_part, put_files, some_files, unseal_upload

MOST_AT_ONCE = 1000
_MD5_BYTES = 16


def declare_files(requests: Requests, request: v1.DeclareFilesRequest, caller: Caller) -> v1.DeclareFilesResponse:
    """Note files of an upload under way and answer the requests that send them.

    Raises InvalidArgument for what cannot be, NotFound and FailedPrecondition when the upload is not under way.
    """
    _check_number("files", len(request.files))
    signs = requests.artifacts.blobs.presigner is not None
    check_files(request.files, later=True, folder=not signs)
    requests.artifacts.ownership.check()

    ended: set[tuple[str, str]] = set()

    def body(tx: Transaction) -> tuple[Upload, list[PendingFile], set[tuple[str, str]]]:
        upload = under_way(tx, request.artifact_id, locked=True)
        check_keys(upload.key_prefix, request.files, requests.artifacts.blobs.longest_key_bytes)
        known = some_files(tx, request.artifact_id, (file.path for file in request.files))
        told = pending_of(tx, request.files, request.unchanged_from_artifact_id)
        if find_restore(tx, request.artifact_id) is not None:
            told = as_recorded(tx, request.artifact_id, told)
        files = [_continued(_in_one_part(file, known) if signs else file, known) for file in told]
        changed = [file for file in files if known.get(file.path) != file]
        given_up = _given_up(changed, known) - ended
        if changed and not given_up:
            put_files(tx, request.artifact_id, changed)
            unseal_upload(tx, request.artifact_id)
        return upload, files, given_up

    # What makes another file of a path ends before this one is told: a commit that stands still meanwhile, or a death
    # between the two, must not complete it over this one when that is committed.
    upload, files, given_up = requests.artifacts.store.database.write(caller, body, repeatable=True)
    while given_up:
        for path, name in given_up:
            requests.artifacts.blobs.abort_parts(upload.key_prefix + path, name)
        ended |= given_up
        upload, files, given_up = requests.artifacts.store.database.write(caller, body, repeatable=True)
    if request.unsigned:
        return v1.DeclareFilesResponse()
    pieces = list(pieces_of(file for file in files if not file.source_key))
    wanted = requests.missing(upload, pieces, caller) if request.only_missing else pieces
    return v1.DeclareFilesResponse(urls=requests.upload_urls(upload, wanted, caller))


def _given_up(changed: Iterable[PendingFile], known: Mapping[str, PendingFile]) -> set[tuple[str, str]]:
    """Return path and name of the undertakings that made what is told otherwise."""
    before = ((file, known[file.path]) for file in changed if file.path in known)
    return {
        (file.path, one.parts_name)
        for file, one in before
        if one.parts_name and not one.is_being_copied and one.parts_name != file.parts_name
    }


def _in_one_part(file: PendingFile, known: Mapping[str, PendingFile]) -> PendingFile:
    """Return a file that is told in the place of another as one in a single part, if it was to be sent whole.

    A request that was signed for the other may still come, and nobody can take it back; it replaces nothing, so it
    has no effect once the part has become the blob. A request for a part ends with the undertaking that it is of.
    """
    before = known.get(file.path)
    if before is None or file.in_parts or file.source_key:
        return file
    if not before.in_parts and not before.source_key and before.md5s == file.md5s:
        return file
    return in_one_part(file)


def _continued(file: PendingFile, known: Mapping[str, PendingFile]) -> PendingFile:
    """Return the file with the upload in parts that was begun for it, when its parts are still cut the same."""
    before = known.get(file.path)
    if before is not None and before.is_being_copied:
        return _copied(file, before)
    if before is None or file.source_key:
        return replace(file, source_etag=file.expected_etag)
    same = (before.size_bytes, before.part_size_bytes) == (file.size_bytes, file.part_size_bytes)
    if same and file.is_open:
        return before  # an upload that goes on: its digests are known already, and are told again
    return replace(file, parts_name=before.parts_name if same else "", source_etag=file.expected_etag)


def _copied(file: PendingFile, before: PendingFile) -> PendingFile:
    """Return a file that a commit may be copying as it was told; raises InvalidArgument when it is told otherwise."""
    if (file.size_bytes, file.sha256) == (before.size_bytes, before.sha256):
        return replace(before, media_type=file.media_type)
    raise InvalidArgument(
        f"files[{file.path[:80]!r}]: a commit has begun to copy it from another artifact, and no other bytes can take "
        "its place in this upload; abort it (AbortUpload) and begin another."
    )


def sign_parts(requests: Requests, request: v1.SignPartsRequest, caller: Caller) -> v1.SignPartsResponse:
    """Answer the requests that send parts of a file, by the MD5s that are told for them now."""
    _check_number("parts", len(request.parts))
    upload, file = requests.artifacts.pending(request.artifact_id, request.path, caller)
    for part in request.parts:
        check_part(file, part.part_number or -1)
        if len(part.md5) != _MD5_BYTES:
            raise InvalidArgument(
                f"parts[{part.part_number}].md5: {counted(len(part.md5), 'byte')}, and an MD5 has {_MD5_BYTES}; "
                "send it as bytes."
            )
    pieces = [(file, part.part_number, part.md5) for part in request.parts]
    wanted = requests.missing(upload, pieces, caller) if request.only_missing else pieces
    return v1.SignPartsResponse(urls=requests.upload_urls(upload, wanted, caller))


def _check_number(field: str, number: int) -> None:
    if not 0 < number <= MOST_AT_ONCE:
        raise InvalidArgument(f"{field}: {number} were given; give 1 to {MOST_AT_ONCE} at a time.")
