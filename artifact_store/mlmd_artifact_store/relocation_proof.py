"""The proof that all files which manifests place below an old root are below the new one.

Sizes are compared, and ETags where both were made in the same way. Of two MD5s that differ one may be of a store that
calculates it otherwise, and so the file is read: its SHA-256 decides.
"""

import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import DataLoss, InvalidArgument, NotFound
from mlmd_schemas.tables.own import FILE, MANIFEST

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import Blob, BlobStore
from mlmd_artifact_store.local_watch import carried
from mlmd_artifact_store.manifests import FILE_COLUMNS, LARGEST_PAGE, StoredFile, stored_file
from mlmd_artifact_store.proof import Arrivals, sha256_of_blob
from mlmd_artifact_store.relocated_uris import Relocation
from mlmd_artifact_store.verification import Verdict

_LISTED_FROM = 3
"""So many files of an artifact are looked for by one listing, fewer one by one."""
_MD5 = re.compile("[0-9a-f]{32}")
_COLUMNS = (MANIFEST.c.artifact_id, MANIFEST.c.root_uri, MANIFEST.c.key_prefix, MANIFEST.c.is_external)
_PAGE = (
    sa.select(*_COLUMNS)
    .where(MANIFEST.c.artifact_id > sa.bindparam("after"), MANIFEST.c.artifact_id <= sa.bindparam("newest"))
    .order_by(MANIFEST.c.artifact_id)
    .limit(LARGEST_PAGE)
)
_FILES_OF = sa.select(FILE.c.artifact_id, *(FILE.c[name] for name in FILE_COLUMNS))
_ORDER = (FILE.c.artifact_id, FILE.c.path)
_FIRST = (
    _FILES_OF.where(FILE.c.artifact_id.in_(sa.bindparam("ids", expanding=True))).order_by(*_ORDER).limit(LARGEST_PAGE)
)
_NEXT = (
    _FILES_OF.where(FILE.c.artifact_id == sa.bindparam("artifact"), FILE.c.path > sa.bindparam("path"))
    .order_by(*_ORDER)
    .limit(LARGEST_PAGE)
)


@dataclass(frozen=True, slots=True)
class Found:
    """What was found of a file at the new place."""

    artifact_id: int
    path: str
    verdict: Verdict
    by_size: bool = False
    """Nothing but its size says that it is the same."""
    was_damaged: bool = False
    """It was found missing or changed before."""


@dataclass(frozen=True, slots=True)
class _Job:
    """Files of one artifact, by path, all of those after a path, or the first."""

    artifact_id: int
    prefix: str
    is_listed: bool
    files: Sequence[StoredFile]
    after: str


def prove_relocated(
    artifacts: Artifacts, relocation: Relocation, newest: int, caller: Caller, *, parallel: int, read: bool
) -> Iterator[Found]:
    """Yield what was found of each file of the artifacts up to `newest` whose manifest is below the old root.

    With `read` every file is read. Raises what the store of blobs raises that does not answer.
    """
    look = partial(_looked, artifacts.blobs, read)
    jobs = _jobs(artifacts, relocation, newest, caller)
    with ThreadPoolExecutor(parallel, thread_name_prefix="relocate") as pool:
        while batch := list(islice(jobs, parallel * 8)):
            caller.check_deadline()
            for found in pool.map(carried(look), batch):
                yield from found


def _jobs(artifacts: Artifacts, relocation: Relocation, newest: int, caller: Caller) -> Iterator[_Job]:
    database, after = artifacts.store.database, 0
    is_remote = artifacts.blobs.presigner is not None
    while rows := database.read(caller, partial(_rows, _PAGE, {"after": after, "newest": newest})):
        after = rows[-1][0]
        places = {row[0]: place for row in rows if (place := _place(relocation, row)) is not None}
        before = 0, ""
        for artifact_id, files in _files(artifacts, sorted(places), caller):
            prefix, is_external = places[artifact_id]
            is_listed = is_remote and not is_external and len(files) >= _LISTED_FROM
            yield _Job(artifact_id, prefix, is_listed, files, before[1] if before[0] == artifact_id else "")
            before = artifact_id, files[-1].path


def _place(relocation: Relocation, row: Any) -> tuple[str, bool] | None:
    """Return the prefix of the keys of a manifest, and whether it was recorded and not uploaded; None elsewhere."""
    _, root_uri, key_prefix, is_external = row
    key = relocation.key_of(root_uri)
    return None if key is None else (key if is_external else key_prefix, bool(is_external))


def _files(artifacts: Artifacts, ids: Sequence[int], caller: Caller) -> Iterator[tuple[int, list[StoredFile]]]:
    """Yield the files of artifacts by id and path, a page of the database at a time, one of many files in pieces."""
    database = artifacts.store.database
    while ids:
        rows = database.read(caller, partial(_rows, _FIRST, {"ids": ids}))
        yield from _by_artifact(rows)
        if len(rows) < LARGEST_PAGE:
            return
        last, path = rows[-1][0], rows[-1][1]
        while more := database.read(caller, partial(_rows, _NEXT, {"artifact": last, "path": path})):
            yield from _by_artifact(more)
            path = more[-1][1]
        ids = [one for one in ids if one > last]


def _by_artifact(rows: Sequence[Any]) -> Iterator[tuple[int, list[StoredFile]]]:
    files: dict[int, list[StoredFile]] = {}
    for row in rows:
        files.setdefault(row[0], []).append(stored_file(row[1:]))
    yield from files.items()


def _rows(statement: sa.Executable, parameters: dict[str, Any], tx: Transaction) -> Sequence[Any]:
    return tx.rows(statement, parameters)


def _looked(blobs: BlobStore, read: bool, job: _Job) -> list[Found]:
    there = Arrivals(blobs, job.prefix, job.after) if job.is_listed else None
    found: list[Found] = []
    for file in job.files:
        key = job.prefix + file.path
        blob = there.find(file.path) if there is not None else _seen(blobs, key)
        verdict, by_size = _judged(blobs, key, file, blob, read)
        found.append(Found(job.artifact_id, file.path, verdict, by_size, file.verified_ms < 0))
    return found


def _seen(blobs: BlobStore, key: str) -> Blob | None:
    try:
        return blobs.look(key)
    except (NotFound, InvalidArgument):  # a key that cannot be there, too long for example, is not there
        return None


def _judged(blobs: BlobStore, key: str, file: StoredFile, blob: Blob | None, read: bool) -> tuple[Verdict, bool]:
    """Return what a file is found to be, and whether by nothing but its size."""
    if blob is None:
        return Verdict.MISSING, False
    if blob.size_bytes != file.size_bytes:
        return Verdict.CHANGED, False
    is_same = bool(file.etag) and blob.etag == file.etag
    differs = not is_same and _is_md5(blob.etag) and _is_md5(file.etag)
    if file.sha256 and (read or differs):
        return _read(blobs, key, file), False
    if is_same:
        return Verdict.SAME, False
    return (Verdict.CHANGED if differs else Verdict.SAME), not differs


def _is_md5(etag: str) -> bool:
    return _MD5.fullmatch(etag) is not None


def _read(blobs: BlobStore, key: str, file: StoredFile) -> Verdict:
    try:
        return Verdict.SAME if sha256_of_blob(blobs, key) == file.sha256 else Verdict.CHANGED
    except NotFound:
        return Verdict.MISSING
    except DataLoss:
        return Verdict.CHANGED
