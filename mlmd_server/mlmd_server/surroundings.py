"""What a process finds where it is started: standard streams, limits, a terminal that may go away."""

import contextlib
import os
import resource
import signal
from collections.abc import Callable
from typing import Any


def complete_streams() -> None:
    """Open the standard streams that are closed, on nothing.

    Their numbers would otherwise go to the next files and connections, and what a library writes to standard error
    into one of those.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)


def discard_output() -> None:
    """Send what is still to be written to standard output nowhere, so that the end of the process does not fail."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)
    os.close(nothing)


def raise_descriptors() -> None:
    """Let the process open as many files and connections as it may ask for: each client takes one."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a system with a limit of its own, as macOS
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def hangup(ask: Callable[[], None]) -> Any:
    """Return what SIGHUP is to do: ask for the end, as often as it comes; nothing where `nohup` said so."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return signal.SIG_IGN
    return lambda number, frame: ask()
