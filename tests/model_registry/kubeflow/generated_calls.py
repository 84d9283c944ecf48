"""Every call of the generated client, whose models are strict; runs in the client's environment."""

from typing import Any

import mr_openapi as api_models  # type: ignore[import-not-found]


class Recorder:
    """The generated client, which remembers what of it was called."""

    def __init__(self, generated: Any) -> None:
        self._generated = generated
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        self.called.add(name)
        return getattr(self._generated, name)

    def missed(self) -> list[str]:
        """Return the operations that were not called."""
        ends = ("_with_http_info", "_without_preload_content", "_serialize")
        named = {name for name in dir(self._generated) if not name.startswith("_") and not name.endswith(ends)}
        return sorted(named - self.called - {"api_client"})


def generated(client: Any) -> dict[str, Any]:
    """Make every call of the generated client, whose models are strict about what they read."""

    async def tell() -> dict[str, Any]:
        async with client._api.get_client() as raw:
            api = Recorder(raw)
            said = await every_call(api)
            if hasattr(raw, "create_experiment"):
                said |= await every_experiment_call(api)
            return said | {"missed": api.missed()}

    return dict(client.async_runner(tell()))


def custom() -> dict[str, Any]:
    """Return a custom property of each kind."""
    values = {"string": "é", "int": "5", "double": 0.5, "bool": True, "struct": "eyJhIjoxfQ=="}
    return {
        kind: api_models.MetadataValue.from_dict(
            {f"{kind}_value": value, "metadataType": f"Metadata{kind.capitalize()}Value"}
        )
        for kind, value in values.items()
    }


async def every_call(api: Any) -> dict[str, Any]:
    """Make the calls that both versions have."""
    model = await api.create_registered_model(
        api_models.RegisteredModelCreate(
            name="g", externalId="m", language=["en"], tasks=["t"], customProperties=custom()
        )
    )
    made = api_models.ModelVersionCreate(name="1", registeredModelId=model.id, externalId="v")
    version = await api.create_model_version(made)
    second = api_models.ModelVersion(name="2", registeredModelId=model.id)
    await api.create_registered_model_version(model.id, second)
    states = {
        "model": await api.update_registered_model(model.id, api_models.RegisteredModelUpdate(state="ARCHIVED")),
        "version": await api.update_model_version(version.id, api_models.ModelVersionUpdate(author="ann")),
    }
    await api.update_registered_model(model.id, api_models.RegisteredModelUpdate(state="LIVE"))
    listed = [
        (await api.get_registered_models(filter_query="name = 'g'")).size,
        (await api.get_model_versions(order_by="CREATE_TIME", sort_order="DESC", page_size="1")).size,
        (await api.get_registered_model_versions(model.id, name="1")).size,
    ]
    same = [
        (await api.get_registered_model(model.id)).id == (await api.find_registered_model(name="g")).id,
        (await api.get_model_version(version.id)).id == (await api.find_model_version(external_id="v")).id,
    ]
    artifacts = await every_artifact_call(api, version.id)
    serving = await every_serving_call(api, model.id, version.id)
    return {"states": [one.to_dict() for one in states.values()], "listed": listed, "same": same} | artifacts | serving


async def every_artifact_call(api: Any, version: str) -> dict[str, Any]:
    """Make the calls about artifacts, of every kind."""
    bodies = [
        api_models.ModelArtifact(name="m", uri="s3://b/m", artifactType="model-artifact"),
        api_models.DocArtifact(name="d", uri="s3://b/d", artifactType="doc-artifact"),
        api_models.DataSet(name="s", uri="s3://b/s", artifactType="dataset-artifact", digest="1"),
        api_models.Metric(name="q", value=0.5, step=_step(), timestamp="1700000000000", artifactType="metric"),
        api_models.Parameter(name="p", value="1", parameterType="number", artifactType="parameter"),
    ]
    kinds = []
    for body in bodies:
        made = await api.upsert_model_version_artifact(version, api_models.Artifact(body))
        read = await api.get_artifact(made.actual_instance.id)
        kinds.append(type(read.actual_instance).__name__)
    one = await api.create_artifact(api_models.ArtifactCreate(api_models.DocArtifactCreate(name="x", externalId="x")))
    update = api_models.DocArtifactUpdate(description="new", artifactType="doc-artifact")
    changed = await api.update_artifact(one.actual_instance.id, api_models.ArtifactUpdate(update))
    model = await api.create_model_artifact(api_models.ModelArtifactCreate(name="y", uri="s3://b/y", externalId="y"))
    await api.update_model_artifact(model.id, api_models.ModelArtifactUpdate(storageKey="k"))
    return {
        "kinds": kinds,
        "described": changed.actual_instance.description,
        "found": [
            (await api.find_artifact(external_id="x")).actual_instance.id == one.actual_instance.id,
            (await api.find_model_artifact(external_id="y")).id == (await api.get_model_artifact(model.id)).id,
        ],
        "sizes": [
            (await api.get_model_version_artifacts(version)).size,
            (await api.get_artifacts(artifact_type="metric")).size,
            (await api.get_model_artifacts()).size,
        ],
    }


