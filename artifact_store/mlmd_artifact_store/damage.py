"""Marks on artifacts whose bytes are missing or changed, which every client of MLMD sees.

An artifact with damaged files has the custom property `mlmd_damaged_files`, their number; it goes when they are whole
again. So `filter_query` finds them: `custom_properties.mlmd_damaged_files.int_value > 0`.
"""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.property_writes import PropertyRows, upsert_properties
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import FILE
from mlmd_schemas.tables.v10 import ARTIFACT, ARTIFACT_PROPERTY, Kind

DAMAGED_FILES = "mlmd_damaged_files"

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_DAMAGED = (
    sa.select(FILE.c.artifact_id, sa.func.count())
    .where(FILE.c.artifact_id.in_(_IDS), FILE.c.verified_ms < 0)
    .group_by(FILE.c.artifact_id)
)
_MARK = sa.and_(ARTIFACT_PROPERTY.c.name == DAMAGED_FILES, ARTIFACT_PROPERTY.c.is_custom_property == 1)
_MARKED = sa.select(ARTIFACT_PROPERTY.c.artifact_id, ARTIFACT_PROPERTY.c.int_value).where(
    ARTIFACT_PROPERTY.c.artifact_id.in_(_IDS), _MARK
)
_UNMARK = sa.delete(ARTIFACT_PROPERTY).where(ARTIFACT_PROPERTY.c.artifact_id.in_(_IDS), _MARK)
_TOUCH = sa.update(ARTIFACT).where(ARTIFACT.c.id.in_(_IDS)).values(last_update_time_since_epoch=sa.bindparam("now"))


def mark_damage(tx: Transaction, artifact_ids: Iterable[int]) -> None:
    """Bring the marks of these artifacts up to what their manifests say; nothing is written where they are."""
    ids = sorted(set(artifact_ids))
    damaged = {row[0]: int(row[1]) for row in tx.rows_in(_DAMAGED, ids)}
    marked = {row[0]: row[1] for row in tx.rows_in(_MARKED, ids)}
    changed = {artifact_id: count for artifact_id, count in damaged.items() if marked.get(artifact_id) != count}
    healed = set(marked) - set(damaged)
    rows = PropertyRows(tx, Kind.ARTIFACT)
    for artifact_id, count in changed.items():
        rows.add(artifact_id, 1, DAMAGED_FILES, pb.Value(int_value=count))
    if changed:
        upsert_properties(tx, rows, Kind.ARTIFACT)
    if healed:
        tx.execute_in(_UNMARK, healed)
    if changed or healed:
        tx.execute_in(_TOUCH, {*changed, *healed}, now=now_ms())
