"""What is there: nodes by filter, runs, versions by name."""

import datetime
import operator
from dataclasses import dataclass, field
from typing import Any, SupportsIndex

from mlmd_schemas.near_names import MEANT
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import runs_pb2

from mlmd_client.calls import CallError
from mlmd_client.failures import NotFound, not_found, refused
from mlmd_client.names import ARTIFACT_TYPE, DATASET_TYPE, MODEL_TYPE, may_be_id
from mlmd_client.service import Service
from mlmd_client.tables import Table, moment, table_of
from mlmd_client.values import properties_of

PAGE = 100
_KINDS = {
    "artifacts": ("Artifacts", ""),
    "datasets": ("Artifacts", DATASET_TYPE),
    "models": ("Artifacts", MODEL_TYPE),
    "files": ("Artifacts", ARTIFACT_TYPE),
    "executions": ("Executions", ""),
    "runs": ("Executions", "mlmd.Run"),
    "contexts": ("Contexts", ""),
    "experiments": ("Contexts", "mlmd.Experiment"),
}
_STORED_ORDERS = {"id": "ID", "created": "CREATE_TIME", "updated": "LAST_UPDATE_TIME"}


def find(service: Service, kind: str, where: str = "", *, order: str = "", limit: int = 0) -> Table:
    """Return the nodes of a kind that match a filter; see `Store.find`.

    >>> find(store.service, "models", "name = 'churn/1'").column("name")
    ['churn/1']
    """
    if kind not in _KINDS:
        raise refused(f"kind: {kind!r} is none of {', '.join(_KINDS)}.")
    if not isinstance(where, str):
        kind_of = type(where).__name__
        raise refused(f'where: is of type {kind_of}; write a filter, "custom_properties.auc.double_value > 0.9" say.')
    if order == "-":
        raise refused("order: '-' names nothing; say id, created, updated or a property, with '-' for highest first.")
    if not isinstance(order, str):
        raise refused(f"order: {order!r:.60} is no text; say id, created, updated or a property.")
    limit = _checked_limit(limit)
    noun, type_name = _KINDS[kind]
    name = order.removeprefix("-")
    stored = not name or name in _STORED_ORDERS
    options = pb.ListOperationOptions(filter_query=where if where.strip() else "")
    field: Any = pb.ListOperationOptions.OrderByField.Field.Value(_STORED_ORDERS.get(name, "ID"))
    options.order_by_field.field = field
    options.order_by_field.is_asc = not order.startswith("-")
    rows = [node_row(node) for node in _nodes(service, noun, type_name, options, limit if stored else 0)]
    if not stored:
        rows = _ordered(rows, name, order.startswith("-"))[: limit or None]
    return table_of(rows)


def _checked_limit(limit: SupportsIndex) -> int:
    try:
        number = operator.index(limit)
    except TypeError:
        raise refused(f"limit: {limit!r:.60} is no whole number; 0 means all of them.") from None
    if number < 0:
        raise refused(f"limit: {number} is below 0; 0 means all of them.")
    return number


def _nodes(service: Service, noun: str, type_name: str, options: pb.ListOperationOptions, limit: int) -> list[Any]:
    """Return nodes, all or those of a type, which is beside the filter: an error tells places in what was written."""
    method, fields = (f"Get{noun}ByType", {"type_name": type_name}) if type_name else (f"Get{noun}", {})
    request, page = getattr(mlmd, f"{method}Request"), getattr(mlmd, f"{method}Response")
    found: list[Any] = []
    while True:
        options.max_result_size = min(PAGE, limit - len(found)) if limit else PAGE
        answer = service.read(request(options=options, **fields), page)
        found += getattr(answer, noun.lower())
        options.next_page_token = answer.next_page_token
        if not answer.next_page_token or (limit and len(found) >= limit):
            return found


def _ordered(rows: list[dict[str, Any]], name: str, falling: bool) -> list[dict[str, Any]]:
    """Order rows by a property, those that lack it or have NaN last."""
    having = [row for row in rows if row.get(name) is not None and row[name] == row[name]]
    if not having and rows:
        raise refused(
            f"order: no node that was found has a property {name!r}; order by id, created or updated instead."
        )
    lacking = [row for row in rows if row.get(name) is None or row[name] != row[name]]
    try:
        having.sort(key=lambda row: row[name], reverse=falling)
    except TypeError:
        raise refused(f"order: the property {name!r} holds numbers and text, which have no common order.") from None
    return having + lacking


