"""What a run logs of its numbers: series, scalars, matrices, curves."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_client.delivery import LOG
from mlmd_client.failures import refused
from mlmd_client.points import checked_name, owners_of
from mlmd_client.values import number_of

if TYPE_CHECKING:
    from mlmd_client.outbox import Outbox
    from mlmd_client.versions import Version

T = TypeVar("T")
_METRICS = "/mlmd.v1.Metrics"
_WIDEST_STEP = 2**63


class RunMetrics:
    """The part of a run that logs numbers. Nothing here waits for the network, and NaN and infinities are welcome.

    Only of scores and counts with a NaN, which have no order and no sum, nothing can be kept; a warning says so, and
    the training goes on.

    What is logged is kept in memory for up to a second, then in a journal on the disk until the server has it. On a
    rank that does not write (see `Run.is_writer`) everything is checked and nothing is kept.

    >>> with store.run("doc/numbers") as run:
    ...     run.metrics(auc=0.91)
    >>> store.run_facts(run).metrics
    {'auc': 0.91}
    """

    @property
    def is_writer(self) -> bool:
        """Whether this process writes."""
        raise NotImplementedError

    def _outbox(self) -> "Outbox":
        raise NotImplementedError

    def metric(self, name: str, value: Any, step: int | None = None, *, slice: str = "") -> None:
        """Add a point to a series; without a step it comes after the highest one. Raises Refused for no number.

        >>> with store.run("doc/metric") as run:
        ...     for epoch, loss in enumerate([0.9, 0.5, float("nan")]):
        ...         run.metric("train/loss", loss, step=epoch)
        """
        checked_name(name, "name")
        checked_name(slice, "slice", empty=True)
        number = number_of(value, f"metric {name!r}")
        if step is not None:
            step = _step(step, name)
        if self.is_writer:
            self._outbox().add_point(name, slice, number, step)

    def metrics(self, values: Mapping[str, Any] | None = None, step: int | None = None, **named: Any) -> None:
        """Keep numbers of the run by name, the last of a name counts; with a step they are points of series.

        >>> with store.run("doc/metrics") as run:
        ...     run.metrics(auc=0.91, f1=0.84)
        ...     run.metrics({"train/loss": 0.5, "test/loss": 0.6}, step=3)
        """
        if values is not None and not hasattr(values, "keys"):
            raise refused(f"values: is of type {type(values).__name__}; give names with numbers, {{'auc': 0.91}}.")
        given = {**(values if values is not None else {}), **named}
        if step is not None:
            for name, value in given.items():
                self.metric(name, value, step)
            return
        scalars = {checked_name(name, "name"): number_of(value, f"metric {name!r}") for name, value in given.items()}
        if self.is_writer and scalars:
            self._outbox().points.set(scalars)

    def confusion_matrix(
        self,
        name: str = "",
        y_true: Iterable[Hashable] | None = None,
        y_pred: Iterable[Hashable] | None = None,
        *,
        labels: Sequence[Hashable] | None = None,
        counts: Sequence[Sequence[float]] | None = None,
        slice: str = "",
        of: "Version | None" = None,
    ) -> None:
        """Keep a confusion matrix: of true and predicted labels, or counted already. Raises Refused.

        `labels` gives the order of the classes, or the names of classes that are numbered 0, 1, 2 in the rows. `of`
        keeps it with an artifact instead of the run.

        >>> with store.run("doc/matrix") as run:
        ...     run.confusion_matrix("test", ["ham", "spam", "ham"], ["ham", "spam", "spam"])
        ...     run.confusion_matrix("more", counts=[[50, 2], [3, 45]], labels=["ham", "spam"])
        """
        _checked_key(name, slice)
        from mlmd_client.evaluations import matrix_input

        made = _unless_nan(name, matrix_input, name, slice, y_true, y_pred, labels, counts)
        if made is not None:
            self._put("LogConfusionMatrix", v1.LogConfusionMatrixRequest(key=made.key, matrix=made.matrix), of)

    def roc(
        self,
        name: str,
        y_true: Any,
        y_score: Any,
        *,
        labels: Sequence[Hashable] | None = None,
        positive: Hashable = None,
        slice: str = "",
        of: "Version | None" = None,
    ) -> None:
        """Keep every cutoff of scores, for ROC and precision-recall curves at any threshold. Needs numpy.

        `y_score` is a score a row, or a column for each class; of more than two classes each has its curve against the
        rest. Raises Refused.

        >>> with store.run("doc/roc") as run:
        ...     run.roc("test", ["ham", "spam", "ham", "spam"], [0.1, 0.9, 0.4, 0.35])
        """
        _checked_key(name, slice)
        options: dict[str, Any] = {"labels": labels, "positive": positive, "slice_name": slice, "with_matrix": False}
        from mlmd_client.evaluations import evaluation_inputs

        for made in _unless_nan(name, evaluation_inputs, name, y_true, y_score, **options) or ():
            for curve in made.curves:
                self._put("LogCurve", v1.LogCurveRequest(key=made.key, curve=curve), of)

    def evaluate(
        self,
        name: str,
        y_true: Any,
        y_score: Any,
        *,
        labels: Sequence[Hashable] | None = None,
        positive: Hashable = None,
        threshold: float | None = None,
        slices: Any = None,
        of: "Version | None" = None,
    ) -> None:
        """Keep matrix and cutoffs of labels and scores, from which every figure follows. Needs numpy. Raises Refused.

        `slices` names the part of the data that each row belongs to; each part is kept by itself too.

        >>> with store.run("doc/evaluate") as run:
        ...     truth, score = ["ham", "spam", "ham", "spam"], [0.1, 0.9, 0.4, 0.35]
        ...     run.evaluate("test", truth, score, slices=["DE", "DE", "FR", "FR"])
        """
        _checked_key(name, "")
        options: dict[str, Any] = {"labels": labels, "positive": positive, "threshold": threshold, "slices": slices}
        from mlmd_client.evaluations import evaluation_inputs

        made = _unless_nan(name, evaluation_inputs, name, y_true, y_score, **options)
        if made is not None:
            self._put("LogEvaluation", v1.LogEvaluationRequest(evaluations=made), of)

    def _put(self, method: str, request: Any, of: "Version | None") -> None:
        path = f"{_METRICS}/{method}"
        if not self.is_writer:
            return
        if of is not None:
            for owner in owners_of(path, request):
                owner.artifact_id = of.id
        self._outbox().put(path, request)


def _unless_nan(name: str, make: Callable[..., T], *arguments: Any, **options: Any) -> T | None:
    """Make an evaluation; of one with a NaN there is none, and a warning."""
    from mlmd_metrics.errors import NotANumber

    try:
        return make(*arguments, **options)
    except NotANumber as error:
        LOG.warning("evaluation %r: %s. Nothing of it is kept.", name, error.message)
        return None


def _checked_key(name: str, slice_name: str) -> None:
    checked_name(name, "name", empty=True)
    checked_name(slice_name, "slice", empty=True)


def _step(step: Any, name: str) -> int:
    try:
        whole = int(step)
        if whole != step or not -_WIDEST_STEP <= whole < _WIDEST_STEP - 1:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise refused(f"metric {name!r}: the step {step!r:.40} is no whole number of 64 bits; give int(...).") from None
    return whole
