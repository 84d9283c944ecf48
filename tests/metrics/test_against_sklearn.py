"""Matrices, rates and thresholds equal scikit-learn's; derived figures lie within 4 ulp of them."""

import math
import warnings
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest

sk = pytest.importorskip("sklearn.metrics")
calibration_curve = pytest.importorskip("sklearn.calibration").calibration_curve

from mlmd_metrics.calibration import calibration  # noqa: E402
from mlmd_metrics.confusion import ConfusionMatrix  # noqa: E402
from mlmd_metrics.cutoffs import Cutoffs  # noqa: E402
from mlmd_metrics.evaluation import evaluate  # noqa: E402
from mlmd_metrics.figures import evaluation_figures  # noqa: E402
from mlmd_metrics.scores import brier_score, log_loss  # noqa: E402

from tests.metrics.conftest import Near, Scored  # noqa: E402


def test_binary_matrix_and_figures(cancer: Scored, near: Near) -> None:
    found = evaluate(cancer.y_true, cancer.y_score)
    predicted = (cancer.y_score[:, 1] >= 0.5).astype(int)
    assert [list(row) for row in found.matrix.counts] == sk.confusion_matrix(cancer.y_true, predicted).tolist()
    figures = evaluation_figures(found)
    assert near(figures["accuracy"], sk.accuracy_score(cancer.y_true, predicted))
    assert near(figures["mcc"], sk.matthews_corrcoef(cancer.y_true, predicted))
    assert near(figures["cohen_kappa"], sk.cohen_kappa_score(cancer.y_true, predicted))
    assert near(figures["precision"], sk.precision_score(cancer.y_true, predicted))
    assert near(figures["recall"], sk.recall_score(cancer.y_true, predicted))
    assert near(figures["f1"], sk.f1_score(cancer.y_true, predicted))


def test_multiclass_matrix_and_figures(digits: Scored, near: Near) -> None:
    found = evaluate(digits.y_true, digits.y_score)
    predicted = digits.y_score.argmax(axis=1)
    assert [list(row) for row in found.matrix.counts] == sk.confusion_matrix(digits.y_true, predicted).tolist()
    figures = evaluation_figures(found)
    assert near(figures["mcc"], sk.matthews_corrcoef(digits.y_true, predicted))
    assert near(figures["cohen_kappa"], sk.cohen_kappa_score(digits.y_true, predicted))
    for kind in ("macro", "weighted", "micro"):
        precision, recall, f1, _ = sk.precision_recall_fscore_support(digits.y_true, predicted, average=kind)
        assert near(figures[f"precision_{kind}"], precision)
        assert near(figures[f"recall_{kind}"], recall)
        assert near(figures[f"f1_{kind}"], f1)
    each = sk.precision_recall_fscore_support(digits.y_true, predicted)
    for index, entry in enumerate(found.matrix.per_class()):
        assert (entry.precision, entry.recall) == (each[0][index], each[1][index])
        assert near(entry.f1, each[2][index])
        assert entry.support == each[3][index]


@pytest.mark.parametrize("zero_division", [0.0, 1.0, math.nan])
def test_a_class_never_predicted(zero_division: float, near: Near) -> None:
    y_true, y_pred = [0, 0, 1, 1, 2, 2, 3], [0, 1, 1, 1, 0, 1, 1]
    labels = [0, 1, 2, 3, 4]
    matrix = ConfusionMatrix.from_predictions(y_true, y_pred, labels)
    for kind in ("macro", "weighted", "micro"):
        expected = sk.precision_recall_fscore_support(
            y_true, y_pred, labels=labels, average=kind, zero_division=zero_division
        )
        mean = matrix.average(kind, zero_division)
        assert near(mean.precision, expected[0])
        assert near(mean.recall, expected[1])
        assert near(mean.f1, expected[2])


