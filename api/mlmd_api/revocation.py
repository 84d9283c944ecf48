"""Streams whose caller may no longer have them: they end soon after a token was taken back, though nothing happens."""

import logging
import threading
import time
import weakref
from collections.abc import Callable

from mlmd_schemas.errors import Internal, StoreError

from mlmd_api.streaming import Stream

_LOG = logging.getLogger("mlmd.server")
LOOK_EVERY_SECONDS = 1.0
"""How often every open stream's caller is asked for again; a changed token file is seen about as late."""


class Revocation:
    """Asks again who has each open stream. Its one thread is there while streams are."""

    def __init__(self) -> None:
        self._checks: weakref.WeakKeyDictionary[Stream, Callable[[], None]] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._runs = False

    def watch(self, stream: Stream, check: Callable[[], None]) -> None:
        """Let the stream end with what `check` raises, a StoreError, as soon as it does."""
        with self._lock:
            self._checks[stream] = check
            if not self._runs:
                threading.Thread(target=self._run, name="revocation", daemon=True).start()
                self._runs = True

    def forget(self, stream: Stream) -> None:
        """Ask for this stream no more."""
        with self._lock:
            self._checks.pop(stream, None)

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            with self._lock:
                checks = list(self._checks.items())
                if not checks:
                    self._runs = False
                    return
            for stream, check in checks:
                refusal = _refusal(check)
                if refusal is not None:
                    stream.refuse(refusal)
                    self.forget(stream)
            del checks


def _refusal(check: Callable[[], None]) -> StoreError | None:
    try:
        check()
    except StoreError as error:
        return error
    except Exception:  # noqa: BLE001 - logged; a defect in one check may not leave all other streams unchecked
        _LOG.exception("whether a stream's caller may still have it could not be found out")
        return Internal("The stream ended because of a defect in the server; its log says what.")
    return None
