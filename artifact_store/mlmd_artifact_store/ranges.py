"""A part of a file that comes whole or not at all: a blob that ends too early is told, and is no shorter file."""

from collections.abc import Iterator

from mlmd_schemas.counting import counted
from mlmd_schemas.errors import DataLoss

from mlmd_artifact_store.manifests import StoredFile


def whole_range(
    chunks: Iterator[bytes], artifact_id: int, file: StoredFile, start: int, length: int | None
) -> Iterator[bytes]:
    """Yield the chunks that were read of a file from byte `start`, `length` bytes of it at most.

    Raises DataLoss after the last of them when the manifest has more there. What a whole file is held against is its
    digest; of a part this is all that can be known.
    """
    end = file.size_bytes if length is None else min(start + length, file.size_bytes)
    position = start
    for chunk in chunks:
        position += len(chunk)
        yield chunk
    if position < end:
        raise DataLoss(
            f"The file {file.path!r} of artifact {artifact_id} has changed in the store: it has nothing from byte "
            f"{position} on, and {counted(file.size_bytes, 'byte')} by its manifest; restore it from a copy."
        )
