"""Runs: executions that are heard from while they live.

A run is an execution named `<experiment>/<step>/<number>` in the context of its experiment, and a row that says when it
was last heard from. The row of the experiment's context is locked while a run is numbered, that of the run while its
state changes.
"""

import re
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import Aborted, AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import runs_pb2 as v1
from mlmd_schemas.tables.own import RUN, STORE
from mlmd_schemas.tables.v10 import CONTEXT, EXECUTION, Kind

from mlmd_metadata_store.collection_methods import parse_node
from mlmd_metadata_store.link_writes import store_links
from mlmd_metadata_store.node_writes import Rules, create_nodes, put_nodes
from mlmd_metadata_store.run_rows import STATES, RunRow, run_by_id, run_by_token
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_plans import Evolution
from mlmd_metadata_store.type_reads import find_type_id
from mlmd_metadata_store.type_writes import put_types
from mlmd_metadata_store.update_mask import parse_mask

RUN_TYPE = "mlmd.Run"
EXPERIMENT_TYPE = "mlmd.Experiment"
REASON_PROPERTY = "mlmd.reason"
"""The custom property of the execution that says why it ended, for whoever reads MLMD alone."""
LONGEST_NAME = 120
LONGEST_KEY = 255
LONGEST_REASON = 10_000
SHORTEST_MS, LONGEST_MS, USUAL_MS = 1_000, 86_400_000, 60_000

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,64}")
_COLUMNS = tuple(RUN.c.keys())
_CONTEXT_ID = sa.select(CONTEXT.c.id).where(
    CONTEXT.c.type_id == sa.bindparam("type_id"), CONTEXT.c.name == sa.bindparam("name")
)
_LOCK_CONTEXT = sa.select(CONTEXT.c.id).where(CONTEXT.c.id == sa.bindparam("context")).with_for_update()
_STORE_ROW = sa.select(STORE.c.id).with_for_update()
_LAST = sa.select(sa.func.coalesce(sa.func.max(RUN.c.number), 0)).where(
    RUN.c.context_id == sa.bindparam("context"), RUN.c.step == sa.bindparam("wanted_step")
)
_JOINABLE = (
    sa.select(RUN.c.execution_id)
    .join(EXECUTION, EXECUTION.c.id == RUN.c.execution_id)
    .where(
        RUN.c.context_id == sa.bindparam("context"),
        RUN.c.step == sa.bindparam("wanted_step"),
        RUN.c.join_key == sa.bindparam("wanted_key"),
        RUN.c.lapse_ms > 0,
        EXECUTION.c.last_known_state.in_([int(state) for state in STATES[v1.RUN_STATE_RUNNING]]),
    )
    .order_by(RUN.c.number.desc())
    .limit(1)
)
_LIVE = (
    sa.update(RUN)
    .where(RUN.c.execution_id == sa.bindparam("run"))
    .values(heartbeat_ms=sa.bindparam("now"), lapse_ms=sa.bindparam("lapse"), end_ms=0, lost=0, reason=sa.literal(""))
)
_END = (
    sa.update(RUN)
    .where(RUN.c.execution_id == sa.bindparam("run"))
    .values(end_ms=sa.bindparam("now"), lapse_ms=0, lost=sa.bindparam("was_lost"), reason=sa.bindparam("told_reason"))
)


def experiment_id(tx: Transaction, experiment: str) -> int | None:
    """Return the id of an experiment's context, None when there is none."""
    type_id = find_type_id(tx, Kind.CONTEXT, EXPERIMENT_TYPE)
    if type_id is None:
        return None
    rows = tx.rows(_CONTEXT_ID, {"type_id": type_id, "name": tx.text.encode(experiment)})
    return int(rows[0][0]) if rows else None


