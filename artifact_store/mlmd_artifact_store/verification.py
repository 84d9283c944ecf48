"""Reading everything again: are the bytes still there, and still the ones of the manifests?"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import DataLoss, NotFound, StoreError, Unavailable
from mlmd_schemas.tables.own import MANIFEST

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import md5_hash
from mlmd_artifact_store.damage import mark_damage
from mlmd_artifact_store.externals import BlobReader
from mlmd_artifact_store.local_watch import carried
from mlmd_artifact_store.manifests import (
    LARGEST_PAGE,
    StoredFile,
    damaged_among,
    learn_digest,
    list_files,
    mark_verified,
)

_COLUMNS = (MANIFEST.c.artifact_id, MANIFEST.c.key_prefix, MANIFEST.c.is_external, MANIFEST.c.root_uri)
_PAGE = (
    sa.select(*_COLUMNS)
    .where(MANIFEST.c.artifact_id > sa.bindparam("after"), MANIFEST.c.artifact_id <= sa.bindparam("newest"))
    .order_by(MANIFEST.c.artifact_id)
    .limit(LARGEST_PAGE)
)
_NEWEST = sa.select(sa.func.coalesce(sa.func.max(MANIFEST.c.artifact_id), 0))
_CHOSEN = sa.select(*_COLUMNS).where(MANIFEST.c.artifact_id.in_(sa.bindparam("ids", expanding=True)))


class Verdict(StrEnum):
    """What was found of a file."""

    SAME = "same"
    CHANGED = "changed"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One file that was read."""

    artifact_id: int
    path: str
    size_bytes: int
    verdict: Verdict
    learnt: bytes = b""
    """The SHA-256 of bytes that were recorded without one."""


def verify(
    artifacts: Artifacts,
    *,
    artifact_ids: Sequence[int] | None = None,
    again_after_seconds: float = 0,
    parallel: int = 8,
    caller: Caller = LOCAL,
    passed_over: list[int] | None = None,
) -> Iterator[Finding]:
    """Read every file of this store, or of some artifacts, again and yield what was found, by artifact, as it is found.

    Of a store these are the artifacts up to the newest that is there now, so it ends however much comes meanwhile.
    Files that were the same are marked verified at this time, the others damaged, and so are their artifacts (see
    `damage`). With `again_after_seconds` those verified since are passed over, so that a verification that was
    interrupted goes on where it was. External artifacts are read where a root allows it and passed over elsewhere, as
    are those without a manifest; `passed_over` gets their ids. What was recorded without a digest has to have its size
    and ETag, and gets the digest that it has now. Nothing is said of the files of an artifact that is deleted, or whose
    files go elsewhere, while they are read.

    What cannot be read, because a store does not answer or does not let it, is no verdict on any file: when the others
    were read, the first of these errors is raised; at once when the store answers to nothing any more.
    """
    before = artifacts.store.database.agreed_ms(caller) - int(again_after_seconds * 1000)
    unread = _Unread()
    found_files = _files(artifacts, artifact_ids, caller, [] if passed_over is None else passed_over)
    jobs = (job for job in found_files if not 0 < job.file.verified_ms > before or not again_after_seconds)
    begun: set[int] = set()
    with ThreadPoolExecutor(parallel, thread_name_prefix="verify") as pool:
        while batch := list(islice(jobs, parallel * 8)):
            caller.check_deadline()
            answers = list(zip(batch, pool.map(carried(_finding), batch), strict=True))
            found = [(job, answer) for job, answer in answers if isinstance(answer, Finding)]
            if found:
                marked = _mark(artifacts, found, caller, begun)
                begun = {job.artifact_id for job, _ in found}
                yield from marked
            unread.note([(job, answer) for job, answer in answers if isinstance(answer, StoreError)])
            if not found and unread.is_away:
                break
    unread.check()


class _Unread:
    """The files that could not be read."""

    def __init__(self) -> None:
        self._first: tuple[_Job, StoreError] | None = None
        self._count = 0
        self.is_away = False
        """Whether all that failed last failed because a store does not answer."""

    def note(self, failures: Sequence[tuple["_Job", StoreError]]) -> None:
        """Note those of a batch."""
        self._count += len(failures)
        self._first = self._first or next(iter(failures), None)
        self.is_away = all(isinstance(error, Unavailable) for _, error in failures)

    def check(self) -> None:
        """Raise the first error, with the file that it was for."""
        if self._first is not None:
            job, error = self._first
            raise type(error)(
                f"{counted(self._count, 'file')} could not be read, first {job.file.path[:80]!r} of artifact "
                f"{job.artifact_id}: {error.message}"
            ) from error


@dataclass(frozen=True, slots=True)
class _Job:
    artifact_id: int
    place: tuple[Any, ...]
    """Where the manifest says that the files are."""
    is_external: bool
    reader: BlobReader
    prefix: str
    file: StoredFile


