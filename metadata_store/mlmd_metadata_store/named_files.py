"""Artifacts that say by their uri that their files are another's, and whether those are still there.

What keeps such an artifact keeps the files of the other, as long as there are any: whoever is about to keep it holds
the other's row, as whoever deletes its bytes does, so that neither overlooks the other.
"""

import sqlalchemy as sa
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.own import MANIFEST
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from mlmd_metadata_store.tombstones import tombstones_of
from mlmd_metadata_store.transaction import Transaction

RESTORE_MARK = "~"
"""Between the id and the rest of the segment of a uri whose files came back by a restore."""
_LONGEST_ID = 18
"""Digits of a number that surely fits 64 bits."""
_URIS = sa.select(ARTIFACT.c.id, ARTIFACT.c.uri).where(ARTIFACT.c.id.in_(sa.bindparam("ids", expanding=True)))
_HELD = _URIS.order_by(ARTIFACT.c.id).with_for_update(read=True)
_OWN = sa.select(MANIFEST.c.artifact_id).where(
    MANIFEST.c.artifact_id == sa.bindparam("artifact"), MANIFEST.c.is_external == 0
)


def plain_folder(uri: str) -> str:
    """Return a uri as a folder's, without what Kubeflow adds to it and in the scheme that this store writes."""
    scheme, separator, rest = uri.partition("?")[0].rstrip("/").partition("://")
    return f"{'s3' if scheme == 'minio' else scheme}{separator}{rest}/"


def ids_in(uri: str) -> set[int]:
    """Return the numbers that are whole segments of a uri; the artifact's own id is one where its files are here."""
    heads = (segment.partition(RESTORE_MARK)[0] for segment in uri.split("/"))
    return {int(head) for head in heads if head.isascii() and head.isdecimal() and len(head) <= _LONGEST_ID}


def require_named_files(tx: Transaction, field: str, artifact_id: int, uri: str, *, held: bool = True) -> None:
    """Raise FailedPrecondition when an artifact has no files of its own and those that its uri says were deleted.

    When `held`, nobody deletes them until the transaction ends. `uri` is as it is stored.
    """
    plain = plain_folder(tx.text.decode(uri or ""))
    candidates = ids_in(plain) - {artifact_id}
    if not candidates:
        return
    rows = tx.rows_in(_HELD if held else _URIS, candidates)
    named = [row[0] for row in rows if row[1] and plain.startswith(plain_folder(tx.text.decode(row[1])))]
    deleted = [one.id for one in tombstones_of(tx, Kind.ARTIFACT, named) if one.what == v1.Tombstone.WHAT_BYTES]
    if deleted and not tx.rows(_OWN, {"artifact": artifact_id}):
        raise FailedPrecondition(
            f"{field}: the uri of artifact {artifact_id} is where the files of artifact {deleted[0]} were, and these "
            f"were deleted (`mlmd show artifact:{deleted[0]}` says by whom, and for what reason)."
        )
