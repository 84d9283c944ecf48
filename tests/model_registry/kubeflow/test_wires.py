"""What one wire wrote shows on the others: Kubeflow's REST API, `mlmd.v1.ModelRegistry` and MLMD itself."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.model_registry.kubeflow.rest import Api, fresh
from tests.services.server import Server

MLMD = "ml_metadata.MetadataStoreService"
REGISTRY = "mlmd.v1.ModelRegistry"


class Wire:
    """Unary calls over HTTP as JSON."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, method: str, of: str = REGISTRY, /, **request: Any) -> Any:
        """Make a call that must succeed."""
        response = httpx.post(f"{self.url}/{of}/{method}", json=request, timeout=30)
        assert response.status_code == 200, response.text
        return response.json()

    def mlmd(self, method: str, **request: Any) -> Any:
        """Make one of MLMD's calls."""
        return self(method, MLMD, **request)


@pytest.fixture
def wire(served: Server) -> Wire:
    """Calls on the server."""
    return Wire(served.http_url)


def register(api: Api, uri: str, **said: Any) -> tuple[Any, Any, Any]:
    model = api.model()
    version = api.model_version(model, name="one", author="ann", description="d")
    path = f"/model_versions/{version['id']}/artifacts"
    artifact = api.post(path, name=model["name"], uri=uri, artifactType="model-artifact", **said)
    return model, version, artifact


def test_a_model_of_kubeflows_has_a_number_an_alias_and_lineage(api: Api, wire: Wire) -> None:
    uri = f"s3://bucket/{fresh()}"
    type_id = wire.mlmd("PutArtifactType", artifactType={"name": "system.Model"})["typeId"]
    (run_artifact,) = wire.mlmd("PutArtifacts", artifacts=[{"typeId": type_id, "uri": uri}])["artifactIds"]
    model, version, artifact = register(api, uri, modelFormatName="onnx", modelFormatVersion="1")
    shown = wire("GetModelVersion", model=model["name"], version="1")["version"]
    assert (shown["id"], shown["name"], shown["number"], shown["uri"]) == (version["id"], "one", "1", uri)
    assert (shown["artifactId"], shown["modelArtifactId"]) == (run_artifact, artifact["id"])
    assert (shown["author"], shown["description"], shown["format"]["name"]) == ("ann", "d", "onnx")
    second = api.model_version(model, name="two")
    assert wire("GetModel", model=model["name"])["model"]["latestNumber"] == "2"
    wire("MoveModelAlias", model=model["name"], alias="champion", version="one", reason="good")
    assert wire("GetModelVersion", model=model["name"], alias="champion")["version"]["id"] == version["id"]
    sentence = api.error(400, "PATCH", f"/model_versions/{version['id']}", json={"state": "ARCHIVED"})
    assert "champion" in sentence
    assert "uri" in api.error(400, "PATCH", f"/artifacts/{artifact['id']}", json={"uri": "s3://elsewhere"})
    said = {"uri": f"s3://bucket/{fresh()}", "artifactType": "model-artifact"}
    api.post(f"/model_versions/{second['id']}/artifacts", name="two", **said)
    running = {"model": model["name"], "version": "two", "environment": "prod", "service": fresh("scorer")}
    wire("RecordDeployment", **running, state="DEPLOYMENT_STATE_RUNNING")
    for path in (f"/model_versions/{second['id']}", f"/registered_models/{model['id']}"):
        assert running["service"] in api.error(400, "PATCH", path, json={"state": "ARCHIVED"})
        assert api.patch(path, description="what runs")["state"] == "LIVE"
    wire("RecordDeployment", **running, state="DEPLOYMENT_STATE_STOPPED")
    assert api.patch(f"/model_versions/{second['id']}", state="ARCHIVED")["state"] == "ARCHIVED"
    listed = wire("ListModelVersions", model=model["name"], includeArchived=True)["versions"]
    assert [(one["number"], one["state"]) for one in listed] == [
        ("2", "MODEL_STATE_ARCHIVED"),
        ("1", "MODEL_STATE_LIVE"),
    ]


