"""What runs where: services in environments that serve a version, as nodes that `impact` ends at.

An environment is a context kf.ServingEnvironment, a service below it a kf.InferenceService, and that it serves a
version an execution kf.ServeModel, which is associated to the service and reads the version's artifact.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_lineage.plain_values import clean
from mlmd_metadata_store.event_writes import store_events
from mlmd_metadata_store.keyset_tokens import ENDLESS, page_size, pair_below, token_after
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.node_writes import Rules, create_nodes, put_nodes
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.update_mask import MapMask, UpdateMask, mask_of_keys
from mlmd_schemas.errors import Aborted, AlreadyExists, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.registry import MODEL_VERSION as NUMBERED
from mlmd_schemas.tables.v10 import (
    ASSOCIATION,
    CONTEXT,
    EXECUTION,
    EXECUTION_PROPERTY,
    PARENT_CONTEXT,
    TYPE,
    Kind,
)

from mlmd_model_registry.changes import touch
from mlmd_model_registry.kubeflow_types import (
    INFERENCE_SERVICE,
    SERVE_MODEL,
    SERVING_ENVIRONMENT,
    put_kubeflow_types,
)
from mlmd_model_registry.messages import text
from mlmd_model_registry.models import Model, fits
from mlmd_model_registry.version_bytes import require_bytes
from mlmd_model_registry.version_reads import Version, owned_name, versions_by_id
from mlmd_model_registry.versions import hold_version, require_number

_TO_KUBEFLOW: Mapping[int, "pb.Execution.State"] = {
    v1.DEPLOYMENT_STATE_PENDING: pb.Execution.NEW,
    v1.DEPLOYMENT_STATE_RUNNING: pb.Execution.RUNNING,
    v1.DEPLOYMENT_STATE_FAILED: pb.Execution.FAILED,
    v1.DEPLOYMENT_STATE_STOPPED: pb.Execution.COMPLETE,
}
_FROM_KUBEFLOW: Mapping[int, "v1.DeploymentState"] = {
    pb.Execution.RUNNING: v1.DEPLOYMENT_STATE_RUNNING,
    pb.Execution.FAILED: v1.DEPLOYMENT_STATE_FAILED,
    pb.Execution.COMPLETE: v1.DEPLOYMENT_STATE_STOPPED,
    pb.Execution.CACHED: v1.DEPLOYMENT_STATE_STOPPED,
    pb.Execution.CANCELED: v1.DEPLOYMENT_STATE_STOPPED,
}
_CONTEXT = (
    sa.select(CONTEXT.c.id, CONTEXT.c.name)
    .join(TYPE, TYPE.c.id == CONTEXT.c.type_id)
    .where(TYPE.c.name == sa.bindparam("kind"), CONTEXT.c.name == sa.bindparam("wanted"))
)
_LOCK = sa.select(CONTEXT.c.id).where(CONTEXT.c.id == sa.bindparam("service")).with_for_update()
_SERVICE_TYPE = TYPE.alias("service_type")
_SERVING = (
    sa.select(EXECUTION.c.id, EXECUTION.c.last_known_state, EXECUTION_PROPERTY.c.int_value)
    .join(TYPE, sa.and_(TYPE.c.id == EXECUTION.c.type_id, TYPE.c.name == SERVE_MODEL))
    .join(ASSOCIATION, ASSOCIATION.c.execution_id == EXECUTION.c.id)
    .join(CONTEXT, CONTEXT.c.id == ASSOCIATION.c.context_id)  # others may put it into contexts that serve nothing
    .join(
        _SERVICE_TYPE,
        sa.and_(_SERVICE_TYPE.c.id == CONTEXT.c.type_id, _SERVICE_TYPE.c.name == INFERENCE_SERVICE),
    )
    .join(
        EXECUTION_PROPERTY,
        sa.and_(
            EXECUTION_PROPERTY.c.execution_id == EXECUTION.c.id,
            EXECUTION_PROPERTY.c.name == "model_version_id",
            EXECUTION_PROPERTY.c.is_custom_property == 0,
        ),
    )
)
_OF_SERVICE = _SERVING.where(ASSOCIATION.c.context_id == sa.bindparam("service")).order_by(EXECUTION.c.id)
_PAGE = (
    _SERVING.add_columns(ASSOCIATION.c.context_id)
    .join(NUMBERED, NUMBERED.c.version_id == EXECUTION_PROPERTY.c.int_value)
    .where(
        EXECUTION.c.id <= sa.bindparam("before"),
        sa.or_(EXECUTION.c.id < sa.bindparam("before"), ASSOCIATION.c.context_id < sa.bindparam("below")),
    )
    .order_by(EXECUTION.c.id.desc(), ASSOCIATION.c.context_id.desc())
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_IN_ENVIRONMENT = sa.and_(
    PARENT_CONTEXT.c.context_id == ASSOCIATION.c.context_id,
    PARENT_CONTEXT.c.parent_context_id == sa.bindparam("environment"),
)
_PAGES = {
    (of_model, of_environment): statement
    for of_model, by_model in ((False, _PAGE), (True, _PAGE.where(NUMBERED.c.model_id == sa.bindparam("model"))))
    for of_environment, statement in ((False, by_model), (True, by_model.join(PARENT_CONTEXT, _IN_ENVIRONMENT)))
}
_OF_VERSION = NUMBERED.c.version_id == sa.bindparam("version")
_PAGE_OF_VERSION = _PAGE.where(_OF_VERSION)
_HOW_MANY_OF_VERSION = sa.select(sa.func.count()).select_from(
    _PAGE_OF_VERSION.with_only_columns(EXECUTION.c.id).order_by(None).limit(None).subquery()
)


def record_deployment(
    tx: Transaction, environment: str, service: str, version: Version, state: int, runtime: str = ""
) -> v1.Deployment:
    """Note that a version is served by a service in an environment, both of which are made when they are not there.

    That one version runs ends the others of the same service. Raises InvalidArgument for names and states that cannot
    be, FailedPrecondition and DataLoss for a version without bytes that is to run.
    """
    if state not in _TO_KUBEFLOW:
        raise InvalidArgument("state: say what became of it: PENDING, RUNNING, FAILED or STOPPED.")
    if state in (v1.DEPLOYMENT_STATE_PENDING, v1.DEPLOYMENT_STATE_RUNNING):
        hold_version(tx, version)  # it may be purged at this moment, or the bytes of an archived one be deleted
        require_bytes(tx, version)
    version = require_number(tx, version)
    types = put_kubeflow_types(tx, SERVING_ENVIRONMENT, INFERENCE_SERVICE, SERVE_MODEL)
    environment_id = _made(tx, SERVING_ENVIRONMENT, _context(types[0], environment, environment, "environment", tx))
    stored_name = f"{environment_id}:{service}"
    service_id = _made(tx, INFERENCE_SERVICE, _context(types[1], stored_name, service, "service", tx), environment_id)
    tx.rows(_LOCK, {"service": service_id})  # so that of two that come to run at once the later ends the other
    serving = tx.rows(_OF_SERVICE, {"service": service_id})
    execution_id = _serve(tx, types[2], service_id, version, state, serving)
    _say(tx, service_id, environment_id, version, state, runtime)
    touch(tx)
    return _deployments(tx, [(execution_id, _TO_KUBEFLOW[state], version.id, service_id)])[0]


def _context(type_id: int, stored: str, name: str, field: str, tx: Transaction) -> pb.Context:
    if not name or name != name.strip() or not name.isprintable() or not fits(tx, stored):
        raise InvalidArgument(
            f"{field}: {name[:80]!r} is empty, begins or ends with space, is not printable, or is too long."
        )
    return pb.Context(type_id=type_id, name=stored)


def _made(tx: Transaction, type_name: str, context: pb.Context, parent_id: int = 0) -> int:
    """Return the id of a context, made now if it is not there."""
    encoded = tx.text.encode(context.name)
    for context_id, stored in tx.rows(_CONTEXT, {"kind": type_name, "wanted": encoded}):
        if stored == encoded:
            return int(context_id)
    try:
        (made,) = create_nodes(tx, Kind.CONTEXT, [context])
    except AlreadyExists as error:
        raise Aborted("The same context was made at this moment; try again.") from error
    if parent_id:
        tx.insert(PARENT_CONTEXT, ("context_id", "parent_context_id"), [(made, parent_id)])
    return made


def _serve(tx: Transaction, type_id: int, service_id: int, version: Version, state: int, serving: Sequence[Any]) -> int:
    """Put the execution that a service serves a version; when it runs, those of other versions are complete."""
    ours = [execution_id for execution_id, _, version_id in serving if version_id == version.id]
    changed = [pb.Execution(id=execution_id, last_known_state=_TO_KUBEFLOW[state]) for execution_id in ours[-1:]]
    if state == v1.DEPLOYMENT_STATE_RUNNING:
        alive = (pb.Execution.NEW, pb.Execution.RUNNING, None)
        changed += [
            pb.Execution(id=execution_id, last_known_state=pb.Execution.COMPLETE)
            for execution_id, stored, version_id in serving
            if version_id != version.id and stored in alive
        ]
    if changed:
        mask = UpdateMask(False, frozenset({"last_known_state"}), MapMask(), MapMask())
        put_nodes(tx, Kind.EXECUTION, changed, Rules(mask))
    if ours:
        return int(ours[-1])
    execution = pb.Execution(type_id=type_id, last_known_state=_TO_KUBEFLOW[state], name=f"{service_id}:{version.id}")
    execution.properties["model_version_id"].int_value = version.id
    (made,) = create_nodes(tx, Kind.EXECUTION, [execution])
    store_links(tx, (), [(service_id, made)])
    if version.artifact_id:
        store_events(tx, [pb.Event(artifact_id=version.artifact_id, execution_id=made, type=pb.Event.INPUT)])
    return made


def _say(tx: Transaction, service_id: int, environment_id: int, version: Version, state: int, runtime: str) -> None:
    """Let the service say which version it serves, as Kubeflow's API shows it."""
    (stored,) = nodes_by_id(tx, Kind.CONTEXT, [service_id])
    served = stored.properties["model_version_id"].int_value if "model_version_id" in stored.properties else 0
    if state != v1.DEPLOYMENT_STATE_RUNNING and served not in (0, version.id):
        return  # the one that runs is what it serves
    context = pb.Context(id=service_id, name=stored.name)
    numbers = {
        "registered_model_id": version.model_id,
        "model_version_id": version.id,
        "serving_environment_id": environment_id,
    }
    for name, number in numbers.items():
        context.properties[name].int_value = number
    stopped = state == v1.DEPLOYMENT_STATE_STOPPED
    context.properties["desired_state"].string_value = "UNDEPLOYED" if stopped else "DEPLOYED"
    names = {*numbers, "desired_state"}
    if runtime:
        context.properties["runtime"].string_value = runtime
        names.add("runtime")
    put_nodes(tx, Kind.CONTEXT, [context], Rules(mask_of_keys(names)))


