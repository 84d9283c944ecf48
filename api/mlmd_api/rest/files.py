"""`/artifacts/<id>/files/<path>`: the bytes of files over HTTP, for stores that cannot sign requests for others.

GET with one range, HEAD, validators and conditional requests; PUT of a file, or of a part (`?part=N`), of an upload
under way. Bytes stream in both directions; no more of a file is held in memory than a chunk. Each transfer is let in,
timed, counted and logged by the dispatcher, as `ReadFile` and `WriteFile`.

Each hand-over between the event loop and a thread costs as much as a small file's way to the disk, so that a little
file takes one: its body is there before a thread begins, or its bytes are read by the thread that looked them up.
"""

import asyncio
import base64
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import BinaryIO, TypeVar, cast

from mlmd_schemas.caller import Role
from mlmd_schemas.errors import Cancelled, InvalidArgument, StoreError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from mlmd_api.admission import Admission
from mlmd_api.artifacts import TenantArtifacts
from mlmd_api.call import REQUEST_ID_KEY, Call, Metadata
from mlmd_api.dispatch import Dispatcher
from mlmd_api.rest.conditions import Validators
from mlmd_api.rest.connect import timeout_seconds
from mlmd_api.rest.plain_http import peer_of, refusal
from mlmd_api.rest.request_body import RequestBody
from mlmd_api.streaming import Answer

T = TypeVar("T")
READ, WRITE = "/mlmd.v1.ArtifactStore/ReadFile", "/mlmd.v1.ArtifactStore/WriteFile"
"""What the log and the measurements call the two."""
_MOST_DIGITS = 40
"""Of an id that is read."""
_LITTLE_BYTES = 64 * 1024
"""How much of a body is waited for before a thread begins with it: all of a little file."""
_AT_ONCE_BYTES = 256 * 1024
"""Up to this, what is asked for is one chunk, and sent with its head."""
# What users stored must not run as a page of this server.
_HARMLESS = {"content-security-policy": "sandbox; default-src 'none'"}
# A browser would else keep what has a date for a tenth of its age, and show it to whoever comes with another token.
_ASKED_AGAIN = {"cache-control": "private, no-cache"}


class BrokenOff(Exception):
    """An answer that ends behind its head and before its end, which the caller sees by its length; told already."""


class Files:
    """The endpoint. What touches the store are errands, a chunk at a time where many leave, `places` at a time."""

    def __init__(self, dispatcher: Dispatcher, tenants: TenantArtifacts, places: int) -> None:
        self._dispatcher = dispatcher
        self._tenants = tenants
        self._places = asyncio.Semaphore(places)

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        headers = Metadata(request.headers.items())
        writes = request.method == "PUT"
        started, peer = time.monotonic(), peer_of(request)
        call = Call(WRITE if writes else READ, b"", headers, "http", None, peer)
        try:
            timeout = timeout_seconds(headers)
        except StoreError as error:
            return refusal(self._dispatcher.refuse(call, error, known=True))
        if timeout is not None:
            call = replace(call, deadline=started + timeout)
        admission = self._dispatcher.admit(call, Role.WRITER if writes else Role.READER)
        if isinstance(admission, Answer):
            return refusal(admission)
        try:
            response = await (self._put if writes else self._get)(request, admission)
        except ClientDisconnect:
            admission.end(Cancelled("The caller left in the middle of the file."))
            return Response(status_code=499)
        except Exception as error:  # noqa: BLE001 - the boundary: what is no answer is logged and told as INTERNAL
            return refusal(admission.end(error))
        response.headers[REQUEST_ID_KEY] = admission.caller.request_id
        return response

    async def _put(self, request: Request, admission: Admission) -> Response:
        loop, caller = asyncio.get_running_loop(), admission.caller
        artifact_id, path = _artifact_id(request), request.path_params["path"]
        part, md5 = _part(request.query_params.get("part", "")), _content_md5(request.headers.get("content-md5", ""))
        body = RequestBody(loop, request.stream(), caller)
        await body.fill(_LITTLE_BYTES + 1)

        def put() -> str:
            try:
                artifacts = self._tenants.of(caller.tenant).artifacts
                return artifacts.put_file(artifact_id, path, cast(BinaryIO, body), part, caller, md5=md5).etag
            finally:
                admission.received_bytes = body.size_bytes

        etag = await self._done(put)
        admission.end()
        return Response(status_code=200, headers={"etag": f'"{etag}"'})

    async def _get(self, request: Request, admission: Admission) -> Response:
        response, chunks = await self._done(partial(_looked_up, self._tenants, request, admission))
        if chunks is None:
            admission.end()
            return response
        body = self._sent(chunks, int(response.headers["content-length"]), admission)
        return StreamingResponse(body, response.status_code, dict(response.headers))

    async def _sent(self, chunks: Iterator[bytes], size_bytes: int, admission: Admission) -> AsyncIterator[bytes]:
        """Send the chunks; an error after the headers can only be noted, and breaks the connection off."""
        try:
            while (chunk := await self._done(partial(next, chunks, None))) is not None:
                admission.caller.check_deadline()
                yield chunk
                admission.sent_bytes += len(chunk)
        except (GeneratorExit, asyncio.CancelledError):
            has_all = admission.sent_bytes == size_bytes  # who has the last byte may hang up before we look for more
            admission.end(None if has_all else Cancelled("The caller left in the middle of the file."))
            raise
        except Exception as error:
            admission.end(error)
            raise BrokenOff from error
        admission.end()

    async def _done(self, work: Callable[[], T]) -> T:
        async with self._places:
            return await self._tenants.errands.awaited(work)


