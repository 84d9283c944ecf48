"""The shapes that Kubeflow Pipelines writes and its UI reads."""

import json
import math
from typing import Any

import pytest
from mlmd_metrics import kubeflow
from mlmd_metrics.confusion import ConfusionMatrix
from mlmd_metrics.curve import RocCurve
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.errors import MetricsError

from tests.metrics.conftest import Scored

# As a pipeline step of kfp 2 leaves them in an artifact's properties, wrapped by the launcher.
LOGGED: dict[str, Any] = {
    "display_name": "cls",
    "confusionMatrix": {
        "struct": {
            "rows": [{"row": [8.0, 1.0]}, {"row": [2.0, 9.0]}],
            "annotationSpecs": [{"displayName": "a"}, {"displayName": "b"}],
        }
    },
    "confidenceMetrics": {
        "list": [
            {"confidenceThreshold": 1.0, "falsePositiveRate": 0.0, "recall": 0.0},
            {"confidenceThreshold": 0.5, "falsePositiveRate": 0.2, "recall": 0.9},
        ]
    },
}


def test_what_a_pipeline_logged() -> None:
    found = kubeflow.classification(LOGGED)
    assert found.matrix == ConfusionMatrix(["a", "b"], [[8, 1], [2, 9]])
    assert all(type(count) is int for row in found.matrix.counts for count in row)
    assert found.roc == RocCurve([0.0, 0.2], [0.0, 0.9], [1.0, 0.5])
    assert found.roc.matrix_at(0.7, positives=11, negatives=9).counts == ((9, 0), (11, 0))
    assert found.matrix.accuracy == 17 / 20


def test_bare_and_wrapped_are_one() -> None:
    bare = {name: next(iter(LOGGED[name].values())) for name in ("confusionMatrix", "confidenceMetrics")}
    assert kubeflow.classification(bare) == kubeflow.classification(LOGGED)
    assert kubeflow.wrapped(bare["confusionMatrix"]) == LOGGED["confusionMatrix"]
    assert kubeflow.wrapped(bare["confidenceMetrics"]) == LOGGED["confidenceMetrics"]


def test_nothing_logged() -> None:
    assert kubeflow.classification({"display_name": "x"}) == kubeflow.Classification(None, None)
    assert kubeflow.slices({}) == {}
    assert kubeflow.metadata() == {}


def test_what_we_write_has_kubeflows_shape(cancer: Scored) -> None:
    cutoffs = Cutoffs.from_scores(cancer.y_true, cancer.y_score[:, 1])
    matrix = cutoffs.matrix_at(0.5, ("malignant", "benign"))
    written = kubeflow.metadata(matrix, cutoffs.roc())
    assert json.loads(json.dumps(written, allow_nan=False)) == written
    specs, rows = written["confusionMatrix"]["annotationSpecs"], written["confusionMatrix"]["rows"]
    assert specs == [{"displayName": "malignant"}, {"displayName": "benign"}]
    assert [len(row["row"]) for row in rows] == [len(specs)] * len(specs)
    assert all(type(cell) is float for row in rows for cell in row["row"])
    points = written["confidenceMetrics"]
    assert 2 < len(points) <= 200
    assert all(set(point) == {"confidenceThreshold", "recall", "falsePositiveRate"} for point in points)
    assert points[0] == {"confidenceThreshold": 1.0, "recall": 0.0, "falsePositiveRate": 0.0}
    assert (points[-1]["recall"], points[-1]["falsePositiveRate"]) == (1.0, 1.0)
    back = kubeflow.classification(written)
    assert back.matrix == matrix
    assert back.roc is not None
    assert back.roc.auc() == pytest.approx(cutoffs.auc(), abs=1e-4)


@pytest.mark.parametrize(
    ("scores", "first"),
    [([0.2, 0.9], 1.0), ([-3.0, -1.0], 1.0), ([0.2, 1.0], 1.0000000000000002), ([5.0, 7.0], 7.000000000000001)],
)
def test_infinity_becomes_a_threshold_that_means_the_same(scores: list[float], first: float) -> None:
    points = kubeflow.confidence_metrics_value(Cutoffs.from_scores([0, 1], scores).roc())
    assert points[0]["confidenceThreshold"] == first
    assert first > max(scores)


def test_one_class_only_writes_no_curve() -> None:
    assert kubeflow.metadata(None, Cutoffs.from_scores([1, 1], [0.1, 0.2]).roc()) == {}


def test_a_matrix_too_large_for_a_property_is_left_out() -> None:
    size = kubeflow.MATRIX_CLASSES + 1
    matrix = ConfusionMatrix([str(index) for index in range(size)], [[0] * size] * size)
    assert kubeflow.metadata(matrix) == {}


