"""Which artifacts are versions of registered models that are in use: neither they nor their model are archived."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.tables.own import TOMBSTONE, VERSION
from mlmd_schemas.tables.registry import MODEL_VERSION
from mlmd_schemas.tables.v10 import CONTEXT, CONTEXT_PROPERTY, Kind

from mlmd_metadata_store.kept_facts import ARCHIVED
from mlmd_metadata_store.transaction import Transaction

Registered = tuple[int, str, int]
"""An artifact, the model's name and the version's number."""


def _is_archived(context_id: sa.ColumnElement[Any]) -> sa.ColumnElement[bool]:
    state = CONTEXT_PROPERTY.alias()
    return (
        sa.select(state.c.context_id)
        .where(
            state.c.context_id == context_id,
            state.c.name == "state",
            state.c.is_custom_property == 0,
            state.c.string_value == ARCHIVED,
        )
        .exists()
    )


_IS_PURGED = (
    sa.select(TOMBSTONE.c.node_id)
    .where(TOMBSTONE.c.type_kind == Kind.CONTEXT.value, TOMBSTONE.c.node_id == MODEL_VERSION.c.version_id)
    .exists()
)
_REGISTERED = (
    sa.select(VERSION.c.artifact_id, CONTEXT.c.name, MODEL_VERSION.c.number)
    .join(
        VERSION,
        sa.and_(VERSION.c.context_id == MODEL_VERSION.c.model_id, VERSION.c.number == MODEL_VERSION.c.number),
    )
    .join(CONTEXT, CONTEXT.c.id == MODEL_VERSION.c.model_id)
    .where(~_is_archived(MODEL_VERSION.c.version_id), ~_is_archived(MODEL_VERSION.c.model_id), ~_IS_PURGED)
)
_IDS = _REGISTERED.with_only_columns(VERSION.c.artifact_id, maintain_column_froms=True)
_AMONG = _REGISTERED.where(VERSION.c.artifact_id.in_(sa.bindparam("ids", expanding=True)))


def registered_artifacts(tx: Transaction) -> list[Registered]:
    """Return every artifact that is a version in use, by model and number."""
    found = [(artifact_id, tx.text.decode(model), number) for artifact_id, model, number in tx.rows(_REGISTERED)]
    return sorted(found, key=lambda one: (one[1], one[2]))


def registered_ids(tx: Transaction) -> set[int]:
    """Return the artifacts of `registered_artifacts`, without reading a name."""
    return {row[0] for row in tx.rows(_IDS)}


def registered_among(tx: Transaction, artifact_ids: Iterable[int]) -> set[int]:
    """Return those of these artifacts that are versions in use."""
    return {row[0] for row in tx.rows_in(_AMONG, artifact_ids)}
