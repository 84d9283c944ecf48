"""Labels of every kind, in any order; the positive class where it is said to be."""

import sys
from typing import Any

import numpy as np
import pytest

sk = pytest.importorskip("sklearn.metrics")

from mlmd_metrics.difference import difference  # noqa: E402
from mlmd_metrics.evaluation import evaluate  # noqa: E402
from mlmd_metrics.figures import evaluation_figures, intervals  # noqa: E402
from mlmd_metrics.interval import delong, wilson  # noqa: E402

from tests.metrics.conftest import Scored  # noqa: E402


def test_text_labels_in_the_order_given(cancer: Scored) -> None:
    names = np.array(["malignant", "benign"])[cancer.y_true]
    found = evaluate(names, cancer.y_score, labels=["malignant", "benign"], positive="malignant")
    assert found.matrix.labels == ("malignant", "benign")
    assert list(found.curves) == ["malignant"]
    predicted = np.where(cancer.y_score[:, 0] >= 0.5, "malignant", "benign")
    expected = sk.confusion_matrix(names, predicted, labels=["malignant", "benign"]).tolist()
    assert [list(row) for row in found.matrix.counts] == expected
    figures = evaluation_figures(found)
    assert figures["recall"] == sk.recall_score(names, predicted, pos_label="malignant")
    assert figures["auc"] == pytest.approx(sk.roc_auc_score(names == "malignant", cancer.y_score[:, 0]), rel=1e-15)


@pytest.mark.parametrize("kind", [int, bool, float, str, object])
def test_label_kinds_give_one_matrix(cancer: Scored, kind: type[Any]) -> None:
    labels = cancer.y_true.astype(kind)
    found = evaluate(labels, cancer.y_score[:, 1])
    assert found.matrix.counts == evaluate(cancer.y_true, cancer.y_score).matrix.counts
    assert found.matrix.labels == tuple(str(label) for label in np.unique(labels).tolist())


def test_a_threshold_of_ones_own(cancer: Scored) -> None:
    odds = np.log(cancer.y_score[:, 1] / cancer.y_score[:, 0])
    found = evaluate(cancer.y_true.tolist(), odds.tolist(), threshold=1.5)
    assert [list(row) for row in found.matrix.counts] == sk.confusion_matrix(cancer.y_true, odds >= 1.5).tolist()
    assert found.curves["1"].matrix_at(1.5, ("0", "1")) == found.matrix
    assert "brier_score" not in evaluation_figures(found)


def test_labels_that_the_rows_lack(digits: Scored) -> None:
    seen = digits.y_true != 4
    found = evaluate(digits.y_true[seen], digits.y_score[seen], labels=range(10))
    assert found.matrix.true_totals[4] == 0
    figures = evaluation_figures(found)
    assert np.isnan(figures["auc_macro"])
    assert figures["accuracy"] == sk.accuracy_score(digits.y_true[seen], digits.y_score[seen].argmax(axis=1))


def test_intervals_by_name(digits: Scored, cancer: Scored) -> None:
    found = evaluate(digits.y_true, digits.y_score)
    named = intervals(found, 0.9)
    assert named["accuracy"] == wilson(found.matrix.correct, found.matrix.total, 0.9)
    assert named["recall/8"].estimate == found.matrix.per_class()[8].recall
    assert named["precision/8"].estimate == found.matrix.per_class()[8].precision
    assert named["auc/8"] == delong(found.curves["8"], 0.9)
    assert intervals(evaluate(cancer.y_true, cancer.y_score))["auc"].method == "delong"


def test_what_a_higher_threshold_moves(cancer: Scored) -> None:
    cutoffs = evaluate(cancer.y_true, cancer.y_score).curves["1"]
    low, high = cutoffs.matrix_at(0.3), cutoffs.matrix_at(0.7)
    moved = difference(low, high)
    assert moved.deltas[0][1] <= 0 <= moved.deltas[0][0]
    assert [sum(row) for row in moved.deltas] == [0, 0]
    rates = difference(low, high, as_rates=True)
    assert rates.deltas[1][1] == high.normalized()[1][1] - low.normalized()[1][1]


def test_everything_but_evaluate_does_without_numpy() -> None:
    import subprocess

    modules = (
        "calibration class_figures confusion curve cutoffs difference evaluation figures interval kubeflow numbers"
    )
    modules += " scores series thinning drawings svg"
    code = "import sys; sys.modules['numpy'] = None\n" + "".join(f"import mlmd_metrics.{m}\n" for m in modules.split())
    code += (
        "try:\n    mlmd_metrics.evaluation.evaluate([0, 1], [0, 1])\n"
        "except ModuleNotFoundError as missing:\n    assert 'pip install numpy' in str(missing)\n"
        "else:\n    raise SystemExit('evaluate worked without numpy')\n"
    )
    paths = [path for path in sys.path if path]
    subprocess.run([sys.executable, "-c", f"import sys; sys.path[:0] = {paths!r}\n{code}"], check=True, timeout=60)
