"""The files of artifacts: what is known of them, and a signed request that fetches each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import graphene
from mlmd_artifact_store.file_links import file_pages, manifests_of
from mlmd_artifact_store.manifests import Manifest, StoredFile
from mlmd_metadata_store.keyset_tokens import token_after
from mlmd_schemas.errors import Unimplemented
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql import entities
from mlmd_api.graphql.batches import nodes
from mlmd_api.graphql.connections import Page, checked_first, connection_of, key_after, page_arguments
from mlmd_api.graphql.entities import define, entity
from mlmd_api.graphql.messages import fields_of, object_of
from mlmd_api.graphql.objects import made_object, resolved
from mlmd_api.graphql.session import Session

FileConnection = connection_of("File", entity("File"))
_LIST = "files"


@dataclass(frozen=True, slots=True)
class ArtifactFile:
    """A file, and whose."""

    artifact_id: int
    file: StoredFile


def manifests(session: Session, artifact_ids: Sequence[int]) -> Mapping[int, Manifest]:
    """Find the manifests of artifacts."""
    return session.read(manifests_of, artifact_ids)


def files(
    session: Session, artifact_ids: Sequence[int], after: str, size: int, prefix: str
) -> Mapping[int, list[StoredFile]]:
    """Find a page of the files of artifacts."""
    return session.read(file_pages, artifact_ids, after, size, prefix)


async def _page(artifact: Any, info: Any, prefix: str | None = None, **page: Any) -> Page:
    first, after = checked_first(page.get("first")), key_after(_LIST, page.get("after"))
    found = await info.context.loading.load(files, artifact.id, after, first + 1, prefix or "") or []
    items = [ArtifactFile(artifact.id, file) for file in found[:first]]
    return Page(items, lambda item: token_after(_LIST, item.file.path), len(found) > first, bool(after))


async def _download(one: ArtifactFile, info: Any) -> Any:
    session: Session = info.context
    if session.artifacts is None:
        raise Unimplemented("download: this server keeps no files.")
    manifest = await session.loading.load(manifests, one.artifact_id)
    return session.artifacts().fetch_requests(manifest, [one.file.path])[0]


async def _fetch(session: Session, key: Any) -> ArtifactFile | None:
    artifact_id, path = key
    found = await session.loading.load(files, artifact_id, "", 1, path) or []
    return ArtifactFile(artifact_id, found[0]) if found and found[0].path == path else None


def _of_message(resolver: Any) -> Any:
    return lambda one, info: resolver((one.file if isinstance(one, ArtifactFile) else one).message(), info)


def _artifact(one: Any, info: Any) -> Any:
    return info.context.loading.load(nodes, one.artifact_id, Kind.ARTIFACT)


def define_files() -> None:
    """Make the object type of files."""
    fields = {name: resolved(field.type, _of_message(field.resolver)) for name, field in fields_of(v1.File).items()}
    fields |= {
        "sha256": resolved(graphene.String, lambda one, _info: one.file.sha256.hex() or None, "In hexadecimal."),
        "artifact": resolved(entity("Artifact"), _artifact),
        "download": resolved(
            object_of(v1.SignedRequest.DESCRIPTOR), _download, "The request that fetches it, signed for an hour."
        ),
    }
    kind = entities.Kind("File", (int, str), _fetch)
    define(kind, ArtifactFile, lambda one: (one.artifact_id, one.file.path), fields, "A file of an artifact.")


def artifact_fields() -> dict[str, Any]:
    """Return the fields that artifacts gain."""
    fields = {
        name: resolved(field.type, _of_message(field.resolver))
        for name, field in fields_of(v1.Manifest, frozenset({"artifact_id", "digest"})).items()
    }
    fields["digest"] = resolved(
        graphene.String, lambda one, _info: one.digest.hex() or None, "SHA-256, in hexadecimal."
    )
    manifest = made_object("Manifest", fields, description="An artifact's files as a whole.")
    return {
        "manifest": resolved(
            manifest,
            lambda artifact, info: info.context.loading.load(manifests, artifact.id),
            "Null when its bytes are not known here.",
        ),
        "files": resolved(
            graphene.NonNull(FileConnection),
            _page,
            "By path; empty when none are known here.",
            prefix=graphene.Argument(graphene.String, description="Only paths that begin so."),
            **page_arguments(),
        ),
    }