def list_deployments(
    tx: Transaction, *, model: Model | None = None, environment: str = "", size: int = 0, token: str = ""
) -> tuple[list[v1.Deployment], str]:
    """Return a page of deployments, newest first, and the token of the next page ("": there is none)."""
    count = page_size(size)
    before, below = pair_below("deployments", token)
    parameters: dict[str, Any] = {"before": before, "below": below, "rows": count + 1}
    if model is not None:
        parameters["model"] = model.id
    if environment:
        parameters["environment"] = _environment_id(tx, environment)
    rows = tx.rows(_PAGES[model is not None, bool(environment)], parameters)
    last = rows[count - 1] if len(rows) > count else None
    following = token_after("deployments", f"{last[0]}/{last[3]}") if last else ""
    return _deployments(tx, rows[:count]), following


def deployments_of_version(tx: Transaction, version_id: int, most: int) -> tuple[list[v1.Deployment], int]:
    """Return the newest deployments of a version, up to `most`, and how many there are."""
    wanted = {"version": version_id, "before": ENDLESS, "below": ENDLESS}
    rows = tx.rows(_PAGE_OF_VERSION, {**wanted, "rows": most})
    ((count,),) = tx.rows(_HOW_MANY_OF_VERSION, wanted)
    return _deployments(tx, rows), int(count)


