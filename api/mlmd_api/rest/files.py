"""`/artifacts/<id>/files/<path>`: the bytes of files over HTTP, for stores that cannot sign requests for others.

GET and HEAD with one range, ETag and conditional requests; PUT of a file, or of a part (`?part=N`), of an upload under
way. Bytes stream in both directions; no file is held in memory.
"""

import asyncio
import base64
import json
import logging
import re
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from mlmd_schemas.caller import Caller, Role, new_request_id
from mlmd_schemas.errors import InvalidArgument, PermissionDenied, StoreError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from mlmd_api.artifacts import TenantArtifacts
from mlmd_api.callers import Authenticator
from mlmd_api.rest.cors import Origins
from mlmd_api.status import CONNECT_CODE, HTTP_STATUS, describe

if TYPE_CHECKING:
    from mlmd_artifact_store.artifacts import Artifacts

_LOG = logging.getLogger("mlmd.http")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
_PATIENCE_SECONDS = 120.0
# What users stored must not run as a page of this server.
_HARMLESS = {"x-content-type-options": "nosniff", "content-security-policy": "sandbox; default-src 'none'"}


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    length: int


class Files:
    """The endpoint. What touches the store runs in the threads of `executor`."""

    def __init__(
        self, tenants: TenantArtifacts, authenticator: Authenticator, executor: Executor, origins: Origins
    ) -> None:
        self._tenants = tenants
        self._authenticator = authenticator
        self._executor = executor
        self._origins = origins

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        headers = dict(request.headers)
        request_id = new_request_id()
        try:
            response = await self._served(request, request_id)
        except ClientDisconnect:
            return Response(status_code=499)
        except StoreError as error:
            code, message = describe(error, request_id)
            body = json.dumps({"code": CONNECT_CODE[code], "message": message}, ensure_ascii=False)
            response = Response(body, HTTP_STATUS[code], media_type="application/json")
        response.headers["x-request-id"] = request_id
        for name, value in self._origins.headers(headers).items():
            response.headers[name] = value
        return response

    async def _served(self, request: Request, request_id: str) -> Response:
        if request.method == "OPTIONS":
            return Response(headers=self._origins.preflight(dict(request.headers)))
        role = Role.WRITER if request.method == "PUT" else Role.READER
        loop = asyncio.get_running_loop()
        identity = self._authenticator.identify(dict(request.headers))
        if role not in identity.roles:
            raise PermissionDenied(f"{request.method} of a file needs the role {role.value}; ask the operator for it.")
        caller = Caller(identity.subject, identity.tenant, identity.roles, request_id)
        artifacts = (await loop.run_in_executor(self._executor, self._tenants.of, caller.tenant)).artifacts
        artifact_id, path = request.path_params["artifact_id"], request.path_params["path"]
        if request.method == "PUT":
            part = _part(request.query_params.get("part", ""))
            body = cast(BinaryIO, _Body(loop, request.stream()))
            put = partial(artifacts.put_file, md5=_content_md5(request.headers.get("content-md5", "")))
            await loop.run_in_executor(self._executor, put, artifact_id, path, body, part, caller)
            return Response(status_code=200)
        return await loop.run_in_executor(self._executor, _fetch, artifacts, request, artifact_id, path, caller)


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


def _fetch(artifacts: "Artifacts", request: Request, artifact_id: int, path: str, caller: Caller) -> Response:
    _, file = artifacts.file(artifact_id, path, caller)
    etag = f'"{file.sha256.hex() or file.etag}"'
    headers = {"etag": etag, "accept-ranges": "bytes", **_HARMLESS}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    if (wanted := request.headers.get("if-match")) is not None and not _matches(wanted, etag):
        return Response(status_code=412, headers=headers)
    span = None
    if request.headers.get("if-range", etag) == etag:
        try:
            span = _span(request.headers.get("range", ""), file.size_bytes)
        except ValueError:
            return Response(status_code=416, headers=headers | {"content-range": f"bytes */{file.size_bytes}"})
    headers["content-type"] = file.media_type or "application/octet-stream"
    headers["content-length"] = str(span.length if span else file.size_bytes)
    if span:
        headers["content-range"] = f"bytes {span.start}-{span.start + span.length - 1}/{file.size_bytes}"
    status = 206 if span else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    chunks = (
        artifacts.read_range(artifact_id, path, span.start, span.length, caller)
        if span
        else artifacts.read(artifact_id, path, caller)
    )
    return StreamingResponse(_told(chunks), status, headers)


def _told(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks; an error after the headers can only be logged, and breaks the connection off."""
    try:
        yield from chunks
    except StoreError as error:
        _LOG.error("a download broke off: %s", error.message)
        raise


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    return any(item.strip().removeprefix("W/") in ("*", etag) for item in header.split(","))


def _span(header: str, size_bytes: int) -> _Span | None:
    """Return the one range that is asked for, None for none or several; raises ValueError beyond the end."""
    found = _RANGE.fullmatch(header.replace(" ", ""))
    if found is None or found[0] == "bytes=-":
        return None
    if not found[1]:
        length = min(int(found[2]), size_bytes)
        start = size_bytes - length
    else:
        start = int(found[1])
        last = min(int(found[2]) if found[2] else size_bytes - 1, size_bytes - 1)
        if found[2] and int(found[2]) < start:
            return None
        length = last - start + 1
    if length <= 0:
        raise ValueError("the range begins after the last byte")
    return _Span(start, length)


class _Body:
    """The body of a request as a file that a thread reads, pulled from the event loop as it goes."""

    def __init__(self, loop: asyncio.AbstractEventLoop, stream: AsyncIterator[bytes]) -> None:
        self._loop = loop
        self._stream = stream
        self._held = b""
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, b"" at the end."""
        while not self._held and not self._ended:
            pulled = asyncio.run_coroutine_threadsafe(self._pull(), self._loop)
            self._held = pulled.result(_PATIENCE_SECONDS)
        chunk, self._held = (self._held, b"") if size < 0 else (self._held[:size], self._held[size:])
        return chunk

    async def _pull(self) -> bytes:
        async for chunk in self._stream:
            if chunk:
                return chunk
        self._ended = True
        return b""