def _step() -> Any:
    """Return a step as the version's metrics have it."""
    try:
        api_models.Metric(value=1, step=7)
    except ValueError:
        return "7"
    return 7


async def every_serving_call(api: Any, model: str, version: str) -> dict[str, Any]:
    """Make the calls about serving environments, inference services and serve models."""
    environment = await api.create_serving_environment(api_models.ServingEnvironmentCreate(name="ns"))
    await api.update_serving_environment(environment.id, api_models.ServingEnvironmentUpdate(description="d"))
    body = api_models.InferenceServiceCreate(name="s", registeredModelId=model, servingEnvironmentId=environment.id)
    service = await api.create_inference_service(body)
    if (
        service is None
    ):  # the specification of v1alpha3 says 200, every server 201, and this client reads what is specified
        service = await api.find_inference_service(name="s", parent_resource_id=environment.id)
    other = api_models.InferenceServiceCreate(name="o", registeredModelId=model, servingEnvironmentId=environment.id)
    await api.create_environment_inference_service(environment.id, other)
    update = api_models.InferenceServiceUpdate(modelVersionId=version, desiredState="UNDEPLOYED")
    changed = await api.update_inference_service(service.id, update)
    serve = api_models.ServeModelCreate(modelVersionId=version, lastKnownState="RUNNING")
    made = await api.create_inference_service_serve(service.id, serve)
    return {
        "desired": changed.desired_state,
        "serving": made.last_known_state,
        "served": [
            (await api.get_inference_service_model(service.id)).id == model,
            (await api.get_inference_service_version(service.id)).id == version,
            (await api.get_serving_environment(environment.id)).description == "d",
            (await api.find_serving_environment(name="ns")).id == environment.id,
            (await api.get_inference_service(service.id)).id == service.id,
            (await api.find_inference_service(name="s", parent_resource_id=environment.id)).id == service.id,
        ],
        "services": [
            (await api.get_serving_environments()).size,
            (await api.get_inference_services()).size,
            (await api.get_environment_inference_services(environment.id)).size,
            (await api.get_inference_service_serves(service.id)).size,
        ],
    }


async def every_experiment_call(api: Any) -> dict[str, Any]:
    """Make the calls that v1 no longer has."""
    experiment = await api.create_experiment(api_models.ExperimentCreate(name="e"))
    await api.update_experiment(experiment.id, api_models.ExperimentUpdate(owner="ann"))
    run = await api.create_experiment_run(api_models.ExperimentRunCreate(name="r", experimentId=experiment.id))
    below = api_models.ExperimentRun(name="r2", experimentId=experiment.id)
    await api.create_experiment_experiment_run(experiment.id, below)
    ended = await api.update_experiment_run(run.id, api_models.ExperimentRunUpdate(status="FINISHED"))
    for value in (0.5, 0.75):
        metric = api_models.Metric(name="q", value=value, step=_step(), artifactType="metric")
        await api.upsert_experiment_run_artifact(run.id, api_models.Artifact(metric))
    return {
        "status": ended.status,
        "runs": [
            (await api.get_experiment(experiment.id)).owner == "ann",
            (await api.find_experiment(name="e")).id == experiment.id,
            (await api.get_experiment_run(run.id)).id == run.id,
            (await api.find_experiment_run(name="r", parent_resource_id=experiment.id)).id == run.id,
        ],
        "run sizes": [
            (await api.get_experiments()).size,
            (await api.get_experiment_runs()).size,
            (await api.get_experiment_experiment_runs(experiment.id)).size,
            (await api.get_experiment_run_artifacts(run.id)).size,
            (await api.get_experiment_run_metric_history(run.id, name="q", step_ids="7")).size,
            (await api.get_experiment_runs_metric_history(name="q")).size,
        ],
    }
