"""Turns of lists without pages, which take eight times as much memory while they are made as they have bytes.

One interpreter makes them no faster at once than one after the other, so those that wait lose nothing by it.
"""

import threading

AT_ONCE = 2
"""So many are made at once: while one waits for its database, another goes on."""


class Turns:
    """The turns of one process; any thread may call."""

    def __init__(self, at_once: int = AT_ONCE) -> None:
        self._free = threading.Semaphore(at_once)

    def turn(self) -> "Turn":
        """Return the turn of a call, not taken yet; most calls need none."""
        return Turn(self._free)


class Turn:
    """The turn of one call, for its thread: taken when its list turns out to be long, until its answer is bytes."""

    __slots__ = ("_free", "_taken")

    def __init__(self, free: threading.Semaphore) -> None:
        self._free = free
        self._taken = False

    def take(self, seconds: float | None) -> None:
        """Wait for the turn, so many seconds at most; who has it, and whose time is over, goes on at once."""
        if not self._taken:
            self._taken = self._free.acquire(timeout=seconds)

    def leave(self) -> None:
        """Give the turn back, if it was taken."""
        if self._taken:
            self._taken = False
            self._free.release()
