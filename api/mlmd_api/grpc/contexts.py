"""What the handlers of calls ask of gRPC about one call, whichever server runs them."""

from collections.abc import Callable, Iterable
from typing import NoReturn, Protocol

import grpc


class CallContext(Protocol):
    """One call. `grpc.ServicerContext` has all of it."""

    def is_active(self) -> bool:
        """Whether somebody still waits for the answer, as far as is known."""

    def time_remaining(self) -> float | None:
        """Seconds until the deadline, 0 when it has passed."""

    def invocation_metadata(self) -> Iterable[tuple[str, str | bytes]]:
        """The call's metadata; keys are lower-case."""

    def peer(self) -> str:
        """Where the call came from, as gRPC writes it."""

    def add_callback(self, callback: Callable[[], None]) -> bool:
        """Have something called when the call ends; False when it has ended already."""

    def cancel(self) -> None:
        """End the call, whatever of it was not sent."""

    def set_trailing_metadata(self, trailing_metadata: tuple[tuple[str, str | bytes], ...]) -> None:
        """Set what is sent after the last message."""

    def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        """End the call with an error, by raising."""
