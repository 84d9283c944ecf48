"""What is wrong with a request is told with the status and the shape that Kubeflow's clients know."""

import gzip
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.model_registry.kubeflow.rest import Api, fresh
from tests.services.server import Server

MODELS = "/registered_models"


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({}, 422, "required field 'name' is zero value."),
        ({"name": ""}, 422, "required field 'name' is zero value."),
        ({"name": None}, 422, "required field 'name' is zero value."),
        ({"name": "x", "ext_id": "1"}, 400, 'json: unknown field "ext_id"'),
        ({"name": "x", "id": "1"}, 400, 'json: unknown field "id"'),
        ({"name": 5}, 400, "name: a number where the API has a string"),
        ({"name": ["x"]}, 400, "name: an array where"),
        ({"name": "x\0y"}, 400, "NUL"),
        ({"name": "x", "description": "\ud800"}, 400, "surrogate"),
        ({"name": "x", "state": "DEAD"}, 400, "state: 'DEAD' is none of LIVE, ARCHIVED"),
        ({"name": "x", "language": "de"}, 400, "language: a string where"),
        ({"name": "x", "language": [1]}, 400, "language[0]"),
        ({"name": "x", "language": [None]}, 400, "language[0]: null where the API has a string"),
        ({"name": "x", "customProperties": {"a": None}}, 400, "customProperties['a']: null where"),
        ({"name": "x", "customProperties": []}, 400, "customProperties: an array"),
        ({"name": "x", "customProperties": {"a": 1}}, 400, "customProperties['a']: a number"),
        ({"name": "x", "customProperties": {"a": {}}}, 400, "metadataType"),
        ({"name": "x", "customProperties": {"a\0": {}}}, 400, "NUL"),
        ({"name": "x", "customProperties": {"a": {"metadataType": "MetadataIntValue"}}}, 400, "needs int_value"),
    ],
)
def test_a_wrong_document(api: Api, body: dict[str, Any], status: int, says: str) -> None:
    raw = json.dumps(body)
    sentence = api.error(status, "POST", MODELS, content=raw, headers={"content-type": "application/json"})
    assert says in sentence


@pytest.mark.parametrize(
    "raw",
    [
        '{"name": "x", "name": "y"}',
        '{"customProperties": {"name": {}, "name": {}}}',
        '{"name": "x", "n\\u0061me": "x"}',
    ],
)
def test_a_field_that_stands_twice(api: Api, raw: str) -> None:
    sentence = api.error(400, "POST", MODELS, content=raw, headers={"content-type": "application/json"})
    assert "'name' stands twice in one object; leave one out" in sentence


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"metadataType": "MetadataIntValue", "int_value": 5}, "a number where the API has a string"),
        ({"metadataType": "MetadataIntValue", "int_value": "5.5"}, "no whole number"),
        ({"metadataType": "MetadataIntValue", "int_value": "2147483648"}, "32 bits"),
        ({"metadataType": "MetadataStringValue", "string_value": 5}, "a number where the API has a string"),
        ({"metadataType": "MetadataStringValue", "string_value": "a", "int_value": "5"}, "unknown field"),
        ({"metadataType": "MetadataDoubleValue", "double_value": "5"}, "a string where the API has a number"),
        ({"metadataType": "MetadataDoubleValue", "double_value": True}, "a boolean where the API has a number"),
        ({"metadataType": "MetadataDoubleValue", "double_value": 10**400}, "64-bit"),
        ({"metadataType": "MetadataDoubleValue", "double_value": None}, "needs double_value"),
        ({"metadataType": "MetadataBoolValue", "bool_value": "true"}, "a string where the API has a boolean"),
        ({"metadataType": "MetadataStructValue", "struct_value": "%%"}, "base64"),
        ({"metadataType": "MetadataStructValue", "struct_value": "WzFd"}, "JSON object"),
        ({"metadataType": "MetadataStructValue", "struct_value": "eyJhIjpOYU59"}, "NaN is no JSON number"),
        ({"metadataType": "MetadataStructValue", "struct_value": "eyJhIjpbLUluZmluaXR5XX0="}, "-Infinity is no JSON"),
        ({"metadataType": "MetadataStructValue", "struct_value": "eyJhIjp7ImIiOjFlOTk5fX0="}, "Infinity is no JSON"),
        ({"metadataType": "MetadataProtoValue", "type": "t", "proto_value": ""}, "MetadataProtoValue is not taken"),
        ({"metadataType": "Nonsense"}, "none of"),
        ({"metadataType": 5}, "none of"),
    ],
)
def test_a_wrong_custom_property(api: Api, metadata: dict[str, Any], says: str) -> None:
    body = {"name": fresh(), "customProperties": {"p": metadata}}
    assert says in api.error(400, "POST", MODELS, json=body)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b'"value": 1' + b"0" * 5000, "value: the number does not fit 64-bit floating point"),
        (b'"value": -1' + b"0" * 5000, "value: the number does not fit 64-bit floating point"),
        (b'"value": 1, "uri": 1' + b"0" * 5000, 'unknown field "uri"'),
        (b'"value": 1, "description": 1' + b"0" * 5000, "description: a number where the API has a string"),
        (b'"value": 1, "step": 1' + b"0" * 5000, "step: "),
    ],
)
def test_a_number_of_thousands_of_digits_is_told_by_its_field(api: Api, raw: bytes, says: str) -> None:
    """Python's own limit of digits was told, without the field, with advice about a function of Python's."""
    document = b'{"name": "x", "artifactType": "metric", ' + raw + b"}"
    assert says in api.error(400, "POST", "/artifacts", content=document)


