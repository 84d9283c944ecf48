"""Kubeflow's own Python client, unchanged, against a running server: its whole public API, in both versions of it."""

import json
import os
import subprocess
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from minio import Minio

from tests.conftest import StartServer
from tests.model_registry.kubeflow.images import layer_contents, write_image
from tests.model_registry.kubeflow.rest import fresh
from tests.services.ceph import S3Address
from tests.services.missing import missing
from tests.services.server import Server

ENVIRONMENTS = Path(__file__).resolve().parents[3] / ".envs"
WORKER = Path(__file__).with_name("client_worker.py")
VERSIONS = {"v1alpha3": "0.3.9", "v1": "0.3.18"}
Tell = Callable[..., Any]


def python_of(version: str) -> Path:
    python = ENVIRONMENTS / f"registry-client-{version}" / "bin" / "python"
    if not python.exists():
        missing(f"Kubeflow's client is not there (no {python}): `make registry-clients` sets it up")
    return python


@pytest.fixture(params=list(VERSIONS))
def version(request: pytest.FixtureRequest) -> str:
    """The version of the API that the client speaks."""
    chosen: str = request.param
    return chosen


def teller(version: str, server: Server, token: str = "", environment: Mapping[str, str] | None = None) -> Tell:
    """Return a function that has the client of a version tell a story."""
    given = {**({"MR_TOKEN": token} if token else {}), **(environment or {})}

    def tell(story: str, *arguments: str) -> Any:
        command = [str(python_of(version)), str(WORKER), story, "http://127.0.0.1", str(server.http_port), *arguments]
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=inherited | given)
        assert done.returncode == 0, done.stderr[-4000:]
        return json.loads(done.stdout.splitlines()[-1])

    return tell


@pytest.fixture
def server(start_server: StartServer, database_url: str) -> Server:
    """A server with a database of the test's own."""
    return start_server(database_url, http=True)


@pytest.fixture
def tell(server: Server, version: str) -> Tell:
    """A function that has the client tell a story."""
    return teller(version, server)


def test_models(tell: Tell, version: str) -> None:
    told = tell("models")
    assert told["client"] == VERSIONS[version]
    assert told["read"] == told["model"]
    assert (told["model"]["name"], told["model"]["owner"]) == ("fraud/日本", "team")
    check_version(told)
    check_artifact(told["artifact"])
    assert (told["no model"], told["no version"]) == (None, None)
    errors = ("version of no model", "artifact of no version", "again")
    assert [told[name] for name in errors] == ["StoreError"] * 3
    check_pages(told["pages"], version)
    check_changes(told["changed"])


def check_version(told: dict[str, Any]) -> None:
    version = told["version"]
    assert (version["name"], version["author"], version["description"]) == ("1.0", "ann", "first")
    assert version["registered_model_id"] == told["model"]["id"]
    metadata = version["custom_properties"]
    assert metadata == {"int": 1, "float": 0.5, "text": "é", "flag": True, "whole": 2.0}
    assert [type(metadata[name]) for name in ("int", "flag", "whole")] == [int, bool, float]


def check_artifact(artifact: dict[str, Any]) -> None:
    wanted = {
        "name": "fraud/日本",
        "uri": "s3://bucket/fraud",
        "model_format_name": "onnx",
        "model_format_version": "1.15",
        "storage_key": "key",
        "storage_path": "path",
        "service_account_name": "account",
        "model_source_kind": "kfp",
        "model_source_class": "pipelinerun",
        "model_source_group": "ns",
        "model_source_id": "id",
        "model_source_name": "run",
    }
    assert {name: artifact[name] for name in wanted} == wanted


def check_pages(named: dict[str, Any], version: str) -> None:
    models, versions = ["fraud/日本", "a", "b", "c"], [f"{number}.0" for number in range(1, 8)]
    assert named["models"] == named["two by two"] == models
    assert named["one by one"] == named["updated"] == versions[::-1]
    assert named["created"] == versions
    assert named["page"] == 3
    assert named.get("filtered", ["1.0", *versions[2:]]) == ["1.0", *versions[2:]]


