"""Evaluations in the database: found, locked, replaced."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_schemas.errors import Aborted
from mlmd_schemas.tables.own import EVALUATION, EVALUATION_PART

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.evaluation_parts import (
    MATRIX_ITEM,
    content_of,
    curve_content,
    matrix_content,
    parts,
    read_curve,
    read_matrix,
)
from mlmd_metadata_store.metric_owners import MetricName, Owner, by_kind
from mlmd_metadata_store.transaction import Transaction

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_ROWS = (
    sa.select(
        EVALUATION.c.id,
        EVALUATION.c.node_id,
        EVALUATION.c.name,
        EVALUATION.c.slice,
        EVALUATION.c.labels,
        EVALUATION.c.curves,
        EVALUATION.c.update_ms,
    )
    .where(EVALUATION.c.type_kind == sa.bindparam("kind"), EVALUATION.c.node_id.in_(_IDS))
    .order_by(EVALUATION.c.id)
)
_LOCKED = _ROWS.with_for_update()
_PARTS = sa.select(
    EVALUATION_PART.c.evaluation_id, EVALUATION_PART.c.item, EVALUATION_PART.c.part, EVALUATION_PART.c.content
).where(EVALUATION_PART.c.evaluation_id.in_(_IDS))
_FORGET = sa.delete(EVALUATION_PART).where(EVALUATION_PART.c.evaluation_id.in_(_IDS))
_FORGET_ITEM = sa.delete(EVALUATION_PART).where(
    EVALUATION_PART.c.evaluation_id == sa.bindparam("evaluation"), EVALUATION_PART.c.item == sa.bindparam("item")
)
_COLUMNS = ("type_kind", "node_id", "name", "slice", "labels", "curves", "update_ms")
_PART_COLUMNS = ("evaluation_id", "item", "part", "content")


Items = dict[int, list[tuple[int, bytes]]]
"""Numbered parts by item."""


@dataclass(slots=True)
class EvaluationRow:
    """An evaluation without its numbers. `id` is 0 while it is not stored."""

    id: int
    key: MetricName
    labels: list[str] = field(default_factory=list)
    curves: list[str] = field(default_factory=list)
    update_ms: int = 0

    def columns(self, now: int) -> tuple[Any, ...]:
        """The row's columns but the id."""
        owner = self.key.owner
        lists = json.dumps(self.labels, ensure_ascii=False), json.dumps(self.curves, ensure_ascii=False)
        return (owner.kind.value, owner.id, self.key.name, self.key.slice, *lists, now)

    def item(self, curve: str) -> int:
        """The item of a curve, which gets the next one when it has none."""
        if curve not in self.curves:
            self.curves.append(curve)
        return self.curves.index(curve) + 1


@dataclass(frozen=True, slots=True)
class StoredEvaluation:
    """An evaluation with its numbers."""

    key: MetricName
    matrix: ConfusionMatrix | None
    curves: dict[str, Cutoffs]
    update_ms: int


def find(
    tx: Transaction, owners: Iterable[Owner], name: str | None = None, slice_name: str | None = None
) -> list[StoredEvaluation]:
    """Return the evaluations of these nodes, those of one name or slice where that is given."""
    rows = {
        row.id: row
        for row in _rows(tx, _ROWS, owners)
        if name in (None, row.key.name) and slice_name in (None, row.key.slice)
    }
    stored: dict[int, Items] = {}
    for evaluation_id, item, part, content in tx.rows_in(_PARTS, rows):
        stored.setdefault(evaluation_id, {}).setdefault(item, []).append((part, bytes(content)))
    return [_evaluation(row, stored[row.id]) for row in rows.values()]


def _evaluation(row: EvaluationRow, items: Items) -> StoredEvaluation:
    matrix = read_matrix(row.labels, content_of(items[MATRIX_ITEM])) if row.labels else None
    curves = {label: read_curve(content_of(items[item])) for item, label in enumerate(row.curves, MATRIX_ITEM + 1)}
    return StoredEvaluation(row.key, matrix, curves, row.update_ms)


def _rows(tx: Transaction, statement: sa.Select[Any], owners: Iterable[Owner]) -> list[EvaluationRow]:
    return [
        EvaluationRow(row_id, MetricName(Owner(kind, node_id), name, part), json.loads(labels), json.loads(curves), ms)
        for kind, ids in by_kind(owners).items()
        for row_id, node_id, name, part, labels, curves, ms in tx.rows_in(statement, ids, kind=kind.value)
    ]


def locked(tx: Transaction, keys: Iterable[MetricName]) -> dict[MetricName, EvaluationRow]:
    """Return the rows of these evaluations, locked until the transaction ends; one that is not there has the id 0."""
    wanted = list(keys)
    found = {row.key: row for row in _rows(tx, _LOCKED, (key.owner for key in wanted))}
    return {key: found.get(key) or EvaluationRow(0, key) for key in wanted}


def replace(
    tx: Transaction, evaluations: Sequence[tuple[EvaluationRow, ConfusionMatrix | None, dict[str, Cutoffs]]]
) -> None:
    """Store whole evaluations over locked rows; nothing of what they held before stays."""
    for row, matrix, curves in evaluations:
        row.labels, row.curves = list(matrix.labels) if matrix else [], list(curves)
    known = [row.id for row, _, _ in evaluations if row.id]
    _put_rows(tx, [row for row, _, _ in evaluations])
    tx.execute_in(_FORGET, known)
    items = [
        item
        for row, matrix, curves in evaluations
        for item in (
            *([(row.id, MATRIX_ITEM, matrix_content(matrix))] if matrix else []),
            *((row.id, row.item(label), curve_content(cutoffs)) for label, cutoffs in curves.items()),
        )
    ]
    _put_parts(tx, items)


def replace_matrix(tx: Transaction, row: EvaluationRow, matrix: ConfusionMatrix) -> None:
    """Store the matrix of one locked evaluation and leave its curves."""
    row.labels = list(matrix.labels)
    _replace_item(tx, row, MATRIX_ITEM, matrix_content(matrix))


def replace_curve(tx: Transaction, row: EvaluationRow, label: str, cutoffs: Cutoffs) -> None:
    """Store one curve of a locked evaluation and leave the rest."""
    _replace_item(tx, row, row.item(label), curve_content(cutoffs))


def _replace_item(tx: Transaction, row: EvaluationRow, item: int, content: bytes) -> None:
    known = row.id
    _put_rows(tx, [row])
    if known:
        tx.execute(_FORGET_ITEM, {"evaluation": row.id, "item": item})
    _put_parts(tx, [(row.id, item, content)])


def _put_rows(tx: Transaction, rows: Sequence[EvaluationRow]) -> None:
    """Insert and update the rows; those that are inserted get their ids."""
    now = now_ms()
    fresh, known = [row for row in rows if not row.id], [row for row in rows if row.id]
    try:
        ids = tx.insert_ids(EVALUATION, _COLUMNS, [row.columns(now) for row in fresh])
    except UniqueViolation as error:
        raise Aborted(
            "Another call makes the same evaluation at this moment; nothing was written, try again."
        ) from error
    for row, row_id in zip(fresh, ids, strict=True):
        row.id = row_id
    tx.upsert(EVALUATION, ("id", *_COLUMNS), [(row.id, *row.columns(now)) for row in known], ("id",))


def _put_parts(tx: Transaction, items: Iterable[tuple[int, int, bytes]]) -> None:
    rows = [(row_id, item, *part) for row_id, item, content in items for part in parts(content)]
    tx.insert(EVALUATION_PART, _PART_COLUMNS, rows)
