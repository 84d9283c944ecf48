"""Whether a folder answers at all: a call into a network file system whose server went away does not come back.

No thread can be fetched out of such a call, so whoever must not wait for ever has the work done by another thread, as
an errand, and asks now and then about the folder that the errand is in. The folder is asked then by a thread of its
own. A look that does not come back within some seconds tells a folder that is away from work that takes long, and is
what notices that it is back.
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec, Protocol, TypeVar

from mlmd_schemas.errors import Cancelled, Unavailable

T = TypeVar("T")
A = TypeVar("A")
T2 = TypeVar("T2")
P = ParamSpec("P")

ANSWER_SECONDS = 7.0
"""How long a look may take; files of a folder that is slower than that are of no use to anybody who waits."""
_PAUSE_SECONDS = 2.0
"""How long a look that came back counts."""
_SHARE = 0.25
"""After so much more of the time that a folder has been silent it is looked at anew, for a look into a mount that was
replaced may never come back; a day makes some forty of them."""

_LOG = logging.getLogger("mlmd.artifacts")
_HERE = threading.local()


class Errand(Generic[T]):
    """Work that one thread does while another waits for it, and the folders that it is in at the moment.

    A folder is there as often as it was entered, by the thread and by those that do a part of the work. Work that was
    `given_up` is broken off when it comes out of its folder.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self.folders: list[FolderWatch] = []
        self.given_up = False

    def run(self) -> T:
        """Do the work, in the thread that does it."""
        with self._here():
            return self._work()

    @contextmanager
    def _here(self) -> Iterator[None]:
        _HERE.errand = self
        try:
            yield
        finally:
            _HERE.errand = None

    def carried(self, part: Callable[[A], T2]) -> Callable[[A], T2]:
        """Return a part of the work, to be done by another thread."""

        def run(argument: A) -> T2:
            with self._here():
                return part(argument)

        return run

    def check(self) -> None:
        """Give the work up and raise Unavailable when it is in a folder that does not answer; for whoever waits."""
        for folder in set(self.folders):
            try:
                folder.ask()
            except Unavailable:
                self.given_up = True
                raise


def carried(part: Callable[[A], T2]) -> Callable[[A], T2]:
    """Return a part of what this thread does, to be done by another one for the same errand."""
    errand: Errand[object] | None = getattr(_HERE, "errand", None)
    return part if errand is None else errand.carried(part)


class FolderWatch:
    """What is known of one folder; a context manager for whatever calls into it, safe to use from many threads.

    Entering raises Unavailable while the folder does not answer, and leaving Cancelled when nobody waits any more: who
    was told that calls again, and would find an upload begun twice.
    """

    def __init__(self, root: Path) -> None:
        """Take the folder; it is looked at when somebody asks."""
        self._root = root
        self._lock = threading.Lock()
        self._since: float | None = None
        self._begun = self._ended = float("-inf")
        self._told = False

    def __enter__(self) -> None:
        if self._since is not None:
            self._refuse()
        errand: Errand[object] | None = getattr(_HERE, "errand", None)
        if errand is not None:
            errand.folders.append(self)

    def __exit__(self, *raised: object) -> None:
        errand: Errand[object] | None = getattr(_HERE, "errand", None)
        if errand is not None:
            errand.folders.remove(self)
            if errand.given_up and raised[0] is None:
                raise Cancelled("The folder did not answer while somebody waited for it.")

    @contextmanager
    def leaving(self) -> Iterator[None]:
        """Enter for what has to be done in any case, as letting go of a lock."""
        errand: Errand[object] | None = getattr(_HERE, "errand", None)
        if errand is None:
            yield
            return
        errand.folders.append(self)
        try:
            yield
        finally:
            errand.folders.remove(self)

    def along(self, pieces: Iterator[T]) -> Iterator[T]:
        """Yield what is read in the folder piece by piece; between two pieces nobody is in it."""
        while True:
            with self:
                try:
                    piece = next(pieces)
                except StopIteration:
                    return
            yield piece

    def ask(self) -> None:
        """Have the folder looked at unless that is under way or was done a moment ago; raise Unavailable in silence."""
        now = time.monotonic()
        with self._lock:
            if self._since is None and now - self._ended > _PAUSE_SECONDS:
                self._begin(now)
        self._refuse()

    def _refuse(self) -> None:
        """Raise Unavailable when the folder has not answered for long; it is looked at anew now and then."""
        now = time.monotonic()
        with self._lock:
            if self._since is None or now - self._since < ANSWER_SECONDS:
                return
            silent_seconds = now - self._since
            if now - self._begun > max(ANSWER_SECONDS, silent_seconds * _SHARE):
                self._begin(now)
            if not self._told:
                _LOG.warning("the artifact folder %r does not answer; calls that need it are refused", str(self._root))
            self._told = True
        raise Unavailable(
            f"The artifact folder {str(self._root)!r} has not answered for {silent_seconds:.0f} seconds, and it is not "
            "known whether this call came to its end; look at its file server, at the network between and at the "
            "system's log (dmesg). This server goes on by itself when the folder answers; call again then."
        )

    def _begin(self, now: float) -> None:
        thread = threading.Thread(target=self._look, name="folder-look", daemon=True)
        with suppress(RuntimeError):  # no more threads are to be had; who asks next tries it again
            thread.start()
            self._begun = now
            if self._since is None:
                self._since = now

    def _look(self) -> None:
        with suppress(OSError):  # is an answer too
            look_into(self._root)
        with self._lock:
            self._since, self._ended = None, time.monotonic()
            if self._told:
                _LOG.warning("the artifact folder %r answers again", str(self._root))
            self._told = False


def look_into(root: Path) -> None:
    """Ask the file system what no cache of this machine can answer: its room, and a name that nobody has."""
    os.statvfs(root)
    with suppress(FileNotFoundError):
        os.stat(f"{root}/{secrets.token_hex(12)}")


class _HasWatch(Protocol):
    @property
    def watch(self) -> FolderWatch: ...


S = TypeVar("S", bound=_HasWatch)


def inside(method: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Have a method of a store counted as being in its folder."""

    @wraps(method)
    def run(self: S, /, *arguments: P.args, **named: P.kwargs) -> T:
        with self.watch:
            return method(self, *arguments, **named)

    return run
