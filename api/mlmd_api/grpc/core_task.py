"""A call and its handler, from the first message to the end of the call."""

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from mlmd_schemas.errors import Code

from mlmd_api.grpc.core_call import Aborted, CoreCall, Work
from mlmd_api.grpc.lanes import Full, Lane

_LOG = logging.getLogger("mlmd.server")


@dataclass(frozen=True, slots=True)
class Lanes:
    """Where messages are let in: `work` has the lane of the behaviours for each pool, and of those without one.

    What is answered by threads of a pool of its own is let in by `gate`, each pool by one.
    """

    work: "Mapping[ThreadPoolExecutor | None, Lane[CoreTask]]"
    gate: "Callable[[ThreadPoolExecutor | None], Lane[CoreTask]]"


class CoreTask:
    """One call of a handler: let in by a lane, answered in it by the thread that finds its message, or in a pool.

    Nothing of it raises: an error of the handler, which is a defect, is logged and told as INTERNAL without its text.
    """

    __slots__ = ("_behaviour", "_call", "_handler", "_lane", "_pool", "_request", "_works_in_lane")

    def __init__(self, call: CoreCall, handler: "grpc.RpcMethodHandler[Any, Any]", lanes: Lanes) -> None:
        self._call = call
        self._handler = handler
        self._behaviour = _behaviour(handler)
        pool: ThreadPoolExecutor | None = getattr(self._behaviour, "experimental_thread_pool", None)
        single = not (handler.request_streaming or handler.response_streaming)
        lane = lanes.work.get(pool) if single else None
        self._works_in_lane = lane is not None
        self._lane = lane or lanes.gate(pool)
        self._pool = pool
        self._request: bytes = b""

    def start(self) -> None:
        """Have the message received, or the caller's messages read; or answer what wants no message."""
        if getattr(self._behaviour, "wants_no_message", False):
            self._answer(b"")
            return
        if not self._works_in_lane:
            self._call.watch_end()
        if self._handler.request_streaming:
            self._hand_over(self._converse)
        else:
            self._queue_up()

    def give_up(self) -> None:
        """End a call whose message does not come, while others wait or memory is tight."""
        self._call.fail(
            Code.RESOURCE_EXHAUSTED,
            "The request was not there in time, and the server has no room to wait for it: others wait to send theirs, "
            "or there are too many large ones; try again later, or send less in a call.",
        )

    # The door.

    def _queue_up(self) -> None:
        try:
            if self._lane.enter(self):
                self._receive()
            else:
                self._call.watch_end()
        except Full:
            self._call.fail(
                Code.UNAVAILABLE,
                "As many calls wait for this server as it allows; try again later, or ask another one.",
            )

    def _receive(self) -> None:
        self._call.receive(self._received)

    def _received(self, message: bytes | None) -> Work | None:
        """Take the message; returns the work that it makes, to be done when nothing else holds the message."""
        if message is None:
            self._refuse_silence()
            self._lane.leave(self)
            self.admit(self._lane)
            return None
        self._request = message
        if not self._works_in_lane:
            self._lane.leave(self)
            self.admit(self._lane)
            self._hand_over(self._stream if self._handler.response_streaming else self._single)
            return None
        begins = self._lane.begin(self, len(message))
        self.admit(self._lane)
        if begins:
            return self._work
        self._call.watch_end()
        return None

    @staticmethod
    def admit(lane: "Lane[CoreTask]") -> None:
        """Have the messages received that there is room for now."""
        if not lane.is_waited_for:
            return
        with lane.door:
            while (admitted := lane.admitted()) is not None:
                admitted._receive()

    def _work(self) -> None:
        """Answer this call, and then those that wait for its place."""
        task: CoreTask | None = self
        while task is not None:
            size_bytes = len(task._request)
            task._answer(task._taken())
            task = self._lane.end(size_bytes)
            self.admit(self._lane)

    # In a pool.

    def _hand_over(self, work: Callable[[], None]) -> None:
        if self._pool is None:
            self._call.fail(Code.INTERNAL, f"{self._call.path} has no threads.")
            return
        try:
            self._pool.submit(work)
        except RuntimeError:  # a thread that the pool lacks cannot be had, or the process ends
            _LOG.warning("no thread is to be had for %s", self._call.path)
            self._call.fail(Code.UNAVAILABLE, "The server cannot start a thread for this call; try again later.")

    def _single(self) -> None:
        self._answer(self._taken())

    def _taken(self) -> bytes:
        """Return the message and forget it: a call and its task know each other, and may be there for a while after."""
        request, self._request = self._request, b""
        return request

    def _converse(self) -> None:
        read = self._handler.request_deserializer
        messages = (read(message) if read else message for message in self._call.messages())
        if self._handler.response_streaming:
            self._run(lambda: self._send_all(messages))
        else:
            self._run(lambda: self._written(self._behaviour(messages, self._call)))

    def _stream(self) -> None:
        if getattr(self._behaviour, "experimental_non_blocking", False):
            if self._call.add_callback(self._end_unsaid):
                self._try(lambda: self._behaviour(self._read(self._taken()), self._call, self._say))
            else:
                self._end_unsaid()
        else:
            self._run(lambda: self._send_all(self._read(self._taken())))

    def _end_unsaid(self) -> None:
        """End a call whose caller left: nobody else will, and the server would wait for it."""
        self._call.finish(None)

    def _say(self, response: Any) -> None:
        if response is None:
            self._call.finish(None)
        else:
            self._call.send(self._written(response))

    def _send_all(self, argument: Any) -> None:
        responses = self._behaviour(argument, self._call)
        try:
            for response in responses:
                if not self._call.send(self._written(response)):
                    return
        finally:
            close = getattr(responses, "close", None)
            if close is not None:
                close()

    # Both.

    def _answer(self, request: bytes) -> None:
        self._run(lambda: self._written(self._behaviour(self._read(request), self._call)))

    def _run(self, work: Callable[[], bytes | None]) -> None:
        """Do the work and end the call, with what the work returned."""
        self._try(lambda: self._call.finish(work()))

    def _try(self, work: Callable[[], Any]) -> None:
        try:
            work()
        except Aborted:
            self._call.finish(None)
        except Exception:  # noqa: BLE001 - the boundary: logged, and told as INTERNAL
            _LOG.exception("the handler of %s failed", self._call.path)
            self._call.fail(Code.INTERNAL, "Something went wrong in the server; its log says what.")

    def _refuse_silence(self) -> None:
        self._call.fail(Code.UNIMPLEMENTED, f"{self._call.path} takes one message, and none came.")

    def _read(self, message: bytes) -> Any:
        read = self._handler.request_deserializer
        return read(message) if read else message

    def _written(self, response: Any) -> bytes:
        write = self._handler.response_serializer
        message: bytes = write(response) if write else response
        return message


def _behaviour(handler: "grpc.RpcMethodHandler[Any, Any]") -> Callable[..., Any]:
    shape = ("stream" if streams else "unary" for streams in (handler.request_streaming, handler.response_streaming))
    behaviour: Callable[..., Any] = getattr(handler, "_".join(shape))
    return behaviour
