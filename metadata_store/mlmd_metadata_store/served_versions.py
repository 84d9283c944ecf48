"""Which versions of registered models services serve at this moment, or are about to.

A service is a context kf.InferenceService. It serves a version while an execution kf.ServeModel of it that names the
version is NEW or RUNNING. Where no execution tells, it does so while it says itself that it is DEPLOYED with the
version, as Kubeflow's controllers write it.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import sqlalchemy as sa
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.own import VERSION
from mlmd_schemas.tables.registry import MODEL_VERSION
from mlmd_schemas.tables.v10 import (
    ASSOCIATION,
    CONTEXT,
    CONTEXT_PROPERTY,
    EXECUTION,
    EXECUTION_PROPERTY,
    PARENT_CONTEXT,
    TYPE,
    Kind,
)

from mlmd_metadata_store.transaction import Transaction

INFERENCE_SERVICE = "kf.InferenceService"
SERVE_MODEL = "kf.ServeModel"

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_ALIVE = (pb.Execution.NEW, pb.Execution.RUNNING)
_ENDED = (pb.Execution.COMPLETE, pb.Execution.FAILED, pb.Execution.CACHED, pb.Execution.CANCELED)
_SERVICE, _MODEL, _NAMED, _WISH = (
    table.alias(name)
    for table, name in (
        (CONTEXT, "service"), (CONTEXT, "model"), (CONTEXT_PROPERTY, "named"), (CONTEXT_PROPERTY, "wish")
    )
)  # fmt: skip
_SERVE_TYPE = TYPE.alias("serve_type")
_COLUMNS = (
    _SERVICE.c.id,
    _SERVICE.c.name,
    _MODEL.c.name,
    MODEL_VERSION.c.number,
    MODEL_VERSION.c.version_id,
    VERSION.c.artifact_id,
    MODEL_VERSION.c.model_artifact_id,
)
_NUMBERED = (
    sa.join(
        MODEL_VERSION,
        VERSION,
        sa.and_(VERSION.c.context_id == MODEL_VERSION.c.model_id, VERSION.c.number == MODEL_VERSION.c.number),
    )
).join(_MODEL, _MODEL.c.id == MODEL_VERSION.c.model_id)
_IS_SERVICE = sa.and_(TYPE.c.id == _SERVICE.c.type_id, TYPE.c.name == INFERENCE_SERVICE)
_IS_SERVING = sa.and_(_SERVE_TYPE.c.id == EXECUTION.c.type_id, _SERVE_TYPE.c.name == SERVE_MODEL)


def _says(prop: Any, name: str) -> sa.ColumnElement[bool]:
    return sa.and_(prop.c.name == name, prop.c.is_custom_property == 0)


_NAMES_VERSION = sa.and_(
    EXECUTION_PROPERTY.c.int_value == MODEL_VERSION.c.version_id, _says(EXECUTION_PROPERTY, "model_version_id")
)
_RUNNING = (
    sa.select(*_COLUMNS, EXECUTION.c.id)
    .select_from(_NUMBERED)
    .join(EXECUTION_PROPERTY, _NAMES_VERSION)
    .join(EXECUTION, EXECUTION.c.id == EXECUTION_PROPERTY.c.execution_id)
    .join(_SERVE_TYPE, _IS_SERVING)
    .join(ASSOCIATION, ASSOCIATION.c.execution_id == EXECUTION.c.id)
    .join(_SERVICE, _SERVICE.c.id == ASSOCIATION.c.context_id)
    .join(TYPE, _IS_SERVICE)
    .where(EXECUTION.c.last_known_state.in_(_ALIVE))
)
_IS_KNOWN = (
    sa.select(EXECUTION.c.id)
    .join(EXECUTION_PROPERTY, EXECUTION_PROPERTY.c.execution_id == EXECUTION.c.id)
    .join(ASSOCIATION, ASSOCIATION.c.execution_id == EXECUTION.c.id)
    .where(
        ASSOCIATION.c.context_id == _SERVICE.c.id,
        _NAMES_VERSION,
        EXECUTION.c.last_known_state.in_((*_ALIVE, *_ENDED)),
    )
    .correlate(_SERVICE, MODEL_VERSION)
    .exists()
)
_WISHED = (
    sa.select(*_COLUMNS, sa.literal_column("0"))
    .select_from(_NUMBERED)
    .join(_NAMED, sa.and_(_NAMED.c.int_value == MODEL_VERSION.c.version_id, _says(_NAMED, "model_version_id")))
    .join(_SERVICE, _SERVICE.c.id == _NAMED.c.context_id)
    .join(TYPE, _IS_SERVICE)
    .join(_WISH, sa.and_(_WISH.c.context_id == _SERVICE.c.id, _says(_WISH, "desired_state")))
    .where(_WISH.c.string_value == "DEPLOYED", ~_IS_KNOWN)
)
_ALL = (_RUNNING, _WISHED)
_OF_ARTIFACTS = tuple(one.where(VERSION.c.artifact_id.in_(_IDS)) for one in _ALL)
_BY: dict[Kind, tuple[sa.Select[Any], ...]] = {
    Kind.ARTIFACT: (*_OF_ARTIFACTS, *(one.where(MODEL_VERSION.c.model_artifact_id.in_(_IDS)) for one in _ALL)),
    Kind.CONTEXT: tuple(
        one.where(column.in_(_IDS)) for one in _ALL for column in (MODEL_VERSION.c.version_id, _SERVICE.c.id)
    ),
    Kind.EXECUTION: (_RUNNING.where(EXECUTION.c.id.in_(_IDS)),),
}
_ENVIRONMENTS = (
    sa.select(PARENT_CONTEXT.c.context_id, CONTEXT.c.name)
    .join(CONTEXT, CONTEXT.c.id == PARENT_CONTEXT.c.parent_context_id)
    .where(PARENT_CONTEXT.c.context_id.in_(_IDS))
    .order_by(CONTEXT.c.id)
)


class Served(NamedTuple):
    """That a service serves a version."""

    service: str
    """For people: its name, and that of its environment if it has one."""
    model: str
    number: int
    artifact_id: int
    """The artifact of the version in the lineage graph."""
    nodes: frozenset[tuple[Kind, int]]
    """What the deployment is made of: service, version, its artifacts, execution."""


def served(tx: Transaction, kind: Kind, ids: Iterable[int]) -> list[tuple[int, Served]]:
    """Return what services serve of these nodes: versions, their artifacts, or the services and executions themselves.

    Each with the node, by node.
    """
    wanted = set(ids)
    rows = {tuple(row) for statement in _BY[kind] for row in tx.rows_in(statement, wanted)}
    found = [
        (node_id, one) for one in _named(tx, rows) for of, node_id in one.nodes if of is kind and node_id in wanted
    ]
    return sorted(found, key=lambda pair: (pair[0], pair[1][:3]))


def all_served(tx: Transaction) -> list[Served]:
    """Return what all services serve."""
    return _named(tx, {tuple(row) for statement in _ALL for row in tx.rows(statement)})


def artifacts_served(tx: Transaction, artifact_ids: Iterable[int]) -> set[int]:
    """Return those of these artifacts that a service serves as a version."""
    ids = set(artifact_ids)
    return {row[5] for statement in _OF_ARTIFACTS for row in tx.rows_in(statement, ids)}


def _named(tx: Transaction, rows: Iterable[Any]) -> list[Served]:
    """Return what rows of `_COLUMNS` and an execution say."""
    listed = sorted(rows)
    environments = dict(map(tuple, tx.rows_in(_ENVIRONMENTS, [row[0] for row in listed])))
    return [_served(tx, row, environments.get(row[0])) for row in listed]


def _served(tx: Transaction, row: Any, environment: Any) -> Served:
    service_id, stored, model, number, version_id, artifact_id, model_artifact_id, execution_id = row
    whole = tx.text.decode(stored)
    owner, _, name = whole.partition(":")
    shown = repr(name if name and owner.isdecimal() else whole)
    place = f" in {tx.text.decode(environment)!r}" if environment is not None else ""
    nodes = [(Kind.CONTEXT, service_id), (Kind.CONTEXT, version_id), (Kind.ARTIFACT, artifact_id)]
    nodes += [(Kind.ARTIFACT, model_artifact_id), (Kind.EXECUTION, execution_id)]
    return Served(f"{shown}{place}", tx.text.decode(model), number, artifact_id, frozenset(nodes))
