"""Whose bytes a place keeps: one store's, so that two databases never overwrite or delete each other's.

Beside the bytes of a tenant lies a mark that names the store (`store_uuid` of its database). Whoever finds none sets
it; whoever finds another's may read and is refused everything that writes or deletes. A database that was moved or
restored has the same identity, and so the same place.

A mark of ours that is there no more tells something else: that the folder was moved away, its volume is not mounted, or
the bucket was emptied. What is kept there then would be hidden when the place comes back, so nothing is. The database
remembers where marks of ours were, so that a server which is started on such a place misses them too. One
of an earlier release remembers nothing, and misses the files that its manifests say are there.
"""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import NO_RETRY, FailedPrecondition, NotFound, StoreError, Unavailable

from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.claims import claims, has_files, remember_claim, some_keys
from mlmd_artifact_store.keys import RESERVED
from mlmd_artifact_store.locations import encoded_segment

_LOG = logging.getLogger("mlmd.artifacts")
HOLDS_SECONDS = 60.0
"""How long a look at a bucket's mark counts, for all that deletes nothing by itself; at a folder's it does not."""
_MEND = (
    "mount or put back what was there, or, if an empty place is meant or all is there but the folder .mlmd, run "
    "`mlmd-server claim --take-over`."
)


@dataclass(frozen=True, slots=True)
class Owner:
    """What a mark says: the store, and since when (ms); `store_uuid` is empty when it is no mark that says so."""

    store_uuid: str
    since_ms: int

    def content(self) -> bytes:
        """Return the mark."""
        return json.dumps({"store_uuid": self.store_uuid, "since_ms": self.since_ms}).encode()


