"""What a process finds where it is started: standard streams, limits, signals that somebody has set."""

import contextlib
import os
import resource
import signal


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


def hear_of_children() -> None:
    """Hear how processes end that are forked from here on, though whoever started this one has it ignore SIGCHLD."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
