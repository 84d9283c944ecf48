"""Evaluations: kept exactly, every figure derived, replaced by key, shared with Kubeflow Pipelines."""

import math
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from google.protobuf import json_format
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_metrics import figures
from mlmd_metrics.cutoffs import Cutoffs
from mlmd_metrics.evaluation import Evaluation, evaluate
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.metadata_store.calls import Calls, counted, node
from tests.metadata_store.measured import (
    CLASSIFICATION,
    artifact,
    artifacts,
    cutoffs,
    evaluation,
    execution,
    key,
    matrix,
)

HAM = matrix(("ham", "spam"), ((3, 1), (1, 3)))
SPAM = Cutoffs([0.9, 0.8, 0.7, 0.6, 0.4, 0.35, 0.2, 0.1], [1, 2, 3, 3, 3, 4, 4, 4], [0, 0, 0, 1, 2, 2, 3, 4])


def made(classes: int = 2, rows: int = 60) -> Evaluation:
    """An evaluation of random scores, always the same ones."""
    dice = random.Random(7)
    truths = [dice.randrange(classes) for _ in range(rows)]
    if classes == 2:
        return evaluate(truths, [round(min(1.0, max(0.0, dice.gauss(truth, 0.6))), 2) for truth in truths])
    weights = [[dice.random() + (truth == place) for place in range(classes)] for truth in truths]
    return evaluate(truths, [[one / sum(row) for one in row] for row in weights], labels=range(classes))


def got(call: Calls, owner: int, **fields: Any) -> list[v1.Evaluation]:
    return list(call("GetEvaluations", owners=[artifact(owner)], **fields).evaluations)


@pytest.mark.parametrize("classes", [2, 3])
def test_what_was_logged_and_every_figure_of_it(call: Calls, classes: int) -> None:
    (owner,), found = artifacts(call), made(classes)
    call("LogEvaluation", evaluations=[evaluation(owner, found)])
    (answer,) = got(call, owner, with_cutoffs=True, level=0.9)
    assert answer.origin == v1.EVALUATION_ORIGIN_LOGGED
    assert answer.matrix == matrix(found.matrix.labels, found.matrix.counts)
    assert [curve.cutoffs for curve in answer.curves] == [cutoffs(*pair) for pair in found.curves.items()]
    assert dict(answer.figures) == figures.evaluation_figures(found)
    expected = figures.intervals(found, 0.9)
    assert {name: (one.low, one.high) for name, one in answer.intervals.items()} == {
        name: (one.low, one.high) for name, one in expected.items()
    }
    first = next(iter(found.curves.values()))
    assert list(answer.curves[0].roc.true_positive_rate) == list(first.roc().true_positive_rate)
    assert list(answer.curves[0].precision_recall.precision) == list(first.precision_recall().precision)
    assert sum(entry.rows for entry in answer.curves[0].calibration) == first.total
    assert [rates.label for rates in answer.classes] == list(found.matrix.labels)
    assert answer.problem == ""
    written = json_format.MessageToDict(answer)
    assert written["curves"][0]["roc"]["thresholds"][0] == "Infinity"


def test_whole_evaluations_replace_and_parts_leave_the_rest(call: Calls) -> None:
    (owner,) = artifacts(call)
    call("LogCurve", key=key(owner, "test"), curve=cutoffs("spam", SPAM))
    call("LogConfusionMatrix", key=key(owner, "test"), matrix=HAM)
    call("LogCurve", key=key(owner, "test"), curve=cutoffs("spam", SPAM))
    (both,) = got(call, owner)
    assert both.figures["accuracy"] == 0.75
    assert both.figures["auc"] == 0.875
    assert call.code("LogCurve", key=key(owner, "test"), curve=cutoffs("eggs", SPAM)) is Code.INVALID_ARGUMENT
    eggs = matrix(("a", "b"), ((1, 0), (0, 1)))
    assert call.code("LogConfusionMatrix", key=key(owner, "test"), matrix=eggs) is Code.INVALID_ARGUMENT
    whole = v1.EvaluationInput(key=key(owner, "test"), matrix=eggs)
    call("LogEvaluation", evaluations=[whole])
    call("LogEvaluation", evaluations=[whole])
    (replaced,) = got(call, owner)
    assert (replaced.matrix, len(replaced.curves)) == (eggs, 0)


