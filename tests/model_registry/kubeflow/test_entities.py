"""Every entity: made, read, found, changed."""

import base64
import json
from typing import Any

import pytest

from tests.model_registry.kubeflow.rest import Api, fresh, later

CUSTOM: dict[str, Any] = {
    "text": {"metadataType": "MetadataStringValue", "string_value": "x é 日本 / ' \" \\"},
    "count": {"metadataType": "MetadataIntValue", "int_value": "-2147483648"},
    "share": {"metadataType": "MetadataDoubleValue", "double_value": 0.1},
    "whole": {"metadataType": "MetadataDoubleValue", "double_value": 3},
    "flag": {"metadataType": "MetadataBoolValue", "bool_value": False},
    "mlmd-struct::": {"metadataType": "MetadataStringValue", "string_value": "mlmd-struct::no struct"},
}
STRUCT = {"metadataType": "MetadataStructValue", "struct_value": base64.b64encode(b'{"a": [1, "b"]}').decode()}


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    times = ("createTimeSinceEpoch", "lastUpdateTimeSinceEpoch")
    assert all(document[name].isdecimal() and len(document[name]) == 13 for name in times)
    return {name: value for name, value in document.items() if name not in times}


def test_registered_model(api: Api) -> None:
    name = fresh("model")
    said = {
        "name": name,
        "description": "d",
        "externalId": fresh("external"),
        "owner": "ann",
        "state": "LIVE",
        "readme": "# r",
        "maturity": "beta",
        "language": ["de", "日本語"],
        "tasks": ["classification"],
        "provider": "us",
        "logo": "data:",
        "license": "apache-2.0",
        "licenseLink": "https://licence",
        "libraryName": "torch",
        "customProperties": CUSTOM,
    }
    made = api.post("/registered_models", **said)
    assert without_times(made) == {**said, "id": made["id"]}
    assert api.get(f"/registered_models/{made['id']}") == made
    assert api.get("/registered_model", name=name) == made
    assert api.get("/registered_model", externalId=said["externalId"]) == made
    assert api.get("/registered_model", name=name, externalId=said["externalId"]) == made
    later(made)
    changed = api.patch(f"/registered_models/{made['id']}", owner="bob", state="ARCHIVED", tasks=[])
    assert without_times(changed) == {**said, "id": made["id"], "owner": "bob", "state": "ARCHIVED", "tasks": []}
    assert changed["createTimeSinceEpoch"] == made["createTimeSinceEpoch"]
    assert int(changed["lastUpdateTimeSinceEpoch"]) > int(made["lastUpdateTimeSinceEpoch"])
    assert api.get(f"/registered_models/{made['id']}") == changed


def test_what_is_not_said_is_not_there_or_a_default(api: Api) -> None:
    name = fresh("model")
    made = api.post("/registered_models", name=name, description=None, customProperties=None)
    assert without_times(made) == {"id": made["id"], "name": name, "state": "LIVE", "customProperties": {}}


def test_custom_properties_are_kept_or_replaced_as_a_whole(api: Api) -> None:
    model = api.model(customProperties=CUSTOM)
    path = f"/registered_models/{model['id']}"
    assert api.patch(path, description="")["customProperties"] == CUSTOM
    assert api.patch(path, description=None)["description"] == ""
    replaced = {"other": CUSTOM["text"]}
    assert api.patch(path, customProperties=replaced)["customProperties"] == replaced
    assert api.patch(path, customProperties={})["customProperties"] == {}


def test_structs_are_base64_of_json_however_often_they_are_written(api: Api) -> None:
    model = api.model(customProperties={"s": STRUCT})
    path = f"/registered_models/{model['id']}"
    for _ in range(3):
        shown = api.get(path)["customProperties"]
        assert shown["s"]["metadataType"] == "MetadataStructValue"
        assert json.loads(base64.b64decode(shown["s"]["struct_value"])) == {"a": [1, "b"]}
        assert api.patch(path, customProperties=shown)["customProperties"] == shown


