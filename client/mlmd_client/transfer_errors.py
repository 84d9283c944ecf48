"""What goes wrong while bytes move: told with the cause and the mend, under gRPC's numbers like every other failure."""

from typing import ClassVar, Self

from mlmd_client.calls import CallError

CANCELLED = 1
INVALID_ARGUMENT = 3
NOT_FOUND = 5
RESOURCE_EXHAUSTED = 8
FAILED_PRECONDITION = 9
ABORTED = 10
UNAVAILABLE = 14
DATA_LOSS = 15


class TransferError(CallError):
    """Bytes could not be moved; `code` and `message` are as in every CallError."""

    number: ClassVar[int] = UNAVAILABLE

    @classmethod
    def saying(cls, message: str) -> Self:
        """Return the error with a sentence, under the number of its kind."""
        return cls(cls.number, message)


class UnfitFiles(TransferError):
    """What was to be moved cannot be: a loop of links, a socket, a name that is no text, a place that is taken."""

    number = INVALID_ARGUMENT


class ChangedFile(TransferError):
    """A file changed while it was uploaded."""

    number = ABORTED


class DamagedBytes(TransferError):
    """What was fetched is not what the manifest says."""

    number = DATA_LOSS


class Stopped(TransferError):
    """A transfer ended because something else in it failed."""

    number = CANCELLED
