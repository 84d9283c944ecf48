"""Errors of requests with many items say which of them they are about."""

from typing import Any

import pytest

from tests.metadata_store.calls import Calls


@pytest.fixture
def types(call: Calls) -> dict[str, int]:
    """The ids of one type of each kind; artifacts have an INT property `n`."""
    made = call(
        "PutTypes",
        artifact_types=[{"name": "A", "properties": {"n": 1}}],
        execution_types=[{"name": "E"}],
        context_types=[{"name": "C"}],
    )
    return {"a": made.artifact_type_ids[0], "e": made.execution_type_ids[0], "c": made.context_type_ids[0]}


def _artifact(types: dict[str, int], name: str, **more: Any) -> dict[str, Any]:
    return {"type_id": types["a"], "name": name, **more}


def test_of_nodes(call: Calls, types: dict[str, int]) -> None:
    strange = {"properties": {"z": {"int_value": 1}}}
    whole = [_artifact(types, "a"), _artifact(types, "b")]
    message = call.message("PutArtifacts", artifacts=[*whole, _artifact(types, "c", **strange)])
    assert message.startswith("properties: the artifact type 'A' declares no property 'z'")
    assert message.endswith("That is artifact 3 of 3 of the request.")
    message = call.message("PutArtifacts", artifacts=[*whole, _artifact(types, "b")])
    assert "named 'b'" in message
    assert message.endswith("That is artifact 3 of 3 of the request.")
    message = call.message("PutExecutions", executions=[{"type_id": types["e"]}, {"type_id": 99}])
    assert message.endswith("That is execution 2 of 2 of the request.")
    contexts = [{"type_id": types["c"], "name": "c"}, {"type_id": types["c"]}]
    message = call.message("PutContexts", contexts=contexts)
    assert message.endswith("That is context 2 of 2 of the request.")


def test_not_of_one_alone(call: Calls, types: dict[str, int]) -> None:
    message = call.message("PutArtifacts", artifacts=[{"type_id": 99}])
    assert "of the request" not in message


def test_of_what_comes_with_an_execution(call: Calls, types: dict[str, int]) -> None:
    whole = {"artifact": _artifact(types, "a"), "event": {"type": "INPUT"}}

    def refusal(pairs: list[Any], **more: Any) -> str:
        return call.message("PutExecution", execution={"type_id": types["e"]}, artifact_event_pairs=pairs, **more)

    wrong = {"artifact": _artifact(types, "b", properties={"n": {"string_value": "1"}})}
    message = refusal([whole, wrong])
    assert message.startswith("Found unmatched property type: n.")
    assert message.endswith("That is artifact 2 of 2 of the request.")
    message = refusal([whole, {"event": {"type": "INPUT"}}])
    assert message.endswith("That is pair 2 of 2 of the request.")
    contexts = [{"type_id": types["c"], "name": "c"}, {"type_id": 99, "name": "d"}]
    message = refusal([whole], contexts=contexts)
    assert message.endswith("That is context 2 of 2 of the request.")


def test_of_a_subgraph(call: Calls, types: dict[str, int]) -> None:
    nodes = {"artifacts": [_artifact(types, "a")], "executions": [{"type_id": types["e"]}]}
    edges: list[dict[str, Any]] = [
        {"execution_index": 0, "artifact_index": 0, "event": {"type": "INPUT"}},
        {"execution_index": 0},
    ]
    message = call.message("PutLineageSubgraph", **nodes, event_edges=edges)
    assert message.endswith("That is edge 2 of 2 of the request.")
    beyond = edges[0] | {"artifact_index": 1}
    message = call.message("PutLineageSubgraph", **nodes, event_edges=[edges[0], beyond])
    assert "artifact_index 1 is none" in message
    assert message.endswith("That is edge 2 of 2 of the request.")
    artifacts = [_artifact(types, "a"), {"name": "b"}]
    message = call.message("PutLineageSubgraph", artifacts=artifacts)
    assert message.startswith("type_id: missing")
    assert message.endswith("That is artifact 2 of 2 of the request.")


def test_of_links_and_events(call: Calls, types: dict[str, int]) -> None:
    (artifact,) = call("PutArtifacts", artifacts=[_artifact(types, "a")]).artifact_ids
    (execution,) = call("PutExecutions", executions=[{"type_id": types["e"]}]).execution_ids
    (context,) = call("PutContexts", contexts=[{"type_id": types["c"], "name": "c"}]).context_ids
    event = {"artifact_id": artifact, "execution_id": execution, "type": "INPUT"}
    message = call.message("PutEvents", events=[event, event | {"artifact_id": 99}])
    assert message.endswith("That is event 2 of 2 of the request.")
    links = [{"artifact_id": artifact, "context_id": context}, {"artifact_id": 99, "context_id": context}]
    message = call.message("PutAttributionsAndAssociations", attributions=links)
    assert message.endswith("That is attribution 2 of 2 of the request.")
    parents = [{"child_id": context, "parent_id": 98}, {"child_id": context, "parent_id": 99}]
    message = call.message("PutParentContexts", parent_contexts=parents)
    assert message.endswith("That is link 1 of 2 of the request.")


def test_what_of_a_new_node_is_taken(call: Calls, types: dict[str, int]) -> None:
    call("PutArtifacts", artifacts=[_artifact(types, "a", external_id="x")])
    message = call.message("PutArtifacts", artifacts=[_artifact(types, "a")])
    assert message == "name: an artifact of type 'A' named 'a' is there already; read it, or choose another."
    message = call.message("PutArtifacts", artifacts=[{"type_id": types["a"], "external_id": "x"}])
    assert message == "external_id: an artifact with external_id 'x' is there already; read it, or choose another."
    message = call.message("PutArtifacts", artifacts=[_artifact(types, "b", external_id="x")])
    assert message.startswith("name, external_id: an artifact of type 'A' named 'b' or with external_id 'x' is there")


def test_what_of_an_update_another_node_has(call: Calls, types: dict[str, int]) -> None:
    for method, kind, nodes in (("PutArtifacts", "a", "artifacts"), ("PutExecutions", "e", "executions")):
        call(method, **{nodes: [{"type_id": types[kind], "external_id": text} for text in ("é", "y")]})
        changed = [{"id": 2, "name": "free"}, {"id": 2, "name": "free", "external_id": "é"}]
        noun = nodes.removesuffix("s")
        reason = f"external_id: another {noun} has 'é' as its external_id already, so {noun} 2 cannot take it."
        assert call.message(method, **{nodes: changed}) == reason
        call(method, **{nodes: [{"type_id": types[kind], "external_id": ""}]})
        reason = f"external_id: another {noun} has '' as its external_id already, so {noun} 1 cannot take it."
        assert call.message(method, **{nodes: [{"id": 1, "name": "free"}, {"id": 1, "external_id": ""}]}) == reason
    made = [{"type_id": types["c"], "name": name, "external_id": name} for name in ("c", "d")]
    call("PutContexts", contexts=made)
    message = call.message("PutContexts", contexts=[{"id": 2, "name": "c", "external_id": "d"}])
    assert message == "name: another context has 'c' as its name already, so context 2 cannot take it."
    message = call.message("PutContexts", contexts=[{"id": 2, "name": "c", "external_id": "c"}])
    assert message.startswith("name, external_id: another context has 'c' as its name or 'c' as its external_id alr")
