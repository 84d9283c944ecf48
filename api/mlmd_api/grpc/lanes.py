"""How many calls of one kind are answered at a time, and in which order the others wait."""

import threading
from collections import deque
from typing import Generic, TypeVar

C = TypeVar("C")

MOST_WAITING = 10_000
"""Calls that wait unread; each takes some ten KB."""
_RECEIVED_FOR_EACH_PLACE = 4


class Full(Exception):
    """As many calls wait as may."""


class Lane(Generic[C]):
    """At most `places` calls are at work, and four times as many have their message in memory or on its way there.

    Whoever sends a message slowly holds none of the places. Calls that are not let in yet wait with their message
    unread, so that the client's side holds it back. First come, first served, at both doors; any thread may call.
    """

    def __init__(self, places: int, waiting: int = MOST_WAITING) -> None:
        self.places = places
        self._waiting = waiting
        self._lock = threading.Lock()
        self._entries = places * _RECEIVED_FOR_EACH_PLACE
        self._free = places
        self._outside: deque[C] = deque()
        self._received: deque[C] = deque()

    @property
    def threads(self) -> int:
        """How many threads its calls may keep just now."""
        return min(self.places, self.places * _RECEIVED_FOR_EACH_PLACE - self._entries)

    def enter(self, call: C) -> bool:
        """Whether the call's message may be received now. If not, the call waits for somebody who leaves; or Full."""
        with self._lock:
            if self._entries:
                self._entries -= 1
                return True
            if len(self._outside) >= self._waiting:
                raise Full
            self._outside.append(call)
            return False

    def begin(self, call: C) -> bool:
        """Whether the call may be answered now. If not, it waits for somebody who ends."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            self._received.append(call)
            return False

    def end(self) -> C | None:
        """Give back a place; returns the call that it is given to at once, which is to be answered by the caller."""
        with self._lock:
            if self._received:
                return self._received.popleft()
            self._free += 1
            return None

    def leave(self) -> C | None:
        """Say that a call that was let in is over; returns the one that is let in for it and is to be received."""
        with self._lock:
            if self._outside:
                return self._outside.popleft()
            self._entries += 1
            return None
