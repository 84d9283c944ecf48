"""Many nodes in one table, matrices at thresholds, differences of matrices."""

import math

import pytest
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.metadata_store.calls import Calls
from tests.metadata_store.measured import artifact, artifacts, cutoffs, execution, key, log, matrix, series

HAM = matrix(("ham", "spam"), ((3, 1), (1, 3)))
SPAM = Cutoffs([0.9, 0.8, 0.7, 0.6, 0.4, 0.35, 0.2, 0.1], [1, 2, 3, 3, 3, 4, 4, 4], [0, 0, 0, 1, 2, 2, 3, 4])


@pytest.fixture
def pair(call: Calls) -> list[v1.MetricOwner]:
    """Two artifacts, the first with an evaluation of a matrix and a curve."""
    owners = list(map(artifact, artifacts(call, 2)))
    call("LogConfusionMatrix", key=key(owners[0]), matrix=HAM)
    call("LogCurve", key=key(owners[0]), curve=cutoffs("spam", SPAM))
    return owners


def test_one_table_of_scalars_series_and_figures(call: Calls, pair: list[v1.MetricOwner]) -> None:
    run = v1.MetricOwner(execution_id=execution(call))
    call("LogScalars", owner=pair[0], scalars={"rows": 8.0, "lost": math.nan})
    call("LogScalars", owner=run, scalars={"rows": 9.0})
    log(call, series(pair[1], "loss", [0.5, 0.25]), series(run, "loss", [0.75]))
    call("LogConfusionMatrix", key=key(pair[1], "holdout", "DE"), matrix=HAM)
    answer = call("Compare", owners=[run, *pair])
    assert list(answer.owners) == [run, *pair]
    table = {(one.source, one.name, one.slice, one.figure): one for one in answer.figures}
    rows = table[v1.FIGURE_SOURCE_SCALAR, "rows", "", ""]
    assert (list(rows.present), list(rows.values)[:2]) == ([True, True, False], [9.0, 8.0])
    lost = table[v1.FIGURE_SOURCE_SCALAR, "lost", "", ""]
    assert list(lost.present) == [False, True, False]
    assert all(map(math.isnan, lost.values))
    assert list(table[v1.FIGURE_SOURCE_SERIES, "loss", "", ""].present) == [True, False, True]
    assert table[v1.FIGURE_SOURCE_SERIES, "loss", "", ""].values[2] == 0.25
    assert table[v1.FIGURE_SOURCE_EVALUATION, "", "", "auc"].values[1] == 0.875
    assert table[v1.FIGURE_SOURCE_EVALUATION, "holdout", "DE", "accuracy"].values[2] == 0.75
    only = call("Compare", owners=pair, evaluation_name="holdout").figures
    assert {one.name for one in only if one.source == v1.FIGURE_SOURCE_EVALUATION} == {"holdout"}


def test_bad_comparisons(call: Calls, pair: list[v1.MetricOwner]) -> None:
    assert call.code("Compare") is Code.INVALID_ARGUMENT
    assert call.code("Compare", owners=[pair[0], pair[0]]) is Code.INVALID_ARGUMENT
    assert call.code("Compare", owners=[pair[0], v1.MetricOwner()]) is Code.INVALID_ARGUMENT
    assert call.code("Compare", owners=[pair[0], artifact(99)]) is Code.NOT_FOUND


@pytest.mark.parametrize(
    ("threshold", "rows"),
    [
        (0.65, ((4, 0), (1, 3))),
        (0.6, ((3, 1), (1, 3))),
        (math.inf, ((4, 0), (4, 0))),
        (-math.inf, ((0, 4), (0, 4))),
    ],
)
def test_the_matrix_at_any_threshold(
    call: Calls, pair: list[v1.MetricOwner], threshold: float, rows: tuple[tuple[int, int], ...]
) -> None:
    answer = call("MatrixAtThreshold", key=key(pair[0]), threshold=threshold)
    assert answer.matrix == matrix(("ham", "spam"), rows)
    assert answer.figures["accuracy"] == (rows[0][0] + rows[1][1]) / 8


def test_bad_thresholds(call: Calls, pair: list[v1.MetricOwner]) -> None:
    def code(owner: v1.MetricOwner, **fields: object) -> Code:
        return call.code("MatrixAtThreshold", key=key(owner), **fields)

    assert code(pair[0], threshold=math.nan) is Code.INVALID_ARGUMENT
    assert code(pair[0], label="eggs") is Code.NOT_FOUND
    assert code(pair[1]) is Code.NOT_FOUND
    assert code(artifact(99)) is Code.NOT_FOUND
    call("LogCurve", key=key(pair[0]), curve=cutoffs("ham", SPAM))
    assert code(pair[0]) is Code.INVALID_ARGUMENT
    assert code(pair[0], label="ham") is Code.OK


def test_difference_of_two_matrices(call: Calls, pair: list[v1.MetricOwner]) -> None:
    call("LogConfusionMatrix", key=key(pair[1]), matrix=matrix(("spam", "eggs"), ((5, 1), (0, 2))))
    both = {"before": v1.MatrixChoice(key=key(pair[0])), "after": v1.MatrixChoice(key=key(pair[1]))}
    moved = call("DiffMatrices", **both)
    assert list(moved.labels) == ["ham", "spam", "eggs"]
    assert list(moved.deltas) == [-3.0, -1.0, 0.0, -1.0, 2.0, 1.0, 0.0, 0.0, 2.0]
    strict = v1.MatrixChoice(key=key(pair[0]), threshold=0.65)
    assert list(call("DiffMatrices", before=both["before"], after=strict).deltas) == [1.0, -1.0, 0.0, 0.0]
    rates = call("DiffMatrices", before=both["before"], after=strict, as_rates=True)
    assert list(rates.deltas) == [0.25, -0.25, 0.0, 0.0]


def test_bad_differences(call: Calls, pair: list[v1.MetricOwner]) -> None:
    mine = v1.MatrixChoice(key=key(pair[0]))
    assert call.code("DiffMatrices", before=mine) is Code.INVALID_ARGUMENT
    assert call.code("DiffMatrices", before=mine, after=v1.MatrixChoice(key=key(pair[1]))) is Code.NOT_FOUND
    call("LogCurve", key=key(pair[1]), curve=cutoffs("x", SPAM))
    assert call.code("DiffMatrices", before=mine, after=v1.MatrixChoice(key=key(pair[1]))) is Code.NOT_FOUND
    call("LogConfusionMatrix", key=key(pair[1]), matrix=matrix(("x", "y"), ((1, 0), (0, 1))))
    assert call.code("DiffMatrices", before=mine, after=v1.MatrixChoice(key=key(pair[1]))) is Code.INVALID_ARGUMENT