def test_model_version(api: Api, v1: Api) -> None:
    model = api.model()
    said = {"name": "v/1", "author": "ann", "description": "d", "customProperties": CUSTOM}
    made = api.post("/model_versions", registeredModelId=model["id"], **said)
    wanted = {**said, "id": made["id"], "state": "LIVE", "registeredModelId": model["id"]}
    assert without_times(made) == wanted
    assert v1.get(f"/model_versions/{made['id']}") == made
    assert api.get("/model_version", name="v/1", parentResourceId=model["id"]) == made
    assert api.items(f"/registered_models/{model['id']}/versions") == [made]
    assert api.items(f"/registered_models/{model['id']}/versions", name="v/1") == [made]
    assert api.items(f"/registered_models/{model['id']}/versions", name="v") == []
    below = api.post(f"/registered_models/{model['id']}/versions", name="2")
    assert below["registeredModelId"] == model["id"]
    again = {"id": below["id"], "name": "2", "registeredModelId": model["id"], "author": "bob"}
    assert api.post(f"/registered_models/{model['id']}/versions", 200, **again)["author"] == "bob"
    assert [one["name"] for one in api.items(f"/registered_models/{model['id']}/versions")] == ["v/1", "2"]
    assert api.patch(f"/model_versions/{made['id']}", state="ARCHIVED")["author"] == "ann"


ARTIFACTS: dict[str, dict[str, Any]] = {
    "model-artifact": {
        "uri": "s3://b/m",
        "state": "LIVE",
        "modelFormatName": "onnx",
        "modelFormatVersion": "1",
        "storageKey": "k",
        "storagePath": "p",
        "serviceAccountName": "sa",
        "modelSourceKind": "kfp",
        "modelSourceClass": "pipelinerun",
        "modelSourceGroup": "ns",
        "modelSourceId": "7",
        "modelSourceName": "run",
    },
    "doc-artifact": {"uri": "s3://b/doc", "state": "PENDING"},
    "dataset-artifact": {
        "uri": "s3://b/d",
        "state": "REFERENCE",
        "digest": "sha256:1",
        "sourceType": "s3",
        "source": "b",
        "schema": "{}",
        "profile": "{}",
    },
    "metric": {"value": 0.91, "timestamp": "1700000000000", "step": 3, "state": "UNKNOWN"},
    "parameter": {"value": "0.1", "parameterType": "number", "state": "UNKNOWN"},
}


@pytest.mark.parametrize("artifact_type", ARTIFACTS)
def test_artifacts_of_a_version(api: Api, v1: Api, artifact_type: str) -> None:
    version = api.model_version(api.model())
    path = f"/model_versions/{version['id']}/artifacts"
    said = {"name": "a:b/c", "artifactType": artifact_type, **ARTIFACTS[artifact_type]}
    status = 201 if artifact_type in ("model-artifact", "doc-artifact") else 200
    made = api.post(path, status, customProperties=CUSTOM, **said)
    assert without_times(made) == {**said, "id": made["id"], "customProperties": CUSTOM}
    assert api.get(f"/artifacts/{made['id']}") == made
    assert api.get("/artifact", name="a:b/c", parentResourceId=version["id"]) == made
    assert api.items(path) == api.items(path, artifactType=artifact_type, orderBy="", sortOrder="") == [made]
    assert api.items(path, artifactType="doc-artifact") == ([made] if artifact_type == "doc-artifact" else [])
    changed = api.patch(f"/artifacts/{made['id']}", artifactType=artifact_type, description="new")
    assert without_times(changed) == {**said, "id": made["id"], "description": "new", "customProperties": CUSTOM}
    again = api.post(path, 200, **{**said, "id": made["id"], "description": "newer"})
    assert (again["id"], again["description"]) == (made["id"], "newer")
    shown = v1.get(f"/artifacts/{made['id']}")
    assert shown == (again | {"step": "3"} if artifact_type == "metric" else again)


