"""A bucket that somebody else fills: read and listed, never written, by the keys that they have chosen."""

import re

from mlmd_artifact_store.s3 import S3Store

_SLASHES = re.compile("/+")


class ExternalBucket(S3Store):
    """The blobs below a prefix. A key may have empty segments (`a//b`), as keys of object stores do and paths do not.

    Segments `.` and `..` stay refused: clients of HTTP take them for the folder itself and the one above it.
    """

    def _key(self, key: str) -> str:
        super()._key(_SLASHES.sub("/", key).removeprefix("/"))
        return f"{self.prefix}{key}"
