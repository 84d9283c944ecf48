"""Waiting for what another thread, process or machine brings about."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_for(
    condition: Callable[[], T], seconds: float = 120, says: Callable[[], object] = lambda: "it did not come about"
) -> T:
    """Wait until a condition holds, and return what it was; fail with what `says` returns when it takes too long."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < until, says()
        time.sleep(0.02)
    return found
