"""What the server is told of files that were all hashed before anything is sent.

A message takes a kilobyte in memory, however little it says. Of a hundred thousand files that was more than all else
that an upload needs, so they are kept as bytes until each is told.
"""

from collections.abc import Iterable, Iterator

from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_client.file_listing import LocalFile

Told = tuple[LocalFile, v1.UploadFile]
"""A file and what the server is told of it."""


class ToldFiles:
    """Files in the order in which they were given, each with what is told of it, made anew whenever it is asked for."""

    def __init__(self, told: Iterable[Told]) -> None:
        self._packed = {said.path: (file, said.SerializeToString()) for file, said in told}

    def __iter__(self) -> Iterator[Told]:
        """Yield every file."""
        return ((file, v1.UploadFile.FromString(packed)) for file, packed in self._packed.values())

    def said(self, path: str) -> v1.UploadFile | None:
        """Return what is told of a file, None when it is none of these."""
        found = self._packed.get(path)
        return None if found is None else v1.UploadFile.FromString(found[1])
