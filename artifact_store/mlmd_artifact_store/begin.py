"""The beginning of an upload: one transaction, no bytes."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.collection_methods import parse_artifact
from mlmd_metadata_store.node_writes import create_nodes
from mlmd_metadata_store.transaction import CHUNK, Transaction
from mlmd_metadata_store.version_collections import collection_name
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.own import MANIFEST, UPLOAD, VERSION
from mlmd_schemas.tables.v10 import ARTIFACT, CONTEXT, Kind

from mlmd_artifact_store.declarations import check_files, check_keys
from mlmd_artifact_store.keys import LONGEST_KEY_BYTES
from mlmd_artifact_store.locations import artifact_prefix, folder_and_name, tenant_prefix
from mlmd_artifact_store.manifests import (
    Manifest,
    StoredFile,
    digest_of_told,
    files_like,
    read_manifest,
    write_manifest,
)
from mlmd_artifact_store.purged_places import IS_PURGED
from mlmd_artifact_store.upload_rows import PendingFile, Upload, UploadState, insert_files, insert_upload

_SET_URI = sa.update(ARTIFACT).where(ARTIFACT.c.id == sa.bindparam("artifact")).values(uri=sa.bindparam("new_uri"))
_UNSAID = pb.Artifact.UNKNOWN
"""The state after a call of MLMD that said none; as long as there is a manifest, the bytes are there."""
_SAME = (
    sa.select(MANIFEST.c.artifact_id, MANIFEST.c.root_uri)
    .join(ARTIFACT, ARTIFACT.c.id == MANIFEST.c.artifact_id)
    .where(
        MANIFEST.c.digest == sa.bindparam("digest"),
        MANIFEST.c.is_external == 0,
        ~IS_PURGED,
        ARTIFACT.c.type_id == sa.bindparam("type"),
        sa.func.coalesce(ARTIFACT.c.state, _UNSAID).in_((_UNSAID, pb.Artifact.LIVE)),
    )
    .order_by(MANIFEST.c.artifact_id.desc())
    .limit(1)
)
_RENEW = (
    sa.update(MANIFEST)
    .where(MANIFEST.c.artifact_id == sa.bindparam("artifact"), MANIFEST.c.is_external == 0)
    .values(
        create_ms=sa.case(
            (MANIFEST.c.create_ms < sa.bindparam("now"), sa.bindparam("now")), else_=MANIFEST.c.create_ms + 1
        )
    )
)
_WITHOUT_FILES = (
    sa.select(ARTIFACT.c.id, UPLOAD.c.state)
    .outerjoin(UPLOAD, ARTIFACT.c.id == UPLOAD.c.artifact_id)
    .where(ARTIFACT.c.type_id == sa.bindparam("type"), ARTIFACT.c.name == sa.bindparam("name"))
    .where(sa.or_(UPLOAD.c.state.is_not(None), ARTIFACT.c.state == pb.Artifact.ABANDONED))
)
_GIVEN_UP = (
    sa.select(ARTIFACT.c.id, ARTIFACT.c.uri)
    .outerjoin(MANIFEST, MANIFEST.c.artifact_id == ARTIFACT.c.id)
    .where(ARTIFACT.c.type_id == sa.bindparam("type"), ARTIFACT.c.name == sa.bindparam("name"))
    .where(ARTIFACT.c.state == pb.Artifact.ABANDONED, MANIFEST.c.artifact_id.is_(None))
)
_UNNAME = (
    sa.update(ARTIFACT)
    .where(ARTIFACT.c.id == sa.bindparam("artifact"), ARTIFACT.c.state == pb.Artifact.ABANDONED)
    .values(name=None, last_update_time_since_epoch=sa.bindparam("now"))
)
_SAME_NAMED = _SAME.where(ARTIFACT.c.name == sa.bindparam("name"))
_SAME_UNNAMED = _SAME.where(ARTIFACT.c.name.is_(None))
_SAME_VERSION = _SAME.join(VERSION, VERSION.c.artifact_id == ARTIFACT.c.id).where(
    VERSION.c.context_id.in_(sa.select(CONTEXT.c.id).where(CONTEXT.c.name == sa.bindparam("name")))
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where new artifacts of a caller go: its tenant, how the store calls a key in public, how long one may be."""

    tenant: str
    uri: Callable[[str], str]
    longest_key_bytes: int = LONGEST_KEY_BYTES

    @property
    def root(self) -> str:
        """The URI that all keys are below, with a slash at its end."""
        return f"{self.uri('').rstrip('/')}/"


