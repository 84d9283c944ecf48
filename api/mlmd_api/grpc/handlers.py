"""Every method of every service through one handler for unary calls and one for streams, on raw bytes."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

import grpc
from mlmd_schemas.errors import Code

from mlmd_api.call import REQUEST_ID_KEY, Call, Metadata
from mlmd_api.dispatch import Dispatcher, Refusal
from mlmd_api.grpc.contexts import CallContext
from mlmd_api.grpc.streams import StreamPlaces, in_pool, without_message
from mlmd_api.methods import Method

STATUS: dict[Code, grpc.StatusCode] = {Code(status.value[0]): status for status in grpc.StatusCode}
"""gRPC's name for each code."""

_FOR_EVER_SECONDS = 10.0 * 365 * 86400


@dataclass(frozen=True, slots=True)
class Pools:
    """The threads of the methods that are not answered by the server's own.

    Writes have their own, so that reads and health are answered while every writer waits for a lock of the database.
    So have calls that need bytes of artifacts, which may wait for a folder that does not answer.
    """

    writers: ThreadPoolExecutor
    byte_readers: ThreadPoolExecutor
    byte_writers: ThreadPoolExecutor

    def of(self, method: Method) -> ThreadPoolExecutor | None:
        """Return the pool of a method, None for the server's own threads."""
        if method.needs_bytes:
            return self.byte_writers if method.writes else self.byte_readers
        return self.writers if method.writes else None


class Handlers(grpc.GenericRpcHandler):  # type: ignore[type-arg]  # it has none but in its stubs
    """Finds the handler of a path. A path that nobody serves gets one too, so that its refusal is ours and is noted.

    Whoever may not call gets one that wants no message: only gRPC core's window of a call is filled for them. Streams
    have their `places`.
    """

    def __init__(self, dispatcher: Dispatcher, pools: Pools, places: StreamPlaces) -> None:
        self._dispatcher = dispatcher
        self._pools = pools
        self._places = places
        self._handlers = {path: self._handler(path) for path in dispatcher.methods}
        self._handlers |= {path: self._streaming(path) for path in dispatcher.streams}

    def _handler(self, path: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        answer = partial(self._answer, path)
        method = self._dispatcher.methods.get(path)
        pool = None if method is None else self._pools.of(method)
        if pool is not None:
            in_pool(answer, pool)
        return grpc.unary_unary_rpc_method_handler(answer)

    def _streaming(self, path: str) -> "grpc.RpcMethodHandler[bytes, bytes]":
        return grpc.unary_stream_rpc_method_handler(self._places.bounded(partial(self._stream, path)))

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        """Return the handler of one call."""
        path: str = handler_call_details.method
        if self._dispatcher.admits_all and (handler := self._handlers.get(path)) is not None:
            return handler
        refusal = self._dispatcher.refusal(path, _metadata(handler_call_details.invocation_metadata))
        return self._handlers[path] if refusal is None else self._refusing(path, refusal)

    def _refusing(self, path: str, refusal: Refusal) -> "grpc.RpcMethodHandler[bytes, bytes]":
        return grpc.unary_unary_rpc_method_handler(without_message(partial(self._refuse, path, refusal)))

    def _refuse(self, path: str, refusal: Refusal, _unread: bytes, context: CallContext) -> NoReturn:
        answer = self._dispatcher.refuse(_call(path, b"", context), refusal.error, identity=refusal.identity)
        context.set_trailing_metadata(((REQUEST_ID_KEY, answer.request_id), *answer.facts.items()))
        context.abort(STATUS[answer.code], answer.message)

    def _answer(self, path: str, body: bytes, context: CallContext) -> bytes:
        if not context.is_active():
            return b""  # the caller left while the call waited for a thread; nobody would hear the answer
        answer = self._dispatcher.answer(_call(path, body, context))
        context.set_trailing_metadata(((REQUEST_ID_KEY, answer.request_id), *answer.facts.items()))
        if answer.code is not Code.OK:
            context.abort(STATUS[answer.code], answer.message)
        if answer.place is not None and context.add_callback(answer.place.leave):
            answer.place.end_by(context.cancel)
        return answer.body

    def _stream(self, path: str, body: bytes, context: CallContext) -> Iterator[bytes]:
        stream = self._dispatcher.stream(_call(path, body, context))
        try:
            if not context.add_callback(stream.leave):
                return
            yield from stream
        finally:
            stream.close()
        context.set_trailing_metadata(((REQUEST_ID_KEY, stream.request_id), *stream.end.facts.items()))
        if stream.end.code is not Code.OK:
            context.abort(STATUS[stream.end.code], stream.end.message)


def _call(path: str, body: bytes, context: CallContext) -> Call:
    metadata = _metadata(context.invocation_metadata())
    return Call(path, body, metadata, "grpc", _deadline(context), context.peer())


def _metadata(pairs: Iterable[tuple[str, str | bytes]]) -> Metadata:
    return Metadata((key, value) for key, value in pairs if isinstance(value, str))


def _deadline(context: CallContext) -> float | None:
    remaining = context.time_remaining()
    if remaining is None or remaining > _FOR_EVER_SECONDS:
        return None
    return time.monotonic() + remaining
