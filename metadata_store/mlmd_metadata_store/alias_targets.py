"""Which artifacts aliases point at, and the lock under which that does not change."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.tables.own import ALIAS, COLLECTION, VERSION
from mlmd_schemas.tables.registry import MODEL_VERSION
from mlmd_schemas.tables.v10 import CONTEXT

from mlmd_metadata_store.transaction import Transaction

Target = tuple[int, str, str]
"""An artifact, the name of its collection (`<type>/<name>`), an alias of it."""

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_TARGETS = (
    sa.select(VERSION.c.artifact_id, CONTEXT.c.name, ALIAS.c.alias)
    .join(ALIAS, sa.and_(ALIAS.c.context_id == VERSION.c.context_id, ALIAS.c.number == VERSION.c.number))
    .join(CONTEXT, CONTEXT.c.id == VERSION.c.context_id)
)
_TARGET_IDS = sa.select(VERSION.c.artifact_id).join(
    ALIAS, sa.and_(ALIAS.c.context_id == VERSION.c.context_id, ALIAS.c.number == VERSION.c.number)
)
_TARGETS_OF = _TARGETS.where(VERSION.c.artifact_id.in_(_IDS))
_COLLECTIONS_OF = sa.select(VERSION.c.context_id).where(VERSION.c.artifact_id.in_(_IDS)).distinct()
_LOCKED = (
    sa.select(COLLECTION.c.context_id)
    .where(COLLECTION.c.context_id.in_(_IDS))
    .order_by(COLLECTION.c.context_id)
    .with_for_update()
)
_MODELS_OF = sa.select(MODEL_VERSION.c.model_id).where(MODEL_VERSION.c.version_id.in_(_IDS)).distinct()
_SHOWN_MODELS_OF = sa.select(MODEL_VERSION.c.model_id).where(MODEL_VERSION.c.model_artifact_id.in_(_IDS)).distinct()
_SHOWN_OF = (
    sa.select(MODEL_VERSION.c.model_artifact_id, CONTEXT.c.name, ALIAS.c.alias)
    .join(ALIAS, sa.and_(ALIAS.c.context_id == MODEL_VERSION.c.model_id, ALIAS.c.number == MODEL_VERSION.c.number))
    .join(CONTEXT, CONTEXT.c.id == MODEL_VERSION.c.model_id)
    .where(MODEL_VERSION.c.model_artifact_id.in_(_IDS))
)
_OF_CONTEXTS = (
    sa.select(MODEL_VERSION.c.version_id, CONTEXT.c.name, ALIAS.c.alias)
    .join(ALIAS, sa.and_(ALIAS.c.context_id == MODEL_VERSION.c.model_id, ALIAS.c.number == MODEL_VERSION.c.number))
    .join(CONTEXT, CONTEXT.c.id == MODEL_VERSION.c.model_id)
    .where(MODEL_VERSION.c.version_id.in_(_IDS))
)


def alias_targets(tx: Transaction) -> list[Target]:
    """Return every artifact that an alias points at."""
    return _decoded(tx, tx.rows(_TARGETS))


def aliased_ids(tx: Transaction) -> set[int]:
    """Return the artifacts of `alias_targets`, without reading a name."""
    return {row[0] for row in tx.rows(_TARGET_IDS)}


def aliases_of(tx: Transaction, artifact_ids: Iterable[int], *, locked: bool = False) -> list[Target]:
    """Return the aliases of these artifacts, and of the versions that a kf.ModelArtifact says the uri of.

    When `locked`, none of their collections gets or moves an alias until the transaction ends.
    """
    ids = list(artifact_ids)
    if locked:
        holders = tx.rows_in(_COLLECTIONS_OF, ids) + tx.rows_in(_SHOWN_MODELS_OF, ids)
        tx.rows_in(_LOCKED, [row[0] for row in holders])
    return _decoded(tx, {*map(tuple, tx.rows_in(_TARGETS_OF, ids)), *map(tuple, tx.rows_in(_SHOWN_OF, ids))})


def aliases_of_contexts(tx: Transaction, context_ids: Iterable[int], *, locked: bool = False) -> list[Target]:
    """Return the aliases of contexts that are versions of registered models, in the artifact's place the context.

    When `locked`, none of their models gets or moves an alias until the transaction ends.
    """
    ids = list(context_ids)
    if locked:
        tx.rows_in(_LOCKED, [row[0] for row in tx.rows_in(_MODELS_OF, ids)])
    return _decoded(tx, tx.rows_in(_OF_CONTEXTS, ids))


def _decoded(tx: Transaction, rows: Iterable[Any]) -> list[Target]:
    return sorted((row[0], tx.text.decode(row[1]), row[2]) for row in rows)