@pytest.mark.parametrize("artifact_type", ["metric", "parameter"])
def test_a_metric_or_parameter_of_a_taken_name_is_changed_in_place(api: Api, artifact_type: str) -> None:
    path = f"/model_versions/{api.model_version(api.model())['id']}/artifacts"
    said = {"name": "same", "artifactType": artifact_type, **ARTIFACTS[artifact_type]}
    first = api.post(path, 200, description="kept", **said)
    second = api.post(path, 200, **{**said, "value": 7 if artifact_type == "metric" else "7"})
    assert second["id"] == first["id"]
    assert (second["value"], second["description"]) == (7 if artifact_type == "metric" else "7", "kept")
    assert len(api.items(path)) == 1


@pytest.mark.parametrize("artifact_type", ["model-artifact", "doc-artifact", "dataset-artifact"])
def test_other_artifacts_of_a_taken_name_are_refused(api: Api, artifact_type: str) -> None:
    path = f"/model_versions/{api.model_version(api.model())['id']}/artifacts"
    said = {"name": "same", "artifactType": artifact_type}
    api.post(path, 200 if artifact_type == "dataset-artifact" else 201, **said)
    assert "same" in api.error(409, "POST", path, json=said)
    other = "doc-artifact" if artifact_type == "model-artifact" else "model-artifact"
    api.post(path, name="same", artifactType=other)
    assert len(api.items(path)) == 2


def test_artifacts_of_nothing(api: Api) -> None:
    said = {"uri": "s3://b/x", "artifactType": "model-artifact"}
    one, two = api.post("/artifacts", name="a", **said), api.post("/model_artifacts", name="a", **said)
    unnamed = api.post("/artifacts", **said)
    assert one["id"] != two["id"]
    assert (one["name"], two["name"], len(unnamed["name"])) == ("a", "a", 36)
    assert api.get(f"/model_artifacts/{one['id']}") == one
    assert api.patch(f"/model_artifacts/{one['id']}", storageKey="k")["storageKey"] == "k"
    external = api.post("/model_artifacts", externalId=fresh("external"), **said)
    assert api.get("/model_artifact", externalId=external["externalId"]) == external
    doc = api.post("/artifacts", name="d", artifactType="doc-artifact")
    assert doc["state"] == "UNKNOWN"
    api.error(404, "GET", f"/model_artifacts/{doc['id']}")
    shown = [artifact["id"] for artifact in api.items("/model_artifacts")]
    assert one["id"] in shown
    assert doc["id"] not in shown


def test_two_kinds_of_artifact_with_one_name_are_not_found_by_it(api: Api) -> None:
    version = api.model_version(api.model())
    for artifact_type in ("model-artifact", "doc-artifact"):
        api.post(f"/model_versions/{version['id']}/artifacts", name="both", artifactType=artifact_type)
    wanted = {"name": "both", "parentResourceId": version["id"]}
    assert "more than one" in api.error(404, "GET", "/artifact", params=wanted)
    assert api.get("/model_artifact", **wanted)["artifactType"] == "model-artifact"


