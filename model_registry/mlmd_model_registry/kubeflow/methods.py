"""Every call of the API by its name: for each version of the API one method of the store.

A method's request and response are documents in a BytesValue (see `calls`), so that they run, are logged and are
answered once under an idempotency key as every other method is.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from google.protobuf.wrappers_pb2 import BytesValue
from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import Role

from mlmd_model_registry.kubeflow import history, reads, serving, writes
from mlmd_model_registry.kubeflow.calls import Answer, Request
from mlmd_model_registry.kubeflow.shapes import (
    ARTIFACTS,
    EXPERIMENT,
    EXPERIMENT_RUN,
    INFERENCE_SERVICE,
    MODEL_ARTIFACT,
    MODEL_VERSION,
    REGISTERED_MODEL,
    SERVE_MODEL,
    SERVING_ENVIRONMENT,
    Entity,
)
from mlmd_model_registry.kubeflow.values import OLDER_API

VERSIONS = (OLDER_API, "v1")
Run = Callable[[Transaction, Request], Answer]


@dataclass(frozen=True, slots=True)
class Operation:
    """One call: HTTP's method, the path behind the version, what answers it, and the last version that has it."""

    verb: str
    path: str
    name: str
    run: Run
    until: str = ""

    @property
    def writes(self) -> bool:
        """Tell whether it changes anything."""
        return self.verb != "GET"


def _entity(one: str, many: str, entities: tuple[Entity, ...], title: str, until: str = "") -> Iterator[Operation]:
    yield Operation("GET", f"/{one}", f"find{title}", partial(_run, reads.find, entities), until)
    yield Operation("GET", f"/{many}", f"get{title}s", partial(_run, reads.list_all, entities), until)
    yield Operation("POST", f"/{many}", f"create{title}", partial(_run, writes.create, entities), until)
    yield Operation("GET", f"/{many}/{{id}}", f"get{title}", partial(_run, reads.get, entities), until)
    yield Operation("PATCH", f"/{many}/{{id}}", f"update{title}", partial(_run, writes.update, entities), until)


def _run(
    body: Callable[[Transaction, tuple[Entity, ...], Request], Answer],
    entities: tuple[Entity, ...],
    tx: Transaction,
    request: Request,
) -> Answer:
    return body(tx, entities, request)


def _children(
    path: str, titles: tuple[str, str], parent: Entity, child: Entity, until: str = ""
) -> Iterator[Operation]:
    yield Operation("GET", path, titles[0], lambda tx, r: reads.list_below(tx, (parent,), (child,), r), until)
    yield Operation("POST", path, titles[1], lambda tx, r: writes.create_below(tx, child, r), until)


def _artifacts(path: str, titles: tuple[str, str], parent: Entity, until: str = "") -> Iterator[Operation]:
    yield Operation("GET", path, titles[0], lambda tx, r: reads.list_below(tx, (parent,), ARTIFACTS, r), until)
    yield Operation("POST", path, titles[1], lambda tx, r: writes.put_artifact(tx, (parent,), r), until)


_RUNS = "/experiment_runs"
OPERATIONS: tuple[Operation, ...] = (
    *_entity("registered_model", "registered_models", (REGISTERED_MODEL,), "RegisteredModel"),
    *_children(
        "/registered_models/{id}/versions",
        ("getRegisteredModelVersions", "createRegisteredModelVersion"),
        REGISTERED_MODEL,
        MODEL_VERSION,
    ),
    *_entity("model_version", "model_versions", (MODEL_VERSION,), "ModelVersion"),
    *_artifacts(
        "/model_versions/{id}/artifacts",
        ("getModelVersionArtifacts", "upsertModelVersionArtifact"),
        MODEL_VERSION,
    ),
    *_entity("artifact", "artifacts", ARTIFACTS, "Artifact"),
    *_entity("model_artifact", "model_artifacts", (MODEL_ARTIFACT,), "ModelArtifact"),
    *_entity("serving_environment", "serving_environments", (SERVING_ENVIRONMENT,), "ServingEnvironment"),
    *_children(
        "/serving_environments/{id}/inference_services",
        ("getEnvironmentInferenceServices", "createEnvironmentInferenceService"),
        SERVING_ENVIRONMENT,
        INFERENCE_SERVICE,
    ),
    *_entity("inference_service", "inference_services", (INFERENCE_SERVICE,), "InferenceService"),
    Operation("GET", "/inference_services/{id}/model", "getInferenceServiceModel", serving.served_model),
    Operation("GET", "/inference_services/{id}/version", "getInferenceServiceVersion", serving.served_version),
    *_children(
        "/inference_services/{id}/serves",
        ("getInferenceServiceServes", "createInferenceServiceServe"),
        INFERENCE_SERVICE,
        SERVE_MODEL,
    ),
    *_entity("experiment", "experiments", (EXPERIMENT,), "Experiment", OLDER_API),
    *_children(
        "/experiments/{id}/experiment_runs",
        ("getExperimentExperimentRuns", "createExperimentExperimentRun"),
        EXPERIMENT,
        EXPERIMENT_RUN,
        OLDER_API,
    ),
    Operation("GET", f"{_RUNS}/metric_history", "getExperimentRunsMetricHistory", history.history_of_all, OLDER_API),
    *_entity("experiment_run", "experiment_runs", (EXPERIMENT_RUN,), "ExperimentRun", OLDER_API),
    *_artifacts(
        f"{_RUNS}/{{id}}/artifacts",
        ("getExperimentRunArtifacts", "upsertExperimentRunArtifact"),
        EXPERIMENT_RUN,
        OLDER_API,
    ),
    Operation(
        "GET", f"{_RUNS}/{{id}}/metric_history", "getExperimentRunMetricHistory", history.history_of_run, OLDER_API
    ),
)
"""All calls of all versions; a path without `{id}` comes before those that it also fits."""


def service_of(api: str) -> str:
    """Return the name of the service that the calls of a version are, for the log and measurements."""
    return f"kubeflow.model_registry.{api}"


def operations(api: str) -> Iterator[Operation]:
    """Yield the calls that a version of the API has."""
    return (operation for operation in OPERATIONS if operation.until in ("", api))


def _body(api: str, run: Run, tx: Transaction, request: BytesValue) -> BytesValue:
    return BytesValue(value=run(tx, Request.unpacked(api, request.value)).packed())


def _methods() -> Iterator[Rpc]:
    for api in VERSIONS:
        for operation in operations(api):
            role = Role.WRITER if operation.writes else Role.READER
            body = partial(_body, api, operation.run)
            yield Rpc(service_of(api), operation.name, BytesValue, BytesValue, role, operation.writes, body)


KUBEFLOW_METHODS = tuple(_methods())
