"""What a filter may still make a database say while it runs: that a number left its range."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from mlmd_schemas.errors import InvalidArgument, StoreError

from mlmd_metadata_store.filter.faults import PREFIX

MYSQL_OUT_OF_RANGE: Final = 1690
_SQLITE: Final = {
    "integer overflow": "an integer left the range of INT64 while the filter ran; compare smaller numbers.",
    "LIKE or GLOB pattern too complex": "a column that is used as a pattern of LIKE holds more than 50000 bytes.",
}


@contextmanager
def running() -> Iterator[None]:
    """Run a filter's statement inside this: what its arithmetic does to a database becomes InvalidArgument.

    Everything else that a transaction raises passes through.
    """
    try:
        yield
    except StoreError as error:
        arguments = getattr(error.__cause__, "args", ())
        said = arguments[0] if arguments else None
        if said == MYSQL_OUT_OF_RANGE:
            raise InvalidArgument(
                f"{PREFIX}a number left the range of INT64 or FLOAT64 while the filter ran; compare smaller numbers."
            ) from error
        if isinstance(said, str) and said in _SQLITE:
            raise InvalidArgument(f"{PREFIX}{_SQLITE[said]}") from error
        raise
