"""Calls of `mlmd.v1.ArtifactStore` that do not mind a server that restarts: each of them is safe to repeat."""

import secrets
import threading
from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import Message
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1 import server_pb2

from mlmd_client.calls import CallError, Metadata, Transport
from mlmd_client.transfer_errors import ABORTED, UNAVAILABLE

M = TypeVar("M", bound=Message)
ATTEMPTS = 9
FIRST_SECONDS = 0.2
LONGEST_SECONDS = 8.0
"""Half a minute or so, all waits together: what a server takes to be started anew."""

ABORT_SECONDS = 30.0


class ArtifactCalls:
    """The calls over one transport; made again while the server is away for a moment, until the transfer stops."""

    def __init__(self, transport: Transport, stop: threading.Event) -> None:
        self.transport = transport
        self._stop = stop

    def call(self, name: str, request: Message, response: type[M], metadata: Metadata = ()) -> M:
        """Make one call; raises CallError."""
        return self._made(f"/mlmd.v1.ArtifactStore/{name}", request, response, metadata)

    def _made(self, path: str, request: Message, response: type[M], metadata: Metadata) -> M:
        attempt = 0
        while True:
            attempt += 1
            try:
                return self.transport.unary(path, request, response, metadata=metadata)
            except CallError as error:
                if error.code not in (UNAVAILABLE, ABORTED) or attempt >= ATTEMPTS or self._stop.is_set():
                    raise
            self._stop.wait(min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (attempt - 1)))

    def info(self) -> server_pb2.GetInfoResponse:
        """Return what the server is."""
        path = "/mlmd.v1.Server/GetInfo"
        return self._made(path, server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse, ())

    def begin(self, request: v1.BeginUploadRequest) -> v1.BeginUploadResponse:
        """Begin an upload, once, however often it has to be asked for."""
        key = (("mlmd-idempotency-key", secrets.token_hex(16)),)
        return self.call("BeginUpload", request, v1.BeginUploadResponse, key)

    def begin_restore(self, artifact_id: int) -> v1.BeginRestoreResponse:
        """Begin to send the files of an artifact that is there already, or go on."""
        return self.call("BeginRestore", v1.BeginRestoreRequest(artifact_id=artifact_id), v1.BeginRestoreResponse)

    def declare(self, request: v1.DeclareFilesRequest) -> list[v1.UploadUrl]:
        """Tell of files and return what sends them."""
        return list(self.call("DeclareFiles", request, v1.DeclareFilesResponse).urls)

    def sign_parts(self, request: v1.SignPartsRequest) -> list[v1.UploadUrl]:
        """Return what sends parts of a file."""
        return list(self.call("SignParts", request, v1.SignPartsResponse).urls)

    def sizes(self, artifact_id: int) -> frozenset[int]:
        """Return the sizes of an artifact's files, in bytes."""
        request, found = v1.ListFilesRequest(artifact_id=artifact_id), set[int]()
        while True:
            page = self.call("ListFiles", request, v1.ListFilesResponse)
            found.update(file.size_bytes for file in page.files)
            request.page_token = page.next_page_token
            if not request.page_token:
                return frozenset(found)

    def download_urls(self, artifact_id: int, prefix: str) -> Iterator[v1.DownloadUrl]:
        """Yield an artifact's files with what fetches them, signed as it is consumed."""
        request = v1.ListDownloadUrlsRequest(artifact_id=artifact_id, prefix=prefix)
        while True:
            page = self.call("ListDownloadUrls", request, v1.ListDownloadUrlsResponse)
            yield from page.urls
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def look(self, artifact_id: int) -> None:
        """Find out whether an upload is under way; raises CallError when it is not."""
        request = v1.ListUploadUrlsRequest(artifact_id=artifact_id, page_size=1)
        self.call("ListUploadUrls", request, v1.ListUploadUrlsResponse)

    def commit(self, artifact_id: int, made_by: v1.MadeBy | None = None) -> v1.CommitUploadResponse:
        """Commit an upload, as an output of what it was made by."""
        request = v1.CommitUploadRequest(artifact_id=artifact_id, made_by=made_by)
        return self.call("CommitUpload", request, v1.CommitUploadResponse)

    def abort(self, artifact_id: int) -> None:
        """Give an upload up; asked once, because whoever does so has waited enough."""
        path, request = "/mlmd.v1.ArtifactStore/AbortUpload", v1.AbortUploadRequest(artifact_id=artifact_id)
        self.transport.unary(path, request, v1.AbortUploadResponse, timeout_seconds=ABORT_SECONDS)
