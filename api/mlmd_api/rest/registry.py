"""`/registry/resolve` and `/registry/watch`: what of the registry plain HTTP says better than a call.

The first is a GET with ETag and 304, so that a deployer asks every few seconds for nothing; the second tells moves of
aliases as server-sent events, whose id is the cursor to go on from.
"""

import asyncio
import json
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from google.protobuf import json_format
from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.errors import Code, InvalidArgument
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from mlmd_api.call import REQUEST_ID_KEY, Call, Metadata
from mlmd_api.codec import JSON
from mlmd_api.dispatch import Dispatcher
from mlmd_api.message_sizes import Limits
from mlmd_api.registry import RESOLVE_PATH, WATCH_PATH, TenantRegistries
from mlmd_api.rest.plain_http import peer_of, refusal
from mlmd_api.rest.streams import LateStart, StreamPool, pump
from mlmd_api.status import CONNECT_CODE
from mlmd_api.streaming import Answer

if TYPE_CHECKING:
    from mlmd_model_registry.resolve_cache import Kept

_TRUE, _FALSE = ("1", "true"), ("", "0", "false")


class Resolving:
    """`GET /registry/resolve?uri=models:/fraud@champion[&as_of=…][&with_requests=true]`."""

    def __init__(self, dispatcher: Dispatcher, tenants: TenantRegistries, executor: Executor) -> None:
        self._dispatcher = dispatcher
        self._tenants = tenants
        self._executor = executor

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        if request.method not in ("GET", "HEAD"):
            raise HTTPException(405, headers={"allow": "GET, HEAD, OPTIONS"})
        headers = Metadata(request.headers.items())
        call = Call(RESOLVE_PATH, b"", headers, "http", None, peer_of(request))
        admission = self._dispatcher.admit(call, Role.READER)
        if isinstance(admission, Answer):
            return refusal(admission)
        try:
            response = await self._resolved(request, headers, admission.caller)
        except Exception as error:  # noqa: BLE001 - the boundary: what is no answer is logged and told as INTERNAL
            return refusal(admission.end(error))
        admission.end()
        response.headers[REQUEST_ID_KEY] = admission.caller.request_id
        return response

    async def _resolved(self, request: Request, headers: Mapping[str, str], caller: Caller) -> Response:
        from mlmd_model_registry.registry import etag

        kept = await self._kept(_question(request), caller)
        tag = etag(kept.response, with_requests=request.query_params.get("with_requests", "") in _TRUE)
        said = {"etag": tag, "cache-control": "private, no-cache"}
        if _matches(headers.get("if-none-match"), tag):
            return Response(status_code=304, headers=said)
        return Response(kept.json(), headers=said, media_type="application/json")

    async def _kept(self, question: v1.ResolveModelRequest, caller: Caller) -> "Kept":
        """Return the answer; one that is in the cache needs no thread of the pool."""
        registry = self._tenants.opened(caller.tenant)
        kept = registry.peek(question) if registry is not None else None
        if kept is not None:
            return kept
        loop = asyncio.get_running_loop()
        if registry is None:
            registry = await loop.run_in_executor(self._executor, self._tenants.of, caller.tenant)
        return await loop.run_in_executor(self._executor, registry.resolve_kept, question, caller)


def _question(request: Request) -> v1.ResolveModelRequest:
    given = request.query_params
    unknown = sorted(set(given) - {"uri", "as_of", "with_requests"})
    if unknown:
        raise InvalidArgument(f"{unknown[0][:40]}: is no parameter of this path; it has uri, as_of and with_requests.")
    if "uri" not in given:
        raise InvalidArgument("uri: is missing; ask /registry/resolve?uri=models:/NAME@ALIAS.")
    flag = given.get("with_requests", "")
    if flag not in _TRUE + _FALSE:
        raise InvalidArgument(f"with_requests: {flag[:40]!r} is neither true nor false.")
    return v1.ResolveModelRequest(uri=given["uri"], as_of=given.get("as_of", ""), with_requests=flag in _TRUE)


def _matches(header: str | None, tag: str) -> bool:
    return header is not None and any(item.strip().removeprefix("W/") in ("*", tag) for item in header.split(","))


class _Events:
    """Server-sent events as a protocol of streams: each message is one event, its cursor the event's id."""

    wire = "server-sent-events"
    codec = JSON
    content_type = "text/event-stream"

    def timeout_seconds(self, headers: Mapping[str, str]) -> float | None:
        """Return None: it goes on until somebody leaves."""
        return None

    def message(self, headers: Mapping[str, str], body: bytes, limits: Limits) -> bytes:
        """Return the request message as it was made of the query."""
        return body

    def piece(self, body: bytes) -> bytes:
        """Return an event; a message that only says that the stream lives is a comment."""
        told = json.loads(body)
        if not told.get("moves") and not told.get("models"):
            return b": alive\n\n"
        kind = "moves" if told.get("moves") else "models"
        return f"event: {kind}\nid: {told['cursor']}\ndata: ".encode() + body + b"\n\n"

    def ending(self, answer: Answer) -> bytes:
        """Return the event that tells an error; a stream that just ends is opened again by the browser."""
        error = {"code": CONNECT_CODE[answer.code], "message": answer.message}
        return f"event: error\ndata: {json.dumps(error, ensure_ascii=False)}\n\n".encode() if answer.message else b""


_EVENTS = _Events()
_SAID = {"content-type": _Events.content_type, "cache-control": "no-store", "x-accel-buffering": "no"}
_WORTH_ASKING_AGAIN = frozenset({Code.RESOURCE_EXHAUSTED, Code.UNAVAILABLE, Code.ABORTED})
"""Refusals that pass. They are told as events, after which a browser's `EventSource` comes again by itself; any status
but 200 ends it for good (HTML, section 9.2.3)."""


class Watching:
    """`GET /registry/watch?model=fraud&model=churn[&cursor=…]`; `Last-Event-ID` is a cursor too.

    What is wrong with the request is its status, with the error as JSON.
    """

    def __init__(self, dispatcher: Dispatcher, streams: StreamPool) -> None:
        self._dispatcher = dispatcher
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        headers = Metadata(request.headers.items())
        if request.method != "GET":
            raise HTTPException(405, headers={"allow": "GET, OPTIONS"})
        cursor = headers.get("last-event-id") or request.query_params.get("cursor", "")
        wanted = v1.WatchModelsRequest(models=request.query_params.getlist("model"), cursor=cursor)
        body = json_format.MessageToJson(wanted).encode()
        call = Call(WATCH_PATH, body, headers, _EVENTS.wire, None, peer_of(request), JSON)
        opened = self._streams.open(self._dispatcher, call)
        pieces = LateStart(send, _SAID | {REQUEST_ID_KEY: opened.request_id})
        if isinstance(opened, Answer):
            await pieces(_EVENTS.ending(opened), False)
            return
        try:
            if not await pump(self._streams, opened, receive, _EVENTS.piece, pieces):
                return
            if pieces.started or opened.end.code in _WORTH_ASKING_AGAIN:
                await pieces(_EVENTS.ending(opened.end), False)
            else:
                await refusal(opened.end)(scope, receive, send)
        finally:
            await self._streams.close(opened)