def begin_upload(tx: Transaction, place: Place, request: v1.BeginUploadRequest) -> v1.BeginUploadResponse:
    """Make a PENDING artifact and note its files, or find one with the same content.

    Raises InvalidArgument for what cannot be, NotFound for an unknown type or earlier artifact, AlreadyExists for a
    name that is taken.
    """
    artifact = parse_artifact(request.artifact)
    _check_artifact(artifact, ("id", "uri", "state"))
    check_files(request.files, more=request.more_files, later=request.more_files)
    if request.more_files and request.reuse and len(request.digest) != 32:
        raise InvalidArgument(
            f"digest: {counted(len(request.digest), 'byte')}; equal content is found by the digest of the whole, "
            "so give its 32, or tell every file now, without more_files."
        )
    type_name = _type_name(tx, artifact)
    if request.collection:
        if artifact.HasField("name"):
            raise InvalidArgument("artifact.name: a version is named by its collection; leave it out.")
        collection_name(tx, type_name, request.collection)
    digest = b"" if request.more_files else digest_of_told(request.files)
    wanted = digest or request.digest
    if request.reuse and (found := _same_content(tx, artifact, type_name, request.collection, wanted)):
        return found
    artifact.state = pb.Artifact.PENDING
    if artifact.HasField("name"):
        _free_name(tx, place, artifact)
    artifact_id = _made(tx, artifact)
    prefix = artifact_prefix(place.tenant, type_name, request.collection or artifact.name, artifact_id)
    check_keys(prefix, request.files, place.longest_key_bytes)
    uri = place.uri(prefix)
    tx.execute(_SET_URI, {"artifact": artifact_id, "new_uri": tx.text.encode(uri)})
    insert_upload(tx, _upload(tx, artifact_id, uri, prefix, request, digest))
    to_send = 0
    for start in range(0, len(request.files), CHUNK):  # the message is large enough; all rows at once would be larger
        files = pending_of(tx, request.files[start : start + CHUNK], request.unchanged_from_artifact_id)
        insert_files(tx, artifact_id, files)
        to_send += sum(not file.source_key for file in files)
    return v1.BeginUploadResponse(artifact_id=artifact_id, uri=uri, files_to_send=to_send)


def _free_name(tx: Transaction, place: Place, artifact: pb.Artifact) -> None:
    """Take the name that is asked for from an artifact whose upload was given up, and which never had files.

    It keeps its id, properties, events and uri, in which the name still is. Only what was uploaded here gives its name:
    that its uri tells, which the store gave it. Others too call artifacts ABANDONED.
    """
    parameters = {"type": artifact.type_id, "name": tx.text.encode(artifact.name)}
    root = place.uri(tenant_prefix(place.tenant))
    for other, encoded in tx.rows(_GIVEN_UP, parameters):
        uri = tx.text.decode(encoded or "")
        if uri.startswith(root) and re.fullmatch(rf"[^/]+/[^/]+/{other}/", uri[len(root) :]):
            tx.execute(_UNNAME, {"artifact": other, "now": now_ms()})


def _made(tx: Transaction, artifact: pb.Artifact) -> int:
    try:
        (artifact_id,) = create_nodes(tx, Kind.ARTIFACT, [artifact])
    except AlreadyExists as error:
        if artifact.HasField("name"):
            parameters = {"type": artifact.type_id, "name": tx.text.encode(artifact.name)}
            for other, state in tx.rows(_WITHOUT_FILES, parameters):
                is_under_way = state == UploadState.PENDING
                raise AlreadyExists(_why_taken(artifact.name, other, is_under_way=is_under_way)) from error
        raise
    return artifact_id


def _why_taken(name: str, artifact_id: int, *, is_under_way: bool) -> str:
    """Say that a name is of an artifact that has no files: that there is one to be read would lead nowhere."""
    instead = "choose another name, or a collection, where each upload is a version of its own"
    if is_under_way:
        return (
            f"artifact.name: {name!r} is the name of artifact {artifact_id}, whose upload is not finished; go on with "
            f"it where it was begun, on the same machine with the same path, or {instead}."
        )
    return f"artifact.name: {name!r} is the name of artifact {artifact_id}, which is ABANDONED; {instead}."


def _check_artifact(artifact: pb.Artifact, forbidden: Sequence[str]) -> None:
    for field in forbidden:
        if artifact.HasField(field):
            raise InvalidArgument(
                f"artifact.{field}: {str(getattr(artifact, field))[:200]!r} was given, and the store gives an artifact "
                f"its {field}; leave it out."
            )


def _type_name(tx: Transaction, artifact: pb.Artifact) -> str:
    if not artifact.HasField("type_id"):
        raise InvalidArgument("artifact.type_id: missing; a new artifact needs the id of its type.")
    facts = tx.types.get(tx, Kind.ARTIFACT, artifact.type_id)
    if facts is None:
        raise NotFound(f"artifact.type_id: there is no artifact type with id {artifact.type_id}; put the type first.")
    return facts.name


