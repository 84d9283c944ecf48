"""A call as a wire received it, whatever the wire was."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlmd_api.codec import BINARY, Codec

REQUEST_ID_KEY = "x-request-id"
IDEMPOTENCY_KEY = "mlmd-idempotency-key"


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
