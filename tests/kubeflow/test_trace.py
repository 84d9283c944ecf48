"""The calls of two Kubeflow Pipelines runs, recorded against Google's server, replayed against ours."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.kubeflow.traffic import Kubeflow, recording, without_times
from tests.metadata_store.calls import node

RUNNING, COMPLETE, FAILED, CANCELED, CACHED = (
    pb.Execution.RUNNING,
    pb.Execution.COMPLETE,
    pb.Execution.FAILED,
    pb.Execution.CANCELED,
    pb.Execution.CACHED,
)
RUN = "system.PipelineRun"
CONTAINER = "system.ContainerExecution"


def fresh(stem: str) -> str:
    """Return a name that nothing has yet."""
    return f"{stem}-{uuid.uuid4().hex[:12]}"


def test_two_runs_get_the_recorded_answers(first_client: Kubeflow) -> None:
    for step in recording():
        answer = step.answered(first_client.try_(step.method, step.request))
        assert without_times(answer) == without_times(step.response), f"{step.number} {step.who} {step.method}"
    check_the_graph(first_client)
    check_the_page(first_client)


def check_the_graph(kubeflow: Kubeflow) -> None:
    contexts = kubeflow("GetContexts").contexts
    executions = kubeflow("GetExecutions").executions
    artifacts = kubeflow("GetArtifacts").artifacts
    assert (len(contexts), len(executions), len(artifacts)) == (3, 8, 7)
    pipeline = next(context for context in contexts if context.type == "system.Pipeline")
    runs = [context for context in contexts if context.type == RUN]
    parents = [kubeflow("GetParentContextsByContext", context_id=run.id).contexts for run in runs]
    assert [[parent.id for parent in found] for found in parents] == [[pipeline.id]] * 2
    types = sorted(execution.type for execution in executions)
    assert types == [CONTAINER] * 6 + ["system.DAGExecution"] * 2
    assert sum(execution.last_known_state == CACHED for execution in executions) == 1
    events = kubeflow("GetEventsByExecutionIDs", execution_ids=[execution.id for execution in executions]).events
    assert len(events) == 12
    data = min(artifact.id for artifact in artifacts)
    shared = kubeflow("GetContextsByArtifact", artifact_id=data).contexts
    assert [context.id for context in shared] == sorted([pipeline.id, *(run.id for run in runs)])
    request: Any = recording()[8].request
    first = request.contexts[0]
    assert runs[0].custom_properties == first.custom_properties


def check_the_page(kubeflow: Kubeflow) -> None:
    """The run page of Kubeflow's UI asks for everything of a run, without options."""
    request: Any = recording()[8].request
    name = request.contexts[0].name
    run = kubeflow("GetContextByTypeAndName", type_name=RUN, context_name=name).context
    executions = kubeflow("GetExecutionsByContext", context_id=run.id).executions
    assert len(executions) == 4
    assert len(kubeflow("GetArtifactsByContext", context_id=run.id).artifacts) == 4
    assert len(kubeflow("GetEventsByExecutionIDs", execution_ids=[e.id for e in executions]).events) == 6


def test_twenty_drivers_make_the_same_run(driver: Kubeflow) -> None:
    driver.context("system.Pipeline", "iris")
    type_id = driver("PutContextType", context_type={"name": RUN}).type_id

    name = fresh("run")

    def create(_: int) -> Code:
        return driver.try_("PutContexts", contexts=[{"type_id": type_id, "name": name}]).code

    with ThreadPoolExecutor(20) as pool:
        codes = list(pool.map(create, range(20)))
        contexts = list(pool.map(lambda _: driver.context(RUN, name).id, range(20)))
    assert codes.count(Code.OK) == 1
    assert codes.count(Code.ALREADY_EXISTS) == 19
    assert len(set(contexts)) == 1


def test_many_drivers_make_the_same_type(driver: Kubeflow) -> None:
    name = fresh(CONTAINER)
    with ThreadPoolExecutor(20) as pool:
        made = list(pool.map(lambda _: driver("PutExecutionType", execution_type={"name": name}).type_id, range(40)))
    assert len(set(made)) == 1


def test_forty_five_tasks_of_one_dag_are_three_pages(kubeflow: Kubeflow) -> None:
    run = kubeflow.context(RUN, fresh("run"))
    dag = kubeflow.execution("system.DAGExecution", [run], RUNNING, name=f"{run.name}/1")
    task = {"parent_dag_id": pb.Value(int_value=dag)}
    ids = [kubeflow.execution(CONTAINER, [run], RUNNING, custom_properties=task) for _ in range(45)]
    options = {"filter_query": f"custom_properties.parent_dag_id.int_value = {dag}", "next_page_token": ""}
    pages = []
    while True:
        answer = kubeflow("GetExecutionsByContext", context_id=run.id, options=options)
        pages.append([execution.id for execution in answer.executions])
        if not answer.next_page_token:
            break
        options["next_page_token"] = answer.next_page_token
    assert [len(page) for page in pages] == [20, 20, 5]
    assert [node_id for page in pages for node_id in page] == ids


def test_a_retried_root_driver_finds_its_execution(kubeflow: Kubeflow) -> None:
    run = kubeflow.context(RUN, fresh("run"))
    dag = kubeflow.execution("system.DAGExecution", [run], RUNNING, name=f"{run.name}/1")
    type_id = kubeflow("GetExecutionType", type_name="system.DAGExecution").execution_type.id
    again = kubeflow.try_("PutExecution", execution={"type_id": type_id, "name": f"{run.name}/1"}, contexts=[run])
    assert again.code is Code.ALREADY_EXISTS
    type_name, name = "system.DAGExecution", f"{run.name}/1"
    found = kubeflow("GetExecutionByTypeAndName", type_name=type_name, execution_name=name).execution
    assert found.id == dag


