"""What the SDK raises: one class for each thing that a program may want to do about it.

All of them are CallErrors, and each is also the built-in exception that comes nearest.
"""

from mlmd_schemas.errors import Code

from mlmd_client.calls import CallError
from mlmd_client.transfer_errors import DamagedBytes, TransferError


class Refused(CallError, ValueError):
    """What was asked for has no meaning; the sentence names the field, the value, the reason and the mend.

    >>> str(Refused(Code.INVALID_ARGUMENT, "name: '' is empty; give the data set a name."))
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


_KINDS: dict[Code, type[CallError]] = {
    Code.INVALID_ARGUMENT: Refused,
    Code.FAILED_PRECONDITION: Refused,
    Code.NOT_FOUND: NotFound,
    Code.ALREADY_EXISTS: Taken,
    Code.PERMISSION_DENIED: Denied,
    Code.UNAUTHENTICATED: Denied,
    Code.UNAVAILABLE: Unreachable,
    Code.DEADLINE_EXCEEDED: Unreachable,
    Code.DATA_LOSS: DamagedBytes,
}


def failure_of(error: CallError) -> CallError:
    """Return the same failure as the class that says what it is.

    >>> type(failure_of(CallError(Code.NOT_FOUND, "There is no artifact 7."))).__name__
    'NotFound'
    """
    kind = _KINDS.get(error.code, CallError if type(error) is TransferError else None)
    return error if kind is None else kind(error.code, error.message, error.request_id, error.facts)


def not_found(message: str) -> NotFound:
    """Return the error for something that we looked for and did not find.

    >>> not_found("name: there is no run 'churn'.").code.name
    'NOT_FOUND'
    """
    return NotFound(Code.NOT_FOUND, message)


def refused(message: str) -> Refused:
    """Return a refusal of our own.

    >>> refused("name: is empty.").code.name
    'INVALID_ARGUMENT'
    """
    return Refused(Code.INVALID_ARGUMENT, message)
