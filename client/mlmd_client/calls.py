"""What every way to a store has in common: one call at a time, and one kind of failure."""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

from google.protobuf.message import Message
from mlmd_schemas.errors import Code

PUSHBACK = "grpc-retry-pushback-ms"
"""When a server that refuses wants to be asked again, in metadata (gRFC A6); below 0: not at all."""

M = TypeVar("M", bound=Message)
Metadata = Sequence[tuple[str, str]]
"""What goes with a call, as gRPC has it: lower-case names and their values."""


class CallError(Exception):
    """A call that was not answered with OK.

    `code` is gRPC's (a `Code`, which is also its number: 3 is INVALID_ARGUMENT, 14 UNAVAILABLE), `message` the sentence
    of whoever refused, and `request_id` what the server's log calls this call; empty when the call never reached it.
    `facts` are what the server tells programs beside the sentence, such as `mlmd-alias-number`.

    >>> error = CallError(5, "There is no artifact 7.", "ab12")
    >>> str(error), error.code.name, error.code == 5
    ('There is no artifact 7.', 'NOT_FOUND', True)
    """

    def __init__(self, code: int, message: str, request_id: str = "", facts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.code = Code(code)
        self.message = message
        self.request_id = request_id
        self.facts: Mapping[str, str] = dict(facts or {})

    def __reduce__(self) -> tuple[type["CallError"], tuple[int, str, str, Mapping[str, str]]]:
        """Travel between processes whole."""
        return type(self), (self.code, self.message, self.request_id, self.facts)


def forbids_retries(metadata: Mapping[str, str]) -> bool:
    """Whether a server says along with a refusal that asking again does not help.

    >>> forbids_retries({"grpc-retry-pushback-ms": "-1"}), forbids_retries({})
    (True, False)
    """
    return metadata.get(PUSHBACK, "").startswith("-")


def may_pass(error: CallError) -> bool:
    """Whether the same call may soon succeed, without anybody's doing.

    >>> may_pass(CallError(Code.UNAVAILABLE, "The server drains."))
    True
    >>> may_pass(CallError(Code.INVALID_ARGUMENT, "name: is empty."))
    False
    >>> may_pass(CallError(Code.UNAVAILABLE, "The volume is not mounted.", facts={"grpc-retry-pushback-ms": "-1"}))
    False
    """
    return error.code in (Code.UNAVAILABLE, Code.ABORTED) and not forbids_retries(error.facts)


class Answers(Iterator[M]):
    """The messages of one streaming call as they come; safe to close from another thread than the one that waits."""

    def __init__(self, messages: Generator[M], leave: Callable[[], None]) -> None:
        """Take the messages and what ends the call."""
        self._messages = messages
        self._leave = leave
        self._is_left = False

    def __next__(self) -> M:
        """Wait for the next message; raises CallError."""
        try:
            return next(self._messages)
        except CallError:
            if self._is_left:
                raise StopIteration from None
            raise

    def close(self) -> None:
        """End the call, and the iteration with it. Closing twice is once."""
        self._is_left = True
        self._leave()
        with suppress(ValueError):  # a thread waits for the next message, which does not come now
            self._messages.close()


class Transport(Protocol):
    """A way to a store, over the network or in this process; safe to use from many threads.

    A process forked from the one that made it may go on using it: it then connects anew.
    """

    target: str
    """Where it leads, as a person would write it, without secrets."""

    def unary(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        timeout_seconds: float | None = None,
        metadata: Metadata = (),
    ) -> M:
        """Make one call of `/package.Service/Method`; raises CallError. Without a timeout it waits for ever."""

    def stream(
        self,
        path: str,
        request: Message,
        response_type: type[M],
        *,
        timeout_seconds: float | None = None,
        metadata: Metadata = (),
    ) -> Answers[M]:
        """Make one call that many messages answer, as they come; raises CallError, at once or while iterating."""

    def close(self) -> None:
        """Give back what it holds; calls made afterwards are CANCELLED. Closing twice is once."""
