"""Whether the workers move: each counts up in memory that all of them share, and the parent looks on.

A worker that was stopped keeps its share of both ports, so that its part of all new connections waits unnoticed. What
is counted here are looks of the parent and not hours: where the whole machine or container stood still, the parent
stood still too, and no worker has been silent for longer. docs/decisions/0022 tells why.
"""

import logging
import mmap
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

_LOG = logging.getLogger("mlmd.workers")
BEAT_SECONDS = 1.0
"""How often a worker counts, and its parent looks."""
SILENT_SECONDS = 10.0
"""After this a worker that does not count is told of."""
GIVEN_UP_SECONDS = 60.0
"""After this one that used no processor either is ended."""
_LONGEST_GAP_BEATS = 2.0
"""More between two looks of the parent counts as so much: it stood still itself."""
_BEATS, _SILENT, _PLACES = 0, 1, 2
"""Places of each worker: what it counted, and for how many seconds its parent has missed it."""


class Pulses:
    """The memory that the parent makes before it forks. A worker calls `begin` and `trouble`, the parent the rest."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._places = memoryview(mmap.mmap(-1, 8 * _PLACES * count)).cast("Q")
        self.number = 0
        """Whose process this is, in a worker."""

    def begin(self) -> None:
        """Count in a thread until the process ends; raises RuntimeError when the system gives no thread."""

        def count() -> None:
            while True:
                self._places[_PLACES * self.number + _BEATS] += 1
                time.sleep(BEAT_SECONDS)

        threading.Thread(target=count, name="pulse", daemon=True).start()

    def silent(self) -> dict[int, int]:
        """Return the numbers of the workers that are silent, and for how many seconds."""
        seconds = {number: self._places[_PLACES * number + _SILENT] for number in range(self._count)}
        return {number: silence for number, silence in seconds.items() if silence}

    def trouble(self) -> str:
        """Return the sentence that says which workers are silent, "" when none is."""
        told = [f"worker {number} has not moved for {seconds} seconds" for number, seconds in self.silent().items()]
        return f"{', '.join(told)}: new connections that it gets wait." if told else ""

    def forget(self, number: int) -> None:
        """Make the places of a worker those of the one that is forked next."""
        self._places[_PLACES * number + _BEATS] = self._places[_PLACES * number + _SILENT] = 0

    def beats(self, number: int) -> int:
        """Return what a worker has counted; 0 before it began."""
        return self._places[_PLACES * number + _BEATS]

    def note(self, number: int, seconds: float) -> None:
        """Note for all workers for how long one has been silent; 0 when it is not."""
        self._places[_PLACES * number + _SILENT] = int(seconds)


@dataclass(slots=True)
class _Watched:
    """What the parent saw of one worker; times are in seconds of its own looks."""

    beats: int = 0
    silent: float = 0.0
    idle: float = 0.0
    """For how long it has used no processor meanwhile."""
    ticks: int | None = None
    is_told: bool = False
    is_given_up: bool = False


def processor_ticks(pid: int) -> int | None:
    """Return how much a process has used of the processors; None where it cannot be told, or a debugger holds it."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if words[0] == "t" else int(words[11]) + int(words[12])
    except (OSError, ValueError, IndexError):  # another system, or it has ended
        return None


class Onlooker:
    """The parent's eye on its workers."""

    def __init__(
        self,
        pulses: Pulses,
        clock: Callable[[], float] = time.monotonic,
        ticks_of: Callable[[int], int | None] = processor_ticks,
    ) -> None:
        self._pulses = pulses
        self._clock = clock
        self._ticks_of = ticks_of
        self._looked = clock()
        self._watched: dict[int, _Watched] = {}

    def look(self, workers: Mapping[int, int]) -> list[int]:
        """Look at the workers (numbers by process id), if it is time to; return those to be ended, each once."""
        since = self._clock() - self._looked
        if since < BEAT_SECONDS:
            return []
        self._looked += since
        gap = min(since, _LONGEST_GAP_BEATS * BEAT_SECONDS)
        self._watched = {pid: self._watched.get(pid) or _Watched() for pid in workers}
        return [pid for pid, number in workers.items() if self._is_given_up(pid, number, gap)]

    def _is_given_up(self, pid: int, number: int, gap: float) -> bool:
        watched, beats = self._watched[pid], self._pulses.beats(number)
        if beats == 0 or beats != watched.beats:
            self._moves(watched, pid, number)
            watched.beats = beats
            return False
        self._is_silent(watched, pid, number, gap)
        if watched.idle < GIVEN_UP_SECONDS or watched.is_given_up:
            return False
        watched.is_given_up = True
        _LOG.error("%s for %d s and used no processor; it is killed", _told(pid, number), watched.silent)
        return True

    def _moves(self, watched: _Watched, pid: int, number: int) -> None:
        if watched.is_told:
            _LOG.warning("worker %d (pid %d) moves again after some %d s", number, pid, watched.silent)
            self._pulses.note(number, 0)
        watched.silent, watched.idle, watched.is_told = 0.0, 0.0, False

    def _is_silent(self, watched: _Watched, pid: int, number: int, gap: float) -> None:
        watched.silent += gap
        ticks, before = self._ticks_of(pid), watched.ticks
        watched.ticks = ticks
        # Who computes is busy, with one call that lets no other thread on; who cannot be asked may be.
        watched.idle = watched.idle + gap if ticks is not None and ticks == before else 0.0
        if watched.silent >= SILENT_SECONDS:
            self._pulses.note(number, watched.silent)
            if not watched.is_told:
                _LOG.warning("%s for %d s: new connections that it gets wait", _told(pid, number), watched.silent)
            watched.is_told = True


def _told(pid: int, number: int) -> str:
    return f"worker {number} (pid {pid}) has not moved"