def test_a_model_of_ours_shows_in_kubeflows_api(api: Api, v1: Api, wire: Wire) -> None:
    name = fresh("ours/日本")
    said = {"model": name, "uri": "s3://bucket/ours", "createModel": True, "format": {"name": "onnx", "version": "1"}}
    made = wire("CreateModelVersion", **said, author="ann", tags={"team": "risk"})["version"]
    for asked in (api, v1):
        model = asked.get("/registered_model", name=name)
        assert (model["id"], model["state"]) == (made["modelId"], "LIVE")
        version = asked.get("/model_version", name="1", parentResourceId=model["id"])
        assert (version["id"], version["author"], version["registeredModelId"]) == (made["id"], "ann", model["id"])
        assert version["customProperties"]["team"]["string_value"] == "risk"
        artifact = asked.get("/model_artifact", name=name, parentResourceId=version["id"])
        assert (artifact["uri"], artifact["modelFormatName"]) == ("s3://bucket/ours", "onnx")
    wire("ArchiveModel", model=name)
    assert api.get(f"/registered_models/{model['id']}")["state"] == "ARCHIVED"
    later = {"name": "2", "registeredModelId": model["id"]}
    assert "archived" in api.error(400, "POST", "/model_versions", json=later)


def test_what_kubeflows_older_server_left_through_mlmd(api: Api, wire: Wire) -> None:
    types = {
        name: wire.mlmd("PutContextType", contextType={"name": name}, canOmitFields=True)["typeId"]
        for name in ("kf.RegisteredModel", "kf.ModelVersion")
    }
    name = fresh("older")
    custom = {"team": {"stringValue": "risk"}}
    model = {"typeId": types["kf.RegisteredModel"], "name": name, "customProperties": custom}
    (model_id,) = wire.mlmd("PutContexts", contexts=[model])["contextIds"]
    owned = {"typeId": types["kf.ModelVersion"], "name": f"{model_id}:v1"}
    (version_id,) = wire.mlmd("PutContexts", contexts=[owned])["contextIds"]
    wire.mlmd("PutParentContexts", parentContexts=[{"childId": version_id, "parentId": model_id}])
    shown = api.get("/registered_model", name=name)
    assert (shown["id"], shown["state"], shown["customProperties"]["team"]["string_value"]) == (
        model_id,
        "LIVE",
        "risk",
    )
    found = api.get("/model_version", name="v1", parentResourceId=model_id)
    assert (found["id"], found["name"], found["state"]) == (version_id, "v1", "LIVE")
    changed = api.patch(f"/model_versions/{version_id}", author="bob")
    assert changed["author"] == "bob"
    added = api.post("/model_versions", name="v2", registeredModelId=model_id)
    listed = wire("ListModelVersions", model=name)["versions"]
    assert [(one["id"], one["number"]) for one in listed] == [(added["id"], "2"), (version_id, "1")]


def test_what_kubeflows_api_wrote_reads_as_its_mapping_says(api: Api, wire: Wire) -> None:
    model, version, artifact = register(api, "s3://bucket/mapped", storageKey="k")
    named = {"typeName": "kf.ModelVersion", "contextName": f"{model['id']}:one"}
    context = wire.mlmd("GetContextByTypeAndName", **named)["context"]
    assert context["id"] == version["id"]
    assert context["properties"]["author"]["stringValue"] == "ann"
    assert context["properties"]["registered_model_id"]["intValue"] == model["id"]
    (parent,) = wire.mlmd("GetParentContextsByContext", contextId=version["id"])["contexts"]
    assert (parent["id"], parent["type"], parent["name"]) == (model["id"], "kf.RegisteredModel", model["name"])
    (attributed,) = wire.mlmd("GetArtifactsByContext", contextId=version["id"])["artifacts"]
    assert (attributed["id"], attributed["name"]) == (artifact["id"], f"{version['id']}:{model['name']}")
    assert attributed["properties"]["storage_key"]["stringValue"] == "k"
    environment = api.post("/serving_environments", name=fresh())
    said = {"servingEnvironmentId": environment["id"], "registeredModelId": model["id"], "name": "s"}
    service = api.post("/inference_services", **said)
    (above,) = wire.mlmd("GetParentContextsByContext", contextId=service["id"])["contexts"]
    assert (above["id"], above["type"]) == (environment["id"], "kf.ServingEnvironment")
    serve = api.post(f"/inference_services/{service['id']}/serves", modelVersionId=version["id"], name="x")
    (execution,) = wire.mlmd("GetExecutionsByContext", contextId=service["id"])["executions"]
    assert (execution["id"], execution["name"]) == (serve["id"], f"{service['id']}:x")
    assert execution["lastKnownState"] == "UNKNOWN"