@pytest.mark.parametrize("by", ["true", "predicted", "all"])
def test_normalized(digits: Scored, by: Literal["true", "predicted", "all"]) -> None:
    predicted = digits.y_score.argmax(axis=1)
    expected = sk.confusion_matrix(digits.y_true, predicted, normalize={"predicted": "pred"}.get(by, by))
    found = ConfusionMatrix.from_predictions(digits.y_true.tolist(), predicted.tolist()).normalized(by)
    assert [list(row) for row in found] == expected.tolist()


def _assert_curves(is_positive: npt.NDArray[Any], scores: npt.NDArray[Any], cutoffs: Cutoffs) -> None:
    fpr, tpr, thresholds = sk.roc_curve(is_positive, scores, drop_intermediate=False)
    roc = cutoffs.roc()
    assert roc.false_positive_rate.tolist() == fpr.tolist()
    assert roc.true_positive_rate.tolist() == tpr.tolist()
    assert roc.thresholds.tolist() == thresholds.tolist()
    assert roc.thresholds[0] == math.inf
    precision, recall, rising = sk.precision_recall_curve(is_positive, scores)
    curve = cutoffs.precision_recall()
    assert curve.precision.tolist() == precision.tolist()
    assert curve.recall.tolist() == recall.tolist()
    assert curve.thresholds.tolist() == rising.tolist()


def test_binary_curves(cancer: Scored, near: Near) -> None:
    scores = cancer.y_score[:, 1]
    cutoffs = evaluate(cancer.y_true, scores).curves["1"]
    _assert_curves(cancer.y_true, scores, cutoffs)
    assert near(cutoffs.auc(), sk.roc_auc_score(cancer.y_true, scores))
    assert near(cutoffs.roc().auc(), sk.roc_auc_score(cancer.y_true, scores))
    assert near(cutoffs.average_precision(), sk.average_precision_score(cancer.y_true, scores))
    assert near(cutoffs.precision_recall().average_precision(), sk.average_precision_score(cancer.y_true, scores))


def test_curves_with_many_ties(cancer: Scored, near: Near) -> None:
    scores = cancer.y_score[:, 1].round(1)
    cutoffs = evaluate(cancer.y_true, scores).curves["1"]
    _assert_curves(cancer.y_true, scores, cutoffs)
    assert len(cutoffs.thresholds) <= 11
    assert near(cutoffs.auc(), sk.roc_auc_score(cancer.y_true, scores))


def test_one_vs_rest_curves(digits: Scored, near: Near) -> None:
    found = evaluate(digits.y_true, digits.y_score)
    assert list(found.curves) == [str(digit) for digit in range(10)]
    for digit in range(10):
        _assert_curves(digits.y_true == digit, digits.y_score[:, digit], found.curves[str(digit)])
    figures = evaluation_figures(found)
    for kind in ("macro", "weighted"):
        assert near(
            figures[f"auc_{kind}"], sk.roc_auc_score(digits.y_true, digits.y_score, multi_class="ovr", average=kind)
        )
        assert near(
            figures[f"average_precision_{kind}"],
            sk.average_precision_score(digits.y_true, digits.y_score, average=kind),
        )


def test_matrix_at_every_threshold(cancer: Scored) -> None:
    scores = cancer.y_score[:, 1]
    cutoffs = evaluate(cancer.y_true, scores).curves["1"]
    between = [(high + low) / 2 for high, low in zip(cutoffs.thresholds, cutoffs.thresholds[1:], strict=False)]
    for threshold in [math.inf, 2.0, *cutoffs.thresholds[::9], *between[::9], -1.0, -math.inf]:
        expected = sk.confusion_matrix(cancer.y_true, scores >= threshold, labels=[0, 1]).tolist()
        assert [list(row) for row in cutoffs.matrix_at(threshold).counts] == expected
        from_rates = cutoffs.roc().matrix_at(threshold, cutoffs.positives, cutoffs.negatives)
        assert from_rates == cutoffs.matrix_at(threshold)


