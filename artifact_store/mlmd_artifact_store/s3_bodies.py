"""A stream on its way to the store: exactly as long as declared, its MD5 taken as it passes."""

from collections.abc import Iterator
from typing import BinaryIO

from mlmd_schemas.counting import counted
from mlmd_schemas.errors import InvalidArgument

from mlmd_artifact_store.blob_store import CHUNK_BYTES, md5_hash
from mlmd_artifact_store.local_files import check_md5


class Body:
    """An iterable body of `size_bytes`; raises InvalidArgument before its last chunk when the bytes are others."""

    def __init__(self, source: BinaryIO, size_bytes: int, md5: bytes | None = None) -> None:
        self._source = source
        self._declared = md5
        self._digest = md5_hash()
        self.size_bytes = size_bytes

    @property
    def md5(self) -> bytes:
        """The MD5 of what has passed."""
        return self._digest.digest()

    def __iter__(self) -> Iterator[bytes]:
        """Yield the bytes, one chunk behind, so that a wrong last one is never sent."""
        held, left = b"", self.size_bytes
        while chunk := self._source.read(min(CHUNK_BYTES, left + 1)):
            left -= len(chunk)
            if left < 0:
                raise InvalidArgument(f"size_bytes: more bytes came than the {self.size_bytes} that were declared.")
            self._digest.update(chunk)
            if held:
                yield held
            held = chunk
        if left:
            raise InvalidArgument(
                f"size_bytes: {counted(self.size_bytes - left, 'byte')} came of the {self.size_bytes} declared."
            )
        check_md5(self.md5, self._declared)
        if held:
            yield held
