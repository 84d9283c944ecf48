"""DiffProvenance: each difference at the step where it entered."""

import math
from typing import Any

import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.pb.v1 import metrics_pb2

from tests.kubeflow.traffic import recording
from tests.lineage.questions import artifact, execution, short
from tests.lineage.story import Story
from tests.metadata_store.calls import Calls
from tests.metadata_store.measured import key, log, matrix, series


def run(
    story: Story,
    raw: int,
    *,
    lr: float = 0.1,
    rows: int = 100,
    commit: str = "abc",
    accuracy: float = 0.9,
    extra: dict[str, int] | None = None,
) -> int:
    """Prepare data, train on it, and return the model."""
    data = story.artifact("system.Dataset", {"rows": rows})
    story.step({"raw": raw}, {"data": data}, custom={"task_name": "prepare", "inputs": {"rows": rows}})
    model = story.artifact("system.Model")
    metrics = story.artifact("system.Metrics", {"accuracy": accuracy})
    facts: dict[str, Any] = {"task_name": "train", "inputs": {"lr": lr, "depth": 3}, "git_commit": commit}
    story.step({"data": data, **(extra or {})}, {"model": model, "metrics": metrics}, custom=facts)
    return model


def told(answer: v1.DiffProvenanceResponse) -> list[tuple[str, list[str]]]:
    """Return the differences in words, by step."""
    return [(step.step, [_said(one) for one in step.differences]) for step in answer.steps]


def _said(one: v1.LineageDifference) -> str:
    aspect = v1.LineageAspect.Name(one.aspect).removeprefix("LINEAGE_ASPECT_").lower()
    sides = [_value(getattr(one, side)) if one.HasField(side) else "-" for side in ("first", "second")]
    return f"{aspect} {one.name}: {sides[0]} {sides[1]}"


def _value(value: v1.LineageValue) -> str:
    return str(getattr(value, value.WhichOneof("value") or "string_value"))


def test_two_runs_that_were_the_same(call: Calls, story: Story) -> None:
    raw = story.version("churn")
    first, second = run(story, raw), run(story, raw)
    answer = call("DiffProvenance", first=artifact(first), second=artifact(second))
    assert not answer.steps
    assert not answer.same_content
    assert not answer.is_cut


def test_the_recorded_runs_differ_in_nothing(call: Calls) -> None:
    for step in recording():
        call.code(step.method, step.request)
    assert not call("DiffProvenance", first=artifact(2), second=artifact(5)).steps
    assert not call("DiffProvenance", first=execution(3), second=execution(7)).steps


def test_each_difference_is_told_where_it_entered(call: Calls, story: Story) -> None:
    first = run(story, story.version("churn"))
    labels = story.artifact(uri="s3://labels")
    second = run(story, story.version("churn"), lr=0.2, rows=200, commit="def", accuracy=0.95, extra={"labels": labels})
    answer = call("DiffProvenance", first=artifact(first), second=artifact(second))
    assert told(answer) == [
        ("prepare", ["parameter rows: 100.0 200.0", "input raw: churn/1 churn/2", "metric rows: 100.0 200.0"]),
        (
            "train",
            [
                "parameter lr: 0.1 0.2",
                "code commit: abc def",
                "input labels: - s3://labels",
                "metric accuracy: 0.9 0.95",
            ],
        ),
    ]
    assert [step.hops for step in answer.steps] == [3, 1]
    train = answer.steps[1]
    assert (short(train.first_execution), short(train.second_execution)) == ("e2", "e4")


def test_a_step_that_only_read_what_differs_is_left_out(call: Calls, story: Story) -> None:
    first, second = run(story, story.version("churn")), run(story, story.version("churn"))
    answer = call("DiffProvenance", first=artifact(first), second=artifact(second))
    assert told(answer) == [("prepare", ["input raw: churn/1 churn/2"])]
    difference = answer.steps[0].differences[0]
    assert (short(difference.first_node), short(difference.second_node)) == ("a1", "a5")


