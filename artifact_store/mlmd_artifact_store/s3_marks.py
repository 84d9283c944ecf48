"""Marks in a bucket: small objects of the store's own that one writer sets and all others find.

A mark is set by a PUT on the condition that there is none (`If-None-Match: *`; AWS, MinIO and Ceph decide a race by
it). A store that does not know the condition lets the last writer win; so what is there is read afterwards, and again
by whoever relies on it.
"""

from collections.abc import Callable

from mlmd_schemas.errors import Aborted, NotFound, Unimplemented

from mlmd_artifact_store.s3_requests import S3Requests

ABSENT = {"If-None-Match": "*"}
"""The condition that a PUT replaces nothing."""


def keeps_first(requests: S3Requests, key: str) -> bool:
    """Find out whether the store refuses a PUT on the condition that there is none, where there is one."""
    for _ in range(2):
        try:
            requests.send(key, requests.signed("PUT", key, headers=ABSENT))
        except Aborted:
            return True
        except Unimplemented:
            return False
    return False


def read_mark(read: Callable[[], bytes]) -> bytes:
    """Return a mark, empty when there is none."""
    try:
        return read()
    except NotFound:
        return b""


def make_mark(requests: S3Requests, key: str, read: Callable[[], bytes], content: bytes, *, replace: bool) -> bytes:
    """Set a mark, unless there is one that is not to be replaced; return what is there now."""
    if replace:
        requests.send(key, requests.signed("PUT", key), content)
    else:
        try:
            requests.send(key, requests.signed("PUT", key, headers=ABSENT), content)
        except Aborted:  # there is one
            pass
        except Unimplemented:  # the store has no conditions
            if not read_mark(read):
                requests.send(key, requests.signed("PUT", key), content)
    return read_mark(read)
