"""What fails in a thread that tries again by itself: it goes to the log when it begins, not each time it is met."""

import logging
import threading
from collections.abc import Callable
from typing import TypeVar

from mlmd_schemas.errors import StoreError

T = TypeVar("T")


class Troubles:
    """What failed last, by whose it is, as in "tenant 'a'". `work` says what is tried, as in "posting to webhooks"."""

    def __init__(self, log: logging.Logger, work: str) -> None:
        self._log = log
        self._work = work
        self._known: dict[str, str] = {}
        self._lock = threading.Lock()

    def kept_off(self, whose: str, attempt: Callable[[], T], otherwise: T, but: tuple[type[StoreError], ...] = ()) -> T:
        """Return what an attempt does, or `otherwise` when it fails: the thread goes on, and tries again later.

        A database that is away is a warning of one sentence; what nobody foresaw is an error with its trace. `but` is
        raised all the same: errors that others would meet, too.
        """
        try:
            done = attempt()
        except but:
            raise
        except StoreError as error:
            if self._is_news(whose, error.message):
                self._log.warning("%s failed for %s, and is tried again: %s", self._work, whose, error.message)
            return otherwise
        except Exception as error:  # noqa: BLE001 - the thread goes on; a fault in one store is not the others'
            if self._is_news(whose, repr(error)):
                self._log.exception("%s failed for %s, and is tried again", self._work, whose)
            return otherwise
        with self._lock:
            self._known.pop(whose, None)
        return done

    def _is_news(self, whose: str, trouble: str) -> bool:
        with self._lock:
            known, self._known[whose] = self._known.get(whose), trouble
        return known != trouble
