"""The endpoint: a request becomes a call of the dispatcher, its answer the JSON that Kubeflow's clients read."""

import asyncio
import json
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from http import HTTPStatus

from mlmd_model_registry.kubeflow.bodies import MissingField
from mlmd_model_registry.kubeflow.calls import Request, unpacked_answer
from mlmd_schemas.errors import Code, InvalidArgument, NotFound, StoreError, Unimplemented
from starlette.requests import ClientDisconnect
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from mlmd_api.call import REQUEST_ID_KEY, Call, Metadata
from mlmd_api.callers import NOBODY, Identity
from mlmd_api.dispatch import Dispatcher
from mlmd_api.message_sizes import RequestTooLarge
from mlmd_api.rest.bodies import keep_place
from mlmd_api.rest.connect import timeout_seconds
from mlmd_api.rest.cors import Origins
from mlmd_api.rest.exchange import UnknownEncoding, decoded
from mlmd_api.rest.kubeflow_registry.documents import DOCUMENTS
from mlmd_api.rest.kubeflow_registry.routes import PREFIX, Route, Routes
from mlmd_api.rest.plain_http import peer_of
from mlmd_api.rest.waiting import off_the_loop, whole_body
from mlmd_api.status import HTTP_STATUS
from mlmd_api.streaming import Answer

WIRE = "kubeflow-rest"
_LONGEST_SHOWN = 200
"""Characters of a path that an error repeats."""
_LOST = Code.ABORTED
"""What is worth another try is 503 here: 409 says to Kubeflow's clients that the name is taken."""

_STATUS: dict[type[Exception] | None, int] = {
    MissingField: 422,
    RequestTooLarge: 413,
    UnknownEncoding: 415,
}
"""Statuses of errors that have another than their code."""
_WORDS = {413: "Request Entity Too Large", 422: "Bad Request"}
"""Statuses in words, where Kubeflow has others than Python, or than one version of Python."""


class KubeflowRegistry:
    """Answers below PREFIX. Calls run in the threads of `executor`, those that write in those of `writers`."""

    def __init__(self, dispatcher: Dispatcher, executor: Executor, writers: Executor, origins: Origins) -> None:
        self._dispatcher = dispatcher
        self._executor = executor
        self._writers = writers
        self._origins = origins
        self._routes = Routes()

    async def answer(self, request: HttpRequest) -> Response:
        """Answer one request."""
        headers = Metadata(request.headers.items())
        try:
            return await self._answered(request, headers)
        except ClientDisconnect:
            return Response(status_code=499)

    async def _answered(self, request: HttpRequest, headers: Mapping[str, str]) -> Response:
        path = request.scope["path"]
        found = self._routes.verbs(path.removeprefix(PREFIX))
        shown = path if len(path) <= _LONGEST_SHOWN else f"{path[:_LONGEST_SHOWN]}…"
        if not found:
            error = NotFound(f"{shown} is no path of this API; it has /v1 and /v1alpha3.")
            return rendered(self._refused(request, headers, path, error))
        route = found.get(request.method)
        if route is None:
            verbs = ", ".join(sorted(found))
            answer = self._refused(request, headers, path, Unimplemented(f"{shown} is asked with {verbs}."))
            return error_response(405, answer.message, {REQUEST_ID_KEY: answer.request_id, "allow": verbs})
        answer = await self._called(request, headers, route)
        keep_place(request.scope, answer.place)
        return rendered(answer)

    def _refused(
        self,
        request: HttpRequest,
        headers: Mapping[str, str],
        path: str,
        error: StoreError,
        identity: Identity = NOBODY,
    ) -> Answer:
        call = Call(path, b"", headers, WIRE, None, peer_of(request), DOCUMENTS)
        return self._dispatcher.refuse(call, error, identity=identity)

    async def _called(self, request: HttpRequest, headers: Mapping[str, str], route: Route) -> Answer:
        started, peer = time.monotonic(), peer_of(request)
        executor = self._writers if route.operation.writes else self._executor
        try:
            if route.operation.writes:
                self._origins.check_page(headers)
            if refusal := self._dispatcher.refusal(route.method_path, headers):
                return self._refused(request, headers, route.method_path, refusal.error, refusal.identity)
            timeout = timeout_seconds(headers)
            document = await self._document(request, headers, route, executor)
        except StoreError as error:
            return self._refused(request, headers, route.method_path, error)
        deadline = None if timeout is None else started + timeout
        call = Call(route.method_path, document, headers, WIRE, deadline, peer, DOCUMENTS)
        return await asyncio.get_running_loop().run_in_executor(executor, self._dispatcher.answer, call)

    async def _document(
        self, request: HttpRequest, headers: Mapping[str, str], route: Route, executor: Executor
    ) -> bytes:
        body = b""
        if route.operation.writes:
            limits, encoding = self._dispatcher.limits, headers.get("content-encoding", "").lower()
            sent = await whole_body(request.stream(), limits.max_message_bytes, limits)
            body = await off_the_loop(executor, len(sent), decoded, sent, encoding, "content-encoding", limits)
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError as error:
            raise InvalidArgument(f"body: byte {error.start} of the JSON is not valid UTF-8.") from None
        query: dict[str, str] = {}
        for name, value in request.query_params.multi_items():
            query.setdefault(name, value)
        return Request(route.api, route.node_id, query, text).packed()


def rendered(answer: Answer) -> Response:
    """Return an answer of the dispatcher as Kubeflow's server would send it."""
    said = {REQUEST_ID_KEY: answer.request_id}
    if answer.code is Code.OK:
        status, body = unpacked_answer(answer.body)
        return Response(body, status, said, "application/json")
    status = _STATUS.get(answer.raised, 503 if answer.code is _LOST else HTTP_STATUS[answer.code])
    if status == HTTPStatus.UNSUPPORTED_MEDIA_TYPE:
        said["accept-encoding"] = "gzip"
    return error_response(status, answer.message, said)


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return an error as the API has them: the status in words and a sentence."""
    words = _WORDS.get(status) or HTTPStatus(status).phrase
    body = json.dumps({"code": words, "message": message}, ensure_ascii=False)
    return Response(body, status, dict(headers or {}), "application/json")