def test_points_in_any_order_and_with_words_for_what_json_lacks() -> None:
    points = [
        {"confidenceThreshold": 0.1, "recall": 1.0, "falsePositiveRate": 1.0},
        {"confidenceThreshold": "Infinity"},
        {"confidenceThreshold": 0.5, "recall": 0.75, "falsePositiveRate": 0.25},
    ]
    found = kubeflow.read_confidence_metrics(points)
    assert found.thresholds.tolist() == [math.inf, 0.5, 0.1]
    assert found.true_positive_rate.tolist() == [0.0, 0.75, 1.0]
    assert found.auc() == 0.75


def test_rates_that_are_nan_are_kept() -> None:
    found = kubeflow.read_confidence_metrics(
        [{"confidenceThreshold": math.inf, "recall": 0.0, "falsePositiveRate": math.nan}] * 2
    )
    assert math.isnan(found.auc())
    assert found.thresholds.tolist() == [math.inf, math.inf]


def test_slices() -> None:
    one = {name: LOGGED[name] for name in ("confusionMatrix", "confidenceMetrics")}
    logged = {
        "evaluationSlices": [
            {"slice": "north", "sliceClassificationMetrics": one},
            {"slice": "south", "sliceClassificationMetrics": {}},
        ]
    }
    found = kubeflow.slices(logged)
    assert found == {"north": kubeflow.classification(LOGGED), "south": kubeflow.Classification(None, None)}
    assert kubeflow.slices({"evaluationSlices": {"list": logged["evaluationSlices"]}}) == found


def matrix_with(**changes: object) -> dict[str, Any]:
    value = {"annotationSpecs": [{"displayName": "a"}], "rows": [{"row": [1.0]}]}
    return {"confusionMatrix": {key: entry for key, entry in (value | changes).items() if entry is not None}}


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"confusionMatrix": "x"}, "confusionMatrix is 'x', which is no object"),
        ({"confusionMatrix": {"list": [1]}}, r"confusionMatrix is \[1\], which is no object"),
        (matrix_with(rows=None), "confusionMatrix has no rows"),
        (matrix_with(annotationSpecs="ab"), "annotationSpecs is 'ab', which is no list"),
        (matrix_with(annotationSpecs=[{}]), r"annotationSpecs\[0\] has no displayName"),
        (matrix_with(rows=[{"row": ["x"]}]), r'confusionMatrix.rows\[0\].row\[0\] is "x"'),
        (matrix_with(rows=[{"row": ["NaN"]}]), r"counts\[0\]\[0\] is nan"),
        (matrix_with(rows=[{"row": [-1]}]), r"counts\[0\]\[0\] is -1.0, which is negative"),
        (matrix_with(rows=[{"row": [1, 2]}]), r"counts\[0\] has 2 cells for 1 label"),
        (matrix_with(rows=[]), "counts has 0 rows for 1 label"),
        ({"confidenceMetrics": []}, "confidenceMetrics is empty"),
        ({"confidenceMetrics": {"x": 1}}, "confidenceMetrics is .* which is no list"),
        ({"confidenceMetrics": [3]}, r"confidenceMetrics\[0\] is 3, which is no object"),
        ({"confidenceMetrics": [{"recall": True}]}, r"confidenceMetrics\[0\].recall is True"),
        ({"confidenceMetrics": [{"recall": 1.5}]}, r"true_positive_rate\[0\] is 1.5"),
    ],
)
def test_other_shapes_are_refused(metadata: dict[str, Any], said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        kubeflow.classification(metadata)


@pytest.mark.parametrize(
    ("slices", "said"),
    [
        ("x", "evaluationSlices is 'x', which is no list"),
        ([{"slice": 3, "sliceClassificationMetrics": {}}], r"evaluationSlices\[0\].slice is 3"),
        ([{"slice": "a"}], r"evaluationSlices\[0\] has no sliceClassificationMetrics"),
        ([{"slice": "a", "sliceClassificationMetrics": {}}] * 2, r"evaluationSlices\[1\].slice is 'a'"),
    ],
)
def test_other_slices_are_refused(slices: object, said: str) -> None:
    with pytest.raises(MetricsError, match=said):
        kubeflow.slices({"evaluationSlices": slices})


def test_a_curve_of_infinite_thresholds_is_written_in_finite_ones() -> None:
    points = kubeflow.confidence_metrics_value(RocCurve([0.0, 1.0], [0.0, 1.0], [math.inf, -math.inf]))
    assert points == [
        {"confidenceThreshold": 1.0, "recall": 0.0, "falsePositiveRate": 0.0},
        {"confidenceThreshold": -5e-324, "recall": 1.0, "falsePositiveRate": 1.0},
    ]
    above = kubeflow.confidence_metrics_value(RocCurve([0.0, 1.0], [0.0, 1.0], [math.inf, 1.0]))
    assert [point["confidenceThreshold"] for point in above] == [math.nextafter(1.0, 2.0), 1.0]
