"""What a deployer needs of one version, in one answer."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from mlmd_artifact_store.manifests import LARGEST_PAGE, Manifest, StoredFile, find_manifest, list_files
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.aliases import LATEST
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.aliases import number_as_of
from mlmd_model_registry.messages import format_of, signature_of, state_of, text
from mlmd_model_registry.model_uris import ModelUri, parse_model_uri, parse_moment
from mlmd_model_registry.models import Model, find_model
from mlmd_model_registry.version_bytes import require_bytes
from mlmd_model_registry.version_metrics import runs_around, version_metrics
from mlmd_model_registry.version_reads import Version, aliased_version, find_version, numbered_version

MOST_FILES = LARGEST_PAGE


@dataclass(frozen=True, slots=True)
class Resolved:
    """An answer without signed requests, and the manifest that they are made from."""

    response: v1.ResolveModelResponse
    manifest: Manifest | None


def resolve(tx: Transaction, request: v1.ResolveModelRequest) -> Resolved:
    """Return the version that a URI names, with everything that is known of its bytes.

    Raises InvalidArgument for a URI or moment that is none, NotFound for a model, alias or version that is not there,
    FailedPrecondition and DataLoss for a version whose files are gone or damaged.
    """
    wanted = parse_model_uri(request.uri)
    model = find_model(tx, wanted.model)
    version = _chosen(tx, model, wanted, request.as_of)
    require_bytes(tx, version, held=False)
    manifest = find_manifest(tx, version.artifact_id)
    files = list_files(tx, version.artifact_id, "", MOST_FILES) if manifest else []
    response = _response(tx, model, version)
    _add_files(response, manifest, files)
    response.digest = digest_of(response)
    return Resolved(response, manifest)


def _chosen(tx: Transaction, model: Model, wanted: ModelUri, as_of: str) -> Version:
    if as_of:
        if not wanted.alias:
            raise InvalidArgument("as_of: a version is what it is at any moment; ask for an alias as of then.")
        return numbered_version(tx, model, number_as_of(tx, model, wanted.alias, parse_moment(as_of)))
    if wanted.alias:
        return aliased_version(tx, model, wanted.alias)
    try:
        return find_version(tx, model, wanted.version)
    except NotFound:
        if wanted.version != LATEST:
            raise
        return aliased_version(tx, model, LATEST)


def _response(tx: Transaction, model: Model, version: Version) -> v1.ResolveModelResponse:
    artifact = version.model_artifact
    runs = runs_around(tx, version.artifact_id)
    return v1.ResolveModelResponse(
        model=model.name,
        number=version.number,
        version=version.name,
        model_id=model.id,
        version_id=version.id,
        artifact_id=version.artifact_id,
        state=state_of(version.is_archived or model.is_archived),
        uri=artifact.uri if artifact else "",
        format=format_of(artifact),
        signature=signature_of(artifact),
        aliases=version.aliases,
        metrics=version_metrics(tx, version.artifact_id, runs),
        execution_ids=runs.made_by,
        author=text(version.context, "author"),
        subject=version.subject,
        create_ms=version.create_ms,
    )


def _add_files(response: v1.ResolveModelResponse, manifest: Manifest | None, files: Sequence[StoredFile]) -> None:
    if manifest is None:
        return
    response.root_uri = manifest.root_uri
    response.file_count = manifest.file_count
    response.size_bytes = manifest.size_bytes
    response.files_digest = manifest.digest
    for file in files:
        response.files.add(
            path=file.path,
            size_bytes=file.size_bytes,
            sha256=file.sha256,
            verified=file.verified_ms > 0,
            media_type=file.media_type,
        )


def digest_of(response: v1.ResolveModelResponse) -> str:
    """Return the SHA-256 of an answer that has neither digest nor signed requests yet, in hexadecimal."""
    return hashlib.sha256(response.SerializeToString(deterministic=True)).hexdigest()
