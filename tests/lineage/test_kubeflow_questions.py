"""Every question about lineage, asked of two recorded runs of Kubeflow Pipelines; the answers were written beforehand.

Two runs of iris: preprocess (e2) makes data (a1), train (e3) reads it and makes model, metrics and cls (a2, a3, a4),
evaluate (e4) reads the model. In the second run preprocess (e6) was cached, so data has two makers; train is e7 with
a5, a6, a7, evaluate is e8. e1 and e5 are the DAGs.
"""

import pytest

from tests.kubeflow.traffic import recording
from tests.lineage.questions import artifact, edges, execution, nodes, plain, short
from tests.metadata_store.calls import Calls


@pytest.fixture
def iris(call: Calls) -> Calls:
    """A store that has taken in the recorded calls."""
    for step in recording():
        call.code(step.method, step.request)
    return call


def test_what_the_model_was_made_of(iris: Calls) -> None:
    answer = iris("GetProvenance", node=artifact(2))
    (data,) = answer.data
    assert (short(data.node), data.type, data.name, data.hops) == ("a1", "system.Dataset", "data", 2)
    assert data.uri.endswith("/preprocess/uuid1/data")
    assert not data.is_origin
    assert [(short(step.execution), step.step, plain(step.parameters)) for step in answer.parameters] == [
        ("e3", "train", {"lr": 0.1, "n": 100.0}),
        ("e2", "preprocess", {"rows": 100.0}),
        ("e6", "preprocess", {"rows": 100.0}),
    ]
    assert not answer.code, "the recorded executor images are empty"
    assert nodes(answer.graph) == ["a2", "e3", "a1", "e2", "e6"]
    assert edges(answer.graph) == ["e2>a1", "a1>e3", "e3>a2", "e6>a1"]
    assert [edge.key for edge in answer.graph.edges] == ["data", "data", "model", "data"]
    names = {short(node.node): (node.name, node.state, node.hops) for node in answer.graph.nodes}
    assert names["e3"] == ("train", "COMPLETE", 1)
    assert names["e6"] == ("preprocess", "CACHED", 3)
    assert not answer.next_page_token
    assert not answer.deeper_page_token


def test_what_the_data_touched(iris: Calls) -> None:
    answer = iris("GetImpact", node=artifact(1))
    assert [(short(model.node), model.name, model.hops) for model in answer.models] == [
        ("a2", "model", 2),
        ("a5", "model", 2),
    ]
    assert nodes(answer.graph) == ["a1", "e3", "e7", "a2", "a3", "a4", "a5", "a6", "a7", "e4", "e8"]
    assert not answer.next_page_token


def test_how_the_model_came_from_the_data(iris: Calls) -> None:
    for first, second, is_reversed in ((1, 2, False), (2, 1, True)):
        answer = iris("FindPath", first=artifact(first), second=artifact(second))
        assert (answer.found, answer.reversed) == (True, is_reversed)
        assert nodes(answer.path) == ["a1", "e3", "a2"]
        assert edges(answer.path) == ["a1>e3", "e3>a2"]
        assert [edge.key for edge in answer.path.edges] == ["data", "model"]


def test_that_nothing_leads_from_one_run_to_the_other(iris: Calls) -> None:
    answer = iris("FindPath", first=artifact(2), second=artifact(5))
    assert not answer.found
    assert not answer.cut
    assert not answer.path.nodes


def test_that_a_dag_is_noise_and_has_no_lineage(iris: Calls) -> None:
    assert nodes(iris("GetProvenance", node=execution(1)).graph) == ["e1"]