def test_slices_names_and_owners_are_apart(call: Calls) -> None:
    (owner,) = artifacts(call)
    run = v1.MetricOwner(execution_id=execution(call))
    some = [("", ""), ("", "country=DE"), ("holdout", "")]
    call("LogEvaluation", evaluations=[evaluation(owner, made(), *pair) for pair in some])
    call("LogConfusionMatrix", key=key(run), matrix=HAM)
    assert [(one.key.name, one.key.slice) for one in got(call, owner)] == some
    assert [one.key.name for one in got(call, owner, slice="", name="holdout")] == ["holdout"]
    both = call("GetEvaluations", owners=[run, artifact(owner)], name="", slice="").evaluations
    assert [one.key.owner for one in both] == [run, artifact(owner)]


def test_a_thousand_classes_weights_and_the_largest_counts(call: Calls) -> None:
    (owner,) = artifacts(call)
    labels = [f"class {n}" for n in range(1000)]
    counts = [n % 7 for n in range(1_000_000)]
    call("LogConfusionMatrix", key=key(owner, "many"), matrix=v1.MatrixCounts(labels=labels, counts=counts))
    weighted = v1.MatrixCounts(labels=("a", "b"), weighted_counts=[0.1, 0.0, 1e-300, 2**53])
    call("LogConfusionMatrix", key=key(owner, "weighted"), matrix=weighted)
    largest = matrix(("a", "b"), ((2**63 - 1, 0), (1, 2**63 - 1)))
    call("LogConfusionMatrix", key=key(owner, "largest"), matrix=largest)
    found = {one.key.name: one.matrix for one in got(call, owner)}
    assert list(found["many"].counts) == counts
    assert found["weighted"] == weighted
    assert found["largest"] == largest


def test_curves_of_one_class_of_equal_scores_and_of_infinite_ones(call: Calls) -> None:
    (owner,) = artifacts(call)
    cases = {
        "one class": Cutoffs([0.9, 0.1], [1, 2], [0, 0]),
        "equal": Cutoffs([0.5], [2], [2]),
        "infinite": Cutoffs([math.inf, -math.inf], [2, 2], [0, 2]),
    }
    for name, curve in cases.items():
        call("LogCurve", key=key(owner, name), curve=cutoffs("yes", curve))
    found = {one.key.name: one for one in got(call, owner, with_cutoffs=True)}
    assert math.isnan(found["one class"].figures["auc"])
    assert found["equal"].figures["auc"] == 0.5
    assert found["infinite"].figures["auc"] == 1.0
    assert [found[name].curves[0].cutoffs for name in cases] == [cutoffs("yes", curve) for curve in cases.values()]
    json_format.MessageToJson(found["one class"])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, "neither"),
        ({"matrix": v1.MatrixCounts()}, "labels is empty"),
        ({"matrix": v1.MatrixCounts(labels=("a", "b"), counts=[1, 2, 3])}, "send 4"),
        ({"matrix": matrix(("a", "b"), ((1, -2), (0, 1)))}, "negative"),
        ({"matrix": matrix(("a", "a"), ((1, 2), (0, 1)))}, "twice"),
        ({"matrix": v1.MatrixCounts(labels=("a",), weighted_counts=[math.nan])}, "nan"),
        ({"curves": [v1.CurveCutoffs(label="a")]}, "empty"),
        ({"curves": [v1.CurveCutoffs(thresholds=[0.5], true_positives=[1])]}, "false_positives"),
        ({"curves": [v1.CurveCutoffs(thresholds=[math.nan], true_positives=[1], false_positives=[1])]}, "NaN"),
        (
            {"curves": [v1.CurveCutoffs(thresholds=[0.1, 0.5], true_positives=[1, 2], false_positives=[1, 2])]},
            "fall",
        ),
        ({"matrix": HAM, "curves": [cutoffs("eggs", SPAM)]}, "'eggs'"),
        ({"curves": [cutoffs("a", SPAM), cutoffs("a", SPAM)]}, "twice"),
    ],
)
def test_bad_evaluations(call: Calls, change: dict[str, Any], said: str) -> None:
    (owner,) = artifacts(call)
    request = v1.LogEvaluationRequest(evaluations=[v1.EvaluationInput(key=key(owner), **change)])
    assert call.code("LogEvaluation", request) is Code.INVALID_ARGUMENT
    assert said in call.message("LogEvaluation", request)
    assert not got(call, owner)