def check_changes(changed: dict[str, Any]) -> None:
    assert (changed["model"]["description"], changed["model"]["owner"]) == ("new", "bob")
    assert changed["read"] == changed["version"]
    assert (changed["version"]["state"], changed["version"]["custom_properties"]) == ("ARCHIVED", {"kept": 3})
    artifact = changed["artifact"]
    assert (artifact["uri"], artifact["state"], artifact["name"]) == ("s3://bucket/new", "LIVE", "a")
    assert artifact["model_format_name"] == "onnx"
    assert changed["unsaved"] == ["StoreError"] * 3


def test_every_call_of_the_generated_client(tell: Tell, version: str) -> None:
    told = tell("generated")
    assert told["missed"] == []
    assert [state.get("state") for state in told["states"]] == ["ARCHIVED", "LIVE"]
    assert told["kinds"] == ["ModelArtifact", "DocArtifact", "DataSet", "Metric", "Parameter"]
    assert (told["described"], told["desired"], told["serving"]) == ("new", "UNDEPLOYED", "RUNNING")
    assert all(told["same"] + told["found"] + told["served"] + told.get("runs", []))
    assert (told["listed"], told["sizes"], told["services"]) == ([1, 1, 1], [5, 1, 2], [1, 2, 2, 1])
    assert told.get("run sizes", [1, 2, 2, 1, 2, 2]) == [1, 2, 2, 1, 2, 2]
    assert ("status" in told) == (version == "v1alpha3")


@pytest.fixture
def tell_beside(served: Server, version: str) -> Tell:
    """A function that has the client tell a story on a server that has other models too."""
    return teller(version, served)


@pytest.mark.parametrize("served", ["sqlite"], indirect=True)
def test_another_runner(tell_beside: Tell) -> None:
    name = fresh("runner")
    told = tell_beside("other_runner", name)
    assert (told["model"]["name"], told["ran"] >= 3) == (name, True)


