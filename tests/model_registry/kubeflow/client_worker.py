"""Runs in the environment of Kubeflow's client: makes its calls on a server and prints what came back as JSON.

    python client_worker.py STORY ADDRESS PORT [ARGUMENT ...]

It imports nothing of ours but the file beside it, so it works with the client's own pins.
"""

import asyncio
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from generated_calls import generated  # type: ignore[import-not-found]
from model_registry.exceptions import StoreError  # type: ignore[import-not-found]
from model_registry.types import ModelArtifact, ModelVersion, RegisteredModel  # type: ignore[import-not-found]

from model_registry import ModelRegistry, __version__, utils  # type: ignore[attr-defined]  # not our folder of this name

FORMAT = {"model_format_name": "onnx", "model_format_version": "1.15"}


def shown(thing: Any) -> Any:
    """Return a model of the client as JSON can carry it."""
    return None if thing is None else json.loads(thing.model_dump_json())


def outcome(call: Callable[[], Any]) -> str:
    """Return the name of what a call raises."""
    try:
        call()
    except Exception as error:  # noqa: BLE001 - the test asserts which it was
        return type(error).__name__
    return ""


def models(client: Any) -> dict[str, Any]:
    """Register, read, page, filter and change models and versions."""
    metadata = {"int": 1, "float": 0.5, "text": "é", "flag": True, "whole": 2.0}
    made = client.register_model(
        "fraud/日本",
        "s3://bucket/fraud",
        version="1.0",
        author="ann",
        owner="team",
        version_description="first",
        metadata=metadata,
        storage_key="key",
        storage_path="path",
        service_account_name="account",
        model_source_kind="kfp",
        model_source_class="pipelinerun",
        model_source_group="ns",
        model_source_id="id",
        model_source_name="run",
        **FORMAT,
    )
    for number in range(2, 8):
        client.register_model("fraud/日本", f"s3://bucket/{number}", version=f"{number}.0", **FORMAT)
    for name in ("a", "b", "c"):
        client.register_model(name, "s3://bucket/x", version="1", **FORMAT)
    said = {
        "model": shown(made),
        "read": shown(client.get_registered_model("fraud/日本")),
        "version": shown(client.get_model_version("fraud/日本", "1.0")),
        "artifact": shown(client.get_model_artifact("fraud/日本", "1.0")),
        "no model": shown(client.get_registered_model("none")),
        "no version": shown(client.get_model_version("a", "none")),
        "version of no model": outcome(lambda: client.get_model_version("none", "1")),
        "artifact of no version": outcome(lambda: client.get_model_artifact("a", "none")),
        "again": outcome(lambda: client.register_model("a", "s3://bucket/x", version="1", **FORMAT)),
    }
    said["pages"] = pages(client)
    said["changed"] = changed(client)
    return said


def pages(client: Any) -> dict[str, Any]:
    """Return the names that pagers give, in the orders that they know."""
    versions = client.get_model_versions("fraud/日本")
    named: dict[str, Any] = {
        "models": [one.name for one in client.get_registered_models()],
        "two by two": [one.name for one in client.get_registered_models().page_size(2)],
        "one by one": [one.name for one in versions.page_size(1).order_by_id().descending()],
        "created": [one.name for one in versions.page_size(3).order_by_creation_time().ascending()],
        "updated": [one.name for one in versions.page_size(4).order_by_update_time().descending()],
        "page": len(versions.page_size(3).ascending().next_page()),
    }
    if hasattr(versions, "filter"):
        named["filtered"] = [one.name for one in versions.page_size(2).filter("name LIKE '%.0' AND name <> '2.0'")]
    return named


def changed(client: Any) -> dict[str, Any]:
    """Return what models, versions and artifacts are after a change, and what a change keeps."""
    model = client.get_registered_model("a")
    model.description, model.owner = "new", "bob"
    version = client.get_model_version("a", "1")
    version.custom_properties = {"kept": 1, "gone": 2}
    version = client.update(version)
    version.custom_properties = {"kept": 3}
    version.state = "ARCHIVED"
    artifact = client.get_model_artifact("a", "1")
    artifact.uri, artifact.state = "s3://bucket/new", "LIVE"
    updated = {"model": client.update(model), "version": client.update(version), "artifact": client.update(artifact)}
    unsaved: list[Any] = [RegisteredModel(name="x"), ModelVersion(name="x"), ModelArtifact(name="x", uri="y")]
    return {
        **{name: shown(thing) for name, thing in updated.items()},
        "read": shown(client.get_model_version("a", "1")),
        "unsaved": [outcome(partial(client.update, thing)) for thing in unsaved],
    }


def long_names(client: Any, name: str) -> dict[str, Any]:
    """Return for lengths of a version's name what registering it raises."""
    return {
        str(length): outcome(partial(client.register_model, name, "s3://b", version="v" * length, **FORMAT))
        for length in (250, 255)
    }


