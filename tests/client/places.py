"""Where the bytes of tests that move them are kept, and the store they belong to."""

from collections.abc import Callable, Mapping
from pathlib import Path

from mlmd_client.transport import Transport
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

SERVICE = "/ml_metadata.MetadataStoreService"


def artifact(transport: Transport, name: str = "", type_name: str = "system.Model") -> pb.Artifact:
    """Return an artifact to upload, its type made."""
    request = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name=type_name))
    type_id = transport.unary(f"{SERVICE}/PutArtifactType", request, service.PutArtifactTypeResponse).type_id
    made = pb.Artifact(type_id=type_id)
    if name:
        made.name = name
    return made


def kept_elsewhere(transport: Transport, uri: str) -> int:
    """Record an artifact as pipelines do, by its uri alone."""
    made = artifact(transport)
    made.uri = uri
    request = service.PutArtifactsRequest(artifacts=[made])
    return int(transport.unary(f"{SERVICE}/PutArtifacts", request, service.PutArtifactsResponse).artifact_ids[0])


def stored(transport: Transport, artifact_id: int) -> pb.Artifact:
    """Return an artifact as MLMD has it."""
    request = service.GetArtifactsByIDRequest(artifact_ids=[artifact_id])
    answer = transport.unary(f"{SERVICE}/GetArtifactsByID", request, service.GetArtifactsByIDResponse)
    return answer.artifacts[0]


def every_artifact(transport: Transport) -> list[pb.Artifact]:
    """Return all artifacts."""
    answer = transport.unary(f"{SERVICE}/GetArtifacts", service.GetArtifactsRequest(), service.GetArtifactsResponse)
    return list(answer.artifacts)


def write_files(folder: Path, contents: Mapping[str, bytes]) -> Path:
    """Write files below a folder and return it."""
    for path, content in contents.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
    return folder


def read_files(folder: Path) -> dict[str, bytes]:
    """Return what is below a folder, by path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if not path.is_dir()}


OpenStore = Callable[..., Transport]
