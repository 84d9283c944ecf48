"""The event loop of one operation: it runs in one thread, waits for nothing, and knows when nobody can go on.

graphql-core's executor is made of coroutines. Fields that need the store wait for a future of a loader; when every
coroutine waits, all keys of this level of the tree are known, and the loaders fetch them together. asyncio's own loop
cannot say when that is, costs a system call a turn, and a file descriptor or two for each thread.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Rounds(asyncio.AbstractEventLoop):
    """A loop without clock and without I/O. `fetch` is called when all wait; it returns whether anybody can go on."""

    def __init__(self, fetch: Callable[[], bool]) -> None:
        self._fetch = fetch
        self._ready: deque[tuple[Callable[..., Any], tuple[Any, ...], Context | None]] = deque()

    def finish(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; raises what it raises."""
        asyncio._set_running_loop(self)
        try:
            main = self.create_task(coroutine)
            while not main.done():
                self._turn()
                if not self._ready and not main.done() and not self._fetch():
                    raise RuntimeError("every coroutine waits and nothing is to be fetched")
            result: T = main.result()
            return result
        finally:
            self._abandon()
            asyncio._set_running_loop(None)

    def _turn(self) -> None:
        ready = self._ready
        while ready:
            callback, arguments, context = ready.popleft()
            if context is None:
                callback(*arguments)
            else:
                context.run(callback, *arguments)

    def _abandon(self) -> None:
        """End what an error left behind half-way."""
        left = asyncio.all_tasks(self)
        for task in left:
            task.cancel()
        if left:
            self._turn()

    def call_soon(
        self, callback: Callable[[Unpack[Ts]], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        """Have a callback run in this turn."""
        self._ready.append((callback, args, context))
        return asyncio.Handle(callback, args, self, context)

    def create_task(self, coro: Any, **kwargs: Any) -> asyncio.Task[Any]:
        """Have a coroutine run."""
        return asyncio.Task(coro, loop=self, **kwargs)

    def create_future(self) -> asyncio.Future[Any]:
        """Return a future of this loop."""
        return asyncio.Future(loop=self)

    def is_running(self) -> bool:
        """Tell that it runs; nothing outside `finish` asks."""
        return True

    def get_debug(self) -> bool:
        """Tell that nobody debugs."""
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Pass over errors of what was abandoned: the operation has its own error already."""
