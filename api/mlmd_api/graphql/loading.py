"""What one operation reads, gathered level by level."""

from collections.abc import Awaitable, Callable, Coroutine, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from mlmd_api.graphql.rounds import Rounds

T = TypeVar("T")

Batch = Callable[..., Mapping[Any, Any]]
"""A function of a source, a list of distinct keys and perhaps more: what it found, by key."""


class Loading:
    """Keys that fields wait for, and what was found.

    `load` may be called with the same key by many fields; it is fetched once. Keys of one batch function with equal
    further arguments are fetched in one call.
    """

    def __init__(self, source: Any) -> None:
        self._source = source
        self._rounds = Rounds(self._fetch)  # type: ignore[abstract]  # what needs a clock or I/O is missing
        self._known: dict[Hashable, dict[Any, Any]] = {}
        self._waiting: dict[tuple[Batch, tuple[Hashable, ...]], dict[Any, Any]] = {}

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run an operation to its end."""
        return self._rounds.finish(coroutine)

    def load(self, batch: Batch, key: Hashable, *shared: Hashable) -> Awaitable[Any]:
        """Return what `batch` will have found for the key: None when it finds nothing."""
        group = (batch, shared)
        known = self._known.setdefault(group, {})
        future = known.get(key)
        if future is None:
            future = known[key] = self._rounds.create_future()
            self._waiting.setdefault(group, {})[key] = future
        return future

    async def load_all(self, batch: Batch, keys: Sequence[Hashable], *shared: Hashable) -> list[Any]:
        """Return what is found for each key, in their order; what is not there is left out."""
        futures = [self.load(batch, key, *shared) for key in keys]
        found = [await future for future in futures]
        return [one for one in found if one is not None]

    def forget(self) -> None:
        """Forget what was read, because something was written."""
        self._known.clear()

    def _fetch(self) -> bool:
        waiting, self._waiting = self._waiting, {}
        for (batch, shared), futures in waiting.items():
            try:
                found = batch(self._source, list(futures), *shared)
            except Exception as error:  # noqa: BLE001 - every field that waits hears it, and the executor tells it
                for future in futures.values():
                    future.set_exception(error)
                continue
            for key, future in futures.items():
                future.set_result(found.get(key))
        return bool(waiting)
