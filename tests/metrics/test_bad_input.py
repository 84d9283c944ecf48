"""What has no right answer is refused in a sentence that names the field, the value, the reason and the mend."""

import math
from array import array
from typing import Any

import numpy as np
import pytest
from mlmd_metrics.calibration import calibration
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.curve import PrecisionRecallCurve, RocCurve
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.difference import difference
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.evaluation import evaluate, evaluate_slices
from mlmd_metrics.figures import evaluation_figures, intervals
from mlmd_metrics.scores import brier_score, log_loss

from tests.metrics.conftest import Scored

NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("labels", "counts", "said"),
    [
        ([], [], "labels is empty"),
        (["a"], [], "counts has 0 rows for 1 label"),
        (["a", "b"], [[1, 2], [3]], r"counts\[1\] has 1 cell for 2 labels"),
        (["a", "a"], [[1, 2], [3, 4]], r"labels\[1\] is 'a', which is listed twice"),
        (["a", 7], [[1, 2], [3, 4]], r"labels\[1\] is 7, which is not text"),
        (["a", "b"], [[1, -2], [3, 4]], r"counts\[0\]\[1\] is -2, which is negative"),
        (["a", "b"], [[1, -0.5], [3, 4]], r"counts\[0\]\[1\] is -0.5, which is negative"),
        (["a", "b"], [[1, 2], [NAN, 4]], r"counts\[1\]\[0\] is nan, which is no count"),
        (["a", "b"], [[1, 2], [INF, 4]], r"counts\[1\]\[0\] is inf, which is no count"),
        (["a", "b"], [[1, 2], ["3", 4]], r"counts\[1\]\[0\] is '3', which is not a number"),
        (["a", "b"], [[1, 2], [None, 4]], r"counts\[1\]\[0\] is None, which is not a number"),
        (["a"], [[2**63]], r"counts\[0\]\[0\] is 9223372036854775808, which is beyond 64 bits"),
    ],
)
def test_matrix_refuses(labels: Any, counts: Any, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        ConfusionMatrix(labels, counts)


def test_metrics_error_is_a_value_error_with_a_message() -> None:
    with pytest.raises(MetricsError) as caught:
        ConfusionMatrix([], [])
    assert isinstance(caught.value, ValueError)
    assert caught.value.message == str(caught.value)
    assert ";" in caught.value.message


@pytest.mark.parametrize(
    ("y_true", "y_pred", "labels", "said"),
    [
        ([], [], None, "at least one row"),
        ([1, 2], [1], None, "y_true has 2 entries and y_pred has 1"),
        ([1, 2], [1, 3], [1, 2], r"y_pred\[1\] is 3, which is not in the labels \(1, 2\)"),
        ([1, "a"], [1, "a"], None, "mix kinds"),
        ([1, "1"], [1, "1"], [1, "1"], "listed twice"),
    ],
)
def test_predictions_refuse(y_true: Any, y_pred: Any, labels: Any, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        ConfusionMatrix.from_predictions(y_true, y_pred, labels)


def test_unknown_names() -> None:
    kind: Any = "mean"
    by: Any = "row"
    matrix = ConfusionMatrix(["a", "b"], [[1, 2], [3, 4]])
    with pytest.raises(MetricsError, match="label is 'c', which is not in the labels"):
        matrix.one_vs_rest("c")
    with pytest.raises(MetricsError, match="label is 'c'"):
        matrix.count("a", "c")
    with pytest.raises(MetricsError, match="average is 'mean'"):
        matrix.average(kind)
    with pytest.raises(MetricsError, match=r"zero_division is 0\.5"):
        matrix.per_class(0.5)
    with pytest.raises(MetricsError, match="by is 'row'"):
        matrix.normalized(by)
    with pytest.raises(MetricsError, match="share no label"):
        difference(matrix, ConfusionMatrix(["x"], [[1]]))


@pytest.mark.parametrize(
    ("thresholds", "tps", "fps", "said"),
    [
        ([], [], [], "thresholds is empty"),
        ([0.5], [1, 2], [0], "thresholds has 1 entry and true_positives has 2"),
        ([0.5, 0.4], [1, 2], [0], "false_positives has 1"),
        ([0.5, 0.5], [1, 2], [0, 0], r"thresholds\[1\] is 0.5 after 0.5"),
        ([0.4, 0.5], [1, 2], [0, 0], r"thresholds\[1\] is 0.5 after 0.4"),
        ([0.5, NAN], [1, 2], [0, 0], r"thresholds\[1\] is NaN"),
        ([0.5, 0.4], [2, 1], [0, 3], r"true_positives\[1\] is 1 after 2"),
        ([0.5, 0.4], [-1, 1], [0, 3], r"true_positives\[0\] is -1, which is negative"),
        ([0.5, 0.4], [1, 1], [1, 1], r"thresholds\[1\] is 0.4, where no row is counted"),
        ([0.5], [0.5], [1], r"true_positives\[0\] is 0.5, which does not fit; give integers"),
        (["x"], [1], [1], r"thresholds\[0\] is 'x', which does not fit; give real numbers"),
    ],
)
def test_cutoffs_refuse(thresholds: Any, tps: Any, fps: Any, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        Cutoffs(thresholds, tps, fps)


@pytest.mark.parametrize(
    ("truths", "scores", "said"),
    [
        ([], [], "is_positive is empty"),
        ([1], [0.1, 0.2], "is_positive has 1 entry and scores has 2"),
        ([1, 0], [0.1, NAN], r"scores\[1\] is NaN, which cannot be ordered"),
        ([1, 0, 1, 1], [INF, -INF, 1.0, NAN], r"scores\[3\] is NaN"),
    ],
)
def test_scores_refuse(truths: list[int], scores: list[float], said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        Cutoffs.from_scores(truths, scores)


@pytest.mark.parametrize(
    ("fpr", "tpr", "thresholds", "said"),
    [
        ([], [], [], "is empty"),
        ([0.0], [0.0, 1.0], [1.0], "true_positive_rate has 2"),
        ([0.0, 1.5], [0.0, 1.0], [1.0, 0.0], r"false_positive_rate\[1\] is 1.5, which is no rate"),
        ([0.0, 1.0], [0.0, -0.1], [1.0, 0.0], r"true_positive_rate\[1\] is -0.1"),
        ([0.0, 1.0], [0.0, 1.0], [0.0, 1.0], r"thresholds\[1\] is 1.0 after 0.0; order the points"),
    ],
)
def test_roc_refuses(fpr: list[float], tpr: list[float], thresholds: Any, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        RocCurve(fpr, tpr, thresholds)


def test_precision_recall_refuses() -> None:
    with pytest.raises(MetricsError, match="one threshold for each point but the last"):
        PrecisionRecallCurve([1.0, 1.0], [1.0, 0.0], [0.5, 0.6])
    with pytest.raises(MetricsError, match=r"thresholds\[1\] is 0.4 after 0.5; order the points by rising"):
        PrecisionRecallCurve([0.5, 1.0, 1.0], [1.0, 0.5, 0.0], [0.5, 0.4])
    with pytest.raises(MetricsError, match="precision has 1 entry and recall has 2"):
        PrecisionRecallCurve([1.0], [1.0, 0.0], [0.5])
    with pytest.raises(MetricsError, match="precision is empty"):
        PrecisionRecallCurve([], [], [])
    with pytest.raises(MetricsError, match=r"^precision\[0\] is 1.5, which is no rate"):
        PrecisionRecallCurve([1.5, 1.0], [1.0, 0.0], [0.5])
    with pytest.raises(MetricsError, match=r"^recall\[1\] is -0.5, which is no rate"):
        PrecisionRecallCurve([1.0, 1.0], [1.0, -0.5], [0.5])


def test_a_matrix_needs_a_threshold_and_rates() -> None:
    cutoffs = Cutoffs.from_scores([0, 1], [0.1, 0.2])
    for at in (cutoffs.matrix_at, lambda threshold: cutoffs.roc().matrix_at(threshold, 1, 1)):
        with pytest.raises(MetricsError, match=r"^threshold\[0\] is NaN"):
            at(NAN)
    with pytest.raises(MetricsError, match="NaN for the rates"):
        RocCurve([NAN, NAN], [0.0, 1.0], [INF, 0.5]).matrix_at(0.5, 3, 0)


@pytest.mark.parametrize(
    ("y_true", "y_score", "options", "said"),
    [
        ([], [], {}, r"y_score has the shape \(0,\)"),
        ([[1, 0]], [0.5], {}, r"y_true has the shape \(1, 2\)"),
        ([0, 1], [0.1, 0.2, 0.3], {}, "y_true has 2 rows and y_score has 3"),
        ([0, 1], [0.1, NAN], {}, r"y_score\[1\] is NaN"),
        ([0, 1], [[0.1, 0.9], [NAN, 0.2]], {}, r"y_score\[1\]\[0\] is NaN"),
        ([0, 1], ["a", "b"], {}, "y_score is not an array of real numbers"),
        ([0, 1], [1j, 2j], {}, "y_score is not an array of real numbers"),
        ([1, 1], [0.1, 0.2], {}, r"y_true has one class only \(1\); give labels="),
        ([0, 1, 2], [0.1, 0.2, 0.3], {}, r"y_score has the shape \(3,\) for 3 labels"),
        ([0, 1, 2], [[0.1, 0.9]] * 3, {}, r"y_score has the shape \(3, 2\) for 3 labels"),
        ([0, 7], [0.1, 0.2], {"labels": [0, 1]}, r"y_true\[1\] is 7, which is not in the labels \(0, 1\)"),
        (["a", "b"], [0.1, 0.2], {"labels": [0, 1]}, r"y_true\[0\] is 'a', which is not in the labels"),
        ([0.0, NAN], [0.1, 0.2], {}, r"y_true\[1\] is NaN, which is no label"),
        ([0, 1], [-3.0, 4.0], {}, "y_score is not from 0 to 1"),
        ([0, 1], [0.1, 0.2], {"threshold": NAN}, "threshold is NaN"),
        ([0, 1], [0.1, 0.2], {"positive": 2}, "positive is 2, which is not in the labels"),
        ([0, 1, 2], np.eye(3), {"threshold": 0.5}, "positive and threshold are for two classes"),
        (np.array([0, "a"], dtype=object), [0.1, 0.2], {}, "y_true mixes kinds"),
        ([0, 1], [0.1, 0.2], {"labels": ["0", 0, 1]}, "y_score has the shape"),
    ],
)
def test_evaluate_refuses(y_true: Any, y_score: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        evaluate(y_true, y_score, **options)


def test_scores_of_probabilities_only() -> None:
    odds = Cutoffs.from_scores([0, 1], [-1.0, 3.0])
    for refused in (brier_score, log_loss, calibration):
        with pytest.raises(MetricsError, match=r"scores hold 3\.0, which is no probability"):
            refused(odds)
    fine = Cutoffs.from_scores([0, 1], [0.1, 0.3])
    with pytest.raises(MetricsError, match="classes is empty"):
        brier_score()
    with pytest.raises(MetricsError, match="classes have 3 positives in 2 rows"):
        log_loss(fine, fine, fine)
    with pytest.raises(MetricsError, match="rows; give classes of one data set"):
        log_loss(fine, Cutoffs.from_scores([1], [0.5]))
    bins: Any
    for bins in (0, 10_001, 2.5, True):
        with pytest.raises(MetricsError, match="bins is"):
            calibration(fine, bins)
    strategy: Any = "kmeans"
    with pytest.raises(MetricsError, match="strategy is 'kmeans'"):
        calibration(fine, 3, strategy)


def test_one_class_only_with_labels_has_nan_figures() -> None:
    found = evaluate([1, 1, 1], [0.2, 0.6, 0.9], labels=[0, 1])
    assert found.matrix.counts == ((0, 0), (1, 2))
    figures = evaluation_figures(found)
    assert math.isnan(figures["auc"])
    assert math.isnan(figures["cohen_kappa"]) is False
    assert figures["mcc"] == 0.0
    assert figures["recall"] == 2 / 3
    assert math.isnan(intervals(found)["auc"].low)
    nobody = evaluate([0, 0], [0.2, 0.6], labels=[0, 1])
    assert math.isnan(evaluation_figures(nobody)["average_precision"])
    assert all(map(math.isnan, nobody.curves["1"].precision_recall().recall[:-1]))


def test_all_equal_scores() -> None:
    found = evaluate([0, 1, 0, 1], [0.5] * 4)
    assert found.curves["1"].thresholds.tolist() == [0.5]
    assert found.curves["1"].auc() == 0.5
    assert found.matrix.counts == ((0, 2), (0, 2))


def test_infinite_scores_are_ordered() -> None:
    found = evaluate([0, 1, 0, 1], [-INF, INF, 1.0, 2.0], threshold=1.5)
    cutoffs = found.curves["1"]
    assert cutoffs.thresholds.tolist() == [INF, 2.0, 1.0, -INF]
    assert cutoffs.auc() == 1.0
    assert cutoffs.matrix_at(INF).counts == ((2, 0), (1, 1))
    assert found.matrix.counts == ((2, 0), (0, 2))


def test_a_thousand_classes() -> None:
    rng = np.random.default_rng(3)
    y_true = np.arange(3000) % 1000
    scores = rng.random((3000, 1000))
    found = evaluate(y_true, scores, curves=False)
    assert len(found.matrix.labels) == 1000
    assert found.matrix.total == 3000
    assert found.matrix.accuracy == float((scores.argmax(axis=1) == y_true).mean())
    assert -0.01 < found.matrix.mcc < 0.01
    assert found.curves == {}


def test_a_million_points() -> None:
    rng = np.random.default_rng(5)
    y_true = rng.random(1_000_000) < 0.3
    scores = rng.random(1_000_000) * 0.7 + y_true * 0.3
    cutoffs = evaluate(y_true, scores).curves["True"]
    assert cutoffs.total == 1_000_000
    roc = cutoffs.roc()
    assert len(roc) == len(cutoffs.thresholds) + 1
    thin = roc.thinned(200)
    assert len(thin) <= 200
    assert thin.auc() == pytest.approx(cutoffs.auc(), abs=1e-3)


def test_slices(cancer: Scored) -> None:
    names = np.where(np.arange(len(cancer.y_true)) % 3 == 0, "north", "south")
    found = evaluate_slices(cancer.y_true, cancer.y_score, names, labels=[0, 1])
    assert list(found) == ["north", "south"]
    whole = evaluate(cancer.y_true, cancer.y_score)
    together = [
        [a + b for a, b in zip(left, right, strict=True)]
        for left, right in zip(found["north"].matrix.counts, found["south"].matrix.counts, strict=True)
    ]
    assert ConfusionMatrix(whole.matrix.labels, together) == whole.matrix
    with pytest.raises(MetricsError, match="y_true, y_score and slices have"):
        evaluate_slices(cancer.y_true, cancer.y_score, names[1:], labels=[0, 1])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["a", None, "b"], r"^slices\[1\] is None, which names no slice"),
        ([1.0, 2.0, NAN], r"^slices\[2\] is nan, which names no slice"),
        (np.array(["a", 1, "b"], dtype=object), "^slices mix kinds"),
    ],
)
def test_a_row_of_no_slice_is_refused(names: Any, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        evaluate_slices([0, 1, 1], [0.1, 0.9, 0.8], names, labels=[0, 1])


def test_a_curve_without_rates_keeps_its_ends_when_thinned() -> None:
    count = 1001
    curve = RocCurve([NAN] * count, [index / 1000 for index in range(count)], [-index for index in range(count)])
    thin = curve.thinned(11)
    assert list(thin.thresholds) == [-100.0 * index for index in range(11)]
    assert list(thin.true_positive_rate) == [index / 10 for index in range(11)]


def test_errors_of_a_calibration_by_hand() -> None:
    """Two bins: of 4 rows at 0.125 one is positive, of 2 rows at 0.875 one is."""
    found = calibration(Cutoffs([0.875, 0.125], [1, 2], [1, 4]), 2)
    assert [(entry.rows, entry.positives, entry.mean_probability) for entry in found.bins] == [
        (4, 1, 0.125),
        (2, 1, 0.875),
    ]
    assert [(entry.lower, entry.upper) for entry in found.bins] == [(0.0, 0.5), (0.5, 1.0)]
    assert found.expected_error == (4 * 0.125 + 2 * 0.375) / 6


def test_rates_of_others_come_back_as_whole_counts() -> None:
    """0.1 + 0.2 of ten rows are three, as whoever divided them began."""
    curve = RocCurve([0.0, 0.1 + 0.2, 1.0], [0.0, 0.7, 1.0], [INF, 0.5, 0.1])
    counts = curve.matrix_at(0.5, 1000, 10).counts
    assert counts == ((7, 3), (300, 700))
    assert {type(count) for row in counts for count in row} == {int}
    (_, alarms), (misses, hits) = curve.matrix_at(0.5, 1, 1).counts
    assert (alarms, misses, hits) == pytest.approx((0.3, 0.3, 0.7))


def test_columns_of_every_kind() -> None:
    lists = Cutoffs([0.5, 0.25], [1, 1], [0, 1])
    whole: Any = (0.0, 1.0)
    assert lists == Cutoffs((0.5, 0.25), (1, 1), whole)
    assert lists == Cutoffs(array("f", [0.5, 0.25]), array("i", [1, 1]), array("q", [0, 1]))
    assert lists == Cutoffs(np.array([0.5, 0.25]), np.array([1, 1]), np.array([0, 1], dtype=np.int32))
    assert lists == Cutoffs(np.array([0.5, 9.0, 0.25])[::2], (n for n in (1, 1)), [False, True])
