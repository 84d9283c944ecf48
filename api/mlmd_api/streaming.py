"""What a wire says to a call: one answer, or a stream of messages and then an answer without a body."""

import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mlmd_schemas.errors import Code, StoreError, Unavailable

from mlmd_api.untaken import Place


@dataclass(frozen=True, slots=True)
class Answer:
    """What a wire says: a code, a sentence when it is not OK, the response's bytes when it is.

    `facts` go with an error as metadata of the call: trailers of gRPC, headers of HTTP. `raised` is the class of the
    error, for a wire that tells some errors of one code apart. The wire keeps `place` until the caller has taken the
    answer.
    """

    code: Code
    message: str
    body: bytes
    request_id: str
    facts: Mapping[str, str] = field(default_factory=dict)
    raised: type[Exception] | None = None
    place: Place | None = None


class Ending(Unavailable):
    """A stream ends because the server is told to stop: nothing went wrong."""

    def __init__(self) -> None:
        super().__init__("This server is about to stop; open the stream again where it ended.")


class Stream:
    """The messages of one streaming call, each as bytes, to be iterated once in one thread.

    `end` is what is to be said after the last of them. `leave` may be called from any thread, at any time.
    """

    def __init__(self, request_id: str) -> None:
        self.request_id = request_id
        self.gone = threading.Event()
        self.refusal: StoreError | None = None
        self.end = Answer(Code.CANCELLED, "The stream was left.", b"", request_id)
        self._bodies: Iterator[bytes] = iter(())

    def begin(self, bodies: Iterator[bytes]) -> None:
        """Take the messages."""
        self._bodies = bodies

    def __iter__(self) -> Iterator[bytes]:
        return self._bodies

    def leave(self) -> None:
        """Tell whoever makes the messages that nobody waits for more."""
        self.gone.set()

    def refuse(self, error: StoreError) -> None:
        """Let the stream end with an error before its next message."""
        self.refusal = error
        self.leave()

    def close(self) -> None:
        """End the call, in the thread that iterates; nothing happens when it has ended."""
        self.leave()
        close = getattr(self._bodies, "close", None)
        if close is not None:
            close()
