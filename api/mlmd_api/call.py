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
        self.differing: Mapping[str, int] = {} if len(came) == len(self) else Counter(key for key, _ in set(came))
        """How many different values each key came with, where a key came twice."""


def check_said_once(metadata: Mapping[str, str]) -> None:
    """Raise InvalidArgument when a call says two things about who asks, or about which call it repeats.

    What stands before the server may have looked at another one of them than the server would. The same twice is no
    doubt: channel and interceptor of one client may both add its token.
    """
    differing = metadata.differing if isinstance(metadata, Metadata) else {}
    for key in _SAID_ONCE if differing else ():
        if differing.get(key, 0) > 1:
            raise InvalidArgument(f"{key}: the call has {differing[key]} different values of it; send one.")


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
