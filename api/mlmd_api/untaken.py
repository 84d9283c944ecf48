"""Answers that were made and not taken yet: how many bytes of them a process holds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from mlmd_schemas.errors import ResourceExhausted

LITTLE_BYTES = 64 * 1024
"""Answers up to this are not counted."""
PATIENCE_SECONDS = 120.0
"""How long an answer may be held while there is no room for others."""


class Untaken:
    """The large answers on their way to callers, who may read slowly or not at all; any thread may call."""

    def __init__(self, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Hold no more than so many bytes, but for one answer alone, and what has to be said."""
        self._most_bytes = most_bytes
        self._clock = clock
        self._lock = threading.RLock()  # a place may be forgotten, and so given back, in whatever a thread does
        self._held: dict[object, _Held] = {}
        self._held_bytes = 0

    def take(self, size_bytes: int, *, by_force: bool = False) -> "Place | None":
        """Return the place of an answer, None for a little one, which needs none.

        Raises ResourceExhausted when there is no room, unless `by_force`; answers that were held for long are given up.
        """
        if size_bytes <= LITTLE_BYTES:
            return None
        with self._lock:
            if by_force or not self._held or self._held_bytes + size_bytes <= self._most_bytes:
                place = Place(self)
                self._held[place.key] = _Held(size_bytes, self._clock())
                self._held_bytes += size_bytes
                return place
            held_bytes, late = self._held_bytes, self._clock() - PATIENCE_SECONDS
            left = [held.give_up for held in self._held.values() if held.since < late and held.give_up]
        for give_up in left:
            give_up()
        raise ResourceExhausted(
            f"The server holds {held_bytes} bytes of answers that their callers have not taken yet, and has no room "
            "for this one; try again later, or ask for less with max_result_size and next_page_token (pageSize and "
            "nextPageToken in Kubeflow's API)."
        )

    def check(self) -> None:
        """Raise ResourceExhausted when there is no room for any answer but a little one."""
        self.take(LITTLE_BYTES + 1)

    def end_by(self, key: object, give_up: Callable[[], None]) -> None:
        """Let the call of an answer be ended so when it is held for long."""
        with self._lock:
            if key in self._held:
                self._held[key].give_up = give_up

    def leave(self, key: object) -> None:
        """Count an answer no longer."""
        with self._lock:
            held = self._held.pop(key, None)
            if held is not None:
                self._held_bytes -= held.size_bytes


@dataclass(slots=True)
class _Held:
    """One answer, and how its call is ended."""

    size_bytes: int
    since: float
    give_up: Callable[[], None] | None = None


class Place:
    """The place of one answer, given back when that is said or when nobody knows the place any more."""

    def __init__(self, untaken: Untaken) -> None:
        self._untaken = untaken
        self.key = object()

    def end_by(self, give_up: Callable[[], None]) -> None:
        """Let the call be ended so when the answer is held for long."""
        self._untaken.end_by(self.key, give_up)

    def leave(self) -> None:
        """Give the place back."""
        self._untaken.leave(self.key)

    def __del__(self) -> None:
        self.leave()