def test_bad_keys_and_nodes_that_are_not_there(call: Calls) -> None:
    (owner,) = artifacts(call)
    same = [v1.EvaluationInput(key=key(owner), matrix=HAM)] * 2
    assert call.code("LogEvaluation", evaluations=same) is Code.INVALID_ARGUMENT
    assert call.code("LogEvaluation") is Code.INVALID_ARGUMENT
    assert call.code("LogConfusionMatrix", key=v1.MetricKey(), matrix=HAM) is Code.INVALID_ARGUMENT
    assert call.code("LogConfusionMatrix", key=key(owner + 1), matrix=HAM) is Code.NOT_FOUND
    assert call.code("LogCurve", key=key(owner + 1), curve=cutoffs("a", SPAM)) is Code.NOT_FOUND
    assert call.code("GetEvaluations", owners=[artifact(owner + 1)]) is Code.NOT_FOUND
    for fields in ({"curve_points": 1}, {"level": 1.0}, {"level": math.nan}):
        assert call.code("GetEvaluations", owners=[artifact(owner)], **fields) is Code.INVALID_ARGUMENT


def test_statements_do_not_depend_on_how_many_evaluations(call: Calls) -> None:
    nodes = artifacts(call, 30, CLASSIFICATION)
    sent = []
    for some in (nodes[:2], nodes[2:]):
        with counted(call.store) as statements:
            for _ in range(2):
                call("LogEvaluation", evaluations=[evaluation(one, made(rows=9)) for one in some])
            call("GetEvaluations", owners=map(artifact, some))
            call("Compare", owners=map(artifact, some))
        sent.append(len(statements))
    assert sent[0] == sent[1]


def test_kubeflow_sees_what_was_logged(call: Calls) -> None:
    (owner,) = artifacts(call, type_name=CLASSIFICATION)
    found = made(rows=2000)
    call("LogEvaluation", evaluations=[evaluation(owner, found), evaluation(owner, made(3), slice_name="s")])
    (stored,) = call("GetArtifactsByID", artifact_ids=[owner]).artifacts
    held = {name: json_format.MessageToDict(one.struct_value) for name, one in stored.custom_properties.items()}
    rows = held["confusionMatrix"]["struct"]["rows"]
    assert [row["row"] for row in rows] == [list(map(float, row)) for row in found.matrix.counts]
    points = held["confidenceMetrics"]["list"]
    assert 2 < len(points) <= 200
    assert all(math.isfinite(number) for point in points for number in point.values())
    assert {one.origin for one in got(call, owner)} == {v1.EVALUATION_ORIGIN_LOGGED}, "the properties are a view"
    call("LogEvaluation", evaluations=[evaluation(owner, made(3))])
    (stored,) = call("GetArtifactsByID", artifact_ids=[owner]).artifacts
    assert set(stored.custom_properties) == {"confusionMatrix"}, "three curves are none that the UI can draw"
    (plain,) = artifacts(call)
    call("LogEvaluation", evaluations=[evaluation(plain, found)])
    assert not call("GetArtifactsByID", artifact_ids=[plain]).artifacts[0].custom_properties


POINTS = [(1.0, 0.0, 0.0), (0.6, 0.75, 0.0), (0.3, 1.0, 0.5), (0.0, 1.0, 1.0)]
LOGGED = {
    "confusionMatrix": {
        "struct": {
            "annotationSpecs": [{"displayName": "ham"}, {"displayName": "spam"}],
            "rows": [{"row": [3.0, 1.0]}, {"row": [1.0, 3.0]}],
        }
    },
    "confidenceMetrics": {
        "list": [{"confidenceThreshold": t, "recall": r, "falsePositiveRate": f} for t, r, f in POINTS]
    },
}


def test_what_kubeflow_logged_needs_no_import(call: Calls) -> None:
    (owner,) = artifacts(call, type_name=CLASSIFICATION)
    type_id = call("GetArtifactType", type_name=CLASSIFICATION).artifact_type.id
    call("PutArtifacts", artifacts=[node(pb.Artifact, None, LOGGED, id=owner, type_id=type_id)])
    (found,) = got(call, owner)
    assert found.origin == v1.EVALUATION_ORIGIN_KUBEFLOW
    assert (found.matrix, found.figures["accuracy"], found.figures["auc"]) == (HAM, 0.75, 0.9375)
    assert list(found.curves[0].roc.thresholds) == [1.0, 0.6, 0.3, 0.0]
    strict = call("MatrixAtThreshold", key=key(owner), threshold=0.5)
    assert strict.matrix == matrix(("ham", "spam"), ((4, 0), (1, 3)))
    call("LogConfusionMatrix", key=key(owner), matrix=HAM)
    assert [one.origin for one in got(call, owner)] == [v1.EVALUATION_ORIGIN_LOGGED]


