"""`/graphql`: POST for everything, GET for queries; JSON as GraphQL over HTTP says it."""

import json
import re
import time
from collections.abc import Mapping
from concurrent.futures import Executor

from mlmd_schemas.caller import Caller, Role
from mlmd_schemas.errors import Code, InvalidArgument, StoreError, Unimplemented
from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from mlmd_api.call import REQUEST_ID_KEY, Call, Metadata
from mlmd_api.codec import JSON
from mlmd_api.dispatch import Dispatcher, Work
from mlmd_api.graphql.engine import NOT_REGISTERED, GraphqlEngine
from mlmd_api.graphql.requests import GraphqlRequest, request_of_body, request_of_parameters
from mlmd_api.rest.accepted import weight_of
from mlmd_api.rest.bodies import keep_place
from mlmd_api.rest.connect import ConnectProtocol
from mlmd_api.rest.exchange import Reply, UnknownEncoding, compressed
from mlmd_api.rest.plain_http import peer_of
from mlmd_api.rest.waiting import off_the_loop, send_reply, unless_left, whole_body
from mlmd_api.status import HTTP_STATUS
from mlmd_api.streaming import Answer

PATH = "/graphql"
WIRE = "graphql"
STRICT = "application/graphql-response+json"
"""The content type under which an operation that could not be run is no 200."""
_TERMS = ConnectProtocol(JSON)
"""How a request says its deadline and its encoding: as every other call over HTTP."""
_SHORT_BYTES = 50_000
"""A body that may be looked into on the event loop."""
_MUTATION = re.compile(rb"\bmutation\b")


class GraphqlEndpoint:
    """The ASGI application of `/graphql`. Operations never run on the event loop.

    What looks like a mutation runs in the threads of `writers`, so that queries are answered while writers wait.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        engine: GraphqlEngine,
        executor: Executor,
        writers: Executor,
    ) -> None:
        self._dispatcher = dispatcher
        self._engine = engine
        self._executor = executor
        self._writers = writers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        request = Request(scope, receive)
        headers = Metadata(request.headers.items())
        try:
            reply = await self._reply(request, headers)
        except ClientDisconnect:
            return
        if reply is not None:
            await send_reply(send, reply)

    async def _reply(self, request: Request, headers: Mapping[str, str]) -> Reply | None:
        started, peer = time.monotonic(), peer_of(request)
        body = b""
        try:
            body = await self._body(request, headers)
            timeout = _TERMS.timeout_seconds(headers)
        except StoreError as error:
            refused = Call(PATH, body, headers, WIRE, None, peer, JSON)
            return _rendered(self._dispatcher.refuse(refused, error, known=True), headers, _REFUSED.get(type(error)))
        deadline = None if timeout is None else started + timeout
        call = Call(PATH, body, headers, WIRE, deadline, peer, JSON)
        executor = self._writers if request.method == "POST" and self._may_wait(body) else self._executor
        answer = await unless_left(executor, request.receive, self._answer, call, request)
        if answer is None:
            return None
        keep_place(request.scope, answer.place)
        return await off_the_loop(executor, len(answer.body), _rendered, answer, headers)

    async def _body(self, request: Request, headers: Mapping[str, str]) -> bytes:
        """Return the JSON of a POST, nothing for a GET; raises what the request is refused with."""
        if request.method == "GET":
            return b""
        if request.method != "POST":
            raise _WrongMethod(f"{request.method}: /graphql takes POST, and GET for queries.")
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type not in ("application/json", STRICT):
            raise _WrongType(f"content-type: {content_type!r} is not application/json.")
        self._dispatcher.check_caller(headers)
        limits = self._dispatcher.limits
        body = await whole_body(request.stream(), limits.max_message_bytes, limits)
        return await off_the_loop(self._executor, len(body), _TERMS.message, headers, body, limits)

    def _may_wait(self, body: bytes) -> bool:
        """Tell whether the operation seems to write: it says so, or the document of its hash does."""
        if _MUTATION.search(body) is not None:
            return True
        if b"persistedQuery" not in body or len(body) > _SHORT_BYTES:
            return b"persistedQuery" in body
        try:
            text = self._engine.documents.text_of(request_of_body(body).extensions)
        except InvalidArgument:
            return False
        return _MUTATION.search(text.encode("utf-8", "replace")) is not None

    def _answer(self, call: Call, request: Request) -> Answer:
        def work(caller: Caller) -> Work:
            return self._engine.work(_asked(call, request), caller, may_write=request.method == "POST")

        return self._dispatcher.conduct(call, Role.READER, work)


class _WrongMethod(Unimplemented):
    """A method that the path does not take."""


class _WrongType(InvalidArgument):
    """A body that is no JSON."""


_REFUSED: dict[type[StoreError], int] = {_WrongMethod: 405, _WrongType: 415, UnknownEncoding: 415}


def _asked(call: Call, request: Request) -> GraphqlRequest:
    if request.method == "GET":
        return request_of_parameters(request.query_params)
    return request_of_body(call.body)


def _is_strict(accepted: str) -> bool:
    """Tell whether a client takes GraphQL's own content type, and likes no other JSON more."""
    return 0 < weight_of(STRICT, accepted) >= weight_of("application/json", accepted)


def _rendered(answer: Answer, headers: Mapping[str, str], status: int | None = None) -> Reply:
    """Return the response; an error that came before any operation has the status of its code."""
    strict = _is_strict(headers.get("accept", ""))
    said = {REQUEST_ID_KEY: answer.request_id, "content-type": STRICT if strict else "application/json"}
    said["cache-control"] = "no-store"
    body = answer.body
    if not body:
        extensions = {"code": answer.code.name, "requestId": answer.request_id}
        error = {"message": answer.message, "extensions": extensions}
        body = json.dumps({"errors": [error]}, ensure_ascii=False).encode("utf-8", "replace")
        status = status or HTTP_STATUS[answer.code]
    elif strict and answer.code is not Code.OK and b'"data":' not in body and answer.message != NOT_REGISTERED:
        status = HTTP_STATUS[answer.code]
    if status == 405:
        said["allow"] = "GET, POST, OPTIONS"
    body, encoding = compressed(body, headers)
    return Reply(status or 200, said | encoding, body)
