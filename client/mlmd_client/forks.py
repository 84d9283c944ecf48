"""What a forked child makes anew of its parent's, one thread at a time."""

import contextlib
import os
import threading

_turn = threading.RLock()


def in_turn() -> contextlib.AbstractContextManager[bool]:
    """Return the lock under which a child looks whether something is its own, and makes it anew when it is not.

    >>> with in_turn():
    ...     os.getpid() > 0
    True
    """
    return _turn


def _renew() -> None:
    global _turn
    _turn = threading.RLock()  # a thread of the parent may have held the other one


os.register_at_fork(after_in_child=_renew)
