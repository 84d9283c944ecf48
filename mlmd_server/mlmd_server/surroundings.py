"""What a process finds where it is started: standard streams, limits, signals that somebody has set."""

import contextlib
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument, Unavailable

NO_THREAD = "can't start new thread"
"""How Python says that the system gives no thread."""
_OWN_THREADS = 16
"""Threads that a process has at rest, and for its end, beside those of gRPC core."""
_CORE_THREADS = 4, 16
"""How many gRPC core has at least and at most; between them, one a processor."""


def complete_streams() -> None:
    """Open the standard streams that are closed, on nothing.

    Their numbers would otherwise go to the next files and connections, and what a library writes to standard error
    into one of those. What is printed to a stream that Python found closed would go to standard output.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115


def discard_output() -> None:
    """Send what is still to be written to standard output nowhere, so that the end of the process does not fail."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def give_sqlite_a_place(urls: Iterable[str]) -> None:
    """Let SQLite sort what is too large for its memory beside the first of the databases that are files of its own.

    Only where no usual place can be written, as in a container whose root file system is read-only, without a volume on
    /tmp. There SQLite calls it a "disk I/O error". The pragma is for the whole process; `SQLITE_TMPDIR` is read when
    SQLite is loaded.
    """
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        for folder in _folders_of_sqlite(urls):
            if os.access(folder, os.W_OK):
                _sort_in(folder)
                return


def _folders_of_sqlite(urls: Iterable[str]) -> Iterator[Path]:
    """Yield the folders that the first database that is a file lies in, the nearest first."""
    for file in filter(None, map(sqlite_file, urls)):
        yield from file.absolute().parents
        return


def sqlite_file(url: str) -> Path | None:
    """Return the file of a database, None where it is none, or in memory.

    >>> sqlite_file("sqlite:///data/facts.db"), sqlite_file("mysql://mlmd@db/facts")
    (PosixPath('data/facts.db'), None)
    """
    from mlmd_metadata_store.addresses import parse_url

    try:
        place = parse_url(url)
    except InvalidArgument:  # whoever opens it says what is wrong with it
        return None
    is_file = place.drivername == "sqlite" and place.database not in (None, "", ":memory:")
    return Path(str(place.database)) if is_file else None


def _sort_in(folder: Path) -> None:
    import sqlite3

    quoted = str(folder).replace("'", "''")
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute(f"PRAGMA temp_store_directory = '{quoted}'")


def hear_of_children() -> None:
    """Hear how processes end that are forked from here on, though whoever started this one has it ignore SIGCHLD."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def be_first_process() -> None:
    """Do what the system leaves to the first process of a container, where this is it: end by SIGTERM, bury the dead.

    SIGTERM does nothing to it by default, and so would be lost until the server listens for it. Whatever others leave
    behind there becomes its child, and stays as a zombie unless it is waited for, or SIGCHLD is ignored.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda number, frame: os._exit(128 + number))
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # `hear_of_children` takes this back where there are workers


def see_to_threads() -> None:
    """Try whether the process gets the threads that it has at rest; raises Unavailable when it does not.

    gRPC core tries for fifteen seconds to start its own, and then ends the process without a word (SIGABRT).
    """
    least, most = _CORE_THREADS
    wanted = _OWN_THREADS + min(max(os.cpu_count() or least, least), most)
    let_go = threading.Event()
    threads: list[threading.Thread] = []
    try:
        for _ in range(wanted):
            thread = threading.Thread(target=let_go.wait, name="probe", daemon=True)
            thread.start()
            threads.append(thread)
    except RuntimeError:
        raise Unavailable(no_thread(f"{len(threads)} of the {counted(wanted, 'thread')} that it has at rest")) from None
    finally:
        let_go.set()
        for thread in threads:
            thread.join()


def no_thread(given: str = "no thread") -> str:
    """Return the sentence that says how many threads the system gives, and the mend."""
    return (
        f"threads: the system gives this process {given}; raise ulimit -u, the pids of its cgroup or its memory. "
        "With the default options it has up to 200."
    )