def _same_content(
    tx: Transaction, artifact: pb.Artifact, type_name: str, collection: str, digest: bytes
) -> v1.BeginUploadResponse | None:
    """Find an artifact with this content; it is as young from now on as if it had been sent, and so are its bytes kept.

    One whose bytes are deleted at this moment is none.
    """
    parameters: dict[str, Any] = {"digest": digest, "type": artifact.type_id}
    statement = _SAME_UNNAMED
    if collection:
        statement, parameters["name"] = _SAME_VERSION, tx.text.encode(f"{type_name}/{collection}")
    elif artifact.HasField("name"):
        statement, parameters["name"] = _SAME_NAMED, tx.text.encode(artifact.name)
    for artifact_id, uri in tx.rows(statement, parameters):
        if tx.execute(_RENEW, {"artifact": artifact_id, "now": tx.agreed_ms()}):
            return v1.BeginUploadResponse(artifact_id=artifact_id, reused=True, uri=uri)
    return None


def pending_of(tx: Transaction, files: Sequence[v1.UploadFile], unchanged_from: int) -> list[PendingFile]:
    """Return declared files as they are noted, with where they are copied from; 0: all of them are sent."""
    sources = _sources(tx, unchanged_from, files) if unchanged_from else {}
    return [_pending(file, sources) for file in files]


def _sources(
    tx: Transaction, artifact_id: int, files: Sequence[v1.UploadFile]
) -> Mapping[tuple[bytes, int], tuple[str, str]]:
    """Return key and ETag of an earlier artifact's blobs that have the digests of these files, by digest and size."""
    try:
        manifest = read_manifest(tx, artifact_id, held=True)  # or what is deleting it would not see who copies from it
    except NotFound as error:
        raise NotFound(f"unchanged_from_{error.message}") from error
    if manifest.is_external:
        raise FailedPrecondition(
            f"unchanged_from_artifact_id: the files of artifact {artifact_id} are not in this store; send them."
        )
    return {
        (file.sha256, file.size_bytes): (manifest.key_prefix + file.path, file.etag)
        for file in files_like(tx, artifact_id, ((file.path, file.sha256) for file in files if file.sha256))
    }


def _pending(file: v1.UploadFile, sources: Mapping[tuple[bytes, int], tuple[str, str]]) -> PendingFile:
    key, etag = sources.get((file.sha256, file.size_bytes), ("", "")) if file.sha256 else ("", "")
    return PendingFile(
        file.path, file.size_bytes, file.sha256, tuple(file.md5s), file.part_size_bytes, file.media_type, "", key, etag
    )


def _upload(
    tx: Transaction, artifact_id: int, uri: str, prefix: str, request: v1.BeginUploadRequest, digest: bytes
) -> Upload:
    size_bytes = sum(file.size_bytes for file in request.files)
    return Upload(
        artifact_id,
        UploadState.PENDING,
        uri,
        prefix,
        len(request.files),
        size_bytes,
        digest,
        request.collection,
        tx.caller.subject[:255],
        tx.agreed_ms(),
    )


def record_external(tx: Transaction, request: v1.RecordExternalRequest) -> v1.RecordExternalResponse:
    """Make a LIVE artifact of bytes that are somewhere already; nothing is proven, and the manifest says so."""
    artifact = parse_artifact(request.artifact)
    _check_artifact(artifact, ("id", "state"))
    _type_name(tx, artifact)
    check_files(request.files, external=True)
    root = _external_root(artifact.uri, request.files)
    artifact.state = pb.Artifact.LIVE
    (artifact_id,) = create_nodes(tx, Kind.ARTIFACT, [artifact])
    digest = digest_of_told(request.files)
    files = [StoredFile(file.path, file.size_bytes, file.sha256, 0, "", file.media_type) for file in request.files]
    size_bytes = sum(file.size_bytes for file in files)
    manifest = Manifest(artifact_id, root, "", True, len(files), size_bytes, digest, tx.agreed_ms())
    write_manifest(tx, manifest, files)
    return v1.RecordExternalResponse(manifest=manifest.message())


def _external_root(uri: str, files: Sequence[v1.UploadFile]) -> str:
    plain = uri.partition("?")[0]
    if not plain.partition("://")[2].strip("/"):
        raise InvalidArgument(f"artifact.uri: {uri[:80]!r} says no place; say where the bytes are, as scheme://…")
    root, name = folder_and_name(uri)
    if not name:
        return root
    if plain.count("/") < 3:
        raise InvalidArgument(f"artifact.uri: {uri[:80]!r} names no file or folder; end it with '/' to name the whole.")
    if len(files) != 1 or files[0].path != name:
        raise InvalidArgument(
            f"files: the uri {plain[-80:]!r} names one object; say one file, {name!r}, or end that with '/'."
        )
    return root
