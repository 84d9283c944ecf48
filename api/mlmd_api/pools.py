"""Threads that take work as an `Executor` does, also where the system gives no more of them."""

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, TypeVar

from mlmd_schemas.errors import Unavailable

T = TypeVar("T")
_LOG = logging.getLogger("mlmd.server")


class Pool(Executor):
    """At most so many threads, started as they are needed; where there are no more, those that there are do the work.

    The standard library's raises when it cannot start a thread, and has queued the work by then: a write would be
    refused, and take place. Here there is a first thread from the beginning, so that what is queued is done, later.
    """

    def __init__(self, threads: int, name: str) -> None:
        """Start the first thread; raises Unavailable when there is none."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._name = name
        self._is_shut = False
        self._is_short = False
        try:
            self._threads.submit(int)
        except RuntimeError:
            raise Unavailable(
                f"threads: the system gives this process no thread ({name}); raise ulimit -u or the pids of its cgroup."
            ) from None

    def submit(self, work: Callable[..., T], /, *arguments: Any, **named: Any) -> Future[T]:
        """Have work done by the next thread that is free; raises RuntimeError after the end."""
        future: Future[T] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work(*arguments, **named)
            except BaseException as error:  # noqa: BLE001 - whoever waits for the future is told
                future.set_exception(error)
            else:
                future.set_result(result)

        try:
            self._threads.submit(run)
            self._is_short = False
        except RuntimeError:
            if self._is_shut:
                raise
            self._tell_shortage()
        return future

    def _tell_shortage(self) -> None:
        if not self._is_short:
            _LOG.warning(
                "the system gives this process no more threads (ulimit -u, the pids of its cgroup, memory); those of "
                "%s that there are do the work of the others until it does",
                self._name,
            )
        self._is_short = True

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more work."""
        self._is_shut = True
        self._threads.shutdown(wait, cancel_futures=cancel_futures)
