"""The signals that end a server: what the log says of each, and the exit status of what a signal cut off."""

import contextlib
import logging
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a process ends, as the log says it, at a level of `logging`."""

    words: str
    level: int = logging.INFO


_HANGUP = (
    "SIGHUP came: its terminal went away, or who started it ended while one of its processes was stopped, and the "
    "system told the others"
)
_KILLED = "as the system does when memory runs out"


def reason_of(number: int) -> Reason:
    """Return the reason for an end that a signal asks for."""
    if number == signal.SIGHUP:
        return Reason(_HANGUP, logging.WARNING)
    return Reason(f"{signal.Signals(number).name} came")


def how_it_ended(status: int) -> str:
    """Return how a process ended, by its status as `os.waitstatus_to_exitcode` has it."""
    if status >= 0:
        return f"ended with status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:  # one of the real-time signals
        name = f"signal {-status}"
    return f"was ended by {name}" + (f", {_KILLED}" if status == -signal.SIGKILL else "")


def on_hangup(ask: Callable[[Reason], None]) -> Any:
    """Return what SIGHUP is to do: ask for the end, as often as it comes; nothing where `nohup` said so."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return signal.SIG_IGN
    return lambda number, frame: ask(reason_of(number))


def die_of(number: int) -> NoReturn:
    """End the process at once, as one that the signal ended: its status tells whoever started it that it was asked.

    A shell and Kubernetes see 128 and the number, and systemd an end that is no failure, after which it does not start
    the server again. An exit with 143 would be a failure there. The first process of a container cannot be ended by a
    signal of its own, and exits with what its runtime makes of the other.
    """
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)


def last_words(logger: str, level: int, message: str) -> None:
    """Write a line of the log from within a signal's handler, where no lock may be waited for, and no reader."""
    record = logging.LogRecord(logger, level, "", 0, message, None, None)
    ready = select.poll()
    ready.register(2, select.POLLOUT)
    for handler in logging.getLogger().handlers:
        if level >= logging.getLogger().level and ready.poll(0):
            with contextlib.suppress(OSError):  # nobody reads it
                os.write(2, f"{handler.format(record)}\n".encode())
