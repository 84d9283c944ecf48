"""What the system says of a folder of artifacts reaches a caller with its cause and its mend."""

import errno
import os
from pathlib import Path

import pytest
from mlmd_artifact_store.local_errors import explained
from mlmd_schemas.errors import (
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    ResourceExhausted,
    StoreError,
    Unavailable,
)

ROOT = Path("/srv/artifacts")


@pytest.mark.parametrize(
    ("number", "kind", "text"),
    [
        (errno.ENOENT, NotFound, "There is no blob 'a/b' in the artifact folder."),
        (errno.ENOSPC, ResourceExhausted, "The disk of the artifact folder '/srv/artifacts' is full; make room."),
        (errno.EDQUOT, ResourceExhausted, "is full, or the quota there is used up; make room."),
        (errno.EACCES, FailedPrecondition, "may not be written or read by this process; mend its permissions."),
        (errno.EROFS, FailedPrecondition, "may only be read, and nothing was written; mount its volume for writing."),
        (errno.ENOTEMPTY, InvalidArgument, "key: 'a/b' is a folder of other blobs; choose another."),
        (errno.ENAMETOOLONG, InvalidArgument, "key: 'a/b' is too long for the file system of the artifact folder."),
        (errno.ENOTCONN, Unavailable, "is gone (Transport endpoint is not connected); mount it again"),
        (errno.ESTALE, Unavailable, "is gone (Stale file handle); mount it again"),
        (errno.EIO, Unavailable, "failed (Input/output error); look at the system's log (dmesg) and mend it."),
        (errno.EBUSY, Unavailable, "cannot be read or written (Device or resource busy); check its disk or its mount."),
    ],
)
def test_each_cause_is_told_with_its_mend(number: int, kind: type[StoreError], text: str) -> None:
    with pytest.raises(kind) as caught, explained("a/b", ROOT):
        raise OSError(number, os.strerror(number))
    assert text in caught.value.message


def test_an_error_without_a_number_is_told_in_its_own_words() -> None:
    with (
        pytest.raises(Unavailable, match=r"cannot be read or written \(short read\); check its disk"),
        explained("a", ROOT),
    ):
        raise OSError("short read")
