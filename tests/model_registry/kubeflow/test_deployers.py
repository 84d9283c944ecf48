"""What serving systems ask: the call chains of Kubeflow's storage initializer and InferenceService controller."""

from typing import Any

from tests.model_registry.kubeflow.rest import Api, fresh, later

NEWEST = {"sortOrder": "DESC"}
NEWEST_BYTES = {"orderBy": "CREATE_TIME", "sortOrder": "DESC"}


def register(api: Api, name: str, version: str, uri: str) -> tuple[Any, Any]:
    model = api.ask("GET", "/registered_model", params={"name": name}).json()
    if "id" not in model:
        model = api.post("/registered_models", name=name)
    made = api.post("/model_versions", name=version, registeredModelId=model["id"])
    said = {"name": name, "uri": uri, "artifactType": "model-artifact", "modelFormatName": "onnx"}
    later(api.post(f"/model_versions/{made['id']}/artifacts", **said))
    return model, made


def initialize(api: Api, model: str, version: str = "") -> str:
    """Return the URI that the storage initializer would fetch: it takes the first of what it lists."""
    found = api.get("/registered_model", name=model)
    if version:
        chosen = api.get("/model_version", name=version, parentResourceId=found["id"])
    else:
        chosen = api.get(f"/registered_models/{found['id']}/versions", **NEWEST)["items"][0]
    artifact = api.get(f"/model_versions/{chosen['id']}/artifacts", **NEWEST_BYTES)["items"][0]
    assert artifact["artifactType"] == "model-artifact"
    uri: str = artifact["uri"]
    return uri


def test_the_storage_initializer(api: Api, v1: Api) -> None:
    name = fresh("served/日本")
    for version in ("9", "10", "8"):
        register(api, name, version, f"s3://bucket/{version}")
    for asked in (api, v1):
        assert initialize(asked, name) == "s3://bucket/8"
        assert initialize(asked, name, "10") == "s3://bucket/10"
    newer = api.get("/model_version", name="8", parentResourceId=api.get("/registered_model", name=name)["id"])
    said = {"name": "again", "uri": "s3://bucket/again", "artifactType": "model-artifact"}
    api.post(f"/model_versions/{newer['id']}/artifacts", **said)
    assert initialize(api, name) == "s3://bucket/again"


def test_a_document_registered_later_can_be_left_out(api: Api) -> None:
    _, version = register(api, fresh(), "1", "s3://bucket/1")
    path = f"/model_versions/{version['id']}/artifacts"
    api.post(path, name="manual", artifactType="doc-artifact", uri="s3://bucket/manual")
    assert api.get(path, **NEWEST_BYTES)["items"][0]["artifactType"] == "doc-artifact"
    (only,) = api.get(path, **NEWEST_BYTES, artifactType="model-artifact")["items"]
    assert only["uri"] == "s3://bucket/1"


def test_a_host_is_told_from_a_model_by_its_list_of_models(api: Api) -> None:
    page = api.get("/registered_models", pageSize="1", sortOrder="ASC")
    assert set(page) == {"items", "nextPageToken", "pageSize", "size"}


def test_the_controller_of_inference_services(api: Api) -> None:
    namespace, service = fresh("namespace"), f"{fresh('isvc')}/5f9c-uid"
    model, version = register(api, fresh(), "1", "s3://bucket/1")
    assert api.ask("GET", "/serving_environment", params={"name": namespace}).status_code == 404
    environment = api.post("/serving_environments", name=namespace)
    wanted = {"name": service, "parentResourceId": environment["id"]}
    assert api.ask("GET", "/inference_service", params=wanted).status_code == 404
    url = {"url": {"metadataType": "MetadataStringValue", "string_value": "https://one"}}
    said = {
        "name": service,
        "registeredModelId": model["id"],
        "modelVersionId": version["id"],
        "servingEnvironmentId": environment["id"],
        "runtime": "kserve-tritonserver",
        "desiredState": "DEPLOYED",
        "customProperties": url,
    }
    made = api.post("/inference_services", **said)
    assert api.get("/inference_service", **wanted) == made
    url["url"]["string_value"] = "https://two"
    moved = api.patch(f"/inference_services/{made['id']}", customProperties=url)
    assert moved["customProperties"]["url"]["string_value"] == "https://two"
    gone = api.patch(f"/inference_services/{made['id']}", desiredState="UNDEPLOYED")
    assert (gone["desiredState"], gone["customProperties"]) == ("UNDEPLOYED", url)
    assert api.get(f"/inference_services/{made['id']}/version") == version
    assert api.items("/inference_services", filterQuery=f"registeredModelId = {model['id']}") == [gone]
    assert api.items("/inference_services", filterQuery="desiredState = 'DEPLOYED' AND runtime = 'none'") == []


def test_a_service_names_what_is_there(api: Api) -> None:
    environment = api.post("/serving_environments", name=fresh())
    model, version = register(api, fresh(), "1", "s3://bucket/1")
    _, other = register(api, fresh(), "1", "s3://bucket/2")
    said = {"servingEnvironmentId": environment["id"], "registeredModelId": model["id"]}
    assert "modelVersionId" in api.error(
        404, "POST", "/inference_services", json={**said, "modelVersionId": "999999999"}
    )
    assert "not of" in api.error(400, "POST", "/inference_services", json={**said, "modelVersionId": other["id"]})
    service = api.post("/inference_services", **said)
    path = f"/inference_services/{service['id']}"
    api.error(404, "POST", f"{path}/serves", json={"modelVersionId": "999999999"})
    assert api.get(f"{path}/version") == version
    empty = api.post("/registered_models", name=fresh())
    unserved = api.post("/inference_services", **{**said, "registeredModelId": empty["id"]})
    assert "no version yet" in api.error(404, "GET", f"/inference_services/{unserved['id']}/version")