def _environment_id(tx: Transaction, environment: str) -> int:
    encoded = tx.text.encode(environment)
    for context_id, stored in tx.rows(_CONTEXT, {"kind": SERVING_ENVIRONMENT, "wanted": encoded}):
        if stored == encoded:
            return int(context_id)
    raise NotFound(f"environment: there is no serving environment {environment[:255]!r}; RecordDeployment makes it.")


def _deployments(tx: Transaction, rows: Sequence[Any]) -> list[v1.Deployment]:
    """Return deployments from rows of execution, state, version and service."""
    versions = {version.id: version for version in versions_by_id(tx, list(dict.fromkeys(row[2] for row in rows)))}
    services = {context.id: context for context in nodes_by_id(tx, Kind.CONTEXT, {row[3] for row in rows})}
    wanted = {_environment_of(service) for service in services.values()} - {0}
    named = nodes_by_id(tx, Kind.CONTEXT, wanted) if wanted else ()
    environments = {context.id: clean(context.name) for context in named}
    times = {e.id: e.last_update_time_since_epoch for e in nodes_by_id(tx, Kind.EXECUTION, {row[0] for row in rows})}
    return [
        _deployment(row, versions[row[2]], services[row[3]], environments, times[row[0]])
        for row in rows
        if row[2] in versions
    ]


def _environment_of(service: pb.Context) -> int:
    """Return the id before a service's name; 0 where another program gave it a name without one."""
    owner, colon, _ = clean(service.name).partition(":")
    return int(owner) if colon and owner.isascii() and owner.isdecimal() and len(owner) < 19 else 0


def _deployment(
    row: Any, version: Version, service: pb.Context, environments: Mapping[int, str], update_ms: int
) -> v1.Deployment:
    return v1.Deployment(
        id=service.id,
        environment=environments.get(_environment_of(service), ""),
        service=owned_name(service.name),
        model=version.model_name,
        number=version.number,
        version=version.name,
        state=_FROM_KUBEFLOW.get(row[1], v1.DEPLOYMENT_STATE_PENDING),
        runtime=text(service, "runtime"),
        execution_id=row[0],
        update_ms=update_ms,
    )
