"""What `mlmd` says, for people and for pipes."""

import sys
from contextlib import suppress

from rich.console import Console

_UNBOUNDED = 1 << 30
"""Columns of what is no terminal: whoever reads there wants every line whole."""


class Stream(Console):
    """A console that writes names as they are, brackets and colons too, and folds and cuts for a terminal alone."""

    def __init__(self, *, stderr: bool = False) -> None:
        """Write to standard output or standard error."""
        on_terminal = (sys.stderr if stderr else sys.stdout).isatty()
        width = None if on_terminal else _UNBOUNDED
        super().__init__(
            stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=not on_terminal, width=width
        )


class Output(Stream):
    """Standard output, which ends quietly where nobody reads on."""

    def on_broken_pipe(self) -> None:
        """End without a failure: whoever reads has enough."""
        with suppress(SystemExit):
            super().on_broken_pipe()
        sys.exit(0)
