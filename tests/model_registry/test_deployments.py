"""Deployments: what runs where, as the nodes that an impact ends at."""

import contextlib
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.keyset_tokens import token_after
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry.changes import TOPIC
from mlmd_model_registry.deployments import record_deployment
from mlmd_model_registry.models import find_model
from mlmd_model_registry.version_reads import find_version
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from tests.model_registry.conftest import Registry
from tests.services.sql_server import Address
from tests.services.waiting import wait_for

PENDING, RUNNING = v1.DEPLOYMENT_STATE_PENDING, v1.DEPLOYMENT_STATE_RUNNING
FAILED, STOPPED = v1.DEPLOYMENT_STATE_FAILED, v1.DEPLOYMENT_STATE_STOPPED


@pytest.fixture
def fraud(registry: Registry) -> Registry:
    """A model with two versions."""
    for _ in range(2):
        registry.version()
    return registry


def record(registry: Registry, version: str, state: int, service: str = "scorer", **fields: Any) -> Any:
    asked = {"environment": "prod/eu", "service": service, "model": "fraud", "version": version, "state": state}
    return registry("RecordDeployment", **(asked | fields)).deployment


def states(registry: Registry, **fields: Any) -> list[tuple[str, int, int]]:
    found = registry("ListDeployments", **fields).deployments
    return [(one.service, one.number, one.state) for one in found]


def test_a_deployment_is_a_node_that_reads_the_model(fraud: Registry) -> None:
    made = record(fraud, "1", RUNNING, runtime="kserve-onnx")
    assert (made.environment, made.service, made.number, made.state) == ("prod/eu", "scorer", 1, RUNNING)
    assert (made.model, made.version, made.runtime) == ("fraud", "1", "kserve-onnx")
    version = fraud("GetModelVersion", model="fraud", version="1").version
    events = fraud("GetEventsByExecutionIDs", execution_ids=[made.execution_id]).events
    assert [(event.artifact_id, event.type) for event in events] == [(version.artifact_id, pb.Event.INPUT)]
    (execution,) = fraud("GetExecutionsByID", execution_ids=[made.execution_id]).executions
    assert (execution.type, execution.last_known_state) == ("kf.ServeModel", pb.Execution.RUNNING)
    assert execution.properties["model_version_id"].int_value == version.id
    (service,) = fraud("GetContextsByExecution", execution_id=made.execution_id).contexts
    assert (service.type, service.id, service.name.endswith(":scorer")) == ("kf.InferenceService", made.id, True)
    numbers = {name: value.int_value for name, value in service.properties.items() if value.int_value}
    (environment,) = fraud("GetParentContextsByContext", context_id=made.id).contexts
    assert numbers == {
        "registered_model_id": version.model_id,
        "model_version_id": version.id,
        "serving_environment_id": environment.id,
    }
    assert service.properties["desired_state"].string_value == "DEPLOYED"
    assert (environment.type, environment.name) == ("kf.ServingEnvironment", "prod/eu")
    assert not fraud("GetParentContextsByContext", context_id=environment.id).contexts


def test_a_deployment_makes_answers_of_before_count_no_longer(fraud: Registry) -> None:
    told: list[set[str]] = []
    fraud.store.database.committed = told.append
    record(fraud, "1", RUNNING)
    assert told == [{TOPIC}]


@pytest.mark.parametrize("name", ["scorer", "team:scorer", ":scorer", "²:scorer", "9" * 30 + ":scorer", "-1:scorer"])
def test_a_service_of_another_program_is_listed_whatever_its_name(fraud: Registry, name: str) -> None:
    record(fraud, "1", RUNNING)
    version = fraud("GetModelVersion", model="fraud", version="2").version
    service_type = fraud("GetContextType", type_name="kf.InferenceService").context_type.id
    (service,) = fraud("PutContexts", contexts=[pb.Context(type_id=service_type, name=name)]).context_ids
    serve_type = fraud("GetExecutionType", type_name="kf.ServeModel").execution_type.id
    serving = pb.Execution(type_id=serve_type, properties={"model_version_id": pb.Value(int_value=version.id)})
    (execution,) = fraud("PutExecutions", executions=[serving]).execution_ids
    member = pb.Association(context_id=service, execution_id=execution)
    fraud("PutAttributionsAndAssociations", associations=[member])
    found = fraud("ListDeployments").deployments
    told = [(one.environment, one.service, one.version) for one in found]
    assert told == [("", name.partition(":")[2] or name, "2"), ("prod/eu", "scorer", "1")]