def start_run(tx: Transaction, request: v1.StartRunRequest) -> v1.StartRunResponse:
    """Make a run, or find the one with this token, or the living one with this key.

    Raises InvalidArgument for names, a token or a timeout that cannot be kept, AlreadyExists when the token is that
    of a run of another experiment or step.
    """
    _check(request)
    execution = parse_node(request.execution, pb.Execution)
    for field in ("id", "name", "type_id", "type", "last_known_state"):
        if execution.HasField(field):
            raise InvalidArgument(f"execution.{field}: the server gives a run its {field}; leave it out.")
    known = run_by_token(tx, request.token)
    if known is not None:
        if (known.experiment, known.step) != (request.experiment, request.step):
            raise AlreadyExists(f"token: is that of a run of {known.experiment}/{known.step}; use a fresh one.")
        return v1.StartRunResponse(run=known.message(), token=known.token, joined=True)
    context_id = _experiment(tx, request.experiment)
    tx.rows(_LOCK_CONTEXT, {"context": context_id})
    joined = _joinable(tx, context_id, request)
    if joined is not None:
        return v1.StartRunResponse(run=joined.message(), token=joined.token, joined=True)
    return v1.StartRunResponse(run=_made(tx, context_id, request, execution).message(), token=request.token)


def _check(request: v1.StartRunRequest) -> None:
    for field in ("experiment", "step"):
        name = getattr(request, field)
        if not name or name != name.strip() or not name.isprintable() or len(name) > LONGEST_NAME:
            raise InvalidArgument(
                f"{field}: {name[:80]!r} is empty, begins or ends with space, is not printable, or is longer than "
                f"{LONGEST_NAME} characters."
            )
    if "/" in request.step:
        raise InvalidArgument(f"step: {request.step!r} contains '/', which ends the step in a run's name.")
    if not _TOKEN.fullmatch(request.token):
        raise InvalidArgument("token: is not 16 to 64 letters and digits; make a random one, secrets.token_hex(16).")
    if request.timeout_ms and not SHORTEST_MS <= request.timeout_ms <= LONGEST_MS:
        raise InvalidArgument(
            f"timeout_ms: {request.timeout_ms} is not {SHORTEST_MS:,} to {LONGEST_MS:,}; 0 means {USUAL_MS:,}."
        )
    if len(request.join_key) > LONGEST_KEY or not request.join_key.isprintable():
        raise InvalidArgument(f"join_key: is not printable, or longer than {LONGEST_KEY} characters.")


def _experiment(tx: Transaction, experiment: str) -> int:
    """Return the id of the experiment's context, which is made when it is not there."""
    found = experiment_id(tx, experiment)
    if found is not None:
        return found
    given = pb.ContextType(name=EXPERIMENT_TYPE, description="Runs that belong together.")
    (type_id,) = put_types(tx, [(Kind.CONTEXT, given)], Evolution(can_omit_fields=True))
    tx.rows(_STORE_ROW)
    again = experiment_id(tx, experiment)
    if again is not None:
        return again
    try:
        (context_id,) = create_nodes(tx, Kind.CONTEXT, [pb.Context(type_id=type_id, name=experiment)])
    except AlreadyExists as error:
        raise Aborted("The experiment's context was made at the same moment; try again.") from error
    return context_id


def _joinable(tx: Transaction, context_id: int, request: v1.StartRunRequest) -> RunRow | None:
    if not request.join_key:
        return None
    rows = tx.rows(_JOINABLE, {"context": context_id, "wanted_step": request.step, "wanted_key": request.join_key})
    return run_by_id(tx, rows[0][0]) if rows else None


def _made(tx: Transaction, context_id: int, request: v1.StartRunRequest, execution: pb.Execution) -> RunRow:
    type_name = request.type_name or RUN_TYPE
    type_id = find_type_id(tx, Kind.EXECUTION, type_name)
    if type_id is None:
        given = pb.ExecutionType(name=type_name)
        (type_id,) = put_types(tx, [(Kind.EXECUTION, given)], Evolution(can_omit_fields=True))
    number = int(tx.rows(_LAST, {"context": context_id, "wanted_step": request.step})[0][0]) + 1
    execution.type_id = type_id
    execution.name = f"{request.experiment}/{request.step}/{number}"
    execution.last_known_state = pb.Execution.RUNNING
    (execution_id,) = create_nodes(tx, Kind.EXECUTION, [execution])
    store_links(tx, (), [(context_id, execution_id)], fresh_executions={execution_id})
    now, timeout = tx.agreed_ms(), request.timeout_ms or USUAL_MS
    values = {
        "execution_id": execution_id, "context_id": context_id, "step": request.step, "number": number,
        "token": request.token, "join_key": request.join_key, "timeout_ms": timeout, "start_ms": now,
        "heartbeat_ms": now, "lapse_ms": now + timeout, "end_ms": 0, "lost": 0, "reason": "",
        "subject": tx.caller.subject[:255],
    }  # fmt: skip
    tx.insert(RUN, _COLUMNS, [tuple(values[name] for name in _COLUMNS)])
    made = run_by_id(tx, execution_id)
    if made is None:
        raise Aborted("The run went away while it was made; try again.")
    return made


