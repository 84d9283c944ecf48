"""Whether a place for bytes keeps them: a small object is written, read back and deleted."""

import io
import secrets
from dataclasses import dataclass

from mlmd_metadata_store.clock import now_ms
from mlmd_schemas.errors import DataLoss

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.locations import encoded_segment

PROBES = ".mlmd-probe"
"""Where probes are, beside the types of a tenant's artifacts; `encoded_segment` gives no type's name that beginning."""
LEFT_MS = 3_600_000
"""How old a probe is that nobody is about to delete any more: whoever wrote it was killed."""


@dataclass(frozen=True, slots=True)
class Probe:
    """How it went. `apart_ms` is how far the place's clock is ahead of ours, 0 where only reading was tried."""

    uri: str
    written: bool
    size_bytes: int = 0
    apart_ms: int = 0


def probe(artifacts: Artifacts, *, write: bool) -> Probe:
    """Try the place as an upload and a download would; raises what they would be refused with.

    Without `write` nothing is written, not even the mark that says whose the place is.
    """
    blobs = artifacts.blobs
    if not write:
        artifacts.ownership.look()
        return Probe(blobs.uri(), written=False)
    artifacts.ownership.check(fresh=True)
    folder = f"{encoded_segment(artifacts.place.tenant)}/{PROBES}/"
    left = [blob.key for blob in blobs.list(folder) if blob.modified_ms < now_ms() - LEFT_MS]
    content = secrets.token_hex(16).encode()
    key = f"{folder}{content.decode()}"
    try:
        apart_ms = _round_trip(blobs, key, content)
    finally:
        blobs.delete([key, *left])
    return Probe(blobs.uri(), True, len(content), apart_ms)


def _round_trip(blobs: BlobStore, key: str, content: bytes) -> int:
    """Write and read back; return how far the place's clock is ahead."""
    before_ms = now_ms()
    blobs.put(key, io.BytesIO(content), len(content))
    after_ms = now_ms()
    modified_ms = blobs.stat(key).modified_ms
    found = b"".join(blobs.read(key))
    if found != content:
        raise DataLoss(f"artifacts: {blobs.uri()} gave back other bytes than it was given; look at its disks and log.")
    # Object stores cut their times to seconds, so one within the second of the request is not apart.
    if before_ms - 1000 <= modified_ms <= after_ms + 1000:
        return 0
    return modified_ms - (before_ms + after_ms) // 2
