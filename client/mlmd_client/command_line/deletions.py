"""What was deleted of a node: by whom, when and why, as its tombstones say."""

from typing import Any

from mlmd_schemas.pb.v1 import admin_pb2 as v1

from mlmd_client.command_line.session import Session
from mlmd_client.tables import moment

NODE_KINDS = {
    "artifact": v1.NODE_KIND_ARTIFACT,
    "execution": v1.NODE_KIND_EXECUTION,
    "context": v1.NODE_KIND_CONTEXT,
}
_WHATS = {v1.Tombstone.WHAT_FACTS: "facts", v1.Tombstone.WHAT_BYTES: "files"}


def deletions_of(session: Session, kind: str, node_id: int) -> list[dict[str, Any]]:
    """Return what was deleted of a node as rows."""
    request = v1.ListTombstonesRequest(kind=NODE_KINDS[kind], ids=[node_id])
    stones = session.store.service.read(request, v1.ListTombstonesResponse).tombstones
    return [
        {
            "what": _WHATS.get(stone.what, "something"),
            "when": moment(stone.delete_ms),
            "by": stone.subject,
            "reason": stone.reason,
            "files": stone.file_count or None,
            "bytes": stone.size_bytes or None,
        }
        for stone in stones
    ]
