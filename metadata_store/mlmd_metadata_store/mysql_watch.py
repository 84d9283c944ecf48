"""Statements that get no answer: told from those that take long by asking the database beside them.

A statement may take an hour for good reasons, so there is no time after which it is given up. One that has waited for a
while without a byte coming or going is asked about on a connection of its own: does the database answer at all, and if
so, does it work on that statement? When it does not, the connection is ended from here, and the statement fails like
one whose connection was lost. A peer whose machine is gone is the kernel's to find (peers.py); this finds one whose
machine still acknowledges: a database that was frozen, a proxy that swallows.
"""

import contextlib
import logging
import os
import socket
import struct
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from mlmd_schemas.troubles import Troubles

PATIENCE_SECONDS = 10.0
"""From when on a statement that waits is asked about."""
PROBE_SECONDS = 10
"""How long the database has for each step of a new connection."""
_LOOK_EVERY_SECONDS = 1.0
_LAST_DATA = struct.Struct("44x I 4x I")
"""The times since data was sent and received, in milliseconds, in Linux's struct tcp_info."""

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Thread:
    """What a database says of one of its connections: whether it works on a statement, and for how long it does not."""

    idle: bool
    seconds: int


@dataclass(frozen=True, slots=True)
class Findings:
    """What a database answered: who it is, and its connections by their number."""

    place: object
    threads: dict[int, Thread]


class Line:
    """One connection as it is watched. `asked` is when it began to wait for the database, 0 while it does not."""

    __slots__ = ("__weakref__", "_socket", "asked", "number", "place", "unanswered")

    def __init__(self, descriptor: int, number: int) -> None:
        """Take the socket's file descriptor, and the number by which the database knows the connection (CONNECTION_ID).

        Raises OSError for a descriptor that is closed.
        """
        self._socket = (descriptor, os.fstat(descriptor).st_ino)
        self.number = number
        self.asked = 0.0
        self.place: object = None
        """Which server it leads to, once that is known."""
        self.unanswered = False
        """It was ended because the database answers nobody."""

    def is_late(self, now: float) -> bool:
        """Tell whether the connection waits for longer than is usual."""
        return 0.0 < self.asked <= now - PATIENCE_SECONDS

    @contextlib.contextmanager
    def held(self) -> Iterator[socket.socket | None]:
        """Yield the socket, which is no other's while it is held; None when the driver has closed it."""
        descriptor, inode = self._socket
        try:
            own = os.dup(descriptor)
        except OSError:
            yield None
            return
        if os.fstat(own).st_ino != inode:  # the number is another file's now
            os.close(own)
            yield None
            return
        with contextlib.closing(socket.socket(fileno=own)) as found:
            yield found


class Watch:
    """Watches the connections to one database; its one thread is there while connections are."""

    def __init__(self, probe: Callable[[], Findings | None]) -> None:
        """`probe` asks the database on a new connection: None for no answer; it raises OSError for one that says no."""
        self._probe = probe
        self._lines: weakref.WeakSet[Line] = weakref.WeakSet()
        self._lock = threading.Lock()
        self._runs = False
        self._troubles = Troubles(_LOG, "looking after connections")

    def add(self, line: Line) -> None:
        """Watch a connection for as long as anybody else holds its line."""
        with self._lock:
            self._lines.add(line)
            if not self._runs:
                with contextlib.suppress(RuntimeError):  # no thread is to be had; the next connection asks again
                    threading.Thread(target=self._run, name="mysql-watch", daemon=True).start()
                    self._runs = True

    def _run(self) -> None:
        while True:
            time.sleep(_LOOK_EVERY_SECONDS)
            with self._lock:
                if not self._lines:
                    self._runs = False
                    return
                lines = list(self._lines)
            self._troubles.kept_off("a database", partial(self.look, lines), None)  # the next look may find more
            del lines

    def look(self, lines: Sequence[Line]) -> None:
        """Ask about the connections that wait for long, and end those that wait for nothing."""
        now = time.monotonic()
        waiting = [(line, line.asked) for line in lines if line.is_late(now)]
        with contextlib.ExitStack() as stack:
            held = [(line, asked, stack.enter_context(line.held())) for line, asked in waiting]
            silent = [(line, asked, found) for line, asked, found in held if found is not None and _is_silent(found)]
            if not silent:
                return
            findings = self._findings()
            for line, asked, found in silent:
                if line.asked == asked and _is_given_up(line, findings):
                    line.unanswered = findings is None
                    _LOG.warning("a statement gets no answer; its connection %d is ended", line.number)
                    with contextlib.suppress(OSError):
                        found.shutdown(socket.SHUT_RDWR)

    def _findings(self) -> Findings | None:
        try:
            return self._probe()
        except OSError:  # it answers, if only to refuse
            return Findings(None, {})


def _is_given_up(line: Line, findings: Findings | None) -> bool:
    if findings is None:
        return True
    if line.place is None or line.place != findings.place:
        return False  # another server of a cluster answered
    thread = findings.threads.get(line.number)
    return thread is None or (thread.idle and thread.seconds >= PATIENCE_SECONDS / 2)


def _is_silent(found: socket.socket) -> bool:
    """Tell whether neither side has sent anything for long: a large statement or answer may be on its way slowly."""
    if found.family not in (socket.AF_INET, socket.AF_INET6) or not hasattr(socket, "TCP_INFO"):
        return True
    told = found.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA.size)
    if len(told) < _LAST_DATA.size:
        return True
    sent_ms, received_ms = _LAST_DATA.unpack(told)
    return bool(min(sent_ms, received_ms) >= PATIENCE_SECONDS * 1000 * 0.9)
