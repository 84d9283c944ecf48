"""Threads of ours rest while the process forks.

A child has the one thread that forked. What another thread held at that moment, a module half imported or a lock of
the database's driver, is held in the child for ever, and whoever asks for it there never comes back.
"""

import os
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

LONGEST_WAIT_SECONDS = 5.0


class Rests:
    """The stretches of work of one thread, between which this process may fork."""

    def __init__(self) -> None:
        self._turn = threading.RLock()
        _ALL.add(self)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Work: a fork waits until the block ends, or for five seconds."""
        turn = self._turn
        with turn:
            yield

    def halt(self, seconds: float) -> bool:
        """Keep the thread from working; False when it did not rest in time."""
        return self._turn.acquire(timeout=seconds)

    def resume(self) -> None:
        """Let it work again."""
        self._turn.release()

    def renew(self) -> None:
        """Forget in a child who works in its parent."""
        self._turn = threading.RLock()


class _Halted(threading.local):
    """Those that the thread that forks has halted."""

    def __init__(self) -> None:
        self.rests: list[Rests] = []


_ALL: weakref.WeakSet[Rests] = weakref.WeakSet()
_HALTED = _Halted()


def _halt_all() -> None:
    end = time.monotonic() + LONGEST_WAIT_SECONDS
    _HALTED.rests = [rests for rests in list(_ALL) if rests.halt(max(0.0, end - time.monotonic()))]


def _resume_all() -> None:
    for rests in _HALTED.rests:
        rests.resume()
    _HALTED.rests = []


def _renew_all() -> None:
    for rests in list(_ALL):
        rests.renew()
    _HALTED.rests = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_halt_all, after_in_parent=_resume_all, after_in_child=_renew_all)
