"""What nodes are called: by themselves, by their pipelines, and by the step of which they are runs."""

from typing import Any

import pytest

from tests.lineage.questions import artifact, execution
from tests.lineage.story import Story
from tests.metadata_store.calls import Calls

NAMES: list[tuple[dict[str, Any], str]] = [
    ({"display_name": "shown", "name": "less"}, "shown"),
    ({"display_name": "", "name": "less"}, "less"),
    ({"name": "less"}, "less"),
    ({"display_name": 7}, ""),
    ({"task_name": "of a step"}, ""),
    ({}, ""),
]
STEPS: list[tuple[dict[str, Any], str]] = [
    ({"step": "d", "component_id": "c", "task_name": "b", "display_name": "a"}, "a"),
    ({"step": "d", "component_id": "c", "task_name": "b"}, "b"),
    ({"step": "d", "component_id": "c"}, "c"),
    ({"step": "d"}, "d"),
    ({"name": "of an artifact"}, ""),
]


@pytest.mark.parametrize("detail", ["LINEAGE_DETAIL_NAMES", "LINEAGE_DETAIL_UNSPECIFIED"])
def test_what_has_no_name_is_called_as_its_pipeline_shows_it(call: Calls, story: Story, detail: str) -> None:
    inputs = [story.artifact(custom=custom, uri="s3://x") for custom, _ in NAMES]
    steps = [story.step({"in": inputs[0]}, custom=custom) for custom, _ in STEPS]
    assert inputs[: len(steps)] == steps, "nodes of both kinds have the same ids"
    reader = story.step({f"in{place}": made for place, made in enumerate(inputs)}, name="named")
    options = {"detail": detail}
    found = call("GetProvenance", node=execution(reader), options=options).graph.nodes
    assert [node.name for node in found] == ["named", *(name for _, name in NAMES)]
    found = call("GetImpact", node=artifact(inputs[0]), options=options).graph.nodes
    assert [node.name for node in found] == ["shown", *(name for _, name in STEPS), "named"]


def test_a_name_of_its_own_comes_before_what_a_pipeline_shows(call: Calls, story: Story) -> None:
    data = story.artifact(name="raw", custom={"display_name": "shown"})
    step = story.step({"in": data}, name="churn/train/7", custom={"display_name": "Train"})
    found = call("GetProvenance", node=execution(step)).graph.nodes
    assert [node.name for node in found] == ["churn/train/7", "raw"]


def test_runs_that_are_numbered_repeat_a_step(call: Calls, story: Story) -> None:
    data = story.artifact()
    for name in ("churn/train/1", "churn/check/1", "churn/train/2", "churn/train/last"):
        story.step({"in": data}, name=name, custom={"display_name": f"shown of {name}"})
    found = call("GetImpact", node=artifact(data), options={"collapse_repeats": True}).graph.nodes
    assert [(node.name, [one.execution_id for one in node.repeats]) for node in found] == [
        ("", []),
        ("churn/train/1", [1, 3]),
        ("churn/check/1", []),
        ("churn/train/last", []),
    ]


def test_a_declared_property_comes_before_a_custom_one_of_its_name(call: Calls, story: Story) -> None:
    data_type = {"name": "Declared", "properties": {"rows": "INT"}}
    type_id = call("PutArtifactType", artifact_type=data_type).type_id
    properties = {"rows": {"int_value": 1}}
    custom = {"rows": {"int_value": 2}, "free": {"int_value": 3}}
    data = {"type_id": type_id, "properties": properties, "custom_properties": custom}
    (made,) = call("PutArtifacts", artifacts=[data]).artifact_ids
    (found,) = call("GetProvenance", node=artifact(made), options={"detail": "LINEAGE_DETAIL_PROPERTIES"}).graph.nodes
    assert {name: value.int_value for name, value in found.properties.items()} == {"rows": 1, "free": 3}
