"""Work for a few threads, never more of it waiting than they can soon do."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import TypeVar

from mlmd_client.transfer_errors import Stopped

T = TypeVar("T")


class Crew:
    """Threads that do pieces of work. The first failure stops them all and is raised by whoever submits or waits."""

    def __init__(self, threads: int, waiting: int, stop: threading.Event, name: str) -> None:
        """Start so many threads as they are needed; `waiting` pieces more may be submitted before `submit` waits.

        `stop` ends the work from outside, and is set when a piece fails.
        """
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threading.BoundedSemaphore(threads + waiting)
        self._stop = stop
        self._lock = threading.Lock()
        self._failure: BaseException | None = None

    def submit(self, work: Callable[[], None]) -> None:
        """Hand over a piece of work, waiting until there is room; raises the failure of an earlier piece."""
        self._room.acquire()
        if self._failure is not None or self._stop.is_set():
            self._room.release()
            self._raise()
            Stopped.check(self._stop)
        self._pool.submit(self._do, work)

    def _do(self, work: Callable[[], None]) -> None:
        try:
            if not self._stop.is_set():
                work()
        except BaseException as error:  # noqa: BLE001 - raised in the thread that submits, or that finishes
            self._fail(error)
        finally:
            self._room.release()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._failure is None and not isinstance(error, Stopped):
                self._failure = error
        self._stop.set()

    def _raise(self) -> None:
        if self._failure is not None:
            raise self._failure

    def finish(self) -> None:
        """Wait until everything is done; raises the first failure."""
        self._pool.shutdown(wait=True)
        self._raise()

    def __enter__(self) -> "Crew":
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop; what is under way is waited for. A failure of the crew is raised in place of what it brought about."""
        if kind is not None:
            self._stop.set()
        self._pool.shutdown(wait=True, cancel_futures=kind is not None)
        if isinstance(error, Stopped):
            self._raise()


def ahead(pool: ThreadPoolExecutor, works: Iterable[Callable[[], T]], depth: int) -> Iterator[T]:
    """Yield the results of works in their order, `depth` of them begun before they are asked for."""
    waiting: list[Future[T]] = []
    try:
        for work in works:
            waiting.append(pool.submit(work))
            if len(waiting) > depth:
                yield waiting.pop(0).result()
        while waiting:
            yield waiting.pop(0).result()
    finally:
        for future in waiting:
            future.cancel()
