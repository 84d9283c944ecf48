"""The one error of this package, and the gRPC code numbers it carries."""

CANCELLED = 1
INVALID_ARGUMENT = 3
PERMISSION_DENIED = 7
FAILED_PRECONDITION = 9
ABORTED = 10
INTERNAL = 13
UNAVAILABLE = 14
DATA_LOSS = 15


class SchemaError(Exception):
    """A database cannot be opened, created or migrated.

    `code` is a gRPC status number; `message` says what is wrong and how to mend it, for any caller; `detail` is what
    the database itself said, for the operator's log only.
    """

    def __init__(self, code: int, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.detail = detail