def node_row(node: Any) -> dict[str, Any]:
    """Return a node as a row: what MLMD knows of it, then its properties.

    >>> node_row(pb.Artifact(id=7, type="system.Model", name="churn/1"))["name"]
    'churn/1'
    """
    row: dict[str, Any] = {"id": node.id, "type": node.type, "name": node.name}
    if isinstance(node, pb.Artifact):
        row |= {"state": pb.Artifact.State.Name(node.state), "uri": node.uri}
    elif isinstance(node, pb.Execution):
        row["state"] = pb.Execution.State.Name(node.last_known_state)
    row["created"] = moment(node.create_time_since_epoch)
    properties = properties_of(node)
    return row | {name: value for name, value in properties.items() if name not in row and name != "environment"}


def literal(text: str) -> str:
    r"""Return a text as a literal of the filter language.

    >>> literal("it's")
    "'it\\'s'"
    """
    escaped = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n").replace("\r", "\\r")
    return f"'{escaped}'"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run as the store knows it.

    >>> facts = store.run_facts("doc/setup/1")
    >>> facts.name, facts.state, facts.reason, facts.params, facts.metrics["auc"]
    ('doc/setup/1', 'COMPLETE', '', {'lr': 0.1}, 0.91)
    >>> facts.id > 0, facts.started <= facts.ended, facts.properties["step"]
    (True, True, 'setup')
    """

    id: int
    name: str
    state: str
    reason: str
    started: datetime.datetime | None
    ended: datetime.datetime | None
    params: dict[str, Any]
    metrics: dict[str, Any]
    properties: dict[str, Any] = field(repr=False)

    def _repr_html_(self) -> str:
        from mlmd_client.display import facts_html

        return facts_html(self)


def facts_of(execution: pb.Execution) -> RunFacts:
    """Return the facts of an execution, which need not be a run of ours.

    >>> facts_of(pb.Execution(id=3, name="churn/train/1")).name
    'churn/train/1'
    """
    properties = properties_of(execution)
    metrics = {
        name: value.double_value
        for name, value in sorted(execution.custom_properties.items(), key=lambda item: item[0])
        if value.WhichOneof("value") == "double_value" and not name.startswith("param.")
    }
    return RunFacts(
        id=execution.id,
        name=execution.name or execution.type,
        state=pb.Execution.State.Name(execution.last_known_state),
        reason=str(properties.get("mlmd.reason", "")),
        started=moment(execution.create_time_since_epoch),
        ended=None
        if execution.last_known_state == pb.Execution.RUNNING
        else moment(execution.last_update_time_since_epoch),
        params={name.removeprefix("param."): value for name, value in properties.items() if name.startswith("param.")},
        metrics=metrics,
        properties=properties,
    )


def list_runs(service: Service, name: str, state: str, limit: int) -> Table:
    """Return the runs of an experiment or step, or the one run of a name, newest first; see `Store.runs`.

    >>> list_runs(store.service, "doc/setup", "", 1).column("state")
    ['COMPLETE']
    """
    if not isinstance(name, str):
        raise refused(f"name: {name!r:.60} is no text; write an experiment, or experiment/step.")
    limit = _checked_limit(limit)
    experiment, _, step = name.rpartition("/")
    request = runs_pb2.ListRunsRequest(experiment=experiment or name, step=step if experiment else "")
    whole = runs_pb2.ListRunsRequest(experiment=name)  # which may be an experiment's
    if state:
        try:
            chosen: Any = runs_pb2.RunState.Value(f"RUN_STATE_{str(state).upper()}")
            request.state = whole.state = chosen
        except ValueError:
            raise refused(f"state: {state!r} is none of RUNNING, COMPLETE, FAILED and CANCELED.") from None
    try:
        found = _runs(service, request, limit)
    except NotFound as error:
        if not experiment:
            raise
        found = _runs_of_whole_name(service, whole, limit, error)
    executions = {one.id: one for one in executions_by_id(service, [run.execution_id for run in found])}
    return table_of([_run_row(run, executions.get(run.execution_id, pb.Execution())) for run in found])


def _runs(service: Service, request: runs_pb2.ListRunsRequest, limit: int) -> list[runs_pb2.Run]:
    found: list[runs_pb2.Run] = []
    while True:
        request.page_size = min(PAGE, limit - len(found)) if limit else PAGE
        page = service.read(request, runs_pb2.ListRunsResponse)
        found += page.runs
        request.page_token = page.next_page_token
        if not page.next_page_token or (limit and len(found) >= limit):
            return found


def _runs_of_whole_name(
    service: Service, request: runs_pb2.ListRunsRequest, limit: int, no_step: NotFound
) -> list[runs_pb2.Run]:
    """Return the runs of an experiment with a slash in its name, or the one run of this name."""
    try:
        return _runs(service, request, limit)
    except NotFound as no_experiment:
        execution_id = run_target(service, request.experiment)
        if execution_id is not None:
            return [service.read(runs_pb2.GetRunRequest(execution_id=execution_id), runs_pb2.GetRunResponse).run]
        for error in (no_step, no_experiment):
            if MEANT in error.message:
                raise error from None
        if names_run(request.experiment):
            raise not_found(f"name: there is no run {request.experiment!r}.") from None
        raise no_step from None


def _run_row(run: runs_pb2.Run, execution: pb.Execution) -> dict[str, Any]:
    facts = facts_of(execution)
    row: dict[str, Any] = {
        "id": run.execution_id,
        "name": f"{run.experiment}/{run.step}/{run.number}",
        "state": runs_pb2.RunState.Name(run.state).removeprefix("RUN_STATE_"),
        "started": moment(run.start_ms),
        "ended": moment(run.end_ms),
        "reason": run.reason,
    }
    for values in (facts.params, facts.metrics):
        row |= {name: value for name, value in values.items() if name not in row}
    return row


def executions_by_id(service: Service, ids: list[int]) -> list[pb.Execution]:
    """Return the executions of these ids that exist.

    >>> executions_by_id(store.service, [])
    []
    """
    found: list[pb.Execution] = []
    ids = [one for one in ids if may_be_id(one)]
    for start in range(0, len(ids), 1000):
        request = mlmd.GetExecutionsByIDRequest(execution_ids=ids[start : start + 1000])
        found += service.read(request, mlmd.GetExecutionsByIDResponse).executions
    return found


def artifact_of(service: Service, artifact_id: int) -> pb.Artifact:
    """Return an artifact by id; raises NotFound.

    >>> artifact_of(store.service, store["churn@1"].id).name
    'churn/1'
    """
    request = mlmd.GetArtifactsByIDRequest(artifact_ids=[artifact_id] if may_be_id(artifact_id) else [])
    found = service.read(request, mlmd.GetArtifactsByIDResponse).artifacts
    if not found:
        raise not_found(f"id: there is no artifact {artifact_id}; store.find('artifacts') lists those there are.")
    return found[0]


def step_hint(service: Service, name: str) -> str:
    """Say of a name that is a step's or an experiment's what its newest run is called; empty for others.

    >>> step_hint(store.service, "doc/setup")
    "; 'doc/setup' is a step, and its newest run is 'doc/setup/2'."
    """
    experiment, _, step = name.rpartition("/")
    asked = [("a step", experiment, step)] if experiment and step else []
    for noun, *place in [*asked, ("an experiment", name, "")] if name else ():
        request = runs_pb2.ListRunsRequest(experiment=place[0], step=place[1], page_size=1)
        try:
            found = service.read(request, runs_pb2.ListRunsResponse).runs
        except CallError:  # there is none, or this is no name of any
            continue
        if found:
            newest = f"{found[0].experiment}/{found[0].step}/{found[0].number}"
            return f"; {name!r} is {noun}, and its newest run is {newest!r}."
    return ""


def no_run(service: Service, what: Any) -> NotFound:
    """Return the error for what was taken for a run and is none.

    >>> no_run(store.service, 7_000_000).message
    "run: there is no run 7000000; store.runs('experiment') lists those there are."
    """
    step = step_hint(service, what) if isinstance(what, str) else ""
    mend = step or "; store.runs('experiment') lists those there are."
    return not_found(f"run: there is no run {what!r}{mend}")


def names_run(text: str) -> bool:
    """Tell whether a text is written as the name of a run is, `experiment/step/number`.

    >>> names_run("churn/train/7"), names_run("churn/7")
    (True, False)
    """
    return text.count("/") > 1 and text.rpartition("/")[2].isdecimal()


def run_target(service: Service, given: Any) -> int | None:
    """Return the execution that a run, its facts or its name `churn/train/7` means; None when it is none.

    >>> run_target(store.service, "doc/setup/2") == store.runs("doc/setup")[0]["id"]
    True
    """
    from mlmd_client.run import Run

    if isinstance(given, Run | RunFacts):
        return given.id
    if isinstance(given, str) and names_run(given):
        options = pb.ListOperationOptions(filter_query=f"name = {literal(given)} AND type = 'mlmd.Run'")
        found = service.read(mlmd.GetExecutionsRequest(options=options), mlmd.GetExecutionsResponse).executions
        return found[0].id if found else None
    return None