def test_models_of_different_steps(call: Calls, story: Story) -> None:
    data = story.artifact()
    models = [story.artifact("system.Model") for _ in range(2)]
    for name, model in zip(("forest", "network"), models, strict=True):
        story.step({"data": data}, {"model": model}, custom={"task_name": name})
    answer = call("DiffProvenance", first=artifact(models[0]), second=artifact(models[1]))
    assert [
        (step.step, step.HasField("first_execution"), step.HasField("second_execution")) for step in answer.steps
    ] == [
        ("forest", True, False),
        ("network", False, True),
    ]
    (forest,), (network,) = (step.differences for step in answer.steps)
    assert (forest.aspect, forest.name) == (v1.LINEAGE_ASPECT_STEP, "forest")
    assert (short(forest.first_node), forest.HasField("second_node")) == ("e1", False)
    assert (network.aspect, network.name) == (v1.LINEAGE_ASPECT_STEP, "network")
    assert (forest.HasField("first"), network.HasField("first_node"), short(network.second_node)) == (
        False,
        False,
        "e2",
    )


def test_what_one_side_alone_has(call: Calls, story: Story) -> None:
    raw, labels, more = (story.artifact(uri=f"s3://{name}") for name in ("raw", "labels", "more"))
    model = [story.artifact("system.Model") for _ in range(2)]
    facts: dict[str, Any] = {"git_commit": "abc", "git_dirty": True, "param:depth": 3, "param:lr": 0.5}
    first = story.step({"raw": raw, "labels": labels}, {"model": model[0]}, custom={"task_name": "train", **facts})
    unkeyed = [
        pb.Event(execution_id=first, artifact_id=one, type=pb.Event.DECLARED_INPUT) for one in (raw, labels, more)
    ]
    call("PutEvents", events=unkeyed)
    second = story.step({"raw": raw}, {"model": model[1]}, custom={"task_name": "train", "param:lr": 0.5})
    call("PutEvents", events=[pb.Event(execution_id=second, artifact_id=labels, type=pb.Event.DECLARED_INPUT)])
    answer = call("DiffProvenance", first=artifact(model[0]), second=artifact(model[1]))
    assert told(answer) == [
        (
            "train",
            [
                "parameter depth: 3 -",
                "code commit: abc -",
                "code dirty: True False",
                "input labels: s3://labels -",
                "input system.Dataset: s3://raw -",
                "input system.Dataset: s3://more -",
            ],
        )
    ]
    lost = answer.steps[0].differences[3]
    assert (short(lost.first_node), lost.HasField("second_node")) == (f"a{labels}", False)
    turned = call("DiffProvenance", first=artifact(model[1]), second=artifact(model[0])).steps[0].differences
    assert [_said(one) for one in turned[:3]] == [
        "parameter depth: - 3",
        "code commit: - abc",
        "code dirty: False True",
    ]
    assert (turned[3].HasField("first_node"), short(turned[3].second_node)) == (False, f"a{labels}")
    itself = call("DiffProvenance", first=execution(first), second=execution(first))
    assert (itself.same_content, len(itself.steps)) == (True, 0)


def test_metrics_of_a_step_and_of_what_it_made(call: Calls, story: Story) -> None:
    data = story.artifact()
    steps = []
    for right, lost in ((3, math.nan), (4, math.nan)):
        step = story.step({"data": data}, custom={"task_name": "train"})
        made = [story.artifact("system.Metrics", {"lost": lost, "rows": right}), story.artifact("system.Report")]
        outputs = [pb.Event(execution_id=step, artifact_id=one, type=pb.Event.OUTPUT) for one in made]
        call("PutEvents", events=outputs)
        owner, report = metrics_pb2.MetricOwner(execution_id=step), metrics_pb2.MetricOwner(artifact_id=made[1])
        log(call, series(owner, "loss", [1, 0.25 * (right - 2)], slice_name="day=1"), series(owner, "loss", [1, 0.5]))
        counts = matrix(("no", "yes"), ((right, 5 - right), (0, 5)))
        call("LogConfusionMatrix", key=key(owner, "holdout", "DE"), matrix=counts)
        call("LogConfusionMatrix", key=key(owner), matrix=counts)
        call("LogConfusionMatrix", key=key(report), matrix=counts)
        steps.append(step)
    log(call, series(owner, "late", [0.25]))
    answer = call("DiffProvenance", first=execution(steps[0]), second=execution(steps[1]))
    ((step_name, differences),) = told(answer)
    assert step_name == "train"
    figures = "accuracy", "late", "loss", "lost", "rows"
    assert [one for one in differences if any(figure in one for figure in figures)] == [
        "metric accuracy: 0.8 0.9",
        "metric holdout: accuracy [DE]: 0.8 0.9",
        "metric late: - 0.25",
        "metric loss [day=1]: 0.25 0.5",
        "metric rows: 3.0 4.0",
        "metric system.Report: accuracy: 0.8 0.9",
    ]


