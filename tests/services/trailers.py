"""What an answer of gRPC ends with."""

from collections.abc import Iterable
from typing import cast

import grpc


def trailers(ended: grpc.RpcError | grpc.Call) -> dict[str, str]:
    """Return the trailing metadata of a call; values that are bytes, whose keys end in -bin, are left out."""
    # grpc-stubs says two things of it, and of the values of an error's that they are all bytes.
    pairs = cast("Iterable[tuple[str, str | bytes]]", ended.trailing_metadata() or ())
    return {key: value for key, value in pairs if isinstance(value, str)}
