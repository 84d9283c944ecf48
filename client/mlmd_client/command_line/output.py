"""Standard output of `mlmd`, for people and for pipes."""

import sys
from contextlib import suppress

from rich.console import Console


class Output(Console):
    """A console that ends quietly where nobody reads on."""

    def on_broken_pipe(self) -> None:
        """End without a failure: whoever reads has enough."""
        with suppress(SystemExit):
            super().on_broken_pipe()
        sys.exit(0)