class Ownership:
    """Whether the bytes of a tenant in a store of blobs are those of this database."""

    def __init__(self, blobs: BlobStore, tenant: str, store: Store) -> None:
        """Take the place, the tenant whose mark in it counts, and the database whose `store_uuid` it has to name."""
        self._blobs = blobs
        self._name = f"owners/{encoded_segment(tenant)}"
        self._store = store
        self._is_remote = blobs.presigner is not None
        self._until = 0.0
        self._seen = False

    def check(self, *, fresh: bool = False, claim: bool = True) -> None:
        """Raise unless the place is ours, or nobody's; it becomes ours then with `claim`.

        FailedPrecondition when it is another store's, or a new one while our bytes are elsewhere; Unavailable when it
        was ours and its mark is gone. A look at a bucket counts for a minute, unless it is `fresh`.
        """
        if not fresh and time.monotonic() < self._until:
            return
        if not self._is_ours(claim=claim):
            return
        if not self._seen:
            self._tell_of(self._remember())
        self._until = time.monotonic() + HOLDS_SECONDS if self._is_remote else 0.0

    def settle(self) -> None:
        """Check afresh, and remember the place without telling that uris have to follow, which they do now."""
        if self._is_ours(claim=True):
            self._remember()

    def look(self) -> None:
        """Raise as `check` does, and write nothing, neither a mark nor that one was seen."""
        self._is_ours(claim=False)

    def check_there(self) -> None:
        """Raise as `check` does when what is here is not the place that keeps our bytes; another store's may be read.

        A blob that is not found here is then no blob that is missing, and one with other bytes none that changed.
        """
        owner = self.owner()
        if owner is None:
            self._check_missed()
        elif not owner.store_uuid:
            raise self._refusal(owner)

    @contextmanager
    def sought(self, *, is_external: bool = False) -> Iterator[None]:
        """Let what is not found here within the block be as `check_there` says; what is external is elsewhere."""
        try:
            yield
        except NotFound:
            if not is_external:
                self.check_there()
            raise

    def owner(self) -> Owner | None:
        """Return whose the place is, None when it is nobody's yet."""
        return self._parsed(self._blobs.read_mark(self._name))

    def take_over(self) -> Owner:
        """Make the place ours, whosever it was, and whatever was elsewhere."""
        owner = self._claim(replace=True)
        self._remember()
        return owner

    def _is_ours(self, *, claim: bool) -> bool:
        """Return whether the place is ours, False when it is nobody's; raises when it cannot be ours."""
        owner = self.owner()
        self._until = 0.0  # what was seen before counts no more; had the place not answered, it would
        if owner is None:
            owner = self._check_missed()
        if owner is None and claim:
            owner = self._claim(replace=False)
        if owner is not None and owner.store_uuid != self._store.store_uuid:
            raise self._refusal(owner)
        return owner is not None

    def _check_missed(self) -> Owner | None:
        """Raise when a place without a mark is not one to begin in; return the owner when somebody set it meanwhile.

        What is remembered was marked before, so a second look sees the mark of who begins here at the same moment.
        """
        missed = self._missed()
        owner = self.owner() if missed is not None else None
        if missed is not None and owner is None:
            raise missed
        return owner

    def _missed(self) -> StoreError | None:
        """Return why a place without a mark is not one to begin in, None when it is."""
        uri = self._blobs.uri()

        def body(tx: Transaction) -> tuple[dict[str, int], bool, list[str]]:
            places = claims(tx)
            return places, has_files(tx), [] if places else some_keys(tx, uri)

        places, keeps_files, keys = self._store.database.read(LOCAL, body)
        if keys and not any(map(self._is_there, keys)):
            return Unavailable(
                f"artifacts: {uri} is no longer the place that it was: by its manifests this store has files there, "
                f"and of the {len(keys)} looked for none is ({keys[0]!r}), nor is the mark of this store. "
                f"Nothing was written; {_MEND}",
                NO_RETRY,
            )
        if uri in places:
            return Unavailable(
                f"artifacts: {uri} is no longer the place that it was: this store has its bytes there since "
                f"{_day(places[uri])}, and the mark of this store is gone. Nothing was written; {_MEND}",
                NO_RETRY,
            )
        if places and keeps_files:
            return FailedPrecondition(
                f"artifacts: {uri} is new, and this store has its bytes at {list(places)[-1]}. Nothing was written; "
                "say that place with --artifacts or MLMD_ARTIFACTS, or move all that is there to the new one, the "
                "folder .mlmd too, and let the uris follow by `mlmd-server relocate`, or, if what is there shall stay "
                "and not be read through this store, run `mlmd-server claim --take-over`."
            )
        return None

    def _is_there(self, key: str) -> bool:
        try:
            self._blobs.stat(key)
        except NotFound:
            return False
        return True

    def _remember(self) -> list[str]:
        """Note in the database that the place's mark is ours; a few calls that come at once all do.

        Returns the places that were known before when this one was not, the latest last.
        """
        uri = self._blobs.uri()
        known = self._store.database.read(LOCAL, claims)
        if uri not in known:
            self._store.database.write(LOCAL, lambda tx: remember_claim(tx, uri), repeatable=True)
        self._seen = True
        return [] if uri in known else list(known)

    def _tell_of(self, before: list[str]) -> None:
        """Say in the log that the bytes were moved here from a place that uris go on naming."""
        if before:
            _LOG.warning(
                "the bytes of this store are at %s now, and what was recorded before says %s still; if all was copied "
                "`mlmd-server relocate --from %s` lets the uris follow.",
                self._blobs.uri(),
                before[-1],
                before[-1],
            )

    def _claim(self, *, replace: bool) -> Owner:
        made = Owner(self._store.store_uuid, now_ms()).content()
        found = self._parsed(self._blobs.make_mark(self._name, made, replace=replace))
        if found is None or (replace and not found.store_uuid):
            raise FailedPrecondition(f"artifacts: {self._blobs.uri()} does not keep what is written to it; mend that.")
        return found

    def _parsed(self, mark: bytes) -> Owner | None:
        if not mark:
            return None
        try:
            told = json.loads(mark)
            return Owner(str(told["store_uuid"]), int(told["since_ms"]))
        except (ValueError, TypeError, KeyError):
            return Owner("", 0)

    def _refusal(self, owner: Owner) -> FailedPrecondition:
        if not owner.store_uuid:
            return FailedPrecondition(
                f"artifacts: what is at {self._blobs.uri(f'{RESERVED}/{self._name}')} is no mark that names a store. "
                "If something else answers there than what keeps the bytes, correct --artifacts-endpoint; if the mark "
                "is damaged, run `mlmd-server claim --take-over` once, when no other store is served from there."
            )
        return FailedPrecondition(
            f"artifacts: {self._blobs.uri()} keeps the bytes of another store ({owner.store_uuid}, since "
            f"{_day(owner.since_ms)}, and this one is {self._store.store_uuid}), and two databases on one root would "
            "delete each other's; give this one a root of its own with --artifacts or MLMD_ARTIFACTS (a tenant: "
            "bucket_prefix), or, if it takes the other's place, run `mlmd-server claim --take-over` once, when the "
            "other is served no more."
        )


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1000, UTC).date().isoformat()
