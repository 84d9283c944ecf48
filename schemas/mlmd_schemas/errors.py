"""What can go wrong, in one vocabulary.

    StoreError
    ├── Cancelled            ├── PermissionDenied     ├── Unimplemented
    ├── InvalidArgument      ├── ResourceExhausted    ├── Internal
    ├── DeadlineExceeded     ├── FailedPrecondition   ├── Unavailable
    ├── NotFound             ├── Aborted              ├── DataLoss
    └── AlreadyExists        ├── OutOfRange           └── Unauthenticated

Every class carries gRPC's number, which is also MLMD's. The message is written for the caller: it names the field,
the value, the reason and the mend, and never carries a driver's text.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import ClassVar

MISSING = "mlmd-missing"
"""The fact of an error that says what is not there: `model`, `version`, `alias`, `experiment` or `step`."""

NO_RETRY: Mapping[str, str] = {"grpc-retry-pushback-ms": "-1"}
"""The facts of an Unavailable that lasts until somebody mends something; gRPC's own clients know them too (gRFC A6)."""


class Code(IntEnum):
    """Canonical status codes; the numbers are gRPC's."""

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


class StoreError(Exception):
    """An error raised on purpose; `message` is shown to the caller as it is.

    `facts` are what a program wants to know of it beside the sentence: keys of metadata (`mlmd-…`, but for NO_RETRY)
    with ASCII values.
    """

    code: ClassVar[Code] = Code.UNKNOWN

    def __init__(self, message: str, facts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.facts: Mapping[str, str] = facts or {}


class Cancelled(StoreError):
    """The caller gave up, or a schema downgrade ended as asked."""

    code = Code.CANCELLED


class InvalidArgument(StoreError):
    """The request is wrong whatever the store holds."""

    code = Code.INVALID_ARGUMENT


class DeadlineExceeded(StoreError):
    """The caller's deadline passed before the answer was ready; nothing was written."""

    code = Code.DEADLINE_EXCEEDED


class NotFound(StoreError):
    """Something that the request names is not there."""

    code = Code.NOT_FOUND


class AlreadyExists(StoreError):
    """Something that the request would make is there already."""

    code = Code.ALREADY_EXISTS


class PermissionDenied(StoreError):
    """The caller is known and may not do this."""

    code = Code.PERMISSION_DENIED


class ResourceExhausted(StoreError):
    """A limit was met: message size, streams, disk."""

    code = Code.RESOURCE_EXHAUSTED


class FailedPrecondition(StoreError):
    """The store is not in the state that the request needs."""

    code = Code.FAILED_PRECONDITION


class Aborted(StoreError):
    """A concurrent change got in the way; the same call may succeed when repeated."""

    code = Code.ABORTED


class OutOfRange(StoreError):
    """A number lies outside what can be kept or indexed."""

    code = Code.OUT_OF_RANGE


class Unimplemented(StoreError):
    """The contract knows it and nobody does it."""

    code = Code.UNIMPLEMENTED


class Internal(StoreError):
    """The contract demands INTERNAL here, or the store itself is at fault."""

    code = Code.INTERNAL


class Unavailable(StoreError):
    """The database or the object store cannot be reached."""

    code = Code.UNAVAILABLE


class DataLoss(StoreError):
    """What is stored contradicts itself."""

    code = Code.DATA_LOSS


class Unauthenticated(StoreError):
    """The caller did not say who it is, or not believably."""

    code = Code.UNAUTHENTICATED


BY_CODE: dict[Code, type[StoreError]] = {
    kind.code: kind
    for kind in (
        Cancelled, InvalidArgument, DeadlineExceeded, NotFound, AlreadyExists, PermissionDenied, ResourceExhausted,
        FailedPrecondition, Aborted, OutOfRange, Unimplemented, Internal, Unavailable, DataLoss, Unauthenticated,
    )
}  # fmt: skip
