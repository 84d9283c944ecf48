"""The bounded place of streaming calls, apart from the threads of unary ones.

Streams live long and wait much. Each holds a thread of this pool and never one of the unary pool; when every place is
taken a further stream is refused with RESOURCE_EXHAUSTED at once instead of waiting unseen.
"""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import grpc
from mlmd_schemas.counting import counted

Stream = Callable[[Any, grpc.ServicerContext], Iterator[Any]]
B = TypeVar("B", bound=Callable[..., Any])

_SPARE_THREADS = 4


def in_pool(behaviour: B, pool: ThreadPoolExecutor) -> B:
    """Return the behaviour of a method, which gRPC's server will run in these threads instead of its own."""
    marked: Any = behaviour
    marked.experimental_thread_pool = pool
    return behaviour


def without_message(behaviour: B) -> B:
    """Return the behaviour of a method that answers before its message is received, where the server can do so.

    It is given b"" then. It must not have to wait for anything.
    """
    marked: Any = behaviour
    marked.wants_no_message = True
    return behaviour


class StreamPlaces:
    """At most `places` streams at a time."""

    def __init__(self, places: int) -> None:
        self.places = places
        self._free = threading.BoundedSemaphore(places)
        self._pool = ThreadPoolExecutor(places + _SPARE_THREADS, thread_name_prefix="stream")

    def bounded(self, stream: Stream) -> Stream:
        """Return the streaming behaviour with its place: taken at its start, given back at its end."""

        def behaviour(request: Any, context: grpc.ServicerContext) -> Iterator[Any]:
            if not self._free.acquire(blocking=False):
                context.abort(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"This server has {counted(self.places, 'stream')} open, as many as it allows; close one, or "
                    "try again later.",
                )
            try:
                yield from stream(request, context)
            finally:
                self._free.release()

        return in_pool(behaviour, self._pool)
