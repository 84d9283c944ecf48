"""A client of the artifact store of a running server: gRPC for the facts, HTTP for the bytes."""

from collections.abc import Mapping

import grpc
import urllib3
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.metadata_store_service_pb2_grpc import MetadataStoreServiceStub
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1.artifacts_pb2_grpc import ArtifactStoreStub

from tests.artifact_store.uploads import FIVE, upload_file
from tests.services.server import NO_PROXY, Server


class Client:
    """Stubs on a server."""

    def __init__(self, server: Server, token: str = "") -> None:
        self.server = server
        self.metadata = [("authorization", f"Bearer {token}")] if token else []
        self.channel = grpc.insecure_channel(server.target, options=[NO_PROXY])
        self.artifacts = ArtifactStoreStub(self.channel)

    def begin(self, contents: dict[str, bytes], media_types: Mapping[str, str] | None = None) -> v1.BeginUploadResponse:
        """Begin an upload; what has more than 5 MiB goes in parts."""
        put = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="system.Model"))
        type_id = MetadataStoreServiceStub(self.channel).PutArtifactType(put, metadata=self.metadata).type_id
        files = [upload_file(path, content, FIVE if len(content) > FIVE else 0) for path, content in contents.items()]
        for file in files:
            file.media_type = (media_types or {}).get(file.path, "")
        request = v1.BeginUploadRequest(artifact=pb.Artifact(type_id=type_id).SerializeToString(), files=files)
        begun: v1.BeginUploadResponse = self.artifacts.BeginUpload(request, metadata=self.metadata)
        return begun

    def urls(self, artifact_id: int, *, only_missing: bool = False) -> list[v1.UploadUrl]:
        """Return what has to be sent."""
        request = v1.ListUploadUrlsRequest(artifact_id=artifact_id, only_missing=only_missing)
        return list(self.artifacts.ListUploadUrls(request, metadata=self.metadata).urls)

    def send(self, http: urllib3.PoolManager, url: v1.UploadUrl, content: bytes) -> int:
        """Send one piece of a file."""
        piece = content[url.offset_bytes : url.offset_bytes + url.size_bytes]
        headers = dict(url.request.headers)
        if url.request.url.startswith(self.server.http_url):
            headers |= dict(self.metadata)
        return http.request("PUT", url.request.url, body=piece, headers=headers, retries=False).status

    def commit(self, artifact_id: int) -> v1.CommitUploadResponse:
        """Commit."""
        request = v1.CommitUploadRequest(artifact_id=artifact_id)
        committed: v1.CommitUploadResponse = self.artifacts.CommitUpload(request, metadata=self.metadata)
        return committed

    def downloads(self, artifact_id: int) -> dict[str, v1.SignedRequest]:
        """Return how each file is fetched."""
        request = v1.ListDownloadUrlsRequest(artifact_id=artifact_id)
        answer = self.artifacts.ListDownloadUrls(request, metadata=self.metadata)
        return {url.file.path: url.request for url in answer.urls}


def uploaded(
    server: Server,
    http: urllib3.PoolManager,
    contents: dict[str, bytes],
    *,
    media_types: Mapping[str, str] | None = None,
    token: str = "",
) -> tuple[Client, int]:
    """Upload everything and commit."""
    client = Client(server, token)
    begun = client.begin(contents, media_types)
    assert {client.send(http, url, contents[url.path]) for url in client.urls(begun.artifact_id)} == {200}
    client.commit(begun.artifact_id)
    return client, begun.artifact_id
