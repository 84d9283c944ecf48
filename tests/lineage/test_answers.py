"""What provenance and impact say beside the graph: data, code, parameters; models, their names and who serves them."""

from itertools import pairwise
from typing import Any

import pytest
from mlmd_lineage.executions import code_of, parameters_of, step_of
from mlmd_lineage.roles import is_data, is_derived, is_model
from mlmd_model_registry.methods import REGISTRY_METHODS
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.lineage.questions import artifact, nodes, plain, short
from tests.lineage.story import Story
from tests.metadata_store.calls import Calls, node


def test_a_model_these_data_this_code_these_parameters(call: Calls, story: Story) -> None:
    churn = [story.version("churn", uri=f"s3://churn/{number}") for number in (1, 2)]
    call("MoveAlias", type_name="system.Dataset", name="churn", alias="gold", number=2)
    weights = story.artifact("Weights", uri="s3://weights")
    report = story.artifact("system.HTML")
    model = story.artifact("system.Model")
    facts: dict[str, Any] = {
        "lr": 0.1,
        "git_commit": "4f0c9d2",
        "git_repository": "https://git/churn",
        "git_dirty": True,
        "mlmd.reason": "none",
    }
    inputs = {"churn": churn[1], "weights": weights, "report": report}
    story.step(inputs, {"model": model}, type_name="mlmd.Run", custom=facts, name="churn/train/3")
    answer = call("GetProvenance", node=artifact(model))
    assert [(data.name, data.uri, data.is_origin, data.hops) for data in answer.data] == [
        ("churn/2", "s3://churn/2", True, 2),
        ("", "s3://weights", True, 2),
    ]
    (version,) = answer.data[0].versions
    assert (version.name, version.number, list(version.aliases), version.is_latest) == ("churn", 2, ["gold"], True)
    (code,) = answer.code
    assert (code.step, code.commit, code.repository, code.dirty) == (
        "churn/train",
        "4f0c9d2",
        "https://git/churn",
        True,
    )
    (parameters,) = answer.parameters
    assert (parameters.step, plain(parameters.parameters)) == ("churn/train", {"lr": 0.1})
    graph_alone = call("GetProvenance", node=artifact(model), graph_only=True)
    assert not graph_alone.data
    assert not graph_alone.code
    assert not graph_alone.parameters
    assert graph_alone.graph == answer.graph


EXECUTIONS: list[tuple[dict[str, Any], dict[str, Any], str, dict[str, Any]]] = [
    ({"task_name": "train", "inputs": {"lr": 0.5, "on": True, "layers": [1, 2]}, "lr": 7}, {}, "train",
     {"lr": 0.5, "on": True, "layers": "[1,2]"}),
    ({"display_name": "Train it", "inputs": {}}, {}, "Train it", {}),
    ({"input:steps": "10", "kfp_pod_name": "pod"}, {"component_id": "c1", "run_id": "r"}, "c1", {"steps": "10"}),
    ({"param:depth": 3, "note": "x"}, {"name": "n"}, "Trainer", {"depth": 3}),
    ({"depth": 3, "image": "repo/x:1", "plugins.mlflow.id": "7"}, {"rate": 0.25}, "Trainer",
     {"depth": 3, "rate": 0.25}),
    ({"depth": 3}, {"depth": 4}, "Trainer", {"depth": 4}),
]  # fmt: skip


@pytest.mark.parametrize(("custom", "declared", "step", "parameters"), EXECUTIONS)
def test_steps_and_parameters_as_tools_write_them(
    custom: dict[str, Any], declared: dict[str, Any], step: str, parameters: dict[str, Any]
) -> None:
    execution = node(pb.Execution, declared, custom, type="Trainer")
    assert step_of(execution) == step
    assert plain(parameters_of(execution)) == parameters


def test_code_as_tools_write_it() -> None:
    mlflow = {"mlflow.source.git.commit": "c0", "mlflow.source.name": "train.py", "mlflow.source.git.repoURL": "r"}
    code = code_of(node(pb.Execution, {}, mlflow))
    assert code is not None
    assert (code.commit, code.source, code.repository, code.dirty) == ("c0", "train.py", "r", False)
    assert code_of(node(pb.Execution, {}, {"image": "", "lr": 0.1})) is None
    assert code_of(node(pb.Execution, {}, {"git_commit": 7})) is None