def _artifact_id(request: Request) -> int:
    digits: str = request.path_params["artifact_id"]
    number = int(digits) if len(digits) <= _MOST_DIGITS else 1 << 63  # Python refuses to read thousands of digits
    if number >= 1 << 63:
        raise InvalidArgument(f"artifact id: {digits[:40]} has more than 64 bits.")
    return number


def _part(text: str) -> int:
    if text and not (text.isascii() and text.isdecimal() and len(text) < 6):
        raise InvalidArgument(f"part: {text[:40]!r} is no number of a part.")
    return int(text or 0)


def _content_md5(text: str) -> bytes | None:
    if not text:
        return None
    try:
        md5 = base64.b64decode(text, validate=True)
    except ValueError:
        md5 = b""
    if len(md5) != 16:
        raise InvalidArgument(f"content-md5: {text[:40]!r} is no MD5 in base64.")
    return md5


def _joined(request: Request) -> dict[str, str]:
    """Return the headers by their names; what is said in several lines is one list (RFC 9110, 5.3)."""
    return {name: ", ".join(request.headers.getlist(name)) for name in request.headers}


def _looked_up(
    tenants: TenantArtifacts, request: Request, admission: Admission
) -> tuple[Response, Iterator[bytes] | None]:
    """Return the answer, or its head alone and the bytes that follow it where they are many."""
    artifacts = tenants.of(admission.caller.tenant).artifacts
    manifest, file = artifacts.file(_artifact_id(request), request.path_params["path"], admission.caller)
    validators = Validators(f'"{file.sha256.hex() or file.etag}"', manifest.create_ms)
    headers = {**validators.headers, "accept-ranges": "bytes", **_ASKED_AGAIN, **_HARMLESS}
    said = _joined(request)
    if refused := validators.refusal(said):
        return Response(status_code=refused, headers=headers), None
    try:
        # A range is for GET alone (RFC 9110, 14.2): to HEAD the length is that of the whole file.
        span = None if request.method == "HEAD" else validators.span(said, file.size_bytes)
    except ValueError:
        return Response(status_code=416, headers=headers | {"content-range": f"bytes */{file.size_bytes}"}), None
    size_bytes, status = (span.length, 206) if span else (file.size_bytes, 200)
    headers["content-type"] = file.media_type or "application/octet-stream"
    headers["content-length"] = str(size_bytes)
    if span:
        headers["content-range"] = f"bytes {span.start}-{span.start + span.length - 1}/{file.size_bytes}"
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers), None
    if span:
        chunks = artifacts.range_of(manifest, file, span.start, span.length)
    else:
        chunks = artifacts.bytes_of(manifest, file, admission.caller)
    if size_bytes > _AT_ONCE_BYTES:
        # What is found before the first byte is told; later it can only break the answer off.
        return Response(status_code=status, headers=headers), chain([next(chunks, b"")], chunks)
    content = b"".join(chunks)
    admission.caller.check_deadline()
    admission.sent_bytes = len(content)
    return Response(content, status, headers), None
