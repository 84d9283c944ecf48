"""One call of gRPC core: its message received, its answer sent, its end.

Every exchange with gRPC core is a batch of operations with a function that is called, by one of the server's threads,
when the batch is done. Operations keep what they carried, so each is made for one batch and never used again.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, Protocol

import grpc
from grpc._cython import cygrpc  # type: ignore[attr-defined]  # compiled, without stubs
from mlmd_schemas.errors import Code

Work = Callable[[], None]
"""What is to be done when an event is over and forgotten with all that it carried."""
Done = Callable[[Any], Work | None]

_NO_FLAGS = 0


class Tally(Protocol):
    """Who counts what gRPC core still has to say, so that the end of the server waits for it."""

    def expect(self) -> None:
        """Count one more."""

    def arrived(self) -> None:
        """Count one less."""


class Aborted(Exception):
    """Raised by `CoreCall.abort` through a handler."""


class CoreCall:
    """One call, from its path on. It is the `CallContext` of its handler.

    A call of one message that is answered at once sends its answer and asks for its end in one batch. Whoever may have
    to wait is told when the caller leaves (`watch_end`), which takes a batch more.
    """

    __slots__ = (
        "_call",
        "_callbacks",
        "_code",
        "_deadline",
        "_details",
        "_headed",
        "_left",
        "_lock",
        "_metadata",
        "_over",
        "_tally",
        "_trailers",
        "_watched",
        "path",
    )

    def __init__(self, event: Any, tally: Tally) -> None:
        """Take over a call from the event that announced it; the tally has counted it."""
        self.path: str = event.call_details.method.decode("utf-8", "replace")
        self._call = event.call
        # A moment of the machine's clock, which may be set while the call waits.
        self._deadline: float = time.monotonic() + event.call_details.deadline - time.time()
        self._metadata = event.invocation_metadata
        self._tally = tally
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] | None = []
        self._code = Code.OK.value
        self._details = b""
        self._trailers: tuple[tuple[str, str | bytes], ...] | None = None
        self._headed = False
        self._left = False
        self._over = False
        self._watched = False

    # What handlers ask.

    def is_active(self) -> bool:
        """Whether somebody still waits for the answer, as far as is known: see `watch_end`."""
        return not (self._left or self._over)

    def time_remaining(self) -> float:
        """Seconds until the deadline; infinite without one."""
        return max(self._deadline - time.monotonic(), 0.0)

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The call's metadata."""
        metadata: Iterable[tuple[str, str | bytes]] = self._metadata
        return metadata

    def peer(self) -> str:
        """Where the call came from, as gRPC writes it."""
        peer: bytes = self._call.peer()
        return peer.decode("utf-8", "replace")

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Have something called when the call ends; False when it has ended already."""
        with self._lock:
            if self._callbacks is None:
                return False
            self._callbacks.append(callback)
            return True

    def set_trailing_metadata(self, trailing_metadata: tuple[tuple[str, str | bytes], ...]) -> None:
        """Set what is sent after the last message."""
        self._trailers = trailing_metadata

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call with an error, by raising."""
        self._code = code.value[0]
        self._details = details.encode("utf-8", "replace")
        raise Aborted

    def cancel(self) -> None:
        """End the call, whatever of it was not sent."""
        self._call.cancel(None, None)

    # What the server does with it.

    def watch_end(self) -> None:
        """Ask gRPC core to tell when the caller leaves, from now on."""
        with self._lock:
            if self._watched or self._over:
                return
            self._watched = True
            self._tally.expect()
            self._batch([cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS)], self._on_end)

    def _on_end(self, event: Any) -> None:
        if event.batch_operations[0].cancelled():
            self._left = True
        try:
            self._call_back()
        finally:
            self._tally.arrived()

    def _call_back(self) -> None:
        with self._lock:
            callbacks, self._callbacks = self._callbacks, None
        for callback in callbacks or ():
            callback()

    def receive(self, then: Callable[[bytes | None], Work | None]) -> None:
        """Have the next message given to `then`; None when there is none, or nobody who would send it."""
        self._batch(
            [cygrpc.ReceiveMessageOperation(_NO_FLAGS)], lambda event: then(event.batch_operations[0].message())
        )

    def messages(self) -> Iterator[bytes]:
        """Yield what the caller sends until they have said everything, waiting for each."""
        arrived: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        while self.is_active():
            self.receive(arrived.put)
            message = arrived.get()
            if message is None:
                return
            yield message

    def send(self, message: bytes) -> bool:
        """Send one of several messages and wait until it is written; whether somebody was there to send it to."""
        sent = threading.Semaphore(0)
        with self._lock:
            if self._over or self._left:
                return False
            operations = [cygrpc.SendMessageOperation(message, _NO_FLAGS)]
            if not self._headed:
                self._headed = True
                operations.insert(0, cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS))
            self._batch(operations, lambda event: sent.release())
        sent.acquire()
        return self.is_active()

    def fail(self, code: Code, details: str) -> None:
        """End the call with an error."""
        self._code = code.value
        self._details = details.encode()
        self.finish(None)

    def finish(self, message: bytes | None) -> None:
        """End the call, with its only message or after the last one; nothing happens when it has been ended."""
        with self._lock:
            if self._over:
                return
            self._over = True
            operations = [] if self._headed else [cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS)]
            if message is not None and self._code == Code.OK.value:
                operations.append(cygrpc.SendMessageOperation(message, _NO_FLAGS))
            operations.append(
                cygrpc.SendStatusFromServerOperation(self._trailers, self._code, self._details, _NO_FLAGS)
            )
            if not self._watched:
                operations.append(cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS))
            try:
                self._batch(operations, self._on_finished)
            except RuntimeError:
                self._tally.arrived()
                raise

    def _on_finished(self, event: Any) -> None:
        try:
            if not self._watched:
                self._call_back()
        finally:
            self._tally.arrived()

    def _batch(self, operations: list[Any], done: Done) -> None:
        refusal = self._call.start_server_batch(tuple(operations), done)
        if refusal:  # nothing will be said of such a batch, and whoever waits for it would wait for ever
            raise RuntimeError(f"gRPC core refused a batch of {self.path}: error {refusal}")
