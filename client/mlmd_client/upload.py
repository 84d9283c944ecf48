"""A file or a folder becomes an artifact: hashed while it is sent, straight to the object store, by many threads.

    uploaded = upload(transport, pb.Artifact(type_id=7), Path("model"))

What is uploaded is listed first. Files are then told to the server a batch at a time (`DeclareFiles`), large ones part
by part (`SignParts`), as their MD5s become known; the store refuses bytes with another MD5, and the commit proves all
of it. An upload that was interrupted goes on where it was when the same call is made again on the same machine.
"""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_client.artifact_calls import ArtifactCalls
from mlmd_client.calls import CallError, Transport
from mlmd_client.file_doors import door_of, own_headers, own_tls
from mlmd_client.file_listing import Listing, list_files
from mlmd_client.http_connections import Connections
from mlmd_client.progress import Meter, ProgressCallback
from mlmd_client.sending import DEFAULT_PART_BYTES, Sending
from mlmd_client.signed_http import PATIENCE, Patience, SignedHttp
from mlmd_client.transfer_errors import ChangedFile
from mlmd_client.upload_journal import UploadNote

DEFAULT_WORKERS = 16
_SMALLEST_PART_BYTES = 5 << 20


@dataclass(frozen=True, slots=True)
class Uploaded:
    """An artifact whose bytes are in the store. `version_number` is 0 without a collection."""

    artifact_id: int
    uri: str
    version_number: int
    reused: bool
    manifest: v1.Manifest


def upload(
    transport: Transport,
    artifact: pb.Artifact,
    path: Path,
    *,
    collection: str | None = None,
    reuse: bool = False,
    unchanged_from: int = 0,
    made_by: v1.MadeBy | None = None,
    resumable: bool = True,
    progress: ProgressCallback | None = None,
    workers: int = DEFAULT_WORKERS,
    part_size: int = DEFAULT_PART_BYTES,
    patience: Patience = PATIENCE,
) -> Uploaded:
    """Upload a file or a folder as an artifact (without id, uri and state), and return it when it is LIVE.

    With `reuse` a LIVE artifact of the same type and name (or collection) and the same content is returned instead, if
    there is one; every file is hashed before. Files that the artifact `unchanged_from` has with the same content are
    copied inside the store. `made_by` names the execution whose output it is: recorded with the commit, so that there
    is never the one without the other. `workers` threads send; files above `part_size` bytes are sent in parts of that
    size.

    Raises UnfitFiles for what cannot be uploaded, ChangedFile, CallError. What was sent before a failure of the
    network, or before Ctrl-C, is found again by the same call, unless it is not `resumable` because the path will never
    be the same again. After what sending again does not mend the upload is given up.
    """
    if part_size < _SMALLEST_PART_BYTES or workers < 1:
        raise ValueError(f"part_size has to be at least {_SMALLEST_PART_BYTES} bytes, and workers at least 1.")
    listing = list_files(Path(path))
    stop, connections, meter = threading.Event(), Connections(patience.silent_seconds), Meter(progress)
    meter.expect(len(listing.files), listing.size_bytes)
    calls = ArtifactCalls(transport, stop, patience)
    info = calls.info()
    http = SignedHttp(connections, stop, info.http_address, own_headers(transport), patience, own_tls(transport))
    begin = v1.BeginUploadRequest(
        artifact=artifact.SerializeToString(deterministic=True),
        collection=collection or "",
        more_files=True,
    )
    location = listing.root if len(listing.files) != 1 else Path(listing.location(*listing.files))
    try:
        with UploadNote(info.store_uuid, location, begin.collection, begin.artifact, kept=resumable) as note:
            sending = Sending(calls, http, door_of(transport), listing, meter, stop, workers, part_size, unchanged_from)
            return _Course(calls, sending, note, made_by).run(begin, reuse)
    finally:
        connections.close()


class _Course:
    """One upload from its beginning, or from where it was left, to its commit."""

    def __init__(self, calls: ArtifactCalls, sending: Sending, note: UploadNote, made_by: v1.MadeBy | None) -> None:
        self._calls = calls
        self._sending = sending
        self._note = note
        self._made_by = made_by

    def run(self, begin: v1.BeginUploadRequest, reuse: bool) -> Uploaded:
        listing = self._sending.listing
        artifact_id, uri = self._left()
        told = None
        if not artifact_id:
            if reuse:
                told = self._sending.hashed()
                begin.digest = manifest_digest(told)
                begin.reuse = True
            begun = self._calls.begin(begin)
            if begun.reused:
                there = self._calls.commit(begun.artifact_id, self._made_by)  # it was; the answer says what it became
                self._sending.meter.end()
                return Uploaded(begun.artifact_id, begun.uri, there.version_number, True, there.manifest)
            artifact_id, uri = begun.artifact_id, begun.uri
            self._note.note(artifact_id, paths_digest(listing), uri)
            self._sending.begin(artifact_id, uri, resumed=False)
        else:
            self._sending.begin(artifact_id, uri, resumed=True)
        try:
            self._sending.run(told)
            return self._commit(artifact_id, uri)
        except BaseException as error:  # Ctrl-C too
            if not self._note.kept or _is_hopeless(error):
                self._give_up(artifact_id)
            raise

    def _left(self) -> tuple[int, str]:
        """Return artifact and uri of an upload that this machine left unfinished and can go on with; else 0."""
        artifact_id, digest, uri = self._note.found()
        if not artifact_id:
            return 0, ""
        try:
            self._calls.look(artifact_id)
        except CallError as error:
            if error.code in (Code.NOT_FOUND, Code.FAILED_PRECONDITION):
                return 0, ""
            raise
        if digest != paths_digest(self._sending.listing):  # other files: what was told before would be waited for
            self._give_up(artifact_id)
            return 0, ""
        return artifact_id, uri

    def _commit(self, artifact_id: int, uri: str) -> Uploaded:
        listing = self._sending.listing
        commit = partial(
            self._calls.commit,
            artifact_id,
            self._made_by,
            files=len(listing.files),
            size_bytes=listing.size_bytes,
        )
        try:
            done = commit()
        except CallError as error:
            if error.code != Code.FAILED_PRECONDITION:
                raise
            self._sending.begin(artifact_id, uri, resumed=True)  # something was lost on the way: look once, and send it
            self._sending.run(None)
            done = commit()
        self._note.forget()
        self._sending.meter.end()
        return Uploaded(artifact_id, done.manifest.root_uri, done.version_number, False, done.manifest)

    def _give_up(self, artifact_id: int) -> None:
        try:
            self._calls.abort(artifact_id)
        except CallError:  # the server's sweeper does it later; what is raised is why
            return
        self._note.forget()


def _is_hopeless(error: BaseException) -> bool:
    """Tell whether the same call can never finish what was begun."""
    if isinstance(error, ChangedFile):
        return error.is_gone
    return isinstance(error, CallError) and error.code == Code.INVALID_ARGUMENT


def manifest_digest(files: Iterable[v1.UploadFile]) -> bytes:
    """Return the digest of the whole, of files by the bytes of their paths; see `mlmd.v1.Manifest.digest`."""
    whole = hashlib.sha256(b"mlmd manifest 1\n")
    for file in files:
        whole.update(f"{file.sha256.hex()} {file.size_bytes} {file.path}\n".encode())
    return whole.digest()


def paths_digest(listing: Listing) -> str:
    """Return what tells apart listings of other files."""
    digest = hashlib.sha256()
    for file in listing.files:
        digest.update(file.path.encode() + b"\0")
    return digest.hexdigest()