@pytest.mark.parametrize("given", [[], {}, 0, False, [1], 5])
def test_an_id_in_a_body_is_a_string(api: Api, given: Any) -> None:
    """What Python takes for false was no id, and another entity was made."""
    version = api.model_version(api.model())
    path = f"/model_versions/{version['id']}/artifacts"
    said = {"id": given, "name": "x", "artifactType": "doc-artifact"}
    assert api.error(400, "POST", path, json=said).startswith("id: ")
    assert api.items(path) == []


@pytest.mark.parametrize(
    "field", ["experimentId", "experimentRunId", "createTimeSinceEpoch", "lastUpdateTimeSinceEpoch"]
)
def test_what_only_the_server_says_may_be_repeated_as_a_string(api: Api, field: str) -> None:
    version = api.model_version(api.model())
    path = f"/model_versions/{version['id']}/artifacts"
    said = {"name": "x", "artifactType": "doc-artifact"}
    assert api.error(400, "POST", path, json={**said, field: 5}) == f"{field}: a number where the API has a string."
    assert api.post(path, **said, **{field: "5"}).get(field) != "5"


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"null", b"[]", b'"x"', b'{"name": NaN}', b'{"name": "\xff"}', b"[" * 100_000, b"{}x"]
)
def test_what_is_no_json_object(api: Api, raw: bytes) -> None:
    assert api.error(400, "POST", MODELS, content=raw).startswith("body: ")


@pytest.mark.parametrize(
    ("path", "body", "says"),
    [
        ("/model_versions", {"name": "v"}, "'registeredModelId'"),
        ("/model_versions", {"registeredModelId": "1"}, "'name'"),
        ("/inference_services", {"registeredModelId": "1"}, "'servingEnvironmentId'"),
        ("/inference_services", {"servingEnvironmentId": "1", "registeredModelId": ""}, "'registeredModelId'"),
        ("/serving_environments", {"description": "x"}, "'name'"),
        ("/experiments", {"owner": "x"}, "'name'"),
        ("/experiment_runs", {"name": "x"}, "'experimentId'"),
    ],
)
def test_a_missing_field_is_named(api: Api, path: str, body: dict[str, Any], says: str) -> None:
    assert api.error(422, "POST", path, json=body) == f"required field {says} is zero value."


@pytest.mark.parametrize("node_id", ["0", "x", "-1", "01", "1.5", "1e3", "9999999999", "9" * 30, "%20", "é"])
def test_a_malformed_id(api: Api, node_id: str) -> None:
    api.error(400, "GET", f"{MODELS}/{node_id}")
    api.error(400, "PATCH", f"{MODELS}/{node_id}", json={})
    api.error(400, "GET", "/model_version", params={"name": "x", "parentResourceId": node_id.replace("%20", " ")})


