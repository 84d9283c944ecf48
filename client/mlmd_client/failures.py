"""What the SDK raises: one class for each thing that a program may want to do about it.

All of them are CallErrors, and each is also the built-in exception that comes nearest.
"""

from mlmd_client.calls import (
    ALREADY_EXISTS,
    DATA_LOSS,
    DEADLINE_EXCEEDED,
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    NOT_FOUND,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    CallError,
)
from mlmd_client.transfer_errors import DamagedBytes, TransferError


class Refused(CallError, ValueError):
    """What was asked for has no meaning; the sentence names the field, the value, the reason and the mend.

    >>> str(Refused(3, "name: '' is empty; give the data set a name."))
    "name: '' is empty; give the data set a name."
    """


class NotFound(CallError, LookupError):
    """There is no such thing: a version, an alias, a run, a file.

    >>> try:
    ...     store["no-such-thing@3"]
    ... except NotFound as error:
    ...     print(error)
    name: there is no collection 'no-such-thing' of any type; log_dataset, log_model or log_artifact make one.
    """


class Taken(CallError, ValueError):
    """The name is somebody else's already.

    >>> issubclass(Taken, ValueError)
    True
    """


class Denied(CallError, PermissionError):
    """The server knows the caller and does not let it, or does not know it.

    >>> issubclass(Denied, PermissionError)
    True
    """


class Unreachable(CallError, ConnectionError):
    """Nobody answers; the same call may succeed later.

    >>> issubclass(Unreachable, ConnectionError)
    True
    """


_KINDS: dict[int, type[CallError]] = {
    INVALID_ARGUMENT: Refused,
    FAILED_PRECONDITION: Refused,
    NOT_FOUND: NotFound,
    ALREADY_EXISTS: Taken,
    PERMISSION_DENIED: Denied,
    UNAUTHENTICATED: Denied,
    UNAVAILABLE: Unreachable,
    DEADLINE_EXCEEDED: Unreachable,
    DATA_LOSS: DamagedBytes,
}


def failure_of(error: CallError) -> CallError:
    """Return the same failure as the class that says what it is.

    >>> type(failure_of(CallError(5, "There is no artifact 7."))).__name__
    'NotFound'
    """
    kind = _KINDS.get(error.code, CallError if type(error) is TransferError else None)
    return error if kind is None else kind(error.code, error.message, error.request_id, error.facts)


def refused(message: str) -> Refused:
    """Return a refusal of our own.

    >>> refused("name: is empty.").code
    3
    """
    return Refused(INVALID_ARGUMENT, message)
