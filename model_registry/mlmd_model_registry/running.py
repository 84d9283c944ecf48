"""Which services serve versions of models at this moment."""

from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.registry import MODEL_VERSION as NUMBERED
from mlmd_schemas.tables.v10 import ASSOCIATION, CONTEXT, EXECUTION, EXECUTION_PROPERTY, TYPE

from mlmd_model_registry.kubeflow_types import SERVE_MODEL

_SHOWN = 5
_SERVED = sa.and_(
    EXECUTION_PROPERTY.c.execution_id == EXECUTION.c.id,
    EXECUTION_PROPERTY.c.name == "model_version_id",
    EXECUTION_PROPERTY.c.is_custom_property == 0,
)
_RUNNING = (
    sa.select(CONTEXT.c.name)
    .select_from(NUMBERED)
    .join(EXECUTION_PROPERTY, EXECUTION_PROPERTY.c.int_value == NUMBERED.c.version_id)
    .join(EXECUTION, _SERVED)
    .join(TYPE, sa.and_(TYPE.c.id == EXECUTION.c.type_id, TYPE.c.name == SERVE_MODEL))
    .join(ASSOCIATION, ASSOCIATION.c.execution_id == EXECUTION.c.id)
    .join(CONTEXT, CONTEXT.c.id == ASSOCIATION.c.context_id)
    .where(EXECUTION.c.last_known_state.in_((pb.Execution.NEW, pb.Execution.RUNNING)))
    .order_by(CONTEXT.c.id)
    .limit(_SHOWN)
)
_OF_VERSION = _RUNNING.where(NUMBERED.c.version_id == sa.bindparam("served"))
_OF_MODEL = _RUNNING.where(NUMBERED.c.model_id == sa.bindparam("served"))


def require_unserved_version(tx: Transaction, version_id: int) -> None:
    """Raise FailedPrecondition while a service runs a version, or is about to."""
    _require_none(tx, tx.rows(_OF_VERSION, {"served": version_id}), "version: it")


def require_unserved_model(tx: Transaction, model_id: int) -> None:
    """Raise FailedPrecondition while a service runs a version of a model, or is about to."""
    _require_none(tx, tx.rows(_OF_MODEL, {"served": model_id}), "model: a version of it")


def _require_none(tx: Transaction, rows: Any, what: str) -> None:
    if rows:
        names = [tx.text.decode(name).partition(":")[2] for (name,) in rows]
        raise FailedPrecondition(
            f"{what} is deployed by {', '.join(map(repr, names))}, so it cannot be archived; let another version run "
            "there, or record with RecordDeployment that it is STOPPED."
        )