def _files(
    artifacts: Artifacts, artifact_ids: Sequence[int] | None, caller: Caller, passed_over: list[int]
) -> Iterator[_Job]:
    """Yield every file of the manifests that can be read, a page at a time; note the artifacts without any."""
    without = set(artifact_ids or ())
    for artifact_id, *place in _manifests(artifacts, artifact_ids, caller):
        without.discard(artifact_id)
        prefix, is_external, root_uri = str(place[0]), bool(place[1]), str(place[2])
        reader: BlobReader = artifacts.blobs
        if is_external:
            found = artifacts.externals.find(root_uri)
            if found is None:
                passed_over.append(artifact_id)
                continue
            reader, prefix = found
        path = ""
        while files := artifacts.store.database.read(caller, _files_after(artifact_id, path)):
            yield from (_Job(artifact_id, tuple(place), is_external, reader, prefix, file) for file in files)
            path = files[-1].path
    passed_over.extend(sorted(without))


def _manifests(
    artifacts: Artifacts, artifact_ids: Sequence[int] | None, caller: Caller
) -> Iterator[tuple[int, str, int, str]]:
    if artifact_ids is not None:
        yield from artifacts.store.database.read(caller, lambda tx: tx.rows_in(_CHOSEN, artifact_ids))
        return
    seen, newest = 0, artifacts.store.database.read(caller, lambda tx: int(tx.rows(_NEWEST)[0][0]))
    while page := artifacts.store.database.read(caller, _manifests_after(seen, newest)):
        yield from page
        seen = page[-1][0]


def _manifests_after(artifact_id: int, newest: int) -> Any:
    return lambda tx: list(tx.rows(_PAGE, {"after": artifact_id, "newest": newest}))


def _files_after(artifact_id: int, path: str) -> Any:
    return lambda tx: list_files(tx, artifact_id, path, LARGEST_PAGE)


def _finding(job: _Job) -> Finding | StoreError:
    """Read a file; an error says that it could not be read."""
    try:
        return _read(job)
    except StoreError as error:
        return error


def _read(job: _Job) -> Finding:
    file, key = job.file, job.prefix + job.file.path
    sha256, md5, size_bytes = hashlib.sha256(), md5_hash(), 0
    try:
        for chunk in job.reader.read(key):
            sha256.update(chunk)
            if not file.sha256:
                md5.update(chunk)
            size_bytes += len(chunk)
        same = size_bytes == file.size_bytes and (
            sha256.digest() == file.sha256
            if file.sha256
            else not file.etag or file.etag in (md5.hexdigest(), job.reader.stat(key).etag)
        )
    except NotFound:
        return Finding(job.artifact_id, file.path, file.size_bytes, Verdict.MISSING)
    except DataLoss:
        same = False
    if not same:
        return Finding(job.artifact_id, file.path, file.size_bytes, Verdict.CHANGED)
    learnt = b"" if file.sha256 else sha256.digest()
    return Finding(job.artifact_id, file.path, file.size_bytes, Verdict.SAME, learnt)


def _mark(
    artifacts: Artifacts, found: Sequence[tuple[_Job, Finding]], caller: Caller, begun: set[int]
) -> list[Finding]:
    """Mark what was the same as verified and the rest as not; return what was found where files still are.

    To count the damaged files of an artifact all of its files are read. They are counted when it is begun (`begun` are
    those that were before) and when others of them are damaged than were. Raises StoreError when files are missing or
    other because the place is another than the one that had them.
    """
    if any(finding.verdict is not Verdict.SAME and not job.is_external for job, finding in found):
        artifacts.ownership.check_there()

    def body(tx: Transaction) -> list[Finding]:
        places = {row[0]: tuple(row[1:]) for row in tx.rows_in(_CHOSEN, [job.artifact_id for job, _ in found])}
        still = [finding for job, finding in found if places.get(job.artifact_id) == job.place]
        by_artifact: dict[int, list[Finding]] = {}
        for finding in still:
            by_artifact.setdefault(finding.artifact_id, []).append(finding)
        recounted = {artifact_id for artifact_id, those in by_artifact.items() if _mark_files(tx, artifact_id, those)}
        for finding in still:
            if finding.learnt:
                learn_digest(tx, finding.artifact_id, finding.path, finding.learnt)
        mark_damage(tx, recounted | (by_artifact.keys() - begun))
        return still

    return artifacts.store.database.write(caller, body, repeatable=True)


def _mark_files(tx: Transaction, artifact_id: int, found: Sequence[Finding]) -> bool:
    """Mark files of an artifact; return whether others of them are damaged now than were."""
    before = damaged_among(tx, artifact_id, (finding.path for finding in found))
    same = [finding.path for finding in found if finding.verdict is Verdict.SAME]
    damaged = [finding.path for finding in found if finding.verdict is not Verdict.SAME]
    mark_verified(tx, artifact_id, same)
    mark_verified(tx, artifact_id, damaged, same=False)
    return before != set(damaged)
