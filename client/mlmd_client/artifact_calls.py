"""Calls of `mlmd.v1.ArtifactStore` that do not mind a server that restarts: each of them is safe to repeat.

Nor do they wait for ever for one that hangs. A call that is answered at once has a time limit. How long a commit takes
only the store knows, so its limit grows with what is committed, and is far beyond what any took; that the server is
gone, suspended or out of reach meanwhile, the connection itself finds out (`grpc_transport`).
"""

import secrets
import threading
import time
from collections.abc import Iterator
from typing import TypeVar

from google.protobuf.message import Message
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.pb.v1 import server_pb2

from mlmd_client.calls import CallError, Metadata, Transport, may_pass
from mlmd_client.earlier_files import EarlierFiles
from mlmd_client.signed_http import PATIENCE, Patience
from mlmd_client.transfer_errors import TransferError
from mlmd_client.waits import WAITS

M = TypeVar("M", bound=Message)
ATTEMPTS = 9
FIRST_SECONDS = 0.2
LONGEST_SECONDS = 8.0
"""Half a minute or so, all waits together: what a server takes to be started anew."""

ABORT_SECONDS = 30.0
LONG_SECONDS = 3600.0
"""What the deletion of an upload, or the least proof, may take at most."""
_BYTES_A_SECOND = 1 << 20
_PLACE = "object store"
"""What `Diagnose` calls the place of the bytes."""
_FILES_A_SECOND = 10


class ArtifactCalls:
    """The calls over one transport; made again while the server is away for a moment, until the transfer stops."""

    def __init__(self, transport: Transport, stop: threading.Event, patience: Patience = PATIENCE) -> None:
        """Take what is set when the transfer stops, and how long a server that is away is waited for."""
        self.transport = transport
        self._stop = stop
        self._patience = patience

    def call(self, name: str, request: Message, response: type[M], metadata: Metadata = (), seconds: float = 0.0) -> M:
        """Make one call, which may take so many seconds, a short one's when nothing is said; raises CallError."""
        return self._made(f"/mlmd.v1.ArtifactStore/{name}", request, response, metadata, seconds)

    def _made(self, path: str, request: Message, response: type[M], metadata: Metadata, seconds: float = 0.0) -> M:
        attempt, silences, failing_since, limit = 0, 0, 0.0, seconds or self._patience.silent_seconds
        while True:
            attempt += 1
            try:
                return self.transport.unary(path, request, response, metadata=metadata, timeout_seconds=limit)
            except CallError as error:
                failing_since = failing_since or time.monotonic()
                silences += error.code == Code.DEADLINE_EXCEEDED
                if self._is_over(error, attempt, silences, failing_since, long=seconds > 0):
                    raise self._told(error, path, limit, silences) from None
                wait = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** (attempt - 1))
                waited = limit if error.code == Code.DEADLINE_EXCEEDED else 0.0
                WAITS.tell(self.transport.target, error.message, waited + wait)
            self._stop.wait(wait)

    def _is_over(self, error: CallError, attempt: int, silences: int, failing_since: float, *, long: bool) -> bool:
        if self._stop.is_set():
            return True
        if error.code == Code.DEADLINE_EXCEEDED:
            return long or silences >= self._patience.silences
        if not may_pass(error):
            return True
        failed_for = time.monotonic() - failing_since
        return attempt >= ATTEMPTS or failed_for > self._patience.silences * self._patience.silent_seconds

    def _told(self, error: CallError, path: str, limit: float, silences: int) -> CallError:
        """Return the error as who started the transfer should read it."""
        if error.code != Code.DEADLINE_EXCEEDED:
            return error
        return TransferError(
            Code.UNAVAILABLE,
            f"The server at {self.transport.target} hangs or is overloaded: {path.rpartition('/')[2]} was asked "
            f"{silences} times and not answered within {limit:g} s. See its log and what its database and its store of "
            "artifacts do; run the same again then: it goes on where it was.",
            error.request_id,
        )

    def info(self) -> server_pb2.GetInfoResponse:
        """Return what the server is."""
        path = "/mlmd.v1.Server/GetInfo"
        return self._made(path, server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse, ())

    def look_at_place(self) -> str:
        """Return what the server finds wrong with the place of its bytes, "" when it is nothing, or cannot be asked."""
        request, response = server_pb2.DiagnoseRequest(), server_pb2.DiagnoseResponse
        try:
            findings = self._made("/mlmd.v1.Server/Diagnose", request, response, ()).findings
        except CallError:  # whoever asks has an error of its own to tell
            return ""
        wrong = (one for one in findings if one.part == _PLACE and not one.ok)
        return next((f"{one.found}; {one.mend}." for one in wrong), "")

    def begin(self, request: v1.BeginUploadRequest) -> v1.BeginUploadResponse:
        """Begin an upload, once, however often it has to be asked for."""
        key = (("mlmd-idempotency-key", secrets.token_hex(16)),)
        return self.call("BeginUpload", request, v1.BeginUploadResponse, key)

    def begin_restore(self, artifact_id: int) -> v1.BeginRestoreResponse:
        """Begin to send the files of an artifact that is there already, or go on."""
        request = v1.BeginRestoreRequest(artifact_id=artifact_id)  # may have to delete what an earlier one left
        return self.call("BeginRestore", request, v1.BeginRestoreResponse, seconds=LONG_SECONDS)

    def declare(self, request: v1.DeclareFilesRequest) -> list[v1.UploadUrl]:
        """Tell of files and return what sends them."""
        return list(self.call("DeclareFiles", request, v1.DeclareFilesResponse).urls)

    def sign_parts(self, request: v1.SignPartsRequest) -> list[v1.UploadUrl]:
        """Return what sends parts of a file."""
        return list(self.call("SignParts", request, v1.SignPartsResponse).urls)

    def earlier(self, artifact_id: int) -> EarlierFiles:
        """Return what files an earlier artifact may have, none of artifact 0."""
        return EarlierFiles(self.files(artifact_id) if artifact_id else ())

    def files(self, artifact_id: int, prefix: str = "", *, page_size: int = 0) -> Iterator[v1.File]:
        """Yield an artifact's files whose paths begin so, by their paths."""
        request = v1.ListFilesRequest(artifact_id=artifact_id, prefix=prefix, page_size=page_size)
        while True:
            page = self.call("ListFiles", request, v1.ListFilesResponse)
            yield from page.files
            request.page_token = page.next_page_token
            if not request.page_token:
                return

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

    def commit(
        self, artifact_id: int, made_by: v1.MadeBy | None = None, *, files: int = 0, size_bytes: int = 0
    ) -> v1.CommitUploadResponse:
        """Commit an upload, as an output of what it was made by; it is so large that the store may have to read."""
        request = v1.CommitUploadRequest(artifact_id=artifact_id, made_by=made_by)
        seconds = LONG_SECONDS + files / _FILES_A_SECOND + size_bytes / _BYTES_A_SECOND
        return self.call("CommitUpload", request, v1.CommitUploadResponse, seconds=seconds)

    def abort(self, artifact_id: int) -> None:
        """Give an upload up; asked once, because whoever does so has waited enough."""
        path, request = "/mlmd.v1.ArtifactStore/AbortUpload", v1.AbortUploadRequest(artifact_id=artifact_id)
        self.transport.unary(path, request, v1.AbortUploadResponse, timeout_seconds=ABORT_SECONDS)
