"""Whose bytes a place keeps: one store's, so that two databases never overwrite or delete each other's.

Beside the bytes of a tenant lies a mark that names the store (`store_uuid` of its database). Whoever finds none sets
it; whoever finds another's may read and is refused everything that writes or deletes. A database that was moved or
restored has the same identity, and so the same place.

A mark of ours that is there no more tells something else: that the folder was moved away, its volume is not mounted, or
the bucket was emptied. What is kept there then would be hidden when the place comes back, so nothing is.
"""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from mlmd_metadata_store.clock import now_ms
from mlmd_schemas.errors import FailedPrecondition, Unavailable

from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.locations import encoded_segment

HOLDS_SECONDS = 60.0
"""How long a look at a bucket's mark counts, for all that deletes nothing by itself; at a folder's it does not."""


@dataclass(frozen=True, slots=True)
class Owner:
    """What a mark says: the store, and since when (ms)."""

    store_uuid: str
    since_ms: int

    def content(self) -> bytes:
        """Return the mark."""
        return json.dumps({"store_uuid": self.store_uuid, "since_ms": self.since_ms}).encode()


class Ownership:
    """Whether the bytes of a tenant in a store of blobs are those of this database."""

    def __init__(self, blobs: BlobStore, tenant: str, store_uuid: str) -> None:
        self._blobs = blobs
        self._name = f"owners/{encoded_segment(tenant)}"
        self._store_uuid = store_uuid
        self._is_remote = blobs.presigner is not None
        self._until = 0.0
        self._seen = False

    def check(self, *, fresh: bool = False, claim: bool = True) -> None:
        """Raise FailedPrecondition when the place is another store's, Unavailable when it was ours and is gone.

        With `claim` one that is nobody's becomes ours. A look at a bucket counts for a minute, unless it is `fresh`.
        """
        if not fresh and time.monotonic() < self._until:
            return
        owner = self.owner()
        if owner is None and self._seen:
            self._until = 0.0
            raise Unavailable(
                f"artifacts: {self._blobs.uri()} is no longer the place that it was: the mark of this store is gone. "
                "Nothing was written. Mount or put back what was there; if an empty place is meant, run `mlmd-server "
                "claim --take-over` or restart the server."
            )
        if owner is None and claim:
            owner = self._claim(replace=False)
        if owner is None:
            return
        if owner.store_uuid != self._store_uuid:
            self._until = 0.0
            raise self._refusal(owner)
        self._seen = True
        self._until = time.monotonic() + HOLDS_SECONDS if self._is_remote else 0.0

    def owner(self) -> Owner | None:
        """Return whose the place is, None when it is nobody's yet."""
        return self._parsed(self._blobs.read_mark(self._name))

    def take_over(self) -> Owner:
        """Make the place ours, whosever it was."""
        return self._claim(replace=True)

    def _claim(self, *, replace: bool) -> Owner:
        made = Owner(self._store_uuid, now_ms()).content()
        found = self._parsed(self._blobs.make_mark(self._name, made, replace=replace))
        if found is None:
            raise FailedPrecondition(f"artifacts: {self._blobs.uri()} does not keep what is written to it; mend that.")
        return found

    def _parsed(self, mark: bytes) -> Owner | None:
        if not mark:
            return None
        try:
            told = json.loads(mark)
            return Owner(str(told["store_uuid"]), int(told["since_ms"]))
        except (ValueError, TypeError, KeyError):
            return Owner("?", 0)

    def _refusal(self, owner: Owner) -> FailedPrecondition:
        since = datetime.fromtimestamp(owner.since_ms / 1000, UTC).date().isoformat()
        return FailedPrecondition(
            f"artifacts: {self._blobs.uri()} keeps the bytes of another store ({owner.store_uuid}, since {since}; this "
            f"one is {self._store_uuid}), and two databases on one root would delete each other's. Give this one a "
            "root of its own with --artifacts or MLMD_ARTIFACTS (a tenant: bucket_prefix). If it takes the other's "
            "place, run `mlmd-server claim --take-over` once, when the other is served no more."
        )
