"""Runs that are not heard from any more: they become FAILED, with the reason."""

from collections.abc import Callable
from functools import partial
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.caller import Caller
from mlmd_schemas.pb.v1 import runs_pb2 as v1
from mlmd_schemas.tables.own import RUN

from mlmd_metadata_store.run_rows import run_by_id
from mlmd_metadata_store.runs import end_run
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction

REAPER = Caller(subject="reaper", request_id="reaper")
_AT_ONCE = 100
_AFTER: sa.BindParameter[Any] = sa.bindparam("after")
_LAPSED = (
    sa.select(RUN.c.execution_id, RUN.c.lapse_ms)
    .where(RUN.c.lapse_ms >= _AFTER, RUN.c.lapse_ms < sa.bindparam("now"))
    .where(sa.or_(RUN.c.lapse_ms > _AFTER, RUN.c.execution_id > sa.bindparam("run")))
    .order_by(RUN.c.lapse_ms, RUN.c.execution_id)
    .limit(_AT_ONCE)
)
_LAPSE = sa.select(RUN.c.lapse_ms).where(RUN.c.execution_id == sa.bindparam("run")).with_for_update()
_CLOSE = sa.update(RUN).where(RUN.c.execution_id == sa.bindparam("run")).values(end_ms=sa.bindparam("now"), lapse_ms=0)


def _unguarded(_: str, attempt: Callable[[], bool]) -> bool:
    return attempt()


def reap_runs(
    store: Store, caller: Caller = REAPER, apart: Callable[[str, Callable[[], bool]], bool] = _unguarded
) -> list[int]:
    """End the runs that were not heard from in time; return the ids of their executions.

    Any number of servers may do this at the same time: each run is looked at again under the lock of its row, so it is
    ended once, and one that was heard from meanwhile is left alone. Raises StoreError as the database does.

    Each run is ended through `apart`, which is told whose it is, as in "the run of execution 7", and says whether this
    call ended it. What `apart` does not let through keeps no other run waiting.
    """
    reaped: list[int] = []
    last = (0, 1)  # 0 is the time of runs that have ended
    while True:
        lapsed = store.database.read(caller, partial(_lapsed, last=last), in_passing=True)
        for run, _ in lapsed:
            if apart(f"the run of execution {run}", partial(_reap, store, caller, run)):
                reaped.append(run)
        if len(lapsed) < _AT_ONCE:
            return reaped
        last = lapsed[-1]


def _lapsed(tx: Transaction, last: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the silent runs behind the `last`, each with when it lapsed."""
    run, after = last
    return [(row[0], row[1]) for row in tx.rows(_LAPSED, {"now": tx.agreed_ms(), "after": after, "run": run})]


def _reap(store: Store, caller: Caller, execution_id: int) -> bool:
    """End one run if it is still silent; returns whether this call did."""

    def body(tx: Transaction) -> bool:
        rows: Any = tx.rows(_LAPSE, {"run": execution_id})
        now = tx.agreed_ms()
        if not rows or not 0 < rows[0][0] < now:
            return False
        run = run_by_id(tx, execution_id)
        if run is None or run.state != v1.RUN_STATE_RUNNING:  # MLMD's own calls ended or deleted it
            tx.execute(_CLOSE, {"run": execution_id, "now": now})
            return False
        silent = (now - run.heartbeat_ms) / 1000
        reason = (
            f"Not heard from for {silent:.0f} seconds, where {run.timeout_ms / 1000:g} were agreed: its process was "
            "killed, or lost the network."
        )
        end_run(tx, run, v1.RUN_STATE_FAILED, reason, lost=True)
        return True

    return store.database.write(caller, body)