def test_matrix_predictions_and_evaluation_agree(digits: Scored) -> None:
    predicted = digits.y_score.argmax(axis=1)
    counted = ConfusionMatrix.from_predictions(digits.y_true.tolist(), predicted.tolist())
    assert counted == evaluate(digits.y_true, digits.y_score).matrix
    alone = counted.one_vs_rest("8")
    expected = sk.multilabel_confusion_matrix(digits.y_true, predicted)[8].tolist()
    assert [list(row) for row in alone.counts] == expected


def test_brier_and_log_loss(cancer: Scored, digits: Scored) -> None:
    binary = evaluate(cancer.y_true, cancer.y_score).curves["1"]
    assert brier_score(binary) == pytest.approx(
        sk.brier_score_loss(cancer.y_true, cancer.y_score[:, 1]), rel=1e-12, abs=0
    )
    assert log_loss(binary) == pytest.approx(sk.log_loss(cancer.y_true, cancer.y_score[:, 1]), rel=1e-12, abs=0)
    classes = evaluate(digits.y_true, digits.y_score).curves.values()
    assert log_loss(*classes) == pytest.approx(sk.log_loss(digits.y_true, digits.y_score), rel=1e-12, abs=0)
    one_hot = np.eye(10)[digits.y_true]
    assert brier_score(*classes) == pytest.approx(
        float(((one_hot - digits.y_score) ** 2).sum(axis=1).mean()), rel=1e-12, abs=0
    )


def test_log_loss_of_certainties() -> None:
    y_true, scores = np.array([0, 1, 1, 0]), np.array([0.0, 1.0, 0.0, 1.0])
    found = log_loss(Cutoffs.from_scores(y_true, scores))
    assert found == pytest.approx(sk.log_loss(y_true, scores), rel=1e-12, abs=0)


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("bins", [1, 3, 10, 17])
def test_calibration(cancer: Scored, strategy: Literal["uniform", "quantile"], bins: int) -> None:
    scores = cancer.y_score[:, 1]
    rates, means = calibration_curve(cancer.y_true, scores, n_bins=bins, strategy=strategy)
    found = calibration(evaluate(cancer.y_true, scores).curves["1"], bins, strategy).bins
    assert [entry.positive_rate for entry in found] == rates.tolist()
    for entry, mean in zip(found, means.tolist(), strict=True):
        assert entry.mean_probability == pytest.approx(mean, rel=1e-14, abs=0)  # scikit-learn adds in row order
    assert sum(entry.rows for entry in found) == len(scores)


@pytest.mark.parametrize(("decimals", "bins"), [(2, 7), (17, 7), (17, 31)])
def test_quantiles_are_numpys(cancer: Scored, decimals: int, bins: int) -> None:
    scores = cancer.y_score[:, 1].round(decimals)
    found = calibration(evaluate(cancer.y_true, scores).curves["1"], bins, "quantile").bins
    edges = np.percentile(scores, np.linspace(0, 1, bins + 1) * 100).tolist()
    assert [entry.upper for entry in found] == edges[1:]
    assert [entry.lower for entry in found] == edges[:-1]


def test_single_precision_scores(cancer: Scored) -> None:
    scores = cancer.y_score[:, 1].astype(np.float32)
    _assert_curves(cancer.y_true, scores, evaluate(cancer.y_true, scores).curves["1"])


def test_one_class_only_agrees_with_sklearn() -> None:
    cutoffs = Cutoffs.from_scores([1, 1], [0.2, 0.8])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fpr, tpr, thresholds = sk.roc_curve([1, 1], [0.2, 0.8], pos_label=1, drop_intermediate=False)
    roc = cutoffs.roc()
    assert np.isnan(fpr).all()
    assert all(map(math.isnan, roc.false_positive_rate))
    assert roc.true_positive_rate.tolist() == tpr.tolist()
    assert roc.thresholds.tolist() == thresholds.tolist()
    assert math.isnan(cutoffs.auc())
    assert cutoffs.average_precision() == 1.0
