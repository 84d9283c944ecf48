"""What the arithmetic refuses."""


class MetricsError(ValueError):
    """Input that has no right answer. The message names the field, the value, the reason and the mend.

    It is written for the caller and safe to show; a server answers it as INVALID_ARGUMENT.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class NotANumber(MetricsError):
    """A NaN where there is no right answer with one. It happens to trainings, where other errors are a program's."""