def publish(kubeflow: Kubeflow, execution_id: int, contexts: list[Any], state: int, *pairs: Any) -> Any:
    (execution,) = kubeflow("GetExecutionsByID", execution_ids=[execution_id]).executions
    execution.last_known_state = state
    return kubeflow("PutExecution", execution=execution, contexts=contexts, artifact_event_pairs=pairs)


def test_a_failing_step_leaves_its_log(kubeflow: Kubeflow) -> None:
    run = kubeflow.context(RUN, fresh("run"))
    step = kubeflow.execution(CONTAINER, [run], RUNNING)
    type_id = kubeflow("PutArtifactType", artifact_type={"name": "system.Artifact"}).type_id
    log = kubeflow("PutArtifacts", artifacts=[{"type_id": type_id, "uri": "minio://logs", "state": 2}]).artifact_ids[0]
    event = {"artifact_id": log, "type": pb.Event.OUTPUT, "path": {"steps": [{"key": "executor-logs"}]}}
    publish(kubeflow, step, [run], FAILED, {"event": event})
    (stored,) = kubeflow("GetExecutionsByContext", context_id=run.id).executions
    assert stored.last_known_state == FAILED
    assert [artifact.id for artifact in kubeflow("GetArtifactsByContext", context_id=run.id).artifacts] == [log]
    assert kubeflow("GetEventsByArtifactIDs", artifact_ids=[log]).events[0].path.steps[0].key == "executor-logs"


def test_a_condition_that_is_not_met_cancels_its_task(kubeflow: Kubeflow) -> None:
    run = kubeflow.context(RUN, fresh("run"))
    task = kubeflow.execution(CONTAINER, [run], CANCELED)
    (stored,) = kubeflow("GetExecutionsByID", execution_ids=[task]).executions
    assert (stored.type, stored.last_known_state) == (CONTAINER, CANCELED)


def import_once(kubeflow: Kubeflow, run: pb.Context, uri: str) -> int:
    """Import an artifact the way the importer does without reimport."""
    type_id = kubeflow("PutArtifactType", artifact_type={"name": "system.Dataset"}).type_id
    importer = kubeflow("PutExecutionType", execution_type={"name": "system.ImporterExecution"}).type_id
    artifact: dict[str, Any] = {"type_id": type_id, "uri": uri, "state": pb.Artifact.LIVE}
    for found in kubeflow("GetArtifactsByURI", uris=[uri]).artifacts:
        contexts = kubeflow("GetContextsByArtifact", artifact_id=found.id).contexts
        if any(context.id == run.id for context in contexts):
            artifact = {"id": found.id, **artifact}
    event = {"type": pb.Event.OUTPUT, "path": {"steps": [{"key": "data"}]}}
    pair = {"artifact": artifact, "event": event}
    execution = {"type_id": importer, "last_known_state": COMPLETE}
    made = kubeflow("PutExecution", execution=execution, contexts=[run], artifact_event_pairs=[pair])
    return int(made.artifact_ids[0])


def test_an_import_without_reimport_makes_one_artifact(kubeflow: Kubeflow) -> None:
    run = kubeflow.context(RUN, fresh("run"))
    uri = f"s3://bucket/{fresh('data')}"
    first, second = (import_once(kubeflow, run, uri) for _ in range(2))
    assert first == second
    assert [artifact.id for artifact in kubeflow("GetArtifactsByURI", uris=[uri]).artifacts] == [first]
    assert [artifact.id for artifact in kubeflow("GetArtifactsByContext", context_id=run.id).artifacts] == [first]
    assert len(kubeflow("GetEventsByArtifactIDs", artifact_ids=[first]).events) == 2


def test_a_loop_rolls_its_state_up(kubeflow: Kubeflow) -> None:
    run = kubeflow.context(RUN, fresh("run"))
    counted = {"iteration_count": pb.Value(int_value=3)}
    loop = kubeflow.execution("system.DAGExecution", [run], RUNNING, custom_properties=counted)
    for index in range(3):
        place = {"parent_dag_id": pb.Value(int_value=loop), "iteration_index": pb.Value(int_value=index)}
        task = kubeflow.execution(CONTAINER, [run], RUNNING, custom_properties=place)
        publish(kubeflow, task, [run], COMPLETE)
    query = f"custom_properties.parent_dag_id.int_value = {loop}"
    tasks = kubeflow("GetExecutionsByContext", context_id=run.id, options={"filter_query": query}).executions
    assert [task.custom_properties["iteration_index"].int_value for task in tasks] == [0, 1, 2]
    assert all(task.last_known_state == COMPLETE for task in tasks)
    publish(kubeflow, loop, [run], COMPLETE)
    (stored,) = kubeflow("GetExecutionsByID", execution_ids=[loop]).executions
    assert stored.last_known_state == COMPLETE
    assert stored.custom_properties["iteration_count"].int_value == 3


def test_a_message_of_sixty_megabytes(driver: Kubeflow) -> None:
    type_id = driver("PutArtifactType", artifact_type={"name": "system.ClassificationMetrics"}).type_id
    points = {"list": ["x" * (1 << 20)] * 60}
    artifact = node(pb.Artifact, {}, {"confidenceMetrics": points, "display_name": "cls"}, type_id=type_id)
    (artifact_id,) = driver("PutArtifacts", artifacts=[artifact]).artifact_ids
    (stored,) = driver("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
    assert stored.custom_properties == artifact.custom_properties