def test_an_input_that_another_step_made(call: Calls, story: Story) -> None:
    models = []
    for name in ("download", "synthesize"):
        data, model = story.artifact(uri=f"s3://{name}"), story.artifact("system.Model")
        story.step({}, {"data": data}, custom={"task_name": name})
        story.step({"data": data}, {"model": model}, custom={"task_name": "train"})
        models.append(model)
    answer = call("DiffProvenance", first=artifact(models[0]), second=artifact(models[1]))
    assert told(answer) == [("train", ["input data: s3://download s3://synthesize"])]


def test_a_cycle_ends(call: Calls, story: Story) -> None:
    models = []
    for lr in (0.1, 0.2):
        model = story.artifact("system.Model")
        story.step({"model": model}, {"model": model}, custom={"task_name": "tune", "inputs": {"lr": lr}})
        models.append(model)
    answer = call("DiffProvenance", first=artifact(models[0]), second=artifact(models[1]))
    assert told(answer) == [("tune", ["parameter lr: 0.1 0.2"])]


def test_what_a_dag_made_is_told_where_nothing_in_it_did(call: Calls, story: Story) -> None:
    models = []
    for lr in (0.1, 0.2):
        raw, model, report = story.version("churn"), story.artifact("system.Model"), story.artifact("system.Report")
        facts = {"task_name": "train", "inputs": {"lr": lr}}
        story.step({"raw": raw}, {"model": model, "report": report}, type_name="system.DAGExecution", custom=facts)
        story.step({"raw": raw}, {"model": model}, custom={"task_name": "fit"})
        models.append((model, report))
    fits, trains = ([artifact(one) for one in pair] for pair in zip(*models, strict=True))
    answer = call("DiffProvenance", first=fits[0], second=fits[1])
    assert told(answer) == [("fit", ["input raw: churn/1 churn/2"])]
    answer = call("DiffProvenance", first=trains[0], second=trains[1])
    assert told(answer) == [("train", ["parameter lr: 0.1 0.2", "input raw: churn/1 churn/2"])]


@pytest.mark.parametrize("options", [{"max_hops": 2}, {"since_ms": 2**60}, {"ending_executions": "id > 0"}])
def test_a_limit_is_told(call: Calls, story: Story, options: dict[str, Any]) -> None:
    first, second = run(story, story.version("churn")), run(story, story.version("churn"))
    answer = call("DiffProvenance", first=artifact(first), second=artifact(second), options=options)
    assert answer.is_cut
    itself = call("DiffProvenance", first=artifact(first), second=artifact(first))
    assert (itself.same_content, len(itself.steps)) == (True, 0)


def test_wrong_questions(call: Calls, story: Story) -> None:
    model = run(story, story.artifact())
    assert call.code("DiffProvenance", first=artifact(model), second=artifact(99)) is Code.NOT_FOUND
    assert call.code("DiffProvenance", first=artifact(model)) is Code.INVALID_ARGUMENT
    other = call.message("DiffProvenance", first=artifact(model), second=execution(1))
    assert other == f"second: execution 1 is of another kind than artifact {model}; name two of one kind."