def find_run(tx: Transaction, token: str, *, locked: bool = False) -> RunRow:
    """Return the run with this token; raises NotFound without repeating it."""
    found = run_by_token(tx, token) if token else None
    if found is not None and locked:
        found = run_by_id(tx, found.execution_id, locked=True)
    if found is None:
        raise NotFound("token: there is no run with this token; start one, or check which store this is.")
    return found


def join_run(tx: Transaction, request: v1.JoinRunRequest) -> v1.JoinRunResponse:
    """Return the run with a token, whatever became of it."""
    return v1.JoinRunResponse(run=find_run(tx, request.token).message())


def heartbeat(tx: Transaction, request: v1.HeartbeatRequest) -> v1.HeartbeatResponse:
    """Note that a run lives; one that was taken for dead lives again, one that was ended stays so."""
    run = find_run(tx, request.token, locked=True)
    if run.end_ms and not run.lost:
        return v1.HeartbeatResponse(state=run.state)
    now = tx.agreed_ms()
    tx.execute(_LIVE, {"run": run.execution_id, "now": now, "lapse": now + run.timeout_ms})
    if run.lost:
        _set_state(tx, run.execution_id, v1.RUN_STATE_RUNNING, "")
        return v1.HeartbeatResponse(state=v1.RUN_STATE_RUNNING)
    return v1.HeartbeatResponse(state=run.state)


def finish_run(tx: Transaction, request: v1.FinishRunRequest) -> v1.FinishRunResponse:
    """End a run; raises FailedPrecondition when it was ended otherwise, and not only taken for dead."""
    if request.state not in STATES or request.state == v1.RUN_STATE_RUNNING:
        raise InvalidArgument(
            "state: say how the run ended: RUN_STATE_COMPLETE, RUN_STATE_FAILED or RUN_STATE_CANCELED."
        )
    run = find_run(tx, request.token, locked=True)
    if run.end_ms and not run.lost:
        if run.state != request.state:
            ended = v1.RunState.Name(run.state)
            raise FailedPrecondition(f"state: the run {run.execution_id} has ended as {ended} already, which stays.")
        return v1.FinishRunResponse(run=run.message())
    return v1.FinishRunResponse(run=end_run(tx, run, request.state, request.reason[:LONGEST_REASON], lost=False))


def end_run(tx: Transaction, run: RunRow, state: int, reason: str, *, lost: bool) -> v1.Run:
    """End a run whose row is locked; return it as it is then."""
    parameters = {"run": run.execution_id, "now": tx.agreed_ms(), "was_lost": int(lost), "told_reason": reason}
    tx.execute(_END, parameters)
    _set_state(tx, run.execution_id, state, reason)
    ended = run_by_id(tx, run.execution_id)
    return ended.message() if ended is not None else v1.Run(execution_id=run.execution_id)


def _set_state(tx: Transaction, execution_id: int, state: int, reason: str) -> None:
    """Give the execution its state and its reason, and leave everything else of it."""
    written: Any = STATES[state][0]
    changed = pb.Execution(id=execution_id, last_known_state=written)
    if reason:
        changed.custom_properties[REASON_PROPERTY].string_value = reason
    mask: Any = parse_mask(["last_known_state", f"custom_properties.{REASON_PROPERTY}"])
    put_nodes(tx, Kind.EXECUTION, [changed], Rules(mask))
