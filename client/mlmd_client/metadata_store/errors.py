"""The exceptions of ml_metadata: one class for each status code, and the codes themselves.

>>> raise make_exception("There is no type Data.", NOT_FOUND)
Traceback (most recent call last):
    ...
mlmd_client.metadata_store.errors.NotFoundError: There is no type Data.
"""

import logging
from collections.abc import Callable
from typing import cast

_LOG = logging.getLogger("mlmd.client")

OK = 0
CANCELLED = 1
UNKNOWN = 2
INVALID_ARGUMENT = 3
DEADLINE_EXCEEDED = 4
NOT_FOUND = 5
ALREADY_EXISTS = 6
PERMISSION_DENIED = 7
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
OUT_OF_RANGE = 11
UNIMPLEMENTED = 12
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15
UNAUTHENTICATED = 16


class StatusError(Exception):
    """What a store answers instead of a result: a sentence, and a code that is gRPC's number."""

    def __init__(self, message: str, error_code: int) -> None:
        super().__init__(message)
        self.message = message
        self.error_code = error_code


class UnknownError(StatusError):
    """Nobody knows why."""

    def __init__(self, message: str, error_code: int = UNKNOWN) -> None:
        super().__init__(message, error_code)


class CancelledError(StatusError):
    """The call was given up."""

    def __init__(self, message: str) -> None:
        super().__init__(message, CANCELLED)


class InvalidArgumentError(StatusError):
    """The request is wrong, whatever the store holds."""

    def __init__(self, message: str) -> None:
        super().__init__(message, INVALID_ARGUMENT)


class DeadlineExceededError(StatusError):
    """The time given ended before the answer came."""

    def __init__(self, message: str) -> None:
        super().__init__(message, DEADLINE_EXCEEDED)


class NotFoundError(StatusError):
    """What the request names is not there."""

    def __init__(self, message: str) -> None:
        super().__init__(message, NOT_FOUND)


class AlreadyExistsError(StatusError):
    """What the request would make is there already."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ALREADY_EXISTS)


class PermissionDeniedError(StatusError):
    """The caller may not do this."""

    def __init__(self, message: str) -> None:
        super().__init__(message, PERMISSION_DENIED)


class ResourceExhaustedError(StatusError):
    """A limit was met, such as the size of a message."""

    def __init__(self, message: str) -> None:
        super().__init__(message, RESOURCE_EXHAUSTED)


class FailedPreconditionError(StatusError):
    """The store is not in the state that the request needs."""

    def __init__(self, message: str) -> None:
        super().__init__(message, FAILED_PRECONDITION)


class AbortedError(StatusError):
    """Another change got in the way; the same call may succeed when repeated."""

    def __init__(self, message: str) -> None:
        super().__init__(message, ABORTED)


class OutOfRangeError(StatusError):
    """A number lies outside what can be kept or indexed."""

    def __init__(self, message: str) -> None:
        super().__init__(message, OUT_OF_RANGE)


class UnimplementedError(StatusError):
    """Nobody answers this call."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNIMPLEMENTED)


class InternalError(StatusError):
    """The store itself failed, or the contract says so."""

    def __init__(self, message: str) -> None:
        super().__init__(message, INTERNAL)


class UnavailableError(StatusError):
    """The store cannot be reached."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNAVAILABLE)


class DataLossError(StatusError):
    """What is stored contradicts itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message, DATA_LOSS)


class UnauthenticatedError(StatusError):
    """The caller did not say who it is, or not believably."""

    def __init__(self, message: str) -> None:
        super().__init__(message, UNAUTHENTICATED)


_CLASSES: dict[int, type[StatusError]] = {
    UNKNOWN: UnknownError,
    CANCELLED: CancelledError,
    INVALID_ARGUMENT: InvalidArgumentError,
    DEADLINE_EXCEEDED: DeadlineExceededError,
    NOT_FOUND: NotFoundError,
    ALREADY_EXISTS: AlreadyExistsError,
    PERMISSION_DENIED: PermissionDeniedError,
    RESOURCE_EXHAUSTED: ResourceExhaustedError,
    FAILED_PRECONDITION: FailedPreconditionError,
    ABORTED: AbortedError,
    OUT_OF_RANGE: OutOfRangeError,
    UNIMPLEMENTED: UnimplementedError,
    INTERNAL: InternalError,
    UNAVAILABLE: UnavailableError,
    DATA_LOSS: DataLossError,
    UNAUTHENTICATED: UnauthenticatedError,
}


def exception_type_from_error_code(error_code: int) -> type[StatusError]:
    """Return the class of a code; raises KeyError for OK and for numbers that are no code."""
    return _CLASSES[error_code]


def make_exception(message: str, error_code: int) -> StatusError:
    """Return the exception of a code, UnknownError when there is none; what is INTERNAL is logged as a warning."""
    kind = _CLASSES.get(error_code)
    if kind is None or kind is UnknownError:
        return UnknownError(message)
    if error_code == INTERNAL:
        _LOG.warning("%s: %s", kind.__name__, message)
    return cast("Callable[[str], StatusError]", kind)(message)  # each of these knows its own code
