"""The memory of a serving process, bounded however large its databases are and however many threads it has."""

import contextlib
import ctypes
import sqlite3
import sys

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
