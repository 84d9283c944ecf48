"""How much memory work takes, as Python counts it."""

import tracemalloc
from collections.abc import Callable


def most(work: Callable[[], object]) -> int:
    """Return how much memory work takes at most, in bytes."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
