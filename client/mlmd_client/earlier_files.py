"""What an earlier artifact may have of the files that are sent: those are asked of the server, and no others.

A server looks for a digest among all files of the earlier artifact; asked for each of a million that changed, it would
read a million a thousand times. Sizes and digests are kept by their first bytes, nine a file: that some other file may
be taken for one of them costs a question, and nothing else.
"""

from collections.abc import Iterable, Iterator

from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from mlmd_client.packed_keys import PackedKeys

_KEY_BYTES = 9


class EarlierFiles:
    """The sizes and digests of an artifact's files."""

    def __init__(self, files: Iterable[v1.File] = ()) -> None:
        """Take the files, which are walked over once and not kept."""
        self._keys = PackedKeys(_KEY_BYTES, _keys(files))

    def may_have_size(self, size_bytes: int) -> bool:
        """Tell whether one may have this size, in bytes.

        >>> files = EarlierFiles([v1.File(size_bytes=7, sha256=bytes(32))])
        >>> files.may_have_size(7), files.may_have_size(8), files.may_have(bytes(32))
        (True, False, True)
        """
        return _size_key(size_bytes) in self._keys

    def may_have(self, sha256: bytes) -> bool:
        """Tell whether one may have this SHA-256."""
        return _digest_key(sha256) in self._keys


def _keys(files: Iterable[v1.File]) -> Iterator[bytes]:
    for file in files:
        yield _size_key(file.size_bytes)
        yield _digest_key(file.sha256)


def _size_key(size_bytes: int) -> bytes:
    return b"b" + size_bytes.to_bytes(_KEY_BYTES - 1, "big")


def _digest_key(sha256: bytes) -> bytes:
    return b"d" + sha256[: _KEY_BYTES - 1].ljust(_KEY_BYTES - 1, b"\0")
