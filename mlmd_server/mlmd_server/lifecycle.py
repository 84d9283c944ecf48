"""One serving process from its start to its orderly end."""

import contextlib
import logging
import os
import queue
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

from mlmd_api.measurements import NOTE_EVERY_SECONDS
from mlmd_metadata_store.connections import CLOSE_EVERY_SECONDS
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Unavailable

from mlmd_server import couriers, descriptors, memory, reaper, sweeper
from mlmd_server.chores import Chores
from mlmd_server.config import Config
from mlmd_server.pulses import Pulses
from mlmd_server.rounds import Rounds
from mlmd_server.signals import Reason, die_of, last_words, on_hangup, reason_of
from mlmd_server.surroundings import NO_THREAD, no_thread, see_to_threads
from mlmd_server.wiring import Parts, assemble

_LOG = logging.getLogger("mlmd.server")
_SLACK_SECONDS = 2.0
_LOOK_SECONDS = 0.5
_LEAST_DRAIN_SECONDS = 0.25
"""What listeners without calls take to close: less would say that calls were given up where there were none."""


class Ending:
    """The wish that the process ends: by SIGTERM, SIGINT, SIGHUP or `ask`; a second of the first two ends it at once.

    Python runs a signal's handler in the main thread, when this one comes to it: a signal that the system gave to
    another thread, or that came in the moment before the main thread fell asleep, does not wake it. So it looks now
    and then. And what a handler does must not want a lock that the main thread may just have, as an Event's `set` does;
    `put` of a SimpleQueue may be called at any moment.
    """

    def __init__(self) -> None:
        self._asked: queue.SimpleQueue[Reason] = queue.SimpleQueue()
        self._signalled = False

    def listen(self, interrupt: bool = True) -> None:
        """Take over SIGTERM, and SIGINT and SIGHUP or nothing of them; only the main thread can."""
        signal.signal(signal.SIGTERM, self._on_signal)
        signal.signal(signal.SIGINT, self._on_signal if interrupt else signal.SIG_IGN)
        signal.signal(signal.SIGHUP, on_hangup(self.ask) if interrupt else signal.SIG_IGN)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            words = f"{reason_of(number).words} again; calls in flight are cut off"
            last_words(_LOG.name, logging.WARNING, words)
            die_of(number)
        self._signalled = True
        self._asked.put(reason_of(number))

    def ask(self, reason: Reason) -> None:
        """Ask for the end."""
        self._asked.put(reason)

    def wait(self) -> Reason:
        """Wait until somebody asks; returns why."""
        while True:
            with contextlib.suppress(queue.Empty):
                return self._asked.get(timeout=_LOOK_SECONDS)


def run(config: Config, ending: Ending, when_ready: Callable[[], None], pulses: Pulses | None = None) -> None:
    """Serve until asked to end, then drain; raises StoreError when it cannot start. A worker has `pulses`."""
    see_to_threads()
    try:
        parts, chores = _start(config, pulses)
    except RuntimeError as error:
        if str(error) != NO_THREAD:
            raise
        raise Unavailable(no_thread()) from error  # somebody else took them after they had been seen to
    when_ready()
    reason = ending.wait()
    if parts.http is not None:
        parts.http.refuse_readiness()
    ended = chores.stop()
    _LOG.log(reason.level, "%s; draining for at most %g s", reason.words, config.drain_seconds)
    if not drain(parts, config.drain_seconds):
        _LOG.warning("calls still in flight after %g s were given up", config.drain_seconds)
        leave_at_once()
    if given_up := parts.artifacts.errands.given_up:
        _LOG.warning("gave up %s in a folder of artifacts that does not answer", counted(given_up, "thread"))
        leave_at_once()
    parts.stores.close()
    if not ended:
        _LOG.warning("a thread that waits for a database or for a receiver of webhooks was given up")
        leave_at_once()


def _start(config: Config, pulses: Pulses | None) -> tuple[Parts, Chores]:
    if pulses is not None:
        pulses.begin()
    parts = assemble(config, pulses=pulses)
    if parts.http is not None:
        parts.http.start()
    if parts.grpc is not None:
        parts.grpc.start()  # the last, since its health speaks for the whole server
    chores = Chores()
    chores.begin("memory", partial(memory.let_go_of_large, parts), memory.EVERY_SECONDS)
    chores.begin("descriptors", descriptors.Descriptors().look, descriptors.EVERY_SECONDS)
    chores.begin("connections", parts.connections.close_rested, CLOSE_EVERY_SECONDS)
    if parts.measurements.is_shared:
        chores.begin("measurements", parts.measurements.note_pool, NOTE_EVERY_SECONDS)
    if parts.certificates is not None:
        chores.begin("certificates", parts.certificates.look_again, parts.certificates.look_every_seconds)
    if not config.database.read_only:
        _begin(chores, parts, config)
    return parts, chores


def _begin(chores: Chores, parts: Parts, config: Config) -> None:
    chores.begin("reaper", partial(reaper.reap_opened, parts.stores, Rounds()), reaper.EVERY_SECONDS)
    posting = couriers.Couriers(parts.stores, chores.stopped, private_too=config.webhook_private_addresses)
    chores.begin("couriers", posting.post_due, couriers.EVERY_SECONDS)
    if every_seconds := config.artifacts.sweep_every_seconds:
        sweeping = sweeper.Sweeper(parts.artifacts, parts.stores.names, every_seconds, chores.stopped)
        chores.begin("sweeper", sweeping.sweep_due, min(every_seconds, sweeper.LONGEST_PAUSE_SECONDS))


def drain(parts: Parts, seconds: float) -> bool:
    """Say that no more calls are taken, let those in flight finish; returns whether all did within the time."""
    seconds = max(seconds, _LEAST_DRAIN_SECONDS)
    until = time.monotonic() + seconds
    if parts.http is not None:
        parts.http.stop(seconds)
    stopped = parts.grpc.stop(seconds) if parts.grpc is not None else None
    drained = True
    if stopped is not None:
        drained = stopped.wait(max(0.0, until - time.monotonic()) + _SLACK_SECONDS)
    if parts.http is not None:
        drained = parts.http.wait(max(0.0, until - time.monotonic()) + _SLACK_SECONDS) and drained
    return drained and time.monotonic() < until


def leave_at_once() -> None:
    """End the process without waiting for its threads; what they had not committed is rolled back."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
