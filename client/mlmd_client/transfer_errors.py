"""What goes wrong while bytes move: told with the cause and the mend, under gRPC's numbers like every other failure."""

import threading
from typing import ClassVar, Self

from mlmd_schemas.errors import Code

from mlmd_client.calls import CallError


class TransferError(CallError):
    """Bytes could not be moved; `code` and `message` are as in every CallError.

    >>> TransferError.saying("The store is full.").code.name
    'UNAVAILABLE'
    """

    number: ClassVar[Code] = Code.UNAVAILABLE

    @classmethod
    def saying(cls, message: str) -> Self:
        """Return the error with a sentence, under the number of its kind."""
        return cls(cls.number, message)


class UnfitFiles(TransferError):
    """What was to be moved cannot be: a loop of links, a socket, a name that is no text, a place that is taken.

    >>> UnfitFiles.saying("path: 'events' is a pipe, which has no bytes to keep.").code.name
    'INVALID_ARGUMENT'
    """

    number = Code.INVALID_ARGUMENT


class ChangedFile(TransferError):
    """A file was written to, replaced or deleted while it was uploaded; nothing became LIVE.

    >>> try:
    ...     raise ChangedFile.gone("part-7.csv")
    ... except ChangedFile as error:
    ...     print(error, error.is_gone)
    The file 'part-7.csv' was deleted or renamed during the upload; upload again when nobody changes the folder. True
    """

    number = Code.ABORTED
    is_gone: bool = False
    """Whether it is there no more, so that this upload can never be finished."""

    @classmethod
    def gone(cls, path: str) -> Self:
        """Return the error for a file that was there when the folder was listed."""
        made = cls.saying(
            f"The file {path!r} was deleted or renamed during the upload; upload again when nobody changes the folder."
        )
        made.is_gone = True
        return made


class DamagedBytes(TransferError):
    """What was fetched is not what the manifest says: the store's copy was changed or has rotted.

    >>> try:
    ...     raise DamagedBytes.saying("The file 'model.pkl' of artifact 7 is damaged in the store.")
    ... except DamagedBytes as error:
    ...     print(error.code.name)
    DATA_LOSS
    """

    number = Code.DATA_LOSS


class Stopped(TransferError):
    """A transfer ended because something else in it failed, which is what is raised.

    >>> Stopped.saying("The transfer was stopped.").code.name
    'CANCELLED'
    """

    number = Code.CANCELLED

    @classmethod
    def check(cls, stop: threading.Event) -> None:
        """End the work of this thread when the transfer has stopped.

        >>> import threading
        >>> Stopped.check(threading.Event())
        """
        if stop.is_set():
            raise cls.saying("The transfer was stopped.")