def bytes_in_s3(
    client: Any, name: str, folder: str, bucket: str, endpoint: str, key: str, secret: str
) -> dict[str, Any]:
    """Upload a folder and a file, and register what was uploaded."""
    where = utils.S3Params(
        bucket_name=bucket,
        s3_prefix="models/one",
        endpoint_url=endpoint,
        access_key_id=key,
        secret_access_key=secret,
        region="us-east-1",
    )
    said = {"version": "1", "upload_params": where, **FORMAT}
    client.upload_artifact_and_register_model(name, folder, **said)
    os.environ |= {
        "AWS_S3_BUCKET": bucket,
        "AWS_S3_ENDPOINT": endpoint,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    saved = client.save_to_s3(path=str(Path(folder) / "weights.bin"), bucket_name=bucket, s3_prefix="models/two")
    return {
        "artifact": shown(client.get_model_artifact(name, "1")),
        "again": outcome(lambda: client.upload_artifact_and_register_model(name, folder, **said)),
        "saved": saved,
    }


def image_of_a_model(client: Any, name: str, folder: str, base: str, pushed: str) -> dict[str, Any]:
    """Put a folder into an image by `olot`, push it, and register it; what is pulled and pushed are folders here."""
    asked: list[Any] = []

    def pull(base_image: str, dest: Path, **kwargs: Any) -> None:
        shutil.copytree(base, dest, dirs_exist_ok=True)
        asked.append([base_image, json.loads(Path(kwargs["authfile"]).read_text())])

    def push(src: Path, oci_ref: str, **kwargs: Any) -> None:
        shutil.copytree(src, pushed)
        asked.append([oci_ref])

    where = utils.OCIParams(
        base_image="quay.io/base/model:1",
        oci_ref="quay.io/team/fraud:1",
        custom_oci_backend=utils.BackendDefinition(is_available=lambda: True, pull=pull, push=push),
        oci_username="ann",
        oci_password="secret",
    )
    said = {"version": "1", "upload_params": where, **FORMAT}
    client.upload_artifact_and_register_model(name, folder, **said)
    where.custom_oci_backend.is_available = lambda: False
    return {
        "asked": asked,
        "artifact": shown(client.get_model_artifact(name, "1")),
        "again": outcome(lambda: client.upload_artifact_and_register_model(name, folder, **said)),
        "without a tool": outcome(
            lambda: client.upload_artifact_and_register_model(name, folder, **said | {"version": "2"})
        ),
        "second": shown(client.get_model_version(name, "2")),
    }


def experiments(client: Any) -> dict[str, Any]:
    """Track an experiment: runs, nested runs, parameters, metrics and data sets."""
    first = client.create_experiment("churn")
    with client.start_experiment_run(experiment_name="churn", owner="ann", run_description="d") as run:
        run.log_param("rate", "0.1")
        run.log_param("deep", "true", description="p")
        run.log_metric("auc", 0.5, step=1, timestamp="1700000000000")
        run.log_dataset("rows", uri="s3://bucket/rows", source_type="s3", source="bucket", schema="{}", profile="{}")
        with client.start_experiment_run(experiment_name="churn", nested=True) as inner:
            inner.log_metric("auc", 0.25)
    for value in (0.75, 0.875):
        with client.start_experiment_run(experiment_id=first.id, run_id=run.info.id) as again:
            again.log_metric("auc", value, step=2)
    by_name = client.get_experiment_runs(experiment_name="churn")
    return {
        "experiment": shown(first),
        "again": shown(client.create_experiment("churn")),
        "experiments": [one.name for one in client.get_experiments().page_size(1)],
        "runs": [shown(one) for one in by_name.order_by_id().ascending()],
        "by id": [one.id for one in client.get_experiment_runs(experiment_id=first.id).page_size(1)],
        "run": shown(client.get_experiment_run(run.info.id)),
        "logs": [shown(one) for one in client.get_experiment_run_logs(run_id=run.info.id)],
        "inner": [shown(one) for one in client.get_experiment_run_logs(run_id=inner.info.id).page_size(1)],
        "no run": shown(client.get_experiment_run("999999")),
        "nested without being told": outcome(lambda: _start_twice(client)),
    }


def _start_twice(client: Any) -> None:
    with client.start_experiment_run(experiment_name="churn"):
        client.start_experiment_run(experiment_name="churn")


def from_hugging_face(client: Any, name: str) -> dict[str, Any]:
    """Register a model of a Hugging Face hub, which HF_ENDPOINT names."""
    said = {"version": "1", "model_name": name, **FORMAT}
    made = client.register_hf_model("team/small", "onnx/model.onnx", **said)
    return {
        "model": shown(made),
        "version": shown(client.get_model_version(name, "1")),
        "artifact": shown(client.get_model_artifact(name, "1")),
        "unknown": outcome(lambda: client.register_hf_model("team/none", "x", **said)),
    }


def other_runner(client: Any, name: str) -> dict[str, Any]:
    """Let another runner run what the client does."""
    ran: list[str] = []

    def run(coroutine: Any) -> Any:
        ran.append(coroutine.__name__)
        return asyncio.run(coroutine)

    config = client._api.config
    other = ModelRegistry(config.host, author="a", is_secure=False, async_runner=run)
    other.register_model(name, "s3://b", version="1", **FORMAT)
    return {"ran": len(ran), "model": shown(other.get_registered_model(name))}


STORIES: dict[str, Callable[..., dict[str, Any]]] = {
    "models": models,
    "long_names": long_names,
    "bytes_in_s3": bytes_in_s3,
    "image_of_a_model": image_of_a_model,
    "experiments": experiments,
    "generated": generated,
    "from_hugging_face": from_hugging_face,
    "other_runner": other_runner,
}


def main(story: str, address: str, port: str, *arguments: str) -> None:
    """Tell one story and print its outcome as the last line."""
    warnings.simplefilter("ignore")
    token = os.environ.get("MR_TOKEN")
    try:
        client = ModelRegistry(address, int(port), author="author", is_secure=False, user_token=token)
    except Exception as error:  # noqa: BLE001 - the test asserts which it was
        print(json.dumps({"connecting": type(error).__name__, "said": str(error)}))
        return
    said = STORIES[story](client, *arguments)
    print(json.dumps(said | {"client": __version__}))


assert issubclass(StoreError, Exception)
if __name__ == "__main__":
    main(*sys.argv[1:])
