"""What the system says of a folder, told with its cause and its mend."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mlmd_schemas.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    StoreError,
    Unavailable,
)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM)
_ABSENT = (errno.ENOENT, errno.ENOTDIR)
_GONE = (
    errno.ENOTCONN,
    errno.ESTALE,
    errno.ESHUTDOWN,
    errno.ECONNABORTED,
    errno.ECONNREFUSED,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENODEV,
    errno.ENXIO,
)
"""What is answered in the place of a volume whose server, disk or program (FUSE) is no longer there."""


@contextmanager
def explained(key: str, root: Path) -> Iterator[None]:
    """Turn an OSError of the block into ours."""
    try:
        yield
    except OSError as error:
        raise _translated(error, key, root) from error


def _translated(error: OSError, key: str, root: Path) -> StoreError:
    if error.errno in _ABSENT:
        return NotFound(f"There is no blob {key!r} in the artifact folder.")
    if error.errno in _FULL:
        quota = ", or the quota there is used up" if error.errno == errno.EDQUOT else ""
        return ResourceExhausted(
            f"The disk of the artifact folder {str(root)!r} is full{quota}; make room. Nothing was kept."
        )
    if error.errno in _DENIED:
        return FailedPrecondition(
            f"The artifact folder {str(root)!r} may not be written or read by this process; mend its permissions."
        )
    if error.errno == errno.EROFS:
        return FailedPrecondition(
            f"The artifact folder {str(root)!r} may only be read, and nothing was written; mount its volume for "
            "writing. If it was before, an error made the system take that away: its log says which (dmesg)."
        )
    if error.errno in (errno.EISDIR, errno.EEXIST, errno.ENOTEMPTY):
        return InvalidArgument(f"key: {key[:60]!r} is a folder of other blobs; choose another.")
    if error.errno == errno.ENAMETOOLONG:
        return InvalidArgument(f"key: {key[:60]!r} is too long for the file system of the artifact folder.")
    return Unavailable(_trouble(error, root))


def _trouble(error: OSError, root: Path) -> str:
    said = os.strerror(error.errno) if error.errno else str(error)
    if error.errno in _GONE:
        return (
            f"The volume of the artifact folder {str(root)!r} is gone ({said}); mount it again (`umount -l` first; in "
            "Kubernetes delete the pod). This server goes on when it is back."
        )
    if error.errno == errno.EIO:
        return (
            f"The disk or the file server of the artifact folder {str(root)!r} failed ({said}); look at the system's "
            "log (dmesg) and mend it."
        )
    return f"The artifact folder {str(root)!r} cannot be read or written ({said}); check its disk or its mount."
