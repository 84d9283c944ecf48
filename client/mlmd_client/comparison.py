"""Runs and versions side by side: their figures, their evaluations, and what is different about them."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_client.drawing import Drawing, Drawings
from mlmd_client.failures import NotFound, not_found, refused
from mlmd_client.tables import Table

if TYPE_CHECKING:
    from mlmd_metrics.confusion import ConfusionMatrix

    from mlmd_client.service import Service

Owner = tuple[str, int]
"""Kind ("artifact" or "execution") and id."""
_Evaluations = list[tuple[str, v1.Evaluation]]
"""Each with the name of the subject whose it is."""


def owner_message(owner: Owner) -> v1.MetricOwner:
    """Return an owner as the metrics service takes it.

    >>> owner_message(("artifact", 7)).artifact_id
    7
    """
    kind, node_id = owner
    return v1.MetricOwner(artifact_id=node_id) if kind == "artifact" else v1.MetricOwner(execution_id=node_id)


class Comparison:
    """What was measured of some runs and versions. Each stands for itself and, a version, for the run that made it.

    >>> both = store.compare("churn@1", "churn@2")
    >>> print(both.table().where(figure="auc").column("churn@2"))
    [0.93]
    """

    def __init__(self, service: "Service", subjects: Sequence[tuple[str, Sequence[Owner]]]) -> None:
        """Compare subjects, each a name and the nodes whose measurements are its own, the nearest first."""
        self._service = service
        self._subjects = list(subjects)
        self.names = [name for name, _ in self._subjects]
        if len(set(self.names)) < len(self.names):
            raise refused("compare: the same thing is named twice; name each once.")

    def _owners(self) -> list[Owner]:
        return list(dict.fromkeys(owner for _, owners in self._subjects for owner in owners))

    def table(self) -> Table:
        """Return every figure of each: a row for a figure, a column for a subject; what one lacks is None.

        >>> "figure" in store.compare("churn@1").table().columns
        True
        """
        owners = self._owners()
        request = v1.CompareRequest(owners=[owner_message(owner) for owner in owners])
        answer = self._service.read(request, v1.CompareResponse)
        rows = []
        for figure in answer.figures:
            found = {
                owner: value for owner, value, there in zip(owners, figure.values, figure.present, strict=True) if there
            }
            label = "/".join(part for part in (figure.name, figure.figure) if part)
            row: dict[str, Any] = {"figure": label, "slice": figure.slice}
            for name, mine in self._subjects:
                row[name] = next((found[owner] for owner in mine if owner in found), None)
            rows.append(row)
        return Table(["figure", "slice", *self.names], rows)

    def df(self) -> Any:
        """Return the table as a pandas DataFrame.

        >>> store.compare("churn@1", "churn@2").df().set_index("figure").loc["auc", "churn@1"]
        np.float64(0.91)
        """
        return self.table().df()

    def best(self, figure: str, *, lowest: bool = False) -> str:
        """Return the name of the subject whose figure is highest; raises NotFound when none has it.

        >>> store.compare("churn@1", "churn@2").best("auc")
        'churn@2'
        """
        for row in self.table():
            if row["figure"] == figure and not row["slice"]:
                values = {name: row[name] for name in self.names if row[name] is not None and not math.isnan(row[name])}
                if values:
                    return (min if lowest else max)(values, key=lambda name: values[name])
        raise not_found(f"figure: none of {', '.join(self.names)} has {figure!r}; table() lists what they have.")

    def _evaluations(self, name: str | None) -> _Evaluations:
        owners = self._owners()
        request = v1.GetEvaluationsRequest(owners=[owner_message(owner) for owner in owners], name=name, slice="")
        found = self._service.read(request, v1.GetEvaluationsResponse).evaluations
        chosen: _Evaluations = []
        for subject, mine in self._subjects:
            keys = [owner_message(owner) for owner in mine]
            chosen += [(subject, one) for one in found if one.key.owner in keys]
        return chosen

    def roc(self, name: str | None = None) -> Drawing:
        """Return the ROC curves of an evaluation (of all, without a name) in one drawing; raises NotFound.

        >>> store.compare("churn@1", "churn@2").roc("test").svg[:4]
        '<svg'
        """
        return self._roc(self._evaluations(name), name)

    def _roc(self, evaluations: _Evaluations, name: str | None) -> Drawing:
        from mlmd_metrics.curve import RocCurve
        from mlmd_metrics.drawings import roc_svg

        curves: dict[str, RocCurve] = {}
        for subject, evaluation in evaluations:
            for curve in evaluation.curves:
                points = curve.roc
                several = len(evaluation.curves) > 1
                label = " ".join(part for part in (subject, curve.label if several else "") if part)
                curves.setdefault(
                    label, RocCurve(points.false_positive_rate, points.true_positive_rate, points.thresholds)
                )
        if not curves:
            raise _nothing("ROC curve", name, self.names)
        return Drawing(roc_svg(curves, name or "ROC curve"))

    def confusion_matrix(self, name: str | None = None) -> Drawings:
        """Return the confusion matrix of each in a drawing of its own; raises NotFound.

        >>> len(store.compare("churn@1", "churn@2").confusion_matrix("test"))
        2
        """
        return self._matrices(self._evaluations(name), name)

    def _matrices(self, evaluations: _Evaluations, name: str | None) -> Drawings:
        from mlmd_metrics.drawings import matrix_svg

        drawn: dict[str, Drawing] = {}
        for subject, evaluation in evaluations:
            if evaluation.matrix.labels:
                title = " ".join(part for part in (subject, evaluation.key.name) if part)
                drawn.setdefault(title, Drawing(matrix_svg(matrix_of(evaluation.matrix), title)))
        if not drawn:
            raise _nothing("confusion matrix", name, self.names)
        return Drawings(drawn)

    def series(self, name: str) -> Drawing:
        """Return a series of each in one drawing; raises NotFound.

        >>> store.compare("churn@1", "churn@2").series("train/loss").svg[:4]
        '<svg'
        """
        from mlmd_metrics.drawings import Line, series_svg

        owners = self._owners()
        request = v1.ReadSeriesRequest(owners=[owner_message(owner) for owner in owners], names=[name], slice="")
        found = self._service.read(request, v1.ReadSeriesResponse).series
        lines: dict[str, Line] = {}
        for subject, mine in self._subjects:
            keys = [owner_message(owner) for owner in mine]
            for one in found:
                if one.key.owner in keys and len(one.steps):
                    lines.setdefault(subject, Line(one.steps, one.values))
        if not lines:
            raise _nothing("series", name, self.names)
        return Drawing(series_svg(lines, name, "step", name))

    def __str__(self) -> str:
        """The metrics as a table of plain text."""
        return str(self.table())

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [self.table().html()]
        evaluations = self._evaluations(None)  # once, for a curve may have a million points
        for name in list(dict.fromkeys(evaluation.key.name for _, evaluation in evaluations))[:4]:
            mine = [(subject, evaluation) for subject, evaluation in evaluations if evaluation.key.name == name]
            for draw in (self._roc, self._matrices):
                try:
                    drawn: Any = draw(mine, name)
                except NotFound:
                    continue
                parts.append(drawn._repr_html_())
        return "".join(parts)


def matrix_of(message: v1.MatrixCounts) -> "ConfusionMatrix":
    """Return the matrix that a message holds.

    >>> matrix_of(v1.MatrixCounts(labels=["a", "b"], counts=[1, 2, 3, 4])).counts
    ((1, 2), (3, 4))
    """
    from mlmd_metrics.confusion import ConfusionMatrix

    cells = list(message.weighted_counts or message.counts)
    size = len(message.labels)
    return ConfusionMatrix(list(message.labels), [cells[row * size : (row + 1) * size] for row in range(size)])


def _nothing(what: str, name: str | None, names: Sequence[str]) -> NotFound:
    told = f" {name!r}" if name else ""
    return not_found(f"name: none of {', '.join(names)} has a {what}{told}; table() lists what they have.")