def test_what_is_served_is_a_deployment_and_ends_an_impact(api: Api, wire: Wire) -> None:
    model, version, artifact = register(api, f"s3://bucket/{fresh()}")
    environment = api.post("/serving_environments", name=fresh("ns"))
    said = {"servingEnvironmentId": environment["id"], "registeredModelId": model["id"], "name": "s"}
    service = api.post("/inference_services", **said)
    serves = f"/inference_services/{service['id']}/serves"
    serve = api.post(serves, modelVersionId=version["id"], lastKnownState="RUNNING")
    (event,) = wire.mlmd("GetEventsByExecutionIDs", executionIds=[serve["id"]])["events"]
    assert (event["artifactId"], event["type"]) == (artifact["id"], "INPUT")
    (deployment,) = wire("ListDeployments", model=model["name"])["deployments"]
    assert (deployment["environment"], deployment["service"]) == (environment["name"], "s")
    assert deployment["state"] == "DEPLOYMENT_STATE_RUNNING"
    place = {"environment": environment["name"], "service": "t", "model": model["name"], "version": "one"}
    wire("RecordDeployment", **place, state="DEPLOYMENT_STATE_RUNNING")
    ours = api.get("/inference_service", name="t", parentResourceId=environment["id"])
    assert (ours["modelVersionId"], ours["desiredState"]) == (version["id"], "DEPLOYED")
    assert [one["lastKnownState"] for one in api.items(f"/inference_services/{ours['id']}/serves")] == ["RUNNING"]


def test_numbers_that_json_has_no_word_for(api: Api, wire: Wire) -> None:
    type_id = wire.mlmd("PutContextType", contextType={"name": "kf.ServingEnvironment"}, canOmitFields=True)["typeId"]
    custom = {
        "nan": {"doubleValue": "NaN"},
        "far": {"doubleValue": "-Infinity"},
        "big": {"intValue": str(2**40)},
        "struct": {"structValue": {"x": [1, {"y": None}]}},
    }
    named = {"typeId": type_id, "name": fresh(), "customProperties": custom}
    (node_id,) = wire.mlmd("PutContexts", contexts=[named])["contextIds"]
    shown = api.get(f"/serving_environments/{node_id}")["customProperties"]
    assert (shown["nan"]["double_value"], shown["far"]["double_value"]) == ("NaN", "-Infinity")
    assert shown["big"]["int_value"] == str(2**40)


def test_two_changes_of_one_model_at_once_are_both_kept(api: Api) -> None:

    model = api.model()
    version = api.model_version(model)
    fields = ["description", "owner", "provider", "license", "readme", "maturity", "logo", "libraryName"]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: api.patch(f"/registered_models/{model['id']}", **{name: name}), fields))
        list(
            pool.map(
                lambda name: api.patch(f"/model_versions/{version['id']}", **{name: name}), ["description", "author"]
            )
        )
    shown = api.get(f"/registered_models/{model['id']}")
    assert {name: shown[name] for name in fields} == {name: name for name in fields}
    shown = api.get(f"/model_versions/{version['id']}")
    assert (shown["description"], shown["author"]) == ("description", "author")


def test_one_name_registered_at_once_is_one_model(api: Api) -> None:

    name = fresh()
    with ThreadPoolExecutor(8) as pool:
        statuses = list(
            pool.map(lambda _: api.ask("POST", "/registered_models", json={"name": name}).status_code, range(8))
        )
    assert sorted(statuses) == [201] + [409] * 7
    model = api.get("/registered_model", name=name)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: api.model_version(model, name=f"v{number}"), range(8)))
    assert len(api.items(f"/registered_models/{model['id']}/versions")) == 8