def test_serving(api: Api) -> None:
    environment = api.post("/serving_environments", name=fresh("ns"), description="cluster")
    model = api.model()
    first = api.model_version(model)
    said = {"registeredModelId": model["id"], "servingEnvironmentId": environment["id"]}
    service = api.post("/inference_services", name="isvc/1", runtime="triton", **said)
    wanted = {"name": "isvc/1", "desiredState": "DEPLOYED", "runtime": "triton", "customProperties": {}, **said}
    assert without_times(service) == {**wanted, "id": service["id"]}
    path = f"/inference_services/{service['id']}"
    assert api.get("/inference_service", name="isvc/1", parentResourceId=environment["id"]) == service
    assert api.items(f"/serving_environments/{environment['id']}/inference_services") == [service]
    assert api.get(f"{path}/model") == model
    assert api.get(f"{path}/version") == first
    second = api.model_version(model)
    assert api.get(f"{path}/version") == second
    assert api.patch(path, modelVersionId=first["id"])["modelVersionId"] == first["id"]
    assert api.get(f"{path}/version") == first
    below = f"/serving_environments/{environment['id']}/inference_services"
    unnamed = api.post(below, registeredModelId=model["id"], modelVersionId=second["id"])
    assert (unnamed["servingEnvironmentId"], len(unnamed["name"])) == (environment["id"], 36)
    serve = api.post(f"{path}/serves", modelVersionId=first["id"], name="s", lastKnownState="RUNNING")
    wanted = {"name": "s", "modelVersionId": first["id"], "lastKnownState": "RUNNING", "customProperties": {}}
    assert without_times(serve) == {**wanted, "id": serve["id"]}
    other = api.post(f"{path}/serves", modelVersionId=second["id"])
    assert other["lastKnownState"] == "UNKNOWN"
    assert api.items(f"{path}/serves") == [serve, other]
    assert api.items(f"{path}/serves", name="s") == [serve]
    assert api.items(f"{path}/serves", filterQuery="lastKnownState = 'RUNNING'") == [serve]


def test_unicode_slashes_and_quotes_in_names(api: Api) -> None:
    name = fresh("größe/日本 'x' \"y\" %_\\ 100% &?#+")
    model = api.post("/registered_models", name=name)
    assert api.get("/registered_model", name=name) == model
    version = api.post("/model_versions", name=name, registeredModelId=model["id"])
    assert api.get("/model_version", name=name, parentResourceId=model["id"]) == version
    artifact = api.post(f"/model_versions/{version['id']}/artifacts", name=name, artifactType="model-artifact")
    assert api.get("/model_artifact", name=name, parentResourceId=version["id"]) == artifact


@pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\u200bb"])
def test_what_does_not_print_is_found_where_it_may_be(api: Api, text: str) -> None:
    """Such names and external ids were taken, and refused when they were looked for."""
    text += fresh()
    environment = api.post("/serving_environments", name=text)
    assert api.get("/serving_environment", name=text) == environment
    model = api.model(externalId=text)
    assert api.get("/registered_model", externalId=text) == model
    version = api.model_version(model)
    path = f"/model_versions/{version['id']}/artifacts"
    artifact = api.post(path, name=text, artifactType="doc-artifact")
    assert api.get("/artifact", name=text, parentResourceId=version["id"]) == artifact
    assert api.items(path, name=text) == [artifact]


@pytest.mark.parametrize("path", ["/registered_models", "/serving_environments"])
def test_an_empty_external_id_is_none(api: Api, path: str) -> None:
    one, two = (api.post(path, name=fresh(), externalId="") for _ in range(2))
    assert "externalId" not in one
    assert "externalId" not in two
    named = api.patch(f"{path}/{one['id']}", externalId=fresh("external"))
    assert named["externalId"]
    assert "externalId" not in api.patch(f"{path}/{one['id']}", externalId="")
    assert api.post(path, name=fresh(), externalId=named["externalId"])["externalId"] == named["externalId"]


def test_long_names(api: Api) -> None:
    model = api.model()
    for length in (1, 250 - 4):
        api.model_version(model, name="v" * length)
    assert "too long" in api.error(
        400, "POST", "/model_versions", json={"name": "v" * 255, "registeredModelId": model["id"]}
    )
    for path in ("/registered_models", "/serving_environments"):
        said = api.error(400, "POST", path, json={"name": "m" * 256})
        assert said.endswith("is too long: it has 256 characters, and 255 fit.")
    assert "externalId" in api.error(400, "POST", "/registered_models", json={"name": fresh(), "externalId": "e" * 256})
    custom = {"k" * 255: CUSTOM["flag"]}
    assert api.model(customProperties=custom)["customProperties"] == custom
    wrong = {"name": fresh(), "customProperties": {"k" * 256: CUSTOM["flag"]}}
    assert "customProperties" in api.error(400, "POST", "/registered_models", json=wrong)