ROLES = {
    "system.Dataset": "data", "kf.DataSet": "data", "mlmd.Dataset": "data", "google.VertexDataset": "data",
    "google.BQTable": "data", "Examples": "data", "TrainingData": "data",
    "system.Model": "model", "kf.ModelArtifact": "model", "google.VertexModel": "model", "Model": "model",
    "google.UnmanagedContainerModel": "model", "mlmd.Model": "model",
    "system.Metrics": "derived", "system.ClassificationMetrics": "derived", "kf.Metric": "derived",
    "kf.MetricHistory": "derived", "system.HTML": "derived", "ExampleStatistics": "derived",
    "system.Artifact": "", "Weights": "", "ModelBlessing": "", "Schema": "", "": "",
}  # fmt: skip


@pytest.mark.parametrize(("type_name", "role"), ROLES.items())
def test_what_artifacts_are_for(type_name: str, role: str) -> None:
    said = {"data": is_data(type_name), "model": is_model(type_name), "derived": is_derived(type_name)}
    assert [name for name, is_it in said.items() if is_it] == ([role] if role else [])


def test_models_come_first_with_their_names_and_who_serves_them(call: Calls, story: Story) -> None:
    data = story.artifact()
    plain_one, named, aliased, served = (story.artifact("system.Model", uri=f"s3://m/{i}") for i in range(4))
    models = {"plain": plain_one, "named": named, "aliased": aliased, "served": served}
    story.step({"data": data}, models)
    registered = story.context("kf.RegisteredModel", "fraud")
    version = story.context("kf.ModelVersion", f"{registered}:v7", {"state": "LIVE", "registered_model_id": registered})
    call("PutParentContexts", parent_contexts=[pb.ParentContext(child_id=version, parent_id=registered)])
    shown = story.artifact("kf.ModelArtifact", uri="s3://m/3", name=f"{version}:fraud")
    for context in (
        story.context("Experiment", "spring"),
        story.context("Run", f"{registered}:not a version"),
        version,
    ):
        story.attribute(context, shown)
    environment = story.context("kf.ServingEnvironment", "prod")
    service = {"serving_environment_id": environment, "registered_model_id": registered, "desired_state": "DEPLOYED"}
    newest = story.context("kf.InferenceService", f"{environment}:newest", service)
    fixed = story.context("kf.InferenceService", f"{environment}:fixed", service | {"model_version_id": version})
    serving = story.step(
        type_name="kf.ServeModel", name=f"{fixed}:serving", custom={"model_version_id": version}, last_known_state=2
    )
    other = story.context("kf.ModelVersion", "9:v1")
    story.attribute(other, named)
    answer = call("GetImpact", node=artifact(data))
    assert [short(model.node) for model in answer.models] == [f"a{i}" for i in (served, named, plain_one, aliased)]
    (first,) = answer.models[0].registrations
    assert (first.model, first.version, first.state, first.context_id) == ("fraud", "v7", "LIVE", version)
    assert [(one.name, one.state, one.environment, one.context_id, one.execution_id) for one in first.deployments] == [
        ("newest", "DEPLOYED", "prod", newest, 0),
        ("fixed", "DEPLOYED", "prod", fixed, 0),
        ("serving", "RUNNING", "", 0, serving),
    ]
    assert [one.version for one in answer.models[1].registrations] == ["v1"]


def test_a_version_belongs_to_its_parent_whatever_it_says(call: Calls, story: Story) -> None:
    data, model = story.artifact(), story.artifact("system.Model")
    story.step({"data": data}, {"model": model})
    story.context("kf.RegisteredModel", "said")
    parent = story.context("kf.RegisteredModel", "fraud")
    for name in ("v1", "v2"):
        version = story.context("kf.ModelVersion", f"{parent}:{name}", {"registered_model_id": 1})
        call("PutParentContexts", parent_contexts=[pb.ParentContext(child_id=version, parent_id=parent)])
        story.attribute(version, model)
    service = {"registered_model_id": parent, "desired_state": "DEPLOYED"}
    story.context("kf.InferenceService", "newest", service)
    (found,) = call("GetImpact", node=artifact(data)).models
    assert [(one.model, one.version, [each.name for each in one.deployments]) for one in found.registrations] == [
        ("fraud", "v1", []),
        ("fraud", "v2", ["newest"]),
    ]


