"""A call as a wire received it, whatever the wire was."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mlmd_schemas.errors import InvalidArgument

from mlmd_api.codec import BINARY, Codec

REQUEST_ID_KEY = "x-request-id"
IDEMPOTENCY_KEY = "mlmd-idempotency-key"
_SAID_ONCE = ("authorization", IDEMPOTENCY_KEY)


class Metadata(dict[str, str]):
    """Metadata or headers of a call by their keys, which are lower-case. Of what came several times the last counts."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Take what came, in its order."""
        came = list(pairs)
        super().__init__(came)
        self.times: Mapping[str, int] = {} if len(came) == len(self) else Counter(key for key, _ in came)


def check_said_once(metadata: Mapping[str, str]) -> None:
    """Raise InvalidArgument when a call says more than once who asks, or which call it repeats.

    What stands before the server may have looked at another one of them than the server would.
    """
    times = metadata.times if isinstance(metadata, Metadata) else {}
    for key in _SAID_ONCE if times else ():
        if times.get(key, 0) > 1:
            raise InvalidArgument(f"{key}: the call has it {times[key]} times; send it once.")


@dataclass(frozen=True, slots=True)
class Call:
    """What a wire received. `deadline` is on the clock of `time.monotonic()`; metadata keys are lower-case."""

    path: str
    body: bytes
    metadata: Mapping[str, str]
    wire: str
    deadline: float | None = None
    peer: str = ""
    codec: Codec = BINARY
