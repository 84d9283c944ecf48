"""How a command ends that is broken off: by Ctrl-C, by a reader of its output who left, by an output that is full."""

import contextlib
import io
import sys
from collections.abc import Callable

from mlmd_server.statuses import FAILED, INTERRUPTED
from mlmd_server.surroundings import complete_streams, discard_output


class OutputLost(Exception):
    """Raised when nothing more can be written where findings go."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror or str(error))
        self.has_no_reader = isinstance(error, BrokenPipeError)


def tell(text: str, *, aside: bool = False) -> None:
    """Print a line on standard output, or `aside` on standard error, at once; raises OutputLost."""
    try:
        print(text, file=sys.stderr if aside else sys.stdout, flush=True)
    except OSError as error:
        raise OutputLost(error) from None


def run_unbroken(run: Callable[[], int], name: str = "mlmd-server") -> int:
    """Run the command `name`; returns its exit status, or that of one that was broken off.

    Why it was is said on standard error. Nothing is said to a reader who left, as `head` does: it has what it wanted.
    """
    complete_streams()
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")  # what a locale has no letters for, rather than nothing
    try:
        return run()
    except KeyboardInterrupt:
        _say(name, "interrupted")
        return INTERRUPTED
    except OutputLost as lost:
        discard_output()
        if not lost.has_no_reader:
            _say(name, f"the output cannot be written: {lost}; what was done until here stays done.")
        return FAILED


def _say(name: str, text: str) -> None:
    with contextlib.suppress(OSError):
        print(f"{name}: {text}", file=sys.stderr, flush=True)
