"""How many calls of one kind are answered at a time, how much they hold, and in which order the others wait."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

C = TypeVar("C")

MOST_WAITING = 10_000
"""Calls that wait unread; each takes some ten KB."""
PATIENCE_SECONDS = 20.0
"""How long a message may be on its way while others wait to send theirs."""
LITTLE_BYTES = 64 * 1024
"""Messages up to this are not counted: there are never more of them than calls that were let in."""
SOON_SECONDS = 1.0
"""How long a message takes that is small or sent on a fast network, by far."""
_LET_IN_FOR_EACH_PLACE = 4
_MOST_ARRIVING = 4


class Full(Exception):
    """As many calls wait as may."""


class Lane(Generic[C]):
    """At most `places` calls are at work, and four times as many are let in: the others have their message in memory.

    How large a message is, nobody knows before it is there. So no more than four begin their way at a time, and none
    while those that came have more than `most_bytes` together; nor are more bytes at work, but for one message alone.
    One that did not come soon no longer counts as one of the four, unless memory `is_tight`: then it is `overdue`, as
    is, when others wait, one that is on its way for longer than the patience.

    Whoever sends a message slowly holds none of the places. Calls that are not let in yet wait with their message
    unread, so that the client's side holds it back. First come, first served, at both doors, but that a little message
    overtakes large ones that wait to be worked on; any thread may call.
    """

    def __init__(
        self,
        places: int,
        waiting: int = MOST_WAITING,
        most_bytes: int = 1 << 62,
        is_tight: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.places = places
        self._waiting = waiting
        self._most_bytes = most_bytes
        self._is_tight = is_tight
        self._clock = clock
        self._lock = threading.Lock()
        self.door = threading.Lock()
        """Held by who asks for the messages of the admitted, so that they are asked for in order."""
        self._free = places
        self._most_let_in = places * _LET_IN_FOR_EACH_PLACE
        self._arriving: dict[C, float] = {}
        self._inside = 0
        self._bytes_inside = 0
        self._bytes_at_work = 0
        self._outside: deque[C] = deque()
        self._received: deque[C] = deque()
        self._large: deque[tuple[C, int]] = deque()

    @property
    def threads(self) -> int:
        """How many threads its calls may keep just now."""
        return min(self.places, self._let_in)

    @property
    def _let_in(self) -> int:
        return len(self._arriving) + self._inside

    @property
    def is_waited_for(self) -> bool:
        """Whether calls wait outside. No lock is taken: whoever has just made room sees all that it was made for."""
        return bool(self._outside)

    def enter(self, call: C) -> bool:
        """Whether the call's message may be received now. If not, the call waits to be `admitted`; or Full."""
        with self._lock:
            if self._is_open() and not self._outside:
                self._arriving[call] = self._clock()
                return True
            if len(self._outside) + self._let_in >= self._waiting + self._most_let_in:
                raise Full
            self._outside.append(call)
            return False

    def admitted(self) -> C | None:
        """Return a call that waited and may be received now; to be asked for until there is none, after each step."""
        with self._lock:
            if not self._outside or not self._is_open():
                return None
            call = self._outside.popleft()
            self._arriving[call] = self._clock()
            return call

    def begin(self, call: C, size_bytes: int) -> bool:
        """Whether the call, whose message came, may be answered now. If not, it waits for somebody who ends."""
        counted = _counted(size_bytes)
        with self._lock:
            self._arriving.pop(call)
            self._inside += 1
            self._bytes_inside += counted
            if self._free and self._fits(counted):
                self._free -= 1
                self._bytes_at_work += counted
                return True
            if counted:
                self._large.append((call, counted))
            else:
                self._received.append(call)
            return False

    def end(self, size_bytes: int) -> C | None:
        """Say that a call that began is over; returns the one that gets its place, to be answered by whoever asks."""
        counted = _counted(size_bytes)
        with self._lock:
            self._inside -= 1
            self._bytes_inside -= counted
            self._bytes_at_work -= counted
            if self._large and self._fits(self._large[0][1]):
                call, counted = self._large.popleft()
                self._bytes_at_work += counted
                return call
            if self._received:
                return self._received.popleft()
            self._free += 1
            return None

    def leave(self, call: C) -> None:
        """Say that a call that was let in will not begin."""
        with self._lock:
            self._arriving.pop(call, None)

    def overdue(self) -> list[C]:
        """Return the calls whose message does not come while others wait to send theirs, or memory is tight."""
        tight = self._is_tight()
        with self._lock:
            if not self._outside and not tight:
                return []
            late = self._clock() - (SOON_SECONDS if tight else PATIENCE_SECONDS)
            return [call for call, since in self._arriving.items() if since < late]

    def _is_open(self) -> bool:
        if self._let_in >= self._most_let_in or self._bytes_inside > self._most_bytes:
            return False
        if len(self._arriving) < _MOST_ARRIVING:
            return True
        soon = self._clock() - SOON_SECONDS
        begun = sum(since > soon for since in self._arriving.values())
        return begun < _MOST_ARRIVING and not self._is_tight()

    def _fits(self, counted: int) -> bool:
        return not (counted and self._bytes_at_work) or self._bytes_at_work + counted <= self._most_bytes


def _counted(size_bytes: int) -> int:
    return size_bytes if size_bytes > LITTLE_BYTES else 0
