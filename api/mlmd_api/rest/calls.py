"""`POST /<package.Service>/<Method>`: one handler for every method and every protocol on HTTP."""

import time
from collections.abc import Mapping
from concurrent.futures import Executor

from mlmd_schemas.errors import InvalidArgument, StoreError, Unimplemented
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from mlmd_api.call import REQUEST_ID_KEY, Call, Metadata
from mlmd_api.codec import BINARY, JSON
from mlmd_api.dispatch import Dispatcher
from mlmd_api.rest.bodies import keep_place
from mlmd_api.rest.connect import ConnectProtocol
from mlmd_api.rest.exchange import Reply, RequestProtocol, StreamProtocol, WireProtocol
from mlmd_api.rest.grpc_web import GrpcWebProtocol
from mlmd_api.rest.plain_http import peer_of
from mlmd_api.rest.streams import GRPC_WEB, STREAM_PROTOCOLS, SendPiece, answer_stream
from mlmd_api.rest.threads import Threads
from mlmd_api.rest.waiting import off_the_loop, send_reply, unless_left, whole_body
from mlmd_api.streaming import Answer

_PROTOCOLS: dict[str, WireProtocol] = {
    "application/json": ConnectProtocol(JSON),
    "application/proto": ConnectProtocol(BINARY),
    **{content_type: GrpcWebProtocol(content_type) for content_type in GRPC_WEB},
}
_FRAMING_BYTES = 64
"""What a protocol adds to the largest message."""


class Calls:
    """The ASGI application of the methods. Calls never run on the event loop.

    Those that write have other threads than those that read, so that reads are answered while every writer waits for a
    lock of the database, and those that need bytes of artifacts others than those of facts alone. So have streams.
    """

    def __init__(self, dispatcher: Dispatcher, threads: Threads) -> None:
        self._dispatcher = dispatcher
        self._threads = threads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive)
        headers = Metadata(request.headers.items())
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            streaming = STREAM_PROTOCOLS.get(content_type) if scope["path"] in self._dispatcher.streams else None
            if request.method == "POST" and streaming is not None:
                await self._stream(request, headers, streaming, send)
                return
            reply = await self._reply(request, headers, content_type)
        except ClientDisconnect:
            return
        if reply is not None:
            await send_reply(send, reply)

    async def _reply(self, request: Request, headers: Mapping[str, str], content_type: str) -> Reply | None:
        if request.method != "POST":
            sentence = f"{request.method[:40]!r} is no verb of a method; call it with POST."
            return self._refused(request, headers, 405, Unimplemented(sentence), {"allow": "POST, OPTIONS"})
        protocol = _PROTOCOLS.get(content_type)
        if protocol is None:
            known = ", ".join(_PROTOCOLS)
            error = InvalidArgument(f"content-type: {content_type!r} is none of {known}.")
            return self._refused(request, headers, 415, error, {"accept-post": known})
        answer = await self._answer(request, headers, protocol)
        if answer is None:
            return None
        keep_place(request.scope, answer.place)
        executor = self._executor_of(request.scope["path"])
        return await off_the_loop(executor, len(answer.body), protocol.reply, answer, headers)

    def _refused(
        self, request: Request, headers: Mapping[str, str], status: int, error: StoreError, said: dict[str, str]
    ) -> Reply:
        """Refuse what is in none of the protocols, in the words of the one that needs no library."""
        call = Call(request.scope["path"], b"", headers, "http", None, peer_of(request), JSON)
        answer = self._dispatcher.refuse(call, error, known=call.path in self._dispatcher.methods)
        reply = _PROTOCOLS["application/json"].reply(answer, headers)
        return Reply(status, reply.headers | said, reply.body)

    async def _answer(self, request: Request, headers: Mapping[str, str], protocol: WireProtocol) -> Answer | None:
        call = await self._call(request, headers, protocol)
        return call if isinstance(call, Answer) else await self._run(request, call)

    async def _stream(self, request: Request, headers: Mapping[str, str], protocol: StreamProtocol, send: Send) -> None:
        pieces = SendPiece(send)
        call = await self._call(request, headers, protocol)
        if isinstance(call, Answer):
            said = {"content-type": protocol.content_type, REQUEST_ID_KEY: call.request_id}
            await pieces.start(200, said)
            await pieces(protocol.ending(call), False)
            return
        await answer_stream(self._threads.streams, self._dispatcher, call, protocol, request.receive, pieces)

    async def _call(self, request: Request, headers: Mapping[str, str], protocol: RequestProtocol) -> Call | Answer:
        """Return what was asked, or the refusal of a request that cannot be read."""
        path: str = request.scope["path"]
        started, peer = time.monotonic(), peer_of(request)
        body = b""
        if refusal := self._dispatcher.refusal(path, headers):
            refused = Call(path, body, headers, protocol.wire, None, peer, protocol.codec)
            return self._dispatcher.refuse(refused, refusal.error, identity=refusal.identity)
        try:
            body = await self._body(request, protocol)
            timeout = protocol.timeout_seconds(headers)
            limits, executor = self._dispatcher.limits, self._executor_of(path)
            message = await off_the_loop(executor, len(body), protocol.message, headers, body, limits)
        except StoreError as error:
            refused = Call(path, body, headers, protocol.wire, None, peer, protocol.codec)
            return self._dispatcher.refuse(refused, error)
        deadline = None if timeout is None else started + timeout
        return Call(path, message, headers, protocol.wire, deadline, peer, protocol.codec)

    async def _body(self, request: Request, protocol: RequestProtocol) -> bytes:
        limit = self._dispatcher.limits.max_message_bytes + _FRAMING_BYTES
        if protocol.wire == "grpc-web-text":
            limit = limit * 4 // 3 + 4
        return await whole_body(request.stream(), limit, self._dispatcher.limits)

    async def _run(self, request: Request, call: Call) -> Answer | None:
        """Return the answer, or None when the caller left; a call that had not begun by then never does."""
        return await unless_left(self._executor_of(call.path), request.receive, self._dispatcher.answer, call)

    def _executor_of(self, path: str) -> Executor:
        return self._threads.of(self._dispatcher.methods.get(path))
