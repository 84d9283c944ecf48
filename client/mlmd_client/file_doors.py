"""The ways by which bytes reach a store that cannot sign requests for others."""

from collections.abc import Iterator
from typing import BinaryIO, Protocol, runtime_checkable

from mlmd_client.calls import Transport
from mlmd_client.grpc_transport import GrpcTransport


@runtime_checkable
class FileDoor(Protocol):
    """What a transport has beside its calls when the store is in this very process."""

    def put_file(self, artifact_id: int, path: str, part_number: int, source: BinaryIO, md5: bytes | None) -> str:
        """Take a file, or one part of it, and return its ETag; raises CallError.

        A part of a file whose digests are not told yet may come without its MD5, when the store is a folder: the ETag
        is it, in hexadecimal.
        """

    def read_file(self, artifact_id: int, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield bytes of a file, unverified; raises CallError."""


def door_of(transport: Transport) -> FileDoor | None:
    """Return the transport's door, None when its store is elsewhere."""
    return transport if isinstance(transport, FileDoor) else None


def own_headers(transport: Transport) -> dict[str, str]:
    """Return what the server wants to hear from its callers over HTTP."""
    return dict(transport.headers) if isinstance(transport, GrpcTransport) else {}
