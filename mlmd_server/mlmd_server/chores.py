"""What a server does again and again beside answering, each in a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable

from mlmd_schemas.chance import CHANCE
from mlmd_schemas.troubles import Troubles

_LOG = logging.getLogger("mlmd.server")
LONGEST_END_SECONDS = 5.0


class Chores:
    """Daemon threads that do their work again and again until they are stopped together.

    `stopped` is set by then, for work that can be broken off.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def begin(self, name: str, work: Callable[[], object], pause_seconds: float) -> None:
        """Do the work in a thread of this name, with a pause of about `pause_seconds` before each time.

        Servers that share a database pause differently long, so that they look at different moments. What the work
        raises goes to the log, and the work goes on the next time.
        """
        troubles = Troubles(_LOG, "what is done beside answering")

        def go_on() -> None:
            while not self.stopped.wait(pause_seconds * CHANCE.uniform(0.75, 1.25)):
                troubles.kept_off(f"the thread {name!r}", work, None)

        thread = threading.Thread(target=go_on, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def stop(self) -> bool:
        """Begin nothing more, and wait for what is being done; False when a thread takes more than five seconds."""
        self.stopped.set()
        until = time.monotonic() + LONGEST_END_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