def test_a_deployment_that_is_in_other_contexts_too_is_one(fraud: Registry) -> None:
    made = [record(fraud, version, RUNNING, service=version) for version in ("1", "2")]
    of_team = fraud("PutContextType", context_type=pb.ContextType(name="team")).type_id
    (team,) = fraud("PutContexts", contexts=[pb.Context(type_id=of_team, name="risk")]).context_ids
    members = [pb.Association(context_id=team, execution_id=one.execution_id) for one in made]
    fraud("PutAttributionsAndAssociations", associations=members)
    assert states(fraud) == [("2", 2, RUNNING), ("1", 1, RUNNING)]
    first = fraud("ListDeployments", page_size=1)
    second = fraud("ListDeployments", page_size=1, page_token=first.next_page_token)
    assert [one.id for page in (first, second) for one in page.deployments] == [made[1].id, made[0].id]
    assert not second.next_page_token


def test_a_serve_model_of_several_services_is_one_for_each_on_pages_too(fraud: Registry) -> None:
    """As other programs may write it."""
    made = [record(fraud, "1", RUNNING, service=service) for service in ("a", "b", "c")]
    elsewhere = record(fraud, "2", RUNNING, service="d", environment="test")
    members = [pb.Association(context_id=one.id, execution_id=made[1].execution_id) for one in (made[0], made[2])]
    fraud("PutAttributionsAndAssociations", associations=members)
    everything = [("d", elsewhere.execution_id), ("c", made[2].execution_id)]
    everything += [(service, made[1].execution_id) for service in ("c", "b", "a")] + [("a", made[0].execution_id)]
    for asked in ({}, {"model": "fraud"}, {"environment": "prod/eu"}):
        wanted = [one for one in everything if one[0] != "d" or "environment" not in asked]
        for size in range(1, 7):
            found: list[tuple[str, int]] = []
            token = ""
            while token or not found:
                page = fraud("ListDeployments", page_size=size, page_token=token, **asked)
                assert len(page.deployments) <= size
                found += [(one.service, one.execution_id) for one in page.deployments]
                token = page.next_page_token
            assert found == wanted


def test_a_page_token_of_an_earlier_version_goes_on_where_it_ended(fraud: Registry) -> None:
    made = [record(fraud, "1", RUNNING, service=service) for service in ("a", "b", "c")]
    earlier = token_after("deployments", str(made[1].execution_id))
    assert [one.id for one in fraud("ListDeployments", page_token=earlier).deployments] == [made[0].id]
    for key in ("1/x", "/1", "1/2/3", "-1", "1" * 19, f"1/{'1' * 19}"):
        token = token_after("deployments", key)
        assert fraud.code("ListDeployments", page_token=token) is Code.INVALID_ARGUMENT, key


@pytest.mark.parametrize("named", ["kf.InferenceService", "kf.ServingEnvironment", "kf.ModelVersion"])
def test_names_that_are_not_utf8_are_shown_as_well_as_can_be(sqlite_url: str, named: str) -> None:
    with contextlib.closing(Store.open(sqlite_url)) as store:
        registry = Registry(store)
        registry.version()
        record(registry, "1", RUNNING, runtime="kserve")
        with contextlib.closing(sqlite3.connect(f"{sa.make_url(sqlite_url).database}")) as other, other:
            other.execute(
                "UPDATE Context SET name = CAST(CAST(name AS BLOB) || x'FF' AS TEXT)"
                " WHERE type_id IN (SELECT id FROM Type WHERE name = ?)",
                (named,),
            )
        (told,) = registry("ListDeployments").deployments
        shown = {"kf.InferenceService": told.service, "kf.ServingEnvironment": told.environment}
        expected = {"kf.InferenceService": "scorer", "kf.ServingEnvironment": "prod/eu", "kf.ModelVersion": "1"}
        assert shown.get(named, told.version) == expected[named] + "\ufffd"
        (version,) = registry("ListModelVersions", model="fraud").versions
        assert version.name == ("1\ufffd" if named == "kf.ModelVersion" else "1")


