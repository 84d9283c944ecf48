"""The ways by which bytes reach a store that cannot sign requests for others."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from mlmd_client.calls import Transport
from mlmd_client.tls import Tls


@dataclass(frozen=True, slots=True)
class HandedFile:
    """A file of this machine that is handed to the store, or an empty one that the store fills.

    `opened` gives its descriptor; `moved` hears how many bytes went, and what it raises ends the copying.
    """

    path: str
    size_bytes: int
    opened: Callable[[], AbstractContextManager[int]]
    moved: Callable[[int], None]
    start: int = 0
    """Where it begins in what is opened: within an archive, not at the beginning."""


Digests = tuple[bytes, bytes]
"""SHA-256 and MD5 of what was written; the MD5 is b"" for larger files, which have no need of it."""


@runtime_checkable
class FileDoor(Protocol):
    """What a transport has beside its calls when the store is in this very process."""

    def take_in(self, artifact_id: int, files: Sequence[HandedFile]) -> Sequence[Digests]:
        """Copy files of an upload into the folder that the store is, to be declared with the digests that come back.

        Raises CallError.
        """

    def give_out(self, artifact_id: int, files: Sequence[HandedFile]) -> Sequence[Digests]:
        """Copy files out of a folder into empty ones, and say what was written; raises CallError."""

    def read_file(self, artifact_id: int, path: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield bytes of a file, unverified; raises CallError."""


def door_of(transport: Transport) -> FileDoor | None:
    """Return the transport's door, None when its store is elsewhere."""
    return transport if isinstance(transport, FileDoor) else None


def own_headers(transport: Transport) -> Mapping[str, str]:
    """Return what the server wants to hear from its callers over HTTP, at each moment."""
    found: Mapping[str, str] = getattr(transport, "headers", {})
    return found


def own_tls(transport: Transport) -> Tls:
    """Return what TLS is spoken with the server, over HTTP as in its calls."""
    found: Tls | None = getattr(transport, "tls", None)
    return found or Tls()


def bound_memory(transport: Transport) -> None:
    """Bound what a store in this process keeps, for a program in which nothing else uses SQLite; no other store cares.

    The limit is the process's, so a store within somebody else's program leaves that alone.
    """
    bound: Callable[[], None] | None = getattr(transport, "bound_memory", None)
    if bound is not None:
        bound()