def test_a_service_is_never_of_one_model_and_a_version_of_another(api: Api) -> None:
    environment = api.post("/serving_environments", name=fresh())
    model, version = register(api, fresh(), "1", "s3://bucket/1")
    stranger, other = register(api, fresh(), "1", "s3://bucket/2")
    below = f"/serving_environments/{environment['id']}/inference_services"
    service = api.post(below, registeredModelId=model["id"], modelVersionId=version["id"])
    path = f"/inference_services/{service['id']}"
    assert "not of" in api.error(400, "PATCH", path, json={"modelVersionId": other["id"]})
    moved = {"id": service["id"], "registeredModelId": stranger["id"]}
    said = api.error(400, "POST", below, json=moved)
    assert said.startswith(f"registeredModelId: inference service {service['id']} keeps {model['id']}")
    assert api.get(path) == service
    assert api.post(below, 200, **{**moved, "registeredModelId": model["id"]})["registeredModelId"] == model["id"]


def test_a_serve_model_keeps_its_version_and_its_service(api: Api) -> None:
    """A POST with its id once gave it another version, whose artifact it did not read, below any service's path."""
    environment = api.post("/serving_environments", name=fresh())
    model, version = register(api, fresh(), "1", "s3://bucket/1")
    second = api.model_version(model)
    said = {"servingEnvironmentId": environment["id"], "registeredModelId": model["id"]}
    ours, theirs = (f"/inference_services/{api.post('/inference_services', **said)['id']}/serves" for _ in range(2))
    serve = api.post(ours, modelVersionId=version["id"])
    named = {"id": serve["id"], "modelVersionId": version["id"], "lastKnownState": "RUNNING"}
    assert "modelVersionId: " in api.error(400, "POST", ours, json={**named, "modelVersionId": second["id"]})
    assert api.error(404, "POST", theirs, json=named).startswith("id: there is no serve model with id")
    assert api.items(ours) == [serve]
    assert api.items(theirs) == []
    assert api.post(ours, 200, **named)["lastKnownState"] == "RUNNING"


def test_a_run_keeps_its_start(api: Api) -> None:
    below = f"/experiments/{api.post('/experiments', name=fresh())['id']}/experiment_runs"
    run = api.post(below)
    started = api.post(below, 200, id=run["id"], startTimeSinceEpoch="5")
    assert started["startTimeSinceEpoch"] == "5"
    assert "startTimeSinceEpoch: " in api.error(400, "POST", below, json={"id": run["id"], "startTimeSinceEpoch": "6"})
    assert api.get(f"/experiment_runs/{run['id']}") == started


def test_no_service_is_to_run_a_version_whose_files_are_gone(api: Api, v1: Api) -> None:
    model, version = register(api, fresh(), "1", f"s3://bucket/{fresh()}")
    environment = api.post("/serving_environments", name=fresh())
    said = {"registeredModelId": model["id"], "servingEnvironmentId": environment["id"]}
    running = api.post("/inference_services", **said, modelVersionId=version["id"])
    (artifact,) = api.items(f"/model_versions/{version['id']}/artifacts")
    lose_files(api, model["name"])
    for asked in (api, v1):
        sentence = asked.error(400, "POST", "/inference_services", json={**said, "modelVersionId": version["id"]})
        assert "files of version 1 are gone" in sentence
        assert "DELETED" in sentence
        path = f"/inference_services/{running['id']}"
        wanted = {"modelVersionId": version["id"], "desiredState": "DEPLOYED"}
        assert "gone" in asked.error(400, "PATCH", path, json=wanted)
        assert asked.patch(path, description="what it is")["desiredState"] == "DEPLOYED"
        served = {"modelVersionId": version["id"], "lastKnownState": "RUNNING"}
        assert "gone" in asked.error(400, "POST", f"{path}/serves", json=served)
        assert asked.get(f"/artifacts/{artifact['id']}")["uri"] == artifact["uri"]
    stopped = {"modelVersionId": version["id"], "desiredState": "UNDEPLOYED"}
    path = f"/inference_services/{running['id']}"
    assert api.patch(path, **stopped)["desiredState"] == "UNDEPLOYED"
    assert api.patch(path, modelVersionId=version["id"])["desiredState"] == "UNDEPLOYED"
    assert "gone" in api.error(400, "PATCH", path, json={"desiredState": "DEPLOYED"})
    assert api.get(path)["desiredState"] == "UNDEPLOYED"


def lose_files(api: Api, model: str) -> None:
    """Note that the files of the model's first version are deleted, as a garbage collector of somebody's own would."""
    version = api.http.post(f"{api.url}/mlmd.v1.ModelRegistry/GetModelVersion", json={"model": model, "version": "1"})
    found = version.json()["version"]
    row = {"id": found["artifactId"], "uri": found["uri"], "state": "DELETED"}
    put = api.http.post(f"{api.url}/ml_metadata.MetadataStoreService/PutArtifacts", json={"artifacts": [row]})
    assert put.status_code == 200, put.text
