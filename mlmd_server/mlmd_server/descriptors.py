"""Files and connections that a process may have open: each client takes one, each SQLite connection up to three."""

import contextlib
import errno
import logging
import os
import resource

from mlmd_schemas.errors import Unavailable

_LOG = logging.getLogger("mlmd.server")
EVERY_SECONDS = 5.0
LEAST = 64
"""At rest it has 20; below some 15 gRPC core aborts the process, and a little above nobody can connect."""
_FEW_LEFT, _ENOUGH_LEFT = 0.1, 0.2
"""Parts of all: fewer left than the first are told of, once until there are more than the second."""
_MEND = "raise ulimit -H -n (LimitNOFILE= of systemd)"


def raise_descriptors() -> None:
    """Let the process open as many files and connections as it may ask for."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):  # a system with a limit of its own, as macOS
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def see_to_descriptors() -> None:
    """Raise Unavailable where the process may not open what it takes to answer a few clients."""
    most = _most()
    if most is not None and most < LEAST:
        raise Unavailable(
            f"descriptors: the system lets this process have {most} files and connections open, fewer than the {LEAST} "
            f"that a server with few clients needs; {_MEND}."
        )


class Descriptors:
    """What one process has open, looked at now and then."""

    def __init__(self) -> None:
        self._is_told = False

    def look(self) -> None:
        """Tell the log when few are left; a client that cannot connect hears nothing of the reason."""
        most = _most()
        if most is None:
            return
        left = most - _open(most)
        if left < _FEW_LEFT * most and not self._is_told:
            _LOG.error(
                "%d of the %d files and connections are open that the system lets this process have; where none is "
                "left, clients cannot connect and calls that open a file fail: close connections, or %s",
                most - left,
                most,
                _MEND,
            )
            self._is_told = True
        elif left > _ENOUGH_LEFT * most:
            self._is_told = False


def _most() -> int | None:
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if most == resource.RLIM_INFINITY else most


def _open(most: int) -> int:
    try:
        return len(os.listdir("/dev/fd"))
    except OSError as error:  # looking takes one, too
        return most if error.errno == errno.EMFILE else 0
