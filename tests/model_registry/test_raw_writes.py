"""Programs that write MLMD's nodes beside the registry: what they may change, and what stays beyond doubt."""

from typing import Any

import pytest
from mlmd_schemas.errors import Code, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from tests.model_registry.conftest import Registry

CHAMPION: dict[str, Any] = {"model": "fraud", "alias": "champion"}


@pytest.fixture
def fraud(registry: Registry) -> Registry:
    """A model with three versions and an alias on the first."""
    for _ in range(3):
        registry.version()
    registry("MoveModelAlias", **CHAMPION, version="1")
    return registry


def version(registry: Registry, number: int) -> Any:
    return registry("GetModelVersion", model="fraud", version=str(number)).version


def stored(registry: Registry, context_id: int) -> pb.Context:
    """Read a context as any program of MLMD does."""
    found: pb.Context = registry("GetContextsByID", context_ids=[context_id]).contexts[0]
    return found


def put_context(registry: Registry, how: str, context: pb.Context) -> Code:
    """Write a context back, alone or beside an execution; return the code."""
    if how == "PutContexts":
        fields: dict[str, Any] = {"contexts": [context]}
    else:
        kind = registry("PutExecutionType", execution_type=pb.ExecutionType(name="Trainer")).type_id
        fields = {"execution": pb.Execution(type_id=kind), "contexts": [context]}
    return outcome(registry, how, **fields)


def outcome(registry: Registry, method: str, **fields: Any) -> Code:
    try:
        registry(method, **fields)
    except StoreError as error:
        return error.code
    return Code.OK


@pytest.mark.parametrize("how", ["PutContexts", "PutExecution"])
def test_models_versions_and_collections_keep_their_names(fraud: Registry, how: str) -> None:
    fraud("PutArtifactType", artifact_type=pb.ArtifactType(name="system.Dataset"))
    data = fraud("AddVersion", type_name="system.Dataset", name="tables/a", artifact=b"").version
    model = fraud("GetModel", model="fraud").model
    for context_id in (model.id, version(fraud, 1).id, data.context_id):
        context = stored(fraud, context_id)
        context.name = "another"
        assert put_context(fraud, how, context) is Code.FAILED_PRECONDITION
    assert fraud("GetModelVersion", **CHAMPION).version.number == 1
    assert fraud("ResolveVersion", type_name="system.Dataset", name="tables/a", number=1).version == data


@pytest.mark.parametrize("how", ["PutContexts", "PutExecution"])
def test_what_an_alias_points_at_is_not_archived_by_a_plain_write(fraud: Registry, how: str) -> None:
    for number, code in ((1, Code.FAILED_PRECONDITION), (2, Code.OK)):
        context = stored(fraud, version(fraud, number).id)
        context.properties["state"].string_value = "ARCHIVED"
        context.custom_properties["by"].string_value = "hand"
        assert put_context(fraud, how, context) is code
    assert version(fraud, 1).state == v1.MODEL_STATE_LIVE
    assert not version(fraud, 1).tags, "nothing of a refused write is written"
    assert (version(fraud, 2).state, dict(version(fraud, 2).tags)) == (v1.MODEL_STATE_ARCHIVED, {"by": "hand"})
    assert fraud.code("MoveModelAlias", **CHAMPION, version="2") is Code.FAILED_PRECONDITION


def test_what_an_alias_points_at_keeps_its_uri_whoever_writes(fraud: Registry) -> None:
    for number, code in ((1, Code.FAILED_PRECONDITION), (2, Code.OK)):
        artifact_id = version(fraud, number).model_artifact_id
        (artifact,) = fraud("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
        artifact.uri = "s3://elsewhere/model"
        assert outcome(fraud, "PutArtifacts", artifacts=[artifact]) is code
    assert version(fraud, 1).uri.startswith("s3://models/fraud/")
    assert version(fraud, 2).uri == "s3://elsewhere/model"


def test_texts_and_tags_may_be_written_by_anybody(fraud: Registry) -> None:
    context = stored(fraud, fraud("GetModel", model="fraud").model.id)
    context.properties["description"].string_value = "by hand"
    context.custom_properties["team"].string_value = "risk"
    assert put_context(fraud, "PutContexts", context) is Code.OK
    model = fraud("GetModel", model="fraud").model
    assert (model.description, dict(model.tags), dict(model.aliases)) == ("by hand", {"team": "risk"}, {"champion": 1})


def test_a_version_is_its_models_whatever_its_properties_say(fraud: Registry) -> None:
    context = stored(fraud, version(fraud, 1).id)
    context.properties["model_name"].string_value = "other"
    context.properties["version"].string_value = "99"
    context.properties["registered_model_id"].int_value = 99
    assert put_context(fraud, "PutContexts", context) is Code.OK
    found = version(fraud, 1)
    assert (found.model, found.number, found.name) == ("fraud", 1, "1")
    service = {"environment": "prod", "service": "scorer", "state": v1.DEPLOYMENT_STATE_RUNNING}
    deployment = fraud("RecordDeployment", model="fraud", version="1", **service).deployment
    assert (deployment.model, deployment.number) == ("fraud", 1)


def test_a_link_to_another_model_makes_no_version_of_it(fraud: Registry) -> None:
    fraud.version("churn")
    churn = fraud("GetModel", model="churn").model
    link = pb.ParentContext(child_id=version(fraud, 3).id, parent_id=churn.id)
    fraud("PutParentContexts", parent_contexts=[link])
    assert [v.model for v in fraud("ListModelVersions", model="churn").versions] == ["churn"]
    latest = fraud("GetModelVersion", model="churn", alias="latest").version
    assert (latest.model, latest.number) == ("churn", 1)
    assert fraud.version("churn").number == 2
