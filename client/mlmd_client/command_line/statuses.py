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
| 130 | Ctrl-C, as shells have it |
"""

from mlmd_schemas.errors import Code

from mlmd_client.calls import CallError
from mlmd_client.command_line import FAILED, INTERRUPTED, WRONG_USE

__all__ = [
    "ABSENT",
    "DENIED",
    "FAILED",
    "FOUND_WRONG",
    "INTERRUPTED",
    "REFUSED",
    "UNREACHABLE",
    "WRONG_USE",
    "status_of",
]

ABSENT, UNREACHABLE, DENIED, REFUSED, FOUND_WRONG = range(3, 8)

_BY_CODE = {
    Code.NOT_FOUND: ABSENT,
    Code.UNAVAILABLE: UNREACHABLE,
    Code.DEADLINE_EXCEEDED: UNREACHABLE,
    Code.PERMISSION_DENIED: DENIED,
    Code.UNAUTHENTICATED: DENIED,
    Code.INVALID_ARGUMENT: REFUSED,
    Code.ALREADY_EXISTS: REFUSED,
    Code.FAILED_PRECONDITION: REFUSED,
    Code.OUT_OF_RANGE: REFUSED,
    Code.DATA_LOSS: FOUND_WRONG,
}


def status_of(error: CallError) -> int:
    """Return the exit status for a failure.

    >>> status_of(CallError(Code.NOT_FOUND, "There is no artifact 7."))
    3
    """
    return _BY_CODE.get(error.code, FAILED)