@pytest.mark.parametrize(
    "path",
    [
        "/registered_models",
        "/model_versions",
        "/artifacts",
        "/model_artifacts",
        "/serving_environments",
        "/inference_services",
        "/experiments",
        "/experiment_runs",
    ],
)
def test_an_unknown_id(api: Api, path: str) -> None:
    assert "999999999" in api.error(404, "GET", f"{path}/999999999")
    api.error(404, "PATCH", f"{path}/999999999", json={})


def test_an_id_of_another_entity_is_unknown(api: Api) -> None:
    model = api.model()
    api.error(404, "GET", f"/model_versions/{model['id']}")
    api.error(404, "PATCH", f"/serving_environments/{model['id']}", json={"description": "x"})
    api.error(404, "GET", f"/model_versions/{model['id']}/artifacts")
    wrong = {"name": "x", "artifactType": "doc-artifact"}
    api.error(404, "POST", f"/model_versions/{model['id']}/artifacts", json=wrong)
    environment = api.post("/serving_environments", name=fresh())
    said = {"registeredModelId": environment["id"], "servingEnvironmentId": environment["id"]}
    assert "registeredModelId" in api.error(404, "POST", "/inference_services", json=said)
    api.error(404, "POST", "/model_versions", json={"name": "x", "registeredModelId": environment["id"]})


def test_taken_names_and_external_ids(api: Api) -> None:
    model = api.model(externalId=fresh("external"))
    other = api.model()
    api.error(409, "POST", MODELS, json={"name": model["name"]})
    api.error(409, "POST", MODELS, json={"name": fresh(), "externalId": model["externalId"]})
    api.error(409, "PATCH", f"{MODELS}/{other['id']}", json={"externalId": model["externalId"]})
    assert "externalId" not in api.get(f"{MODELS}/{other['id']}")
    version = api.model_version(model)
    api.error(409, "POST", "/model_versions", json={"name": version["name"], "registeredModelId": model["id"]})
    path = f"{MODELS}/{model['id']}/versions"
    api.error(409, "POST", path, json={"name": version["name"]})
    assert api.model_version(other, name=version["name"])["id"] != version["id"]
    environment = api.post("/serving_environments", name=fresh())
    api.error(409, "POST", "/serving_environments", json={"name": environment["name"]})


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/registered_model", {}),
        ("/registered_model", {"name": ""}),
        ("/model_version", {"name": "x"}),
        ("/model_version", {"parentResourceId": "1"}),
        ("/artifact", {"name": "x"}),
        ("/model_artifact", {}),
        ("/inference_service", {"name": "x"}),
        ("/experiment_run", {"name": "x"}),
        ("/registered_model", {"name": "a\nb"}),
    ],
)
def test_too_little_to_find_by(api: Api, path: str, query: dict[str, str]) -> None:
    api.error(400, "GET", path, params=query)


def test_nothing_found(api: Api) -> None:
    api.error(404, "GET", "/registered_model", params={"name": fresh()})
    api.error(404, "GET", "/model_version", params={"name": "x", "parentResourceId": "999999999"})
    api.error(404, "GET", "/artifact", params={"externalId": fresh()})
    model = api.model()
    api.error(404, "GET", "/registered_model", params={"name": model["name"], "externalId": fresh()})
    api.error(404, "GET", "/registered_model", params={"name": model["name"].upper()})


