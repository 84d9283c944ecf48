"""The memory of a process of the store's own, bounded however large its databases and however many its threads are.

What a large call took is let go soon after it, and not at its end: it costs some 50 ms for 300 MB, and who sends one
large call often sends the next.
"""

import contextlib
import ctypes
import gc
import sqlite3
import sys
from typing import TYPE_CHECKING

from mlmd_metadata_store.store import Store

if TYPE_CHECKING:
    from mlmd_server.wiring import Parts

EVERY_SECONDS = 5.0
SQLITE_BYTES = 24 << 20
"""What SQLite's caches may have in a process; without a limit it is 16 MB for each connection."""
_M_ARENA_MAX = -8
_ARENAS = 2


def bound_memory() -> None:
    """Bound what the C libraries of this process keep for later; those that it forks inherit it.

    SQLite's limit is soft: near it a cache takes its oldest page for a new one, and nothing fails. The allocator of
    glibc makes up to eight heaps a core for threads, and what was freed in one is of no use to those of another.
    """
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA soft_heap_limit={SQLITE_BYTES}")
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no such thing, nor such heaps
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _ARENAS)


def let_go_of_large(parts: "Parts") -> None:
    """Give back what large calls left since the last time; do nothing when there was none.

    SQLite's connections keep the last values of their statements, and the allocator keeps what was freed.
    """
    had_large = [dispatcher.take_large() for dispatcher in (parts.dispatcher, parts.kubeflow)]
    if not any(had_large):
        return
    for store in parts.stores.opened():
        if isinstance(store, Store):
            store.database.let_go()
    gc.collect()  # what knows each other, such as a call and its context
    trim()


def trim() -> None:
    """Give the system back what the allocator of glibc keeps of what was freed."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # musl has no such thing, and gives back by itself
            ctypes.CDLL(None).malloc_trim(0)
