"""Why something was done, as whoever did it says."""

from mlmd_schemas.errors import InvalidArgument

LONGEST_REASON_BYTES = 65_535
"""What the columns of reasons take, in UTF-8."""


def check_reason(reason: str) -> None:
    """Raise InvalidArgument for a reason that is too long to be kept."""
    if len(reason.encode("utf-8")) > LONGEST_REASON_BYTES:
        raise InvalidArgument(f"reason: longer than {LONGEST_REASON_BYTES} bytes; say it shorter.")
