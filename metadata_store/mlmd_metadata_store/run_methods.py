"""The methods of `mlmd.v1.Runs`."""

from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import runs_pb2 as v1

from mlmd_metadata_store.keyset_tokens import number_below, page_size, token_after
from mlmd_metadata_store.rpc import Service
from mlmd_metadata_store.run_names import known_experiment, require_step
from mlmd_metadata_store.run_rows import STATES, run_by_id, run_page
from mlmd_metadata_store.runs import finish_run, heartbeat, join_run, start_run
from mlmd_metadata_store.transaction import Transaction

RUNS_SERVICE = "mlmd.v1.Runs"
_RUNS = Service(RUNS_SERVICE, v1)


def get_run(tx: Transaction, request: v1.GetRunRequest) -> v1.GetRunResponse:
    """Return the run of an execution; raises NotFound when it is none."""
    run = run_by_id(tx, request.execution_id)
    if run is None:
        raise NotFound(f"execution_id: {request.execution_id} is no run; runs are made with StartRun.")
    return v1.GetRunResponse(run=run.message())


def list_runs(tx: Transaction, request: v1.ListRunsRequest) -> v1.ListRunsResponse:
    """Return a page of runs, newest first, and the token of the next page.

    Raises NotFound for an experiment, or a step of it, that never had a run.
    """
    if request.step and not request.experiment:
        raise InvalidArgument("step: needs the experiment that it is a step of; say both.")
    if request.state and request.state not in STATES:
        raise InvalidArgument(f"state: {request.state} is no state of a run; 0 means all of them.")
    count, before = page_size(request.page_size), number_below("runs", request.page_token)
    context_id = known_experiment(tx, request.experiment) if request.experiment else None
    runs = run_page(tx, context_id, request.step, request.state, count + 1, before)
    if context_id is not None and request.step and not runs:
        require_step(tx, request.experiment, context_id, request.step)
    following = token_after("runs", str(runs[count - 1].execution_id)) if len(runs) > count else ""
    return v1.ListRunsResponse(runs=[run.message() for run in runs[:count]], next_page_token=following)


RUN_METHODS = (
    _RUNS.writes("StartRun", start_run),
    _RUNS.reads("JoinRun", join_run),
    _RUNS.writes("Heartbeat", heartbeat),
    _RUNS.writes("FinishRun", finish_run),
    _RUNS.reads("GetRun", get_run),
    _RUNS.reads("ListRuns", list_runs),
)