def test_slices_and_broken_shapes_of_kubeflow(call: Calls) -> None:
    (sliced,) = artifacts(call, type_name="system.SlicedClassificationMetrics")
    type_id = call("GetArtifactType", type_name="system.SlicedClassificationMetrics").artifact_type.id
    shape = {"list": [{"slice": "DE", "sliceClassificationMetrics": LOGGED}]}
    call("PutArtifacts", artifacts=[node(pb.Artifact, None, {"evaluationSlices": shape}, id=sliced, type_id=type_id)])
    (found,) = got(call, sliced)
    assert (found.key.slice, found.matrix) == ("DE", HAM)
    broken = {"confusionMatrix": {"struct": {"rows": 3}}}
    call("PutArtifacts", artifacts=[node(pb.Artifact, None, broken, id=sliced, type_id=type_id)])
    (found,) = got(call, sliced)
    assert "annotationSpecs" in found.problem
    assert call.code("MatrixAtThreshold", key=key(sliced), threshold=0.5) is Code.FAILED_PRECONDITION
    assert len(call("Compare", owners=[artifact(sliced)]).figures) == 0


def test_figures_that_do_not_belong_together_are_told(call: Calls) -> None:
    (owner,) = artifacts(call)
    call("LogConfusionMatrix", key=key(owner), matrix=HAM)
    for label in ("ham", "spam"):
        call("LogCurve", key=key(owner), curve=cutoffs(label, SPAM if label == "ham" else Cutoffs([0.5], [1], [1])))
    (found,) = got(call, owner)
    assert "rows" in found.problem
    assert found.matrix == HAM


def test_writers_of_one_evaluation_lose_nothing(call: Calls) -> None:
    (owner,) = artifacts(call, type_name=CLASSIFICATION)
    labels = [f"class {n}" for n in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda label: call("LogCurve", key=key(owner), curve=cutoffs(label, SPAM)), labels))
    (found,) = got(call, owner)
    assert sorted(curve.label for curve in found.curves) == labels
    (stored,) = call("GetArtifactsByID", artifact_ids=[owner]).artifacts
    assert not stored.custom_properties, "eight curves are none that the UI can draw"


def test_text_of_any_script_on_a_database_that_keeps_googles_text(mariadb_url: str) -> None:
    store = Store.open(mariadb_url, StoreOptions(google_text=True))
    call = Calls(store)
    (owner,) = artifacts(call, type_name=CLASSIFICATION)
    ham = matrix(("größe", "スパム"), ((3, 1), (1, 3)))
    call("LogConfusionMatrix", key=key(owner, "prüfung"), matrix=ham)
    (found,) = got(call, owner)
    (stored,) = call("GetArtifactsByID", artifact_ids=[owner]).artifacts
    store.close()
    assert (found.key.name, found.matrix) == ("prüfung", ham)
    assert "スパム" in str(json_format.MessageToDict(stored.custom_properties["confusionMatrix"].struct_value))


def test_real_data_and_scikit_learns_figures(call: Calls) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn import metrics
    from sklearn.naive_bayes import GaussianNB

    features, truths = datasets.load_breast_cancer(return_X_y=True)
    scores = GaussianNB().fit(features[::2], truths[::2]).predict_proba(features[1::2])[:, 1]
    truths = truths[1::2]
    (owner,) = artifacts(call)
    call("LogEvaluation", evaluations=[evaluation(owner, evaluate(truths, scores))])
    (found,) = got(call, owner)
    assert list(found.matrix.counts) == metrics.confusion_matrix(truths, scores >= 0.5).ravel().tolist()
    for name, figure in (
        ("auc", metrics.roc_auc_score(truths, scores)),
        ("average_precision", metrics.average_precision_score(truths, scores)),
        ("mcc", metrics.matthews_corrcoef(truths, scores >= 0.5)),
        ("f1", metrics.f1_score(truths, scores >= 0.5)),
        ("brier_score", metrics.brier_score_loss(truths, scores)),
        ("log_loss", metrics.log_loss(truths, scores)),
    ):
        assert found.figures[name] == pytest.approx(figure, rel=1e-12), name
