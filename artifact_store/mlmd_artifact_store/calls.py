"""The methods of `mlmd.v1.ArtifactStore`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

from google.protobuf.message import Message
from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_artifact_store.declaring import declare_files, sign_parts
from mlmd_artifact_store.outputs import made_by_of
from mlmd_artifact_store.requests import Requests, file_page

SERVICE = "mlmd.v1.ArtifactStore"
LARGEST_BEGINNING_BYTES = 4 << 20
"""What is read of files at once; some 35,000 of them, for which the server takes a dozen times their bytes."""


@dataclass(frozen=True, slots=True)
class ArtifactCall:
    """One unary method; unlike an `Rpc` it may talk to the store of blobs, so it is no function of one transaction."""

    name: str
    role: Role
    run: Callable[[Requests, Caller, Any], Message]
    service: str = SERVICE
    shapes: ModuleType = v1
    """The generated module that its request and its response are in."""
    largest_bytes: int = 0
    """What a request may have, where that is less than the server takes; 0: no such limit."""
    instead: str = ""
    """What whoever has more does instead."""
    needs_bytes: bool = True
    """Whether it may have to do with the place of the bytes, and so wait for that."""

    @property
    def request(self) -> type[Message]:
        """The request's class."""
        found: type[Message] = getattr(self.shapes, f"{self.name}Request")
        return found

    @property
    def response(self) -> type[Message]:
        """The response's class."""
        found: type[Message] = getattr(self.shapes, f"{self.name}Response")
        return found


@dataclass(frozen=True, slots=True)
class ArtifactStream:
    """One method that answers with a stream of messages, made as they are read."""

    name: str
    role: Role
    run: Callable[[Requests, Caller, Any], Iterator[Message]]
    service: str = SERVICE

    @property
    def request(self) -> type[Message]:
        """The request's class."""
        found: type[Message] = getattr(v1, f"{self.name}Request")
        return found

    @property
    def response(self) -> type[Message]:
        """The class of each message of the answer."""
        found: type[Message] = getattr(v1, f"{self.name}Response")
        return found


def _in_transaction(
    name: str, requests: Requests, body: Callable[[Transaction, Any], Any], caller: Caller, request: Message
) -> Message:
    """Run a body that needs no bytes as every other write runs, with its idempotency key."""
    classes = (getattr(v1, f"{name}Request"), getattr(v1, f"{name}Response"))
    answer: Message = requests.artifacts.store.call(
        Rpc(SERVICE, name, *classes, Role.WRITER, True, body), caller, request
    )
    return answer


def _begin(requests: Requests, caller: Caller, request: v1.BeginUploadRequest) -> Message:
    requests.artifacts.ownership.check()
    return _in_transaction("BeginUpload", requests, requests.artifacts.begin, caller, request)


def _external(requests: Requests, caller: Caller, request: v1.RecordExternalRequest) -> Message:
    return _in_transaction("RecordExternal", requests, requests.artifacts.record_external, caller, request)


def _declare(requests: Requests, caller: Caller, request: v1.DeclareFilesRequest) -> Message:
    return declare_files(requests, request, caller)


def _sign_parts(requests: Requests, caller: Caller, request: v1.SignPartsRequest) -> Message:
    return sign_parts(requests, request, caller)


def _upload_urls(requests: Requests, caller: Caller, request: v1.ListUploadUrlsRequest) -> Message:
    return requests.upload_page(request, caller)


def _commit(requests: Requests, caller: Caller, request: v1.CommitUploadRequest) -> Message:
    return requests.artifacts.commit_upload(request.artifact_id, caller, made_by_of(request))


def _abort(requests: Requests, caller: Caller, request: v1.AbortUploadRequest) -> Message:
    requests.artifacts.abort_upload(request.artifact_id, caller)
    return v1.AbortUploadResponse()


def _restore(requests: Requests, caller: Caller, request: v1.BeginRestoreRequest) -> Message:
    requests.artifacts.ownership.check()
    return requests.artifacts.begin_restore(request.artifact_id, caller)


def _manifest(requests: Requests, caller: Caller, request: v1.GetManifestRequest) -> Message:
    return v1.GetManifestResponse(manifest=requests.artifacts.manifest(request.artifact_id, caller).message())


def _files(requests: Requests, caller: Caller, request: v1.ListFilesRequest) -> Message:
    return file_page(requests.artifacts, request, caller)


def _download_urls(requests: Requests, caller: Caller, request: v1.ListDownloadUrlsRequest) -> Message:
    return requests.download_page(request, caller)


def _record_files(requests: Requests, caller: Caller, request: v1.RecordFilesRequest) -> Message:
    return v1.RecordFilesResponse(manifest=requests.artifacts.record_files(request.artifact_id, caller).message())


def _stream_upload_urls(requests: Requests, caller: Caller, request: v1.StreamUploadUrlsRequest) -> Iterator[Message]:
    page = v1.ListUploadUrlsRequest(
        artifact_id=request.artifact_id,
        only_missing=request.only_missing,
        page_size=request.batch_size,
    )
    while not caller.is_gone:
        answer = requests.upload_page(page, caller)
        if answer.urls:
            yield v1.StreamUploadUrlsResponse(urls=answer.urls)
        if not answer.next_page_token:
            return
        page.page_token = answer.next_page_token


def _stream_download_urls(
    requests: Requests, caller: Caller, request: v1.StreamDownloadUrlsRequest
) -> Iterator[Message]:
    page = v1.ListDownloadUrlsRequest(
        artifact_id=request.artifact_id, prefix=request.prefix, page_size=request.batch_size
    )
    while not caller.is_gone:
        answer = requests.download_page(page, caller)
        if answer.urls:
            yield v1.StreamDownloadUrlsResponse(urls=answer.urls)
        if not answer.next_page_token:
            return
        page.page_token = answer.next_page_token


_writes = partial(ArtifactCall, role=Role.WRITER)
_reads = partial(ArtifactCall, role=Role.READER)

ARTIFACT_CALLS: tuple[ArtifactCall, ...] = (
    _writes(
        "BeginUpload",
        run=_begin,
        largest_bytes=LARGEST_BEGINNING_BYTES,
        instead="begin with more_files, and tell the files by DeclareFiles, up to 1,000 at a time",
    ),
    _writes("DeclareFiles", run=_declare),
    _writes("SignParts", run=_sign_parts),
    _writes("ListUploadUrls", run=_upload_urls),
    _writes("CommitUpload", run=_commit),
    _writes("AbortUpload", run=_abort),
    ArtifactCall("BeginRestore", Role.ADMIN, _restore),
    _writes("RecordExternal", run=_external),
    _writes("RecordFiles", run=_record_files),
    _reads("GetManifest", run=_manifest, needs_bytes=False),
    _reads("ListFiles", run=_files),
    _reads("ListDownloadUrls", run=_download_urls),
)

ARTIFACT_STREAMS = (
    ArtifactStream("StreamUploadUrls", Role.WRITER, _stream_upload_urls),
    ArtifactStream("StreamDownloadUrls", Role.READER, _stream_download_urls),
)
