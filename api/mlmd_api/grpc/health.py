"""gRPC's health protocol, answered without holding a lock while something is sent.

The servicer that comes with grpcio sends to its watchers under the lock that the end of a watch takes too. The end runs
on the one thread that completes every sending of the server, so a watch that ends while another one begins stops the
server for good. Here that thread never waits: its part is to forget a watch, under a lock that nobody sends under.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from mlmd_api.grpc.streams import in_pool

Answer = health_pb2.HealthCheckResponse
Send = Callable[[Any], None]

_CHECK_THREADS = 1
_WATCH_THREADS = 2
_LONGEST_NAME = 256
"""Of a service that is watched, in characters; no token is asked for, and the name is kept for as long as the watch."""
_FAREWELL_SECONDS = 1.0
"""How long the end of the server waits until its watchers are told."""


class Health(health_pb2_grpc.HealthServicer):  # type: ignore[misc]
    """The health of each service, for whoever asks and whoever watches; threads of its own answer both."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: dict[str, int] = {"": Answer.SERVING}
        self._watches: set[_Watch] = set()
        self._ended = False
        self.Check = _behaviour(self._check, _CHECK_THREADS)
        watch: Any = _behaviour(self._watch, _WATCH_THREADS)
        watch.experimental_non_blocking = True
        self.Watch = watch

    def serve(self, service: str) -> None:
        """Say that a service is served."""
        with self._lock:
            if self._ended:
                return
            self._statuses[service] = Answer.SERVING
            concerned = [watch for watch in self._watches if watch.service == service]
        for watch in concerned:
            watch.tell(self._status)

    def end(self) -> None:
        """Say that nothing is served from here on, and end the watches."""
        with self._lock:
            self._ended = True
            self._statuses = dict.fromkeys(self._statuses, Answer.NOT_SERVING)
            watches = list(self._watches)
        # A watcher that reads nothing may keep this waiting; the end of the server does not wait for it.
        told = threading.Thread(target=self._say_farewell, args=(watches,), name="farewell", daemon=True)
        told.start()
        told.join(_FAREWELL_SECONDS)

    def _say_farewell(self, watches: "list[_Watch]") -> None:
        for watch in watches:
            watch.tell(self._status)
            watch.close()

    def _status(self, service: str) -> int | None:
        with self._lock:
            return self._statuses.get(service)

    def _check(self, request: Any, context: grpc.ServicerContext) -> Any:
        status = self._status(request.service)
        if status is None:
            context.abort(grpc.StatusCode.NOT_FOUND, f"service: this server has no service {request.service!r}.")
        return Answer(status=status)

    def _watch(self, request: Any, context: grpc.ServicerContext, send_response_callback: Send) -> None:
        watch = _Watch(request.service[:_LONGEST_NAME], send_response_callback)
        with self._lock:
            self._watches.add(watch)
        if not context.add_callback(partial(self._forget, watch)):
            self._forget(watch)
            return
        watch.tell(self._status)
        if self._ended:  # meanwhile, and the farewell may come to this watch only when it is closed
            watch.tell(self._status)
            watch.close()

    def _forget(self, watch: "_Watch") -> None:
        """Runs on the thread that completes what others send, which must not wait for them."""
        with self._lock:
            self._watches.discard(watch)


class _Watch:
    """One watcher. It hears the newest status last, whoever tells it at the same moment."""

    def __init__(self, service: str, send: Send) -> None:
        self.service = service
        self._send = send
        self._sending = threading.Lock()
        self._told: int | None = None
        self._closed = False

    def tell(self, status_of: Callable[[str], int | None]) -> None:
        """Send the status unless that is what the watcher heard last; waits until it is sent."""
        with self._sending:
            status = status_of(self.service)
            status = Answer.SERVICE_UNKNOWN if status is None else status
            if status != self._told and not self._closed:
                self._told = status
                self._send(Answer(status=status))

    def close(self) -> None:
        """End the stream."""
        with self._sending:
            if not self._closed:
                self._closed = True
                self._send(None)


def _behaviour(answer: Callable[..., Any], threads: int) -> Callable[..., Any]:
    """Return the behaviour of a method that runs in so many threads of its own."""
    return in_pool(partial(answer), ThreadPoolExecutor(threads, thread_name_prefix="health"))