class Hub(BaseHTTPRequestHandler):
    """As much of a Hugging Face hub as the client asks: one model."""

    def do_GET(self) -> None:
        """Answer for the one model there is."""
        there = self.path.startswith("/api/models/team/small/revision/main")
        model = {"id": "team/small", "author": "team", "cardData": {"license": "mit", "pretty": True}, "siblings": []}
        body = json.dumps(model if there else {"error": "Repository not found"}).encode()
        self.send_response(200 if there else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        if not there:
            self.send_header("x-error-code", "RepoNotFound")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.mark.parametrize("served", ["sqlite"], indirect=True)
def test_a_model_of_hugging_face(served: Server, version: str) -> None:
    name = fresh("hf")
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as hub:
        threading.Thread(target=hub.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{hub.server_port}"
        there = {"HF_ENDPOINT": endpoint, "NO_PROXY": "127.0.0.1"}
        told = teller(version, served, environment=there)("from_hugging_face", name)
        hub.shutdown()
    assert (told["model"]["name"], told["unknown"]) == (name, "StoreError")
    assert told["version"]["author"] == "team"
    metadata = told["version"]["custom_properties"]
    assert (metadata["repo"], metadata["model_origin"], metadata["license"]) == ("team/small", "huggingface_hub", "mit")
    assert told["artifact"]["uri"] == f"{endpoint}/team/small/resolve/main/onnx/model.onnx"


def test_long_names(tell_beside: Tell) -> None:
    told = tell_beside("long_names", fresh("long"))
    assert told["250"] == ""
    assert told["255"] == "BadRequestException"


def test_experiments(server: Server) -> None:
    told = teller("v1alpha3", server)("experiments")
    assert told["again"]["id"] == told["experiment"]["id"]
    assert told["experiments"] == ["churn"]
    run, inner = told["runs"]
    assert told["run"] == run
    assert set(told["by id"]) == {run["id"], inner["id"]}
    assert (run["experiment_id"], run["description"], run["state"]) == (told["experiment"]["id"], "d", "LIVE")
    assert inner["custom_properties"] == {"kubeflow.parent_run_id": run["id"]}
    logged = {log["name"]: log for log in told["logs"]}
    assert set(logged) == {"rate", "deep", "auc", "rows"}
    assert all(log["experiment_run_id"] == run["id"] for log in told["logs"])
    assert (logged["auc"]["value"], logged["auc"]["step"]) == (0.875, 2)
    assert (logged["rate"]["value"], logged["deep"]["description"]) == ("0.1", "p")
    assert (logged["rows"]["uri"], logged["rows"]["source_type"]) == ("s3://bucket/rows", "s3")
    assert [log["value"] for log in told["inner"]] == [0.25]
    assert told["no run"] is None
    assert told["nested without being told"] == "ValueError"


def test_bytes_in_s3(tell_beside: Tell, s3: S3Address, s3_admin: Minio, bucket: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    contents = {"weights.bin": b"w" * 70_000, "deep/config.json": b"{}"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    told = tell_beside("bytes_in_s3", fresh("uploaded"), str(folder), bucket, s3.endpoint, s3.access_key, s3.secret_key)
    assert told["artifact"]["uri"].startswith(f"s3://{bucket}/models/one?endpoint={s3.endpoint}")
    assert told["saved"].startswith(f"s3://{bucket}/models/two")
    assert told["again"] == "StoreError"
    stored = {
        item.object_name: s3_admin.get_object(bucket, item.object_name).read()
        for item in s3_admin.list_objects(bucket, recursive=True)
        if item.object_name is not None
    }
    saved = told["saved"].removeprefix(f"s3://{bucket}/").partition("?")[0]
    assert {name: content for name, content in stored.items() if name.startswith("models/one/")} == {
        f"models/one/{name}": content for name, content in contents.items()
    }
    assert [content for name, content in stored.items() if name.startswith(saved)] == [contents["weights.bin"]]


def test_an_image_of_a_model(tell_beside: Tell, served: Server, tmp_path: Path) -> None:
    """The client's upload as an image, with `olot` as it is; only the tool that carries images is ours."""
    folder, base, pushed = tmp_path / "model", tmp_path / "base", tmp_path / "pushed"
    (folder / "deep").mkdir(parents=True)
    contents = {"weights.bin": b"w" * 70_000, "deep/config.json": b"{}"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    write_image(base, b"the base")
    name = fresh("image")
    told = tell_beside("image_of_a_model", name, str(folder), str(base), str(pushed))
    assert [one[0] for one in told["asked"]] == ["quay.io/base/model:1", "quay.io/team/fraud:1"]
    assert list(told["asked"][0][1]["auths"]) == ["quay.io/team/fraud"]
    assert told["artifact"]["uri"] == "oci://quay.io/team/fraud:1"
    assert (told["again"], told["without a tool"], told["second"]) == ("StoreError", "ValueError", None)
    assert sorted(layer_contents(pushed)) == sorted([b"the base", *contents.values()])
    resolved = httpx.get(
        f"{served.http_url}/registry/resolve", params={"uri": f"models:/{name}/1"}, trust_env=False
    ).json()
    assert (resolved["uri"], resolved["format"]["name"]) == ("oci://quay.io/team/fraud:1", "onnx")


def test_tokens_and_roles(start_server: StartServer, version: str, sqlite_url: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(
        '[[token]]\ntoken = "w"\nsubject = "ann"\nroles = ["writer"]\n'
        '[[token]]\ntoken = "r"\nsubject = "bob"\nroles = ["reader"]\n'
    )
    server = start_server(sqlite_url, http=True, options=("--auth", f"tokens={tokens}"))
    assert teller(version, server)("long_names", "long")["connecting"] == "UnauthorizedException"
    assert teller(version, server, "w")("long_names", "long")["250"] == ""
    refused = teller(version, server, "r")("long_names", "long")
    assert (refused["250"], refused["255"]) == ("StoreError", "ForbiddenException"), (
        "what is there is read, nothing written"
    )
