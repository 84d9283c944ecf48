"""Exit statuses, for scripts.

| status | what happened |
|---|---|
| 0 | it was done |
| 1 | it failed for another reason than those below |
| 2 | the command line cannot be followed |
| 3 | there is no such thing |
| 4 | nobody answers |
| 5 | the caller may not do this |
| 6 | refused: a value that is wrong, a name that is taken, a condition that does not hold |
| 7 | checked and found wrong: bytes that are not the manifest's, a doctor's finding |
"""

from mlmd_client.calls import (
    ALREADY_EXISTS,
    DATA_LOSS,
    DEADLINE_EXCEEDED,
    FAILED_PRECONDITION,
    INVALID_ARGUMENT,
    NOT_FOUND,
    OUT_OF_RANGE,
    PERMISSION_DENIED,
    UNAUTHENTICATED,
    UNAVAILABLE,
    CallError,
)

FAILED, WRONG_USE, ABSENT, UNREACHABLE, DENIED, REFUSED, FOUND_WRONG = range(1, 8)

_BY_CODE = {
    NOT_FOUND: ABSENT,
    UNAVAILABLE: UNREACHABLE,
    DEADLINE_EXCEEDED: UNREACHABLE,
    PERMISSION_DENIED: DENIED,
    UNAUTHENTICATED: DENIED,
    INVALID_ARGUMENT: REFUSED,
    ALREADY_EXISTS: REFUSED,
    FAILED_PRECONDITION: REFUSED,
    OUT_OF_RANGE: REFUSED,
    DATA_LOSS: FOUND_WRONG,
}


def status_of(error: CallError) -> int:
    """Return the exit status for a failure.

    >>> status_of(CallError(5, "There is no artifact 7."))
    3
    """
    return _BY_CODE.get(error.code, FAILED)
