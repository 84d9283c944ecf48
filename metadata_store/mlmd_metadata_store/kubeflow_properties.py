"""Evaluations in the properties where Kubeflow Pipelines writes and its UI reads them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.curve import RocCurve
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.kubeflow import Classification, classification, metadata, slices, wrapped
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from mlmd_metadata_store.metric_owners import MetricName, Owner
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.node_writes import Rules, put_nodes
from mlmd_metadata_store.plain_structs import plain_struct
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.update_mask import mask_of_keys

CLASSIFICATION = "system.ClassificationMetrics"
SLICED = "system.SlicedClassificationMetrics"
MATRIX, CURVE, SLICES = "confusionMatrix", "confidenceMetrics", "evaluationSlices"

_TYPE_OF = sa.select(ARTIFACT.c.id, ARTIFACT.c.type_id).where(ARTIFACT.c.id.in_(sa.bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class LoggedByKubeflow:
    """What the properties of one artifact, or of one slice in them, hold; `problem` says why they hold nothing."""

    key: MetricName
    content: Classification
    update_ms: int
    problem: str = ""


def write(tx: Transaction, shown: Mapping[int, tuple[ConfusionMatrix | None, RocCurve | None]]) -> None:
    """Put matrix and curve into the properties of those of these artifacts that are system.ClassificationMetrics.

    A part that is None is taken out, so that the UI does not show what is no longer true.
    """
    nodes = []
    for artifact_id in _of_types(tx, shown, (CLASSIFICATION,)):
        node = pb.Artifact(id=artifact_id)
        for name, value in metadata(*shown[artifact_id]).items():
            node.custom_properties[name].struct_value.update(wrapped(value))
        nodes.append(node)
    if nodes:
        put_nodes(tx, Kind.ARTIFACT, nodes, Rules(mask_of_keys(custom_properties=(MATRIX, CURVE))))


def _of_types(tx: Transaction, artifact_ids: Iterable[int], names: tuple[str, ...]) -> list[int]:
    rows = tx.rows_in(_TYPE_OF, artifact_ids)
    types = tx.types.get_many(tx, Kind.ARTIFACT, {type_id for _, type_id in rows})
    return [artifact_id for artifact_id, type_id in rows if type_id in types and types[type_id].name in names]


def read(tx: Transaction, artifact_ids: Iterable[int]) -> list[LoggedByKubeflow]:
    """Return what the properties of these artifacts hold, their slices too, where the types are Kubeflow's."""
    ids = _of_types(tx, artifact_ids, (CLASSIFICATION, SLICED))
    return [found for node in nodes_by_id(tx, Kind.ARTIFACT, ids) for found in _logged(node)]


def _logged(node: pb.Artifact) -> Iterable[LoggedByKubeflow]:
    owner, ms = Owner(Kind.ARTIFACT, node.id), node.last_update_time_since_epoch
    held = {
        name: plain_struct(node.custom_properties[name].struct_value)
        for name in (MATRIX, CURVE, SLICES)
        if name in node.custom_properties and node.custom_properties[name].HasField("struct_value")
    }
    try:
        whole, sliced = classification(held), slices(held)
    except MetricsError as error:
        yield LoggedByKubeflow(MetricName(owner, "", ""), Classification(None, None), ms, error.message)
        return
    if whole.matrix is not None or whole.roc is not None:
        yield LoggedByKubeflow(MetricName(owner, "", ""), whole, ms)
    for name, content in sliced.items():
        yield LoggedByKubeflow(MetricName(owner, "", name), content, ms)
