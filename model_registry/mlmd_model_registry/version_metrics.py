"""Which numbers are a version's: those of its artifact, of the runs that tried it, and of the run that made it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_lineage.ends import INPUTS, OUTPUTS
from mlmd_metadata_store.metric_comparisons import Figure, numbers_of
from mlmd_metadata_store.metric_owners import Owner
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb.v1 import metrics_pb2
from mlmd_schemas.tables.v10 import ARTIFACT, EVENT, EXECUTION, TYPE, Kind

from mlmd_model_registry.kubeflow_types import SERVE_MODEL

METRIC_TYPES = ("system.Metrics", "system.ClassificationMetrics", "system.SlicedClassificationMetrics", "mlmd.Metrics")
"""Types of artifacts that a run writes to hold numbers."""
_INPUTS, _OUTPUTS = sorted(INPUTS), sorted(OUTPUTS)
MOST_RUNS = 100
"""How many of the runs that read a model are looked at, the newest."""
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_MADE_BY = (
    sa.select(EVENT.c.execution_id)
    .where(EVENT.c.artifact_id == sa.bindparam("artifact"), EVENT.c.type.in_(_OUTPUTS))
    .order_by(EVENT.c.execution_id.desc())
)
_READ_BY = (
    sa.select(EVENT.c.execution_id)
    .join(EXECUTION, EXECUTION.c.id == EVENT.c.execution_id)
    .join(TYPE, TYPE.c.id == EXECUTION.c.type_id)
    .where(EVENT.c.artifact_id == sa.bindparam("artifact"), EVENT.c.type.in_(_INPUTS), TYPE.c.name != SERVE_MODEL)
    .order_by(EVENT.c.execution_id.desc())
    .limit(MOST_RUNS)
)
_METRICS = (
    sa.select(EVENT.c.execution_id, EVENT.c.artifact_id)
    .join(ARTIFACT, ARTIFACT.c.id == EVENT.c.artifact_id)
    .join(TYPE, TYPE.c.id == ARTIFACT.c.type_id)
    .where(EVENT.c.execution_id.in_(_IDS), EVENT.c.type.in_(_OUTPUTS), TYPE.c.name.in_(METRIC_TYPES))
    .order_by(EVENT.c.artifact_id)
)


@dataclass(frozen=True, slots=True)
class Runs:
    """The executions around an artifact, newest first."""

    made_by: tuple[int, ...]
    read_by: tuple[int, ...]


def runs_around(tx: Transaction, artifact_id: int) -> Runs:
    """Return who made an artifact and who read it; services that serve it are no runs."""
    made = tuple(dict.fromkeys(row[0] for row in tx.rows(_MADE_BY, {"artifact": artifact_id})))
    read = tuple(dict.fromkeys(row[0] for row in tx.rows(_READ_BY, {"artifact": artifact_id})))
    return Runs(made, read)


def version_metrics(tx: Transaction, artifact_id: int, runs: Runs) -> dict[str, float]:
    """Return the numbers of a version's artifact by name; the statements do not grow with their number.

    Of two numbers of one name the nearer counts: first the artifact's own, then those of the runs that read it, the
    newest first, then those of the run that made it; of a run its own and those of the metrics artifacts it wrote.
    """
    owners = _owners(tx, artifact_id, runs)
    found: dict[Owner, dict[str, float]] = {}
    bare: dict[Owner, dict[str, list[float]]] = {}
    for owner, figure, number in numbers_of(tx, owners):
        found.setdefault(owner, {}).setdefault(figure_name(figure), number)
        source, _, slice_name, derived = figure
        if source == metrics_pb2.FIGURE_SOURCE_EVALUATION and not slice_name:
            bare.setdefault(owner, {}).setdefault(derived, []).append(number)
    metrics: dict[str, float] = {}
    for owner in owners:
        for name, number in found.get(owner, {}).items():
            metrics.setdefault(name, number)
        for name, numbers in bare.get(owner, {}).items():
            if len(numbers) == 1:  # a figure of the one evaluation needs no name of it
                metrics.setdefault(name, numbers[0])
    return metrics


def figure_name(figure: Figure) -> str:
    """Return what gates and answers call a number: `auc`, `test/auc`, `test[country=de]/auc`."""
    source, name, slice_name, derived = figure
    called = f"{name}[{slice_name}]" if slice_name else name
    if source != metrics_pb2.FIGURE_SOURCE_EVALUATION:
        return called
    return f"{called}/{derived}" if called else derived


def _owners(tx: Transaction, artifact_id: int, runs: Runs) -> list[Owner]:
    owners = [Owner(Kind.ARTIFACT, artifact_id)]
    written: dict[int, list[int]] = {}
    for execution_id, metrics_id in tx.rows_in(_METRICS, {*runs.made_by, *runs.read_by}):
        written.setdefault(execution_id, []).append(metrics_id)
    for execution_id in (*runs.read_by, *runs.made_by):
        owners.append(Owner(Kind.EXECUTION, execution_id))
        owners += [Owner(Kind.ARTIFACT, metrics_id) for metrics_id in written.get(execution_id, ())]
    return _distinct(owners)


def _distinct(owners: Iterable[Owner]) -> list[Owner]:
    return list(dict.fromkeys(owners))


def closest(name: str, names: Sequence[str]) -> str:
    """Return the names that there are, for an error about one that is not."""
    listed = ", ".join(map(repr, sorted(names)[:10]))
    more = f" and {len(names) - 10} more" if len(names) > 10 else ""
    return f"no metric {name!r} is recorded" + (f"; there are {listed}{more}" if names else ", nor any other")
