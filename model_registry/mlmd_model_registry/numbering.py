"""Numbers for versions that another program wrote: a Kubeflow Model Registry on this database, or plain MLMD calls."""

from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.version_collections import CollectionRow, count_versions
from mlmd_schemas.tables.registry import MODEL_VERSION as NUMBERED
from mlmd_schemas.tables.v10 import ARTIFACT, ATTRIBUTION, CONTEXT, PARENT_CONTEXT, TYPE, Kind

from mlmd_model_registry.kubeflow_types import MODEL_ARTIFACT, MODEL_VERSION

_COLUMNS = ("version_id", "model_id", "number", "model_artifact_id", "subject", "create_ms")
_STRANGERS = (
    sa.select(CONTEXT.c.id, CONTEXT.c.create_time_since_epoch)
    .join(PARENT_CONTEXT, PARENT_CONTEXT.c.context_id == CONTEXT.c.id)
    .join(TYPE, sa.and_(TYPE.c.id == CONTEXT.c.type_id, TYPE.c.name == MODEL_VERSION))
    .outerjoin(NUMBERED, NUMBERED.c.version_id == CONTEXT.c.id)
    .where(PARENT_CONTEXT.c.parent_context_id == sa.bindparam("model"), NUMBERED.c.version_id.is_(None))
    .order_by(CONTEXT.c.id)
)
_ARTIFACTS: sa.Select[Any] = (
    sa.select(ATTRIBUTION.c.context_id, sa.func.min(ARTIFACT.c.id))
    .join(ARTIFACT, ARTIFACT.c.id == ATTRIBUTION.c.artifact_id)
    .join(TYPE, sa.and_(TYPE.c.id == ARTIFACT.c.type_id, TYPE.c.name == MODEL_ARTIFACT))
    .where(TYPE.c.type_kind == Kind.ARTIFACT.value, ATTRIBUTION.c.context_id.in_(sa.bindparam("ids", expanding=True)))
    .group_by(ATTRIBUTION.c.context_id)
)


def number_strangers(tx: Transaction, row: CollectionRow) -> CollectionRow:
    """Give the versions of a locked model that have no number the next ones, by their ids; return the new counters."""
    strangers = tx.rows(_STRANGERS, {"model": row.context_id})
    if not strangers:
        return row
    artifacts = dict(tx.rows_in(_ARTIFACTS, [version_id for version_id, _ in strangers]))
    count_versions(tx, row, [(artifacts.get(version_id, 0), created) for version_id, created in strangers])
    rows = [
        (version_id, row.context_id, number, artifacts.get(version_id, 0), "", created)
        for number, (version_id, created) in enumerate(strangers, row.latest_number + 1)
    ]
    tx.insert(NUMBERED, _COLUMNS, rows)
    return CollectionRow(row.context_id, row.latest_number + len(rows), row.move_sequence)
