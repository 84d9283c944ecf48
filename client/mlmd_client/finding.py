"""What is there: nodes by filter, runs, versions by name."""

import datetime
from dataclasses import dataclass
from typing import Any

from mlmd_schemas.aliases import LATEST
from mlmd_schemas.near_names import MEANT, MOST_NAMES, did_you_mean
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import collections_pb2, runs_pb2

from mlmd_client.failures import NOT_FOUND, NotFound, Refused, refused
from mlmd_client.names import ARTIFACT_TYPE, DATASET_TYPE, MODEL_TYPE, Reference, parse_reference
from mlmd_client.service import Service
from mlmd_client.tables import Table, moment, table_of
from mlmd_client.values import properties_of

MLMD = "/ml_metadata.MetadataStoreService"
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
    if limit < 0:
        raise refused(f"limit: {limit} is below 0; 0 means all of them.")
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


def _nodes(service: Service, noun: str, type_name: str, options: pb.ListOperationOptions, limit: int) -> list[Any]:
    """Return nodes, all or those of a type, which is beside the filter: an error tells places in what was written."""
    method, fields = (f"Get{noun}ByType", {"type_name": type_name}) if type_name else (f"Get{noun}", {})
    found: list[Any] = []
    while True:
        options.max_result_size = min(PAGE, limit - len(found)) if limit else PAGE
        answer = service.read(f"{MLMD}/{method}", getattr(mlmd, f"{method}Request")(options=options, **fields))
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
    properties: dict[str, Any]


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
    experiment, _, step = name.rpartition("/")
    request = runs_pb2.ListRunsRequest(experiment=experiment or name, step=step if experiment else "")
    whole = runs_pb2.ListRunsRequest(experiment=name)  # which may be an experiment's
    if state:
        try:
            chosen: Any = runs_pb2.RunState.Value(f"RUN_STATE_{state.upper()}")
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
        page = service.read("/mlmd.v1.Runs/ListRuns", request)
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
            return [service.read("/mlmd.v1.Runs/GetRun", runs_pb2.GetRunRequest(execution_id=execution_id)).run]
        for error in (no_step, no_experiment):
            if MEANT in error.message:
                raise error from None
        if names_run(request.experiment):
            raise NotFound(NOT_FOUND, f"name: there is no run {request.experiment!r}.") from None
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
    for start in range(0, len(ids), 1000):
        request = mlmd.GetExecutionsByIDRequest(execution_ids=ids[start : start + 1000])
        found += service.read(f"{MLMD}/GetExecutionsByID", request).executions
    return found


def resolve(service: Service, reference: Reference) -> collections_pb2.Version:
    """Return the version that a reference means; raises NotFound, and Refused when two types have the name.

    >>> from mlmd_client.names import parse_reference
    >>> resolve(store.service, parse_reference("churn@1")).type_name
    'system.Model'
    """
    type_name, name = _type_and_name(service, reference)
    request = collections_pb2.ResolveVersionRequest(type_name=type_name, name=name)
    if reference.number:
        request.number = reference.number
    else:
        request.alias = reference.alias
    version: collections_pb2.Version = service.read("/mlmd.v1.Collections/ResolveVersion", request).version
    return version


def _type_and_name(service: Service, reference: Reference) -> tuple[str, str]:
    """Return type and name of the collection that a reference means; TYPE/NAME in full comes first."""
    name = reference.name
    if reference.type_name:
        return reference.type_name, name
    found = _called(service, name)
    if name in found:
        type_name, _, name = name.partition("/")
        return type_name, name
    if len(found) > 1:
        written = reference.written or name
        choices = " or ".join(f"{one.partition('/')[0]}/{written}" for one in sorted(found))
        raise refused(f"name: {name!r} is the name of several things; write {choices}.")
    if found:
        return found[0].partition("/")[0], name
    if reference.written not in ("", name) and _called(service, reference.written):
        mend = f"; {MEANT} {_surely(reference.written)!r}?"
    else:
        mend = _near(service, name) or "; log_dataset, log_model or log_artifact make one."
    raise NotFound(NOT_FOUND, f"name: there is no collection {name!r} of any type{mend}")


def _called(service: Service, name: str) -> list[str]:
    """Return the collections, `TYPE/NAME`, whose name is this or that are this as a whole."""
    alike = f"(name = {literal(name)} OR ENDS_WITH(name, {literal('/' + name)}))"
    options = pb.ListOperationOptions(filter_query=f"type = 'mlmd.Collection' AND {alike}", max_result_size=PAGE)
    contexts = service.read(f"{MLMD}/GetContexts", mlmd.GetContextsRequest(options=options)).contexts
    return [one.name for one in contexts if name in (one.name, one.name.partition("/")[2])]


def _surely(name: str) -> str:
    """Return what to write for a name: itself, or with its alias where it looks like a version of another."""
    return name if parse_reference(name).name == name else f"{name}@{LATEST}"


def _near(service: Service, name: str) -> str:
    """Ask whether a name with versions was meant that begins with the same letter."""
    first = name[:1].replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    wanted = f"type = 'mlmd.Collection' AND name LIKE {literal(f'%/{first}%')}"
    options = pb.ListOperationOptions(filter_query=wanted, max_result_size=MOST_NAMES)
    contexts = service.read(f"{MLMD}/GetContexts", mlmd.GetContextsRequest(options=options)).contexts
    return did_you_mean(name, [_surely(context.name.partition("/")[2]) for context in contexts])


def artifact_of(service: Service, artifact_id: int) -> pb.Artifact:
    """Return an artifact by id; raises NotFound.

    >>> artifact_of(store.service, store["churn@1"].id).name
    'churn/1'
    """
    request = mlmd.GetArtifactsByIDRequest(artifact_ids=[artifact_id])
    found: list[pb.Artifact] = list(service.read(f"{MLMD}/GetArtifactsByID", request).artifacts)
    if not found:
        raise NotFound(
            NOT_FOUND, f"id: there is no artifact {artifact_id}; store.find('artifacts') lists those there are."
        )
    return found[0]


def version_of(service: Service, artifact: pb.Artifact) -> collections_pb2.Version | None:
    """Return the version that an artifact is, None when it is none.

    >>> version_of(store.service, store["churn@1"].message).number
    1
    """
    name, _, number = artifact.name.rpartition("/")
    if not name or not number.isdecimal() or "/" in artifact.type:
        return None
    try:
        found = resolve(service, Reference(name, artifact.type, number=int(number)))
    except (NotFound, Refused):
        return None
    return found if found.artifact_id == artifact.id else None


def versions_table(service: Service, reference: Reference) -> Table:
    """Return the versions of a name, newest first; see `Store.versions`.

    >>> versions_table(store.service, Reference("churn", "system.Model")).column("number")
    [2, 1]
    """
    type_name, name = _type_and_name(service, reference)
    request = collections_pb2.ListVersionsRequest(type_name=type_name, name=name, page_size=PAGE)
    rows: list[dict[str, Any]] = []
    while True:
        page = service.read("/mlmd.v1.Collections/ListVersions", request)
        rows += [
            {
                "ref": f"{name}@{one.number}",
                "number": one.number,
                "aliases": list(one.aliases),
                "created": moment(one.create_ms),
                "id": one.artifact_id,
            }
            for one in page.versions
        ]
        request.page_token = page.next_page_token
        if not page.next_page_token:
            return table_of(rows, f"{type_name} {name}")


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
        found = service.read(f"{MLMD}/GetExecutions", mlmd.GetExecutionsRequest(options=options)).executions
        return found[0].id if found else None
    return None
