"""Runs in the database, and the messages they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import runs_pb2 as v1
from mlmd_schemas.tables.own import RUN
from mlmd_schemas.tables.v10 import CONTEXT, EXECUTION

from mlmd_metadata_store.transaction import Transaction

STATES: dict[int, tuple[int, ...]] = {
    v1.RUN_STATE_RUNNING: (pb.Execution.RUNNING, pb.Execution.NEW),
    v1.RUN_STATE_COMPLETE: (pb.Execution.COMPLETE, pb.Execution.CACHED),
    v1.RUN_STATE_FAILED: (pb.Execution.FAILED,),
    v1.RUN_STATE_CANCELED: (pb.Execution.CANCELED,),
}
"""The states of a run and those of its execution that they are; the first is the one that is written."""
_STATE_OF: dict[int, Any] = {state: mine for mine, states in STATES.items() for state in states}

_WHOLE = (
    sa.select(
        RUN.c.execution_id,
        RUN.c.context_id,
        CONTEXT.c.name,
        RUN.c.step,
        RUN.c.number,
        EXECUTION.c.last_known_state,
        RUN.c.start_ms,
        RUN.c.heartbeat_ms,
        RUN.c.end_ms,
        RUN.c.reason,
        RUN.c.lost,
        RUN.c.subject,
        RUN.c.token,
        RUN.c.timeout_ms,
    )
    .join(EXECUTION, EXECUTION.c.id == RUN.c.execution_id)
    .join(CONTEXT, CONTEXT.c.id == RUN.c.context_id)
)
_BY_TOKEN = _WHOLE.where(RUN.c.token == sa.bindparam("token"))
_BY_ID = _WHOLE.where(RUN.c.execution_id == sa.bindparam("run"))
_LOCK = sa.select(RUN.c.lapse_ms).where(RUN.c.execution_id == sa.bindparam("run")).with_for_update()
_PAGE = (
    _WHOLE.where(
        RUN.c.execution_id < sa.bindparam("before"),
        EXECUTION.c.last_known_state.in_(sa.bindparam("states", expanding=True)),
    )
    .order_by(RUN.c.execution_id.desc())
    .limit(sa.bindparam("rows", type_=sa.BigInteger))
)
_OF_EXPERIMENT = _PAGE.where(RUN.c.context_id == sa.bindparam("context"))
_OF_STEP = _OF_EXPERIMENT.where(RUN.c.step == sa.bindparam("wanted_step"))


class RunRow(NamedTuple):
    """A run with the state of its execution and the name of its experiment, as the database keeps them."""

    execution_id: int
    context_id: int
    experiment: str
    step: str
    number: int
    execution_state: int
    start_ms: int
    heartbeat_ms: int
    end_ms: int
    reason: str
    lost: int
    subject: str
    token: str
    timeout_ms: int

    @property
    def state(self) -> Any:
        """The state of the run; whatever MLMD's calls made of its execution counts."""
        return _STATE_OF.get(self.execution_state, v1.RUN_STATE_UNSPECIFIED)

    def message(self) -> v1.Run:
        """The run as a message; its token stays behind."""
        fields = self._asdict()
        for name in ("execution_state", "token", "timeout_ms"):
            del fields[name]
        return v1.Run(**(fields | {"lost": bool(self.lost), "state": self.state}))


def _row(tx: Transaction, row: Sequence[Any]) -> RunRow:
    found = RunRow(*row)
    return found._replace(experiment=tx.text.decode(found.experiment), execution_state=found.execution_state or 0)


def run_by_token(tx: Transaction, token: str) -> RunRow | None:
    """Return the run with this token, None when there is none."""
    rows = tx.rows(_BY_TOKEN, {"token": token})
    return _row(tx, rows[0]) if rows else None


def run_by_id(tx: Transaction, execution_id: int, *, locked: bool = False) -> RunRow | None:
    """Return the run of an execution, None when it is no run; `locked` until the transaction ends."""
    if locked:
        tx.rows(_LOCK, {"run": execution_id})
    rows = tx.rows(_BY_ID, {"run": execution_id})
    return _row(tx, rows[0]) if rows else None


def run_page(tx: Transaction, context_id: int | None, step: str, state: int, rows: int, before: int) -> list[RunRow]:
    """Return up to `rows` runs older than `before`, newest first: all, those of an experiment, or of a step of it."""
    states = STATES.get(state) or [one for some in STATES.values() for one in some]
    parameters: dict[str, Any] = {"before": before, "rows": rows, "states": [int(one) for one in states]}
    if context_id is None:
        return [_row(tx, row) for row in tx.rows(_PAGE, parameters)]
    parameters["context"] = context_id
    if not step:
        return [_row(tx, row) for row in tx.rows(_OF_EXPERIMENT, parameters)]
    return [_row(tx, row) for row in tx.rows(_OF_STEP, {**parameters, "wanted_step": step})]
