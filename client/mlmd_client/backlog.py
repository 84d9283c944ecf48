"""What earlier processes of this machine could not send to a store, sent by one thread of a process at a time.

`journal` says how calls lie on the disk, `outbox` writes them there and sends those of a living run, `delivery` makes
one of them at the server, `journals` shows them to people; here they are sent for whoever opened the store.
"""

import logging
import threading
import time

from mlmd_schemas.counting import counted

from mlmd_client.calls import CallError
from mlmd_client.delivery import deliver_left_behind, journal_folder
from mlmd_client.service import Service

LOG = logging.getLogger("mlmd")


class Backlog:
    """The calls that are left for the store at an address.

    >>> Backlog("grpc://nowhere:1").send(store.service, 0.0)
    0
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._sending = threading.Lock()

    def start(self, service: Service) -> None:
        """Send it in the background, if there may be any; failures go to the log."""
        try:
            is_there = journal_folder(self._address).is_dir()
        except OSError:  # it may not even be looked for, which the log is told
            is_there = True
        if is_there:
            threading.Thread(target=self._send_quietly, args=(service,), name="mlmd-left-behind", daemon=True).start()

    def send(self, service: Service, until: float) -> int:
        """Send it till then, on this process's clock; return how many calls remain.

        Raises Refused for a folder of journals that cannot be looked through.
        """
        folder = journal_folder(self._address)
        if not self._sending.acquire(timeout=min(seconds_until(until), threading.TIMEOUT_MAX)):
            from mlmd_client.journals import WAITING, kept_journals  # seldom needed

            # A thread of ours is at it, and holds one of the files: there is a call at least that it waits for.
            return max(1, sum(one.calls for one in kept_journals(folder) if one.state == WAITING))
        try:
            return deliver_left_behind(service, folder, until)[1]
        finally:
            self._sending.release()

    def _send_quietly(self, service: Service) -> None:
        try:
            with self._sending:
                sent, left = deliver_left_behind(service, journal_folder(self._address))
        except (OSError, CallError) as error:
            LOG.warning("what earlier processes left behind could not be looked through: %s", error)
            return
        if sent or left:
            LOG.info("sent %s that earlier processes left behind, %d left", counted(sent, "call"), left)


def seconds_until(moment: float) -> float:
    """Return how many seconds there are until a moment of this process's clock, 0 when it has come.

    >>> seconds_until(0.0)
    0.0
    """
    return max(0.0, moment - time.monotonic())
