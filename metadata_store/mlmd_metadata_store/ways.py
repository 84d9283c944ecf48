"""Ways to the nodes of lists that were looked for lately (dives.py)."""

import time
from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Final

KEPT_SECONDS: Final = 60.0
"""How long a way is taken again without another look. An old one is slower at worst, never wrong."""
_MOST_KEPT: Final = 1_000


class Ways:
    """The ways of one database that were looked for lately; safe to use from many threads."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()

    def get(self, key: Hashable) -> Any:
        """Return what is known under a key, None when nothing is or when it is old."""
        found = self._known.get(key)
        return found[1] if found is not None and found[0] > time.monotonic() else None

    def keep(self, key: Hashable, value: Any) -> None:
        """Keep what was found under a key."""
        self._known[key] = time.monotonic() + KEPT_SECONDS, value
        while len(self._known) > _MOST_KEPT:
            self._known.popitem(last=False)