def test_what_stays_as_it_was_made(api: Api) -> None:
    model, other = api.model(), api.model()
    version = api.model_version(model)
    path = f"/model_versions/{version['id']}"
    assert "unknown field" in api.error(400, "PATCH", path, json={"registeredModelId": other["id"]})
    assert "unknown field" in api.error(400, "PATCH", path, json={"name": "new"})
    api.error(400, "POST", f"{MODELS}/{other['id']}/versions", json={"name": "x", "registeredModelId": model["id"]})
    api.error(400, "POST", f"{MODELS}/{other['id']}/versions", json={"id": version["id"], "name": "x"})
    artifact = api.post("/artifacts", name="a", artifactType="doc-artifact")
    assert "artifactType" in api.error(
        400, "PATCH", f"/artifacts/{artifact['id']}", json={"artifactType": "model-artifact"}
    )
    wrong = {"id": artifact["id"], "name": "a", "artifactType": "metric", "value": 1}
    assert "artifactType" in api.error(400, "POST", f"{path}/artifacts", json=wrong)
    assert api.get(path) == version


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"name": "x"}, "artifactType: missing"),
        ({"name": "x", "artifactType": "nonsense"}, "none of"),
        ({"name": "x", "artifactType": 5}, "none of"),
        ({"name": "x", "artifactType": "metric"}, "value: missing"),
        ({"name": "x", "artifactType": "metric", "value": "1"}, "value: a string"),
        ({"name": "x", "artifactType": "metric", "value": 1, "step": "1"}, "step: a string"),
        ({"name": "x", "artifactType": "metric", "value": 1, "timestamp": 5}, "timestamp: a number"),
        ({"name": "x", "artifactType": "metric", "value": 1, "uri": "s3://x"}, 'unknown field "uri"'),
        ({"name": "x", "artifactType": "parameter", "value": 5}, "value: a number"),
        ({"name": "x", "artifactType": "parameter", "parameterType": "float"}, "parameterType"),
        ({"name": "x", "artifactType": "doc-artifact", "state": "live"}, "state"),
    ],
)
def test_a_wrong_artifact(api: Api, body: dict[str, Any], says: str) -> None:
    assert says in api.error(400, "POST", "/artifacts", json=body)
    version = api.model_version(api.model())
    assert says in api.error(400, "POST", f"/model_versions/{version['id']}/artifacts", json=body)
    assert api.items(f"/model_versions/{version['id']}/artifacts") == []


def test_the_step_of_a_metric_is_a_string_in_v1(v1: Api) -> None:
    said = {"name": "x", "artifactType": "metric", "value": 1}
    assert "step" in v1.error(400, "POST", "/artifacts", json={**said, "step": 5})
    made = v1.post("/artifacts", **said, step="9223372036854775807")
    assert made["step"] == "9223372036854775807"


def test_v1_has_no_experiments(v1: Api) -> None:
    for path in ("/experiments", "/experiment_run", "/experiment_runs/1", "/experiment_runs/metric_history"):
        v1.error(404, "GET", path)
    v1.error(404, "POST", "/experiments", json={"name": "x"})


@pytest.mark.parametrize("path", ["", "/", "/nonsense", "/registered_models/1/2/3", "/registered_models/"])
def test_an_unknown_path(api: Api, path: str) -> None:
    api.error(404 if path != "/registered_models/" else 400, "GET", path)


def test_other_methods(api: Api) -> None:
    api.error(405, "DELETE", f"{MODELS}/1")
    api.error(405, "POST", "/registered_model", json={})
    api.error(405, "PATCH", MODELS, json={})


def test_the_root_and_the_probes(api: Api) -> None:
    assert "/api/model_registry" in httpx.get(f"{api.url}/").text
    assert httpx.get(f"{api.url}/api/model_registry/v2/registered_models").status_code == 404
    assert httpx.get(f"{api.url}/readyz/isDirty").json() is False
    assert httpx.get(f"{api.url}/readyz/health").json()["status"] == "pass"


def test_pages_of_other_origins(api: Api) -> None:
    asked = {"origin": "http://localhost:3000", "access-control-request-method": "PATCH"}
    response = api.ask("OPTIONS", f"{MODELS}/1", headers=asked)
    assert response.status_code == 200
    assert "PATCH" in response.headers["access-control-allow-methods"]
    assert api.ask("GET", MODELS, headers={"origin": "http://localhost:3000"}).headers["access-control-allow-origin"]


def test_a_page_that_may_not_call_writes_nothing(tmp_path: Path) -> None:
    options = ("--cors-origins", "https://ui", "--log-level", "error")
    with Server(f"sqlite:///{tmp_path}/m.db", tmp_path, http=True, options=options) as served:
        api, body = Api(served.http_url), b'{"name": "m"}'
        page = {"content-type": "text/plain", "origin": "https://elsewhere"}  # a browser sends this without asking
        said = api.error(403, "POST", MODELS, content=body, headers=page)
        assert said.startswith("origin: pages of 'https://elsewhere' may not write here")
        assert api.get(MODELS)["size"] == 0
        assert "access-control-allow-origin" not in api.ask("GET", MODELS, headers=page).headers
        for number, origin in enumerate(["https://ui", served.http_url]):
            named = json.dumps({"name": f"m{number}"})
            assert api.ask("POST", MODELS, content=named, headers=page | {"origin": origin}).status_code == 201
        api.http.close()


