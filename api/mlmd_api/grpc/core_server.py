"""A `grpc.server` whose threads answer calls where they find them, on gRPC core's own queue.

grpcio's server has one thread that takes events from the queue and hands each call to another one; two threads then
wake each other several times a call and contend for one interpreter. Here every thread takes events, and the one that
finds a call's message answers the call. Ports, TLS, HTTP/2, limits and flow control are gRPC core's as before.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without stubs
from mlmd_schemas.errors import Code

from mlmd_api.grpc.core_call import CoreCall
from mlmd_api.grpc.core_task import CoreTask, Lanes
from mlmd_api.grpc.lanes import MOST_WAITING, Lane

_LOG = logging.getLogger("mlmd.server")
_UNBOUNDED = 1 << 62
_LOOK_SECONDS = 1.0
"""How often messages that did not come soon are looked after."""
_GATE_PLACES = 8
_REQUESTS = 64
"""How many calls gRPC core is asked for at a time, so that one that comes is handed over at once.

One that nobody has asked for waits in gRPC core, which may cancel it without a word: when the server ends, after a
time, and, where many others are left and reset, although it has only just come (measured: up to one in fifty).
"""


@dataclass(frozen=True, slots=True)
class _Details(grpc.HandlerCallDetails):
    method: str
    invocation_metadata: Any


class CoreServer:
    """Serves as `grpc.Server` does.

    Calls of one message and one answer are answered by the server's own threads, at most `places` at a time of those
    whose behaviour is for a pool of `lanes` and as many of all others. There is always one thread more than calls that
    could keep one, to take events; they are started as they are needed, for each lane by itself, since each costs a
    little even while it waits: with 64 clients that write, 16 more than could work answered a seventh fewer calls.
    A behaviour for another pool runs there. Streams must have a pool.
    """

    def __init__(
        self,
        places: int,
        lanes: Mapping[ThreadPoolExecutor, int],
        options: Sequence[tuple[str, int | str]],
        waiting: int = MOST_WAITING,
        most_bytes: int = _UNBOUNDED,
        is_tight: Callable[[], bool] = lambda: False,
    ) -> None:
        """Make the server; it listens nowhere yet.

        In each lane so many calls may wait unread, and so many bytes of messages be held beside those on their way;
        fewer are let come while memory is tight.
        """
        self._work: dict[ThreadPoolExecutor | None, Lane[CoreTask]] = {
            None: Lane(places, waiting, most_bytes, is_tight)
        }
        self._work |= {pool: Lane(number, waiting, most_bytes, is_tight) for pool, number in lanes.items()}
        self._gates: dict[ThreadPoolExecutor | None, Lane[CoreTask]] = {}
        self._lanes = Lanes(self._work, self._gate)
        self._waiting, self._is_tight = waiting, is_tight
        self._looked_seconds = time.monotonic()
        self._handlers: list[grpc.GenericRpcHandler[Any, Any]] = []
        self._queue = cygrpc.CompletionQueue()
        self._server = cygrpc.Server(tuple(options), False)
        self._server.register_completion_queue(self._queue)
        self._lock = threading.Lock()
        self._expected = 0
        self._started = False
        self._ending = False
        self._ended = threading.Event()
        self._is_short = False
        self.threads: list[threading.Thread] = []

    def add_generic_rpc_handlers(self, handlers: Iterable["grpc.GenericRpcHandler[Any, Any]"]) -> None:
        """Ask these too for the handler of a path, after those that were added before."""
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Do nothing: what is added here is added as generic handlers too."""

    def add_insecure_port(self, address: str) -> int:
        """Listen without TLS; returns the port, raises RuntimeError."""
        return _bound(self._server.add_http2_port(address.encode()), address)

    def add_secure_port(self, address: str, credentials: grpc.ServerCredentials) -> int:
        """Listen with TLS; returns the port, raises RuntimeError."""
        secret: Any = credentials
        return _bound(self._server.add_http2_port(address.encode(), secret._credentials), address)

    def start(self) -> None:
        """Take calls."""
        self._server.start()
        self._started = True
        with self._lock:
            for _ in range(_REQUESTS):
                self._request()
            self._staff()

    def stop(self, grace: float | None) -> threading.Event:
        """Take no more calls, cancel those in flight after so many seconds; returns the event of the end."""
        with self._lock:
            if not self._started:
                self._ended.set()
                return self._ended
            if not self._ending:
                self._ending = True
                self._expected += 1
                self._server.shutdown(self._queue, self._on_shutdown)
        try:
            threading.Thread(target=self._cancel, args=(grace or 0.0,), name="grpc-grace", daemon=True).start()
        except RuntimeError:  # no more threads are to be had
            self._cancel(grace or 0.0)
        return self._ended

    def _cancel(self, grace: float) -> None:
        if self._ended.wait(grace):
            return
        with self._lock:
            if self._expected:
                self._server.cancel_all_calls()

    # What gRPC core still has to say: requests for calls, calls, and the ends of watched ones.

    def expect(self) -> None:
        """Count one more of what gRPC core will say."""
        with self._lock:
            self._expected += 1

    def arrived(self) -> None:
        """Count one less; the server ends with the last one."""
        with self._lock:
            self._expected -= 1
            if self._expected or not self._ending:
                return
            self._server.destroy()
            self._queue.shutdown()
        self._ended.set()

    def _on_shutdown(self, event: Any) -> None:
        self.arrived()

    def _complete(self) -> None:
        while True:
            event = self._queue.poll(time.time() + _LOOK_SECONDS)
            self._look_after_messages()
            if event.completion_type == cygrpc.CompletionType.queue_shutdown:
                return
            if event.completion_type == cygrpc.CompletionType.queue_timeout:
                continue
            try:
                work = event.tag(event)
                event = None  # with the message, which is large, and the call, which gRPC core frees with the last one
                if work is not None:
                    work()
            except Exception:  # noqa: BLE001 - no defect may end a thread of the server
                _LOG.exception("a call ended in a defect of the server")
            event = work = None

    def _look_after_messages(self) -> None:
        """Once in a while, have messages received that others no longer keep out, and end the overdue calls."""
        now = time.monotonic()
        if now < self._looked_seconds + _LOOK_SECONDS:
            return
        self._looked_seconds = now
        try:
            for lane in (*self._work.values(), *tuple(self._gates.values())):
                for task in lane.overdue():
                    task.give_up()
                CoreTask.admit(lane)
        except Exception:  # noqa: BLE001 - no defect may end a thread of the server
            _LOG.exception("a call whose message does not come could not be ended")

    # Calls.

    def _gate(self, pool: ThreadPoolExecutor | None) -> "Lane[CoreTask]":
        gate = self._gates.get(pool)
        if gate is None:
            gate = self._gates.setdefault(pool, Lane(_GATE_PLACES, self._waiting, is_tight=self._is_tight))
        return gate

    def _request(self) -> None:
        self._expected += 1
        self._server.request_call(self._queue, self._queue, self._on_request)

    def _staff(self) -> None:
        """Have a thread for each call that may keep one, and one for what comes next.

        Where the system gives no more of them, those that there are take the calls; raises RuntimeError without any.
        """
        while len(self.threads) < self._wanted():
            thread = threading.Thread(target=self._complete, name=f"grpc-{len(self.threads)}", daemon=True)
            self.threads.append(thread)  # before it can answer a call
            try:
                thread.start()
            except RuntimeError:
                self.threads.remove(thread)
                if not self.threads:
                    raise
                self._tell_shortage()
                return
            self._is_short = False

    def _wanted(self) -> int:
        return sum(lane.threads for lane in self._work.values()) + 1

    def _tell_shortage(self) -> None:
        if not self._is_short:
            _LOG.warning(
                "the system gives this process no more threads (ulimit -u, the pids of its cgroup, memory); calls are "
                "answered by %d of the %d that they need until it does",
                len(self.threads),
                self._wanted(),
            )
        self._is_short = True

    def _on_request(self, event: Any) -> None:
        if not event.success:  # the server is about to end
            self.arrived()
            return
        with self._lock:
            if not self._ending:
                self._request()
        call = CoreCall(event, self)
        try:
            handler = self._handler(call)
            if handler is None:
                call.fail(Code.UNIMPLEMENTED, f"{call.path} is no method of this server.")
            else:
                CoreTask(call, handler, self._lanes).start()
                if len(self.threads) < self._wanted():
                    with self._lock:
                        self._staff()
        except Exception:  # noqa: BLE001 - logged, and told as INTERNAL
            _LOG.exception("%s could not be begun", call.path)
            call.fail(Code.INTERNAL, "Something went wrong in the server; its log says what.")

    def _handler(self, call: CoreCall) -> "grpc.RpcMethodHandler[Any, Any] | None":
        details = _Details(call.path, call.invocation_metadata())
        for handlers in self._handlers:
            found = handlers.service(details)
            if found is not None:
                return found
        return None


def _bound(port: int, address: str) -> int:
    if port == 0:
        raise RuntimeError(f"cannot listen on {address}")
    return port