def test_versions_of_the_registry_have_their_aliases_and_deployments(call: Calls, story: Story) -> None:
    data, model = story.artifact(), story.artifact("system.Model", uri="s3://models/1")
    story.step({"data": data}, {"model": model})
    rpcs = {rpc.name: rpc for rpc in REGISTRY_METHODS}

    def registry(name: str, **fields: Any) -> Any:
        rpc = rpcs[name]
        return call.store.call(rpc, call.caller, rpc.request(**fields))

    registry("CreateModelVersion", model="team/fraud", create_model=True, artifact_id=model)
    registry("MoveModelAlias", model="team/fraud", alias="champion", version="1", reason="first")
    registry("RecordDeployment", model="team/fraud", version="1", environment="prod", service="scoring", state=2)
    answer = call("GetImpact", node=artifact(data))
    (found,) = answer.models
    (name,) = found.registrations
    assert (name.model, name.version, list(name.aliases)) == ("team/fraud", "1", ["champion", "latest"])
    assert {deployment.name for deployment in name.deployments} & {"scoring"}
    versions = [version for node in answer.graph.nodes for version in node.versions]
    assert [(version.type_name, version.name, version.number) for version in versions] == [("", "team/fraud", 1)]
    assert "kf.ServeModel" in {node.type for node in answer.graph.nodes}


def test_what_a_registered_model_has_as_a_version_is_a_model_whatever_its_type(call: Calls, story: Story) -> None:
    data, forest = story.artifact(), story.artifact("Forest", uri="s3://models/forest")
    report, noted = story.artifact("Report"), story.artifact(uri="s3://data/noted")
    story.step({"data": data}, {"forest": forest, "report": report, "noted": noted})
    story.attribute(story.context("kf.ModelVersion", "9:v1"), noted)  # as Kubeflow's registry notes data of a version
    rpc = next(rpc for rpc in REGISTRY_METHODS if rpc.name == "CreateModelVersion")
    call.store.call(rpc, call.caller, rpc.request(model="fraud", create_model=True, artifact_id=forest))
    (found,) = call("GetImpact", node=artifact(data)).models
    assert (short(found.node), found.type) == (f"a{forest}", "Forest")
    assert [(one.model, one.version) for one in found.registrations] == [("fraud", "1")]


def test_aliases_come_before_names_alone(call: Calls, story: Story) -> None:
    data = story.artifact()
    versions = [story.version("fraud", "system.Model") for _ in range(3)]
    call("MoveAlias", type_name="system.Model", name="fraud", alias="champion", number=2)
    story.step({"data": data}, {f"m{place}": version for place, version in enumerate(versions)})
    answer = call("GetImpact", node=artifact(data))
    told = [(model.registrations[0].version, list(model.registrations[0].aliases)) for model in answer.models]
    assert told == [("2", ["champion"]), ("1", []), ("3", ["latest"])]
    assert {model.registrations[0].model for model in answer.models} == {"fraud"}


def test_repeated_runs_of_a_step_are_one_node(call: Calls, story: Story) -> None:
    data = story.artifact()
    for number in range(3):
        model, metrics = story.artifact("system.Model"), story.artifact("system.Metrics")
        story.step({"data": data}, {"model": model, "metrics": metrics}, custom={"task_name": "train"})
        if number < 2:
            story.step({"model": model}, {}, custom={"task_name": "evaluate"})
    story.step({"data": data}, {}, custom={"task_name": "profile"})
    answer = call("GetImpact", node=artifact(data), options={"collapse_repeats": True})
    told = [(node.name or node.type, node.hops, len(node.repeats)) for node in answer.graph.nodes]
    assert told == [
        ("system.Dataset", 0, 0),
        ("train", 1, 3),
        ("profile", 1, 0),
        ("system.Model", 2, 3),
        ("system.Metrics", 2, 3),
        ("evaluate", 3, 2),
    ]
    assert len(answer.graph.edges) == 5
    assert len(answer.models) == 3, "the answer counts every one"
    whole = call("GetImpact", node=artifact(data))
    stood_for = [short(ref) for node in answer.graph.nodes for ref in node.repeats or [node.node]]
    assert sorted(stood_for) == sorted(nodes(whole.graph))


def test_a_chain_of_one_step_stays_a_chain(call: Calls, story: Story) -> None:
    models = [story.artifact("system.Model") for _ in range(4)]
    for before, after in pairwise(models):
        story.step({"model": before}, {"model": after}, custom={"task_name": "tune"})
    answer = call("GetImpact", node=artifact(models[0]), options={"collapse_repeats": True})
    assert len(answer.graph.nodes) == 7
    assert not any(node.repeats for node in answer.graph.nodes)