def test_what_is_too_large(tmp_path: Path) -> None:
    options = ("--max-message-bytes", "10000", "--log-level", "error")
    with Server(f"sqlite:///{tmp_path}/m.db", tmp_path, http=True, options=options) as served:
        api = Api(served.http_url)
        large = {"name": "m", "description": "x" * 10_000}
        zipped = {"content": gzip.compress(json.dumps(large).encode()), "headers": {"content-encoding": "gzip"}}
        for sent in ({"json": large}, zipped):
            said = api.error(413, "POST", MODELS, **sent)
            assert said.startswith("request: it has more bytes than the 10000 ")
        for name in ("a", "b", "c"):
            api.model(name=name, description="x" * 4000)
        response = api.ask("GET", MODELS)
        assert response.status_code == 429
        assert "pageSize and nextPageToken" in response.json()["message"]
        assert [one["name"] for one in api.items(MODELS, pageSize="2")] == ["a", "b", "c"]
        api.http.close()


def test_a_repeated_write_under_one_key_is_one_write(api: Api) -> None:
    body, headers = {"name": fresh()}, {"mlmd-idempotency-key": fresh("key")}
    first = api.ask("POST", MODELS, json=body, headers=headers)
    second = api.ask("POST", MODELS, json=body, headers=headers)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    api.error(409, "POST", MODELS, json=body)


def test_request_ids_and_deadlines(api: Api) -> None:
    assert api.ask("GET", MODELS, headers={"x-request-id": "mine"}).headers["x-request-id"] == "mine"
    assert api.ask("GET", MODELS, headers={"connect-timeout-ms": "0"}).status_code == 504
    api.error(400, "GET", MODELS, headers={"connect-timeout-ms": "soon"})


def test_calls_are_measured_and_logged_by_operation(api: Api, served: Server) -> None:
    api.error(422, "POST", MODELS, json={}, headers={"x-request-id": (mine := fresh("id"))})
    page = httpx.get(f"{api.url}/metrics").text
    labels = (
        'code="INVALID_ARGUMENT",method="kubeflow.model_registry.v1alpha3/createRegisteredModel",wire="kubeflow-rest"'
    )
    assert f"mlmd_errors_total{{{labels}}}" in page
    (line,) = [line for line in served.output().splitlines() if mine in line]
    assert "kubeflow.model_registry.v1alpha3/createRegisteredModel INVALID_ARGUMENT" in line


@pytest.mark.parametrize(
    ("status", "verb", "path"),
    [
        (404, "GET", "/nowhere"),
        (404, "POST", "/registered_models/1/2/3"),
        (405, "DELETE", MODELS),
        (405, "HEAD", MODELS),
        (404, "GET", f"{MODELS}/999999999"),
    ],
)
def test_every_refusal_has_a_request_id(api: Api, status: int, verb: str, path: str) -> None:
    response = api.ask(verb, path)
    assert response.status_code == status
    assert response.headers["x-request-id"]
    named = api.ask(verb, path, headers={"x-request-id": "mine-1"})
    assert named.headers["x-request-id"] == "mine-1"


def test_a_long_path_is_not_repeated_in_full(api: Api) -> None:
    assert len(api.error(404, "GET", "/" + "x" * 5_000)) < 300


def test_a_compressed_body_is_read(api: Api) -> None:
    body = gzip.compress(json.dumps({"name": fresh("zipped"), "description": "x" * 10_000}).encode())
    response = api.ask("POST", MODELS, content=body, headers={"content-encoding": "GZIP"})
    assert response.status_code == 201, response.text
    assert response.json()["description"] == "x" * 10_000


def test_an_encoding_that_nobody_reads_is_told(api: Api) -> None:
    sent = {"content": b"{}", "headers": {"content-encoding": "br"}}
    assert api.error(415, "POST", MODELS, **sent).startswith("content-encoding: 'br' is not supported; use gzip")
    assert api.ask("POST", MODELS, **sent).headers["accept-encoding"] == "gzip"
    broken = {"content": b'{"name": "x"}', "headers": {"content-encoding": "gzip"}}
    assert "says that it is gzip and is not" in api.error(400, "POST", MODELS, **broken)


def test_json_that_is_nested_too_deep_is_told(api: Api) -> None:
    deep = b'{"customProperties":' + b"[" * 100_000
    assert api.error(400, "POST", MODELS, content=deep) == "body: the JSON is nested too deep; flatten it."
