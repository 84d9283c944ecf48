"""Kubeflow's own Python client, unchanged, against a running server: its whole public API, in both versions of it."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from minio import Minio

from tests.conftest import StartServer
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


def teller(version: str, server: Server, token: str = "") -> Tell:
    def tell(story: str, *arguments: str) -> Any:
        command = [str(python_of(version)), str(WORKER), story, "http://127.0.0.1", str(server.http_port), *arguments]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=240,
            env=environment | ({"MR_TOKEN": token} if token else {}),
        )
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


def test_long_names(tell: Tell) -> None:
    told = tell("long_names")
    assert told["250"] == ""
    assert told["255"] not in ("", "ServiceException")


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


def test_bytes_in_s3(tell: Tell, s3: S3Address, s3_admin: Minio, bucket: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    contents = {"weights.bin": b"w" * 70_000, "deep/config.json": b"{}"}
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    told = tell("bytes_in_s3", str(folder), bucket, s3.endpoint, s3.access_key, s3.secret_key)
    assert told["artifact"]["uri"].startswith(f"s3://{bucket}/models/one?endpoint={s3.endpoint}")
    assert told["saved"].startswith(f"s3://{bucket}/models/two")
    assert told["again"] == "StoreError"
    stored = {
        item.object_name: s3_admin.get_object(bucket, item.object_name).read()
        for item in s3_admin.list_objects(bucket, recursive=True)
        if item.object_name is not None
    }
    assert sorted(stored) == ["models/one/deep/config.json", "models/one/weights.bin", "models/two"] or all(
        stored[name] in contents.values() for name in stored
    )
    assert {stored[f"models/one/{name}"] for name in contents} == set(contents.values())


def test_tokens_and_roles(start_server: StartServer, version: str, sqlite_url: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text(
        '[[token]]\ntoken = "w"\nsubject = "ann"\nroles = ["writer"]\n'
        '[[token]]\ntoken = "r"\nsubject = "bob"\nroles = ["reader"]\n'
    )
    server = start_server(sqlite_url, http=True, options=("--auth", f"tokens={tokens}"))
    assert teller(version, server)("long_names")["connecting"] in ("UnauthorizedException", "StoreError")
    assert teller(version, server, "w")("long_names")["250"] == ""
    refused = teller(version, server, "r")("long_names")
    assert (refused["250"], refused["255"]) == ("", "ForbiddenException") or refused["250"] == "StoreError"
