"""A call whose bytes a wire moves itself: let in like every other call, and noted like every other when it ends."""

from collections.abc import Callable
from dataclasses import dataclass, field

from mlmd_schemas.caller import Caller

from mlmd_api.streaming import Answer


@dataclass(slots=True)
class Admission:
    """A call that was let in. `received_bytes` and `sent_bytes` are for the log; `end` is said once."""

    caller: Caller
    finish: Callable[["Admission", Exception | None], Answer]
    received_bytes: int = 0
    sent_bytes: int = 0
    _ended: Answer | None = field(default=None)

    def end(self, error: Exception | None = None) -> Answer:
        """Note the end of the call, or what broke it off, and return what is to be said; a second end is the first."""
        if self._ended is None:
            self._ended = self.finish(self, error)
        return self._ended