def test_of_two_that_come_to_run_at_once_one_runs(
    fraud: Registry, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(fraud, "1", STOPPED)
    database, there, coming = fraud.store.database, threading.Event(), threading.Event()
    write = database.write

    def noted(*arguments: Any, **named: Any) -> Any:
        coming.set()
        return write(*arguments, **named)

    def slowly(tx: Transaction) -> None:
        there.clear()
        version = find_version(tx, find_model(tx, "fraud"), "1")
        record_deployment(tx, "prod/eu", "scorer", version, RUNNING)
        there.set()
        assert coming.wait(60)
        url = sa.make_url(database_url)
        if url.port:  # on SQLite it waits for its turn to begin
            server = Address(url.port)
            wait_for(lambda: server.waiting(f"{url.database}"))

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(write, LOCAL, slowly)
        assert there.wait(60)
        monkeypatch.setattr(database, "write", noted)
        record(fraud, "2", RUNNING)
        first.result()
    assert [one for one in states(fraud) if one[2] == RUNNING] == [("scorer", 2, RUNNING)]


@pytest.mark.parametrize("state", [PENDING, RUNNING])
def test_what_runs_is_not_archived(fraud: Registry, state: int) -> None:
    archive: dict[str, Any] = {"model": "fraud", "version": "1"}
    record(fraud, "1", state)
    for method, fields in (("ArchiveModelVersion", archive), ("ArchiveModel", {"model": "fraud"})):
        refused = fraud.error(method, **fields)
        assert refused.code is Code.FAILED_PRECONDITION
        assert "'scorer'" in refused.message, "the service is named"
        assert "STOPPED" in refused.message, "and what mends it"
    assert fraud("ArchiveModelVersion", model="fraud", version="2").version.state == v1.MODEL_STATE_ARCHIVED
    fraud("RestoreModelVersion", model="fraud", version="2")
    record(fraud, "2", RUNNING)
    record(fraud, "1", STOPPED)
    assert fraud("ArchiveModelVersion", **archive).version.state == v1.MODEL_STATE_ARCHIVED
    record(fraud, "1", RUNNING, service="forgotten")
    said = fraud("UpdateModelVersion", **archive, description="what runs though it is archived").version
    assert said.state == v1.MODEL_STATE_ARCHIVED, "what is archived already stays so and can be described"
    for service, version in (("scorer", "2"), ("forgotten", "1")):
        record(fraud, version, STOPPED, service=service)
    assert fraud("ArchiveModel", model="fraud").model.state == v1.MODEL_STATE_ARCHIVED


def test_an_impact_ends_at_what_is_running(fraud: Registry) -> None:
    made = record(fraud, "1", RUNNING)
    version = fraud("GetModelVersion", model="fraud", version="1").version
    walked = fraud("GetLineageGraph", options={"artifacts_options": {"filter_query": f"id = {version.artifact_id}"}})
    assert made.execution_id in [execution.id for execution in walked.subgraph.executions]


def test_what_runs_ends_what_ran_in_the_same_service(fraud: Registry) -> None:
    record(fraud, "1", RUNNING)
    record(fraud, "1", RUNNING, service="other")
    record(fraud, "2", PENDING)
    assert states(fraud) == [("scorer", 2, PENDING), ("other", 1, RUNNING), ("scorer", 1, RUNNING)]
    (service,) = [c for c in fraud("GetContextsByType", type_name="kf.InferenceService").contexts if "scorer" in c.name]
    first = fraud("GetModelVersion", model="fraud", version="1").version.id
    assert service.properties["model_version_id"].int_value == first, "the one that runs is what it serves"
    record(fraud, "2", RUNNING)
    assert states(fraud) == [("scorer", 2, RUNNING), ("other", 1, RUNNING), ("scorer", 1, STOPPED)]
    record(fraud, "2", FAILED)
    record(fraud, "1", RUNNING)
    assert states(fraud)[0] == ("scorer", 2, FAILED)
    assert states(fraud)[2] == ("scorer", 1, RUNNING)
    assert record(fraud, "1", STOPPED).state == STOPPED


def test_a_service_says_what_it_serves(fraud: Registry) -> None:
    first, second = (fraud("GetModelVersion", model="fraud", version=version).version.id for version in "12")
    for version, state, says in (
        ("1", PENDING, (first, "DEPLOYED")),
        ("1", RUNNING, (first, "DEPLOYED")),
        ("2", FAILED, (first, "DEPLOYED")),
        ("2", RUNNING, (second, "DEPLOYED")),
        ("1", STOPPED, (second, "DEPLOYED")),
        ("2", STOPPED, (second, "UNDEPLOYED")),
    ):
        made = record(fraud, version, state)
        (service,) = fraud("GetContextsByID", context_ids=[made.id]).contexts
        properties = service.properties
        said = properties["model_version_id"].int_value, properties["desired_state"].string_value
        assert said == says, (version, state)


def test_deployments_of_a_model_and_of_an_environment(fraud: Registry) -> None:
    registry = fraud
    registry.version("churn")
    record(registry, "1", RUNNING)
    record(registry, "1", RUNNING, environment="dev")
    record(registry, "1", RUNNING, service="churner", model="churn")
    assert len(states(registry)) == 3
    assert states(registry, model="churn") == [("churner", 1, RUNNING)]
    assert states(registry, environment="dev") == [("scorer", 1, RUNNING)]
    assert states(registry, environment="dev", model="churn") == []
    page = registry("ListDeployments", page_size=2)
    rest = registry("ListDeployments", page_size=2, page_token=page.next_page_token)
    assert (len(page.deployments), len(rest.deployments), rest.next_page_token) == (2, 1, "")
    assert [*page.deployments, *rest.deployments] == list(registry("ListDeployments").deployments)


def test_a_model_an_environment_and_a_service_may_have_one_name(fraud: Registry) -> None:
    made = record(fraud, "1", RUNNING, environment="fraud", service="fraud")
    (environment,) = fraud("GetParentContextsByContext", context_id=made.id).contexts
    assert (environment.type, environment.name) == ("kf.ServingEnvironment", "fraud")
    assert record(fraud, "1", STOPPED, environment="fraud", service="fraud").id == made.id
    assert fraud("GetModel", model="fraud").model.latest_number == 2


def test_bad_deployments(fraud: Registry) -> None:
    asked = {"environment": "prod", "service": "s", "model": "fraud", "version": "1", "state": RUNNING}
    for fields, code in (
        ({"state": 0}, Code.INVALID_ARGUMENT),
        ({"environment": ""}, Code.INVALID_ARGUMENT),
        ({"service": ""}, Code.INVALID_ARGUMENT),
        ({"service": " s"}, Code.INVALID_ARGUMENT),
        ({"service": "s\a"}, Code.INVALID_ARGUMENT),
        ({"service": "x" * 254}, Code.INVALID_ARGUMENT),
        ({"model": "nope"}, Code.NOT_FOUND),
        ({"version": "9"}, Code.NOT_FOUND),
    ):
        assert fraud.code("RecordDeployment", **(asked | fields)) is code, fields
    assert fraud.code("ListDeployments", environment="nowhere") is Code.NOT_FOUND
    gone = fraud("GetModelVersion", model="fraud", version="1").version
    fraud("PutArtifacts", artifacts=[pb.Artifact(id=gone.artifact_id, uri=gone.uri, state=pb.Artifact.DELETED)])
    assert fraud.code("RecordDeployment", **asked) is Code.FAILED_PRECONDITION
    assert record(fraud, "1", STOPPED).state == STOPPED, "that it no longer runs can always be said"
