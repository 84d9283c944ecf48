"""Which contexts the nodes of a walk are in."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.v10 import ASSOCIATION, ATTRIBUTION

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_ATTRIBUTIONS = sa.select(ATTRIBUTION.c.id, ATTRIBUTION.c.context_id, ATTRIBUTION.c.artifact_id).where(
    ATTRIBUTION.c.artifact_id.in_(_IDS)
)
_ASSOCIATIONS = sa.select(ASSOCIATION.c.id, ASSOCIATION.c.context_id, ASSOCIATION.c.execution_id).where(
    ASSOCIATION.c.execution_id.in_(_IDS)
)

Row = tuple[int, int, int]
"""Id of the membership, the context, the node."""


def attribution_rows(tx: Transaction, artifact_ids: Iterable[int]) -> list[Row]:
    """Return every attribution of these artifacts, oldest first."""
    return sorted(tx.rows_in(_ATTRIBUTIONS, artifact_ids))


def association_rows(tx: Transaction, execution_ids: Iterable[int]) -> list[Row]:
    """Return every association of these executions, oldest first."""
    return sorted(tx.rows_in(_ASSOCIATIONS, execution_ids))
