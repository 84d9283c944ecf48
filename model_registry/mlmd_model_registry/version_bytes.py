"""Whether the bytes of a version can be counted on."""

from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.alias_moves import GONE
from mlmd_metadata_store.named_files import require_named_files
from mlmd_metadata_store.tombstones import What
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import DataLoss, FailedPrecondition
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import FILE, TOMBSTONE
from mlmd_schemas.tables.registry import MODEL_VERSION as NUMBERED
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from mlmd_model_registry.models import lock_model
from mlmd_model_registry.version_reads import Version
from mlmd_model_registry.versions import hold_version, require_uploaded

_ARTIFACT: sa.BindParameter[Any] = sa.bindparam("artifact")
_VERSION: sa.BindParameter[Any] = sa.bindparam("version")
_SHOWN_ARTIFACT = sa.select(NUMBERED.c.model_artifact_id).where(NUMBERED.c.version_id == _VERSION).scalar_subquery()


def _deleted(kind: Kind, node_id: sa.ColumnElement[int]) -> sa.ScalarSelect[Any]:
    """Return what was deleted of a node at most: its facts (1), its bytes (2), NULL for nothing."""
    stone = TOMBSTONE.c.type_kind == kind.value, TOMBSTONE.c.node_id == node_id
    return sa.select(sa.func.max(TOMBSTONE.c.what)).where(*stone).scalar_subquery()


_STATE = sa.select(
    ARTIFACT.c.state,
    ARTIFACT.c.uri,
    _deleted(Kind.ARTIFACT, _ARTIFACT),
    _deleted(Kind.CONTEXT, _VERSION),
    _deleted(Kind.ARTIFACT, _SHOWN_ARTIFACT),
).where(ARTIFACT.c.id == _ARTIFACT)
_DAMAGED = (
    sa.select(FILE.c.path)
    .where(FILE.c.artifact_id == sa.bindparam("artifact"), FILE.c.verified_ms < 0)
    .order_by(FILE.c.path)
    .limit(1)
)


def require_bytes(tx: Transaction, version: Version, *, held: bool = True) -> None:
    """Raise FailedPrecondition for a version without bytes or purged, DataLoss for files found missing or changed.

    When `held`, files of another artifact that its uri says are not deleted until the transaction ends.
    """
    if not version.artifact_id:
        raise FailedPrecondition(
            f"version: version {version.number} has no artifact yet, so there is nothing to serve."
        )
    require_undeleted(tx, version, held=held)
    require_uploaded(tx, "version", version.artifact_id)
    for (path,) in tx.rows(_DAMAGED, {"artifact": version.artifact_id}):
        raise DataLoss(
            f"version: the file {bytes(path).decode()!r} of version {version.number}, artifact {version.artifact_id}, "
            "was missing or changed when it was last read; restore it from a copy and verify again."
        )


def _require_unpurged(version: Version, of_artifact: int | None, of_context: int | None, of_shown: int | None) -> None:
    """Raise FailedPrecondition for a version of which something was deleted, whatever was written there since."""
    if of_artifact == What.BYTES:
        what = f"the files of artifact {version.artifact_id} were deleted"
    elif of_artifact:
        what = f"artifact {version.artifact_id} was purged"
    elif of_context:
        what = f"its context {version.id} was purged"
    elif of_shown:
        what = "its kf.ModelArtifact was purged"
    else:
        return
    raise FailedPrecondition(
        f"version: version {version.number} is no longer what it was: {what} (ListTombstones tells by whom, when and "
        "why); choose another version."
    )


def require_undeleted(tx: Transaction, version: Version, *, held: bool = True) -> None:
    """Raise FailedPrecondition for a version that was purged or whose bytes were deleted; `held` as `require_bytes`."""
    states = tx.rows(_STATE, {"artifact": version.artifact_id, "version": version.id})
    if not states or states[0][0] in GONE:
        state = pb.Artifact.State.Name(states[0][0]) if states else "no longer in the store"
        raise FailedPrecondition(
            f"version: the files of version {version.number} are gone: artifact {version.artifact_id} is {state}."
        )
    _require_unpurged(version, *states[0][2:])
    require_named_files(tx, "version", version.artifact_id, states[0][1], held=held)


def require_restorable(tx: Transaction, version: Version) -> None:
    """Raise FailedPrecondition for an archived version that was purged or whose bytes were deleted.

    Whoever deletes them waits until the transaction ends. One whose files are damaged, or that has none yet, can be
    mended, and passes.
    """
    if not version.is_archived or not version.artifact_id:
        return
    lock_model(tx, version.model_id)
    hold_version(tx, version)
    try:
        require_undeleted(tx, version)
    except FailedPrecondition as error:
        raise FailedPrecondition(f"{error.message} Version {version.number} stays archived.") from error
