"""Runs: numbered without gaps, heard from, ended once, whoever races."""

import re
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store import clock
from mlmd_metadata_store.leases import take_lease
from mlmd_metadata_store.run_reaping import reap_runs
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import runs_pb2 as v1
from mlmd_schemas.tables.own import RUN

from tests.metadata_store.calls import Calls, counted, node

STEP = {"experiment": "churn", "step": "train"}


def start(call: Calls, **fields: Any) -> v1.StartRunResponse:
    started: v1.StartRunResponse = call("StartRun", **{**STEP, "token": secrets.token_hex(16), **fields})
    return started


def finish(call: Calls, token: str, state: int = v1.RUN_STATE_COMPLETE, reason: str = "") -> v1.Run:
    ended: v1.Run = call("FinishRun", token=token, state=state, reason=reason).run
    return ended


def execution(call: Calls, run: v1.Run) -> pb.Execution:
    found: pb.Execution
    (found,) = call("GetExecutionsByID", execution_ids=[run.execution_id]).executions
    return found


def lapse(store: Store, *runs: int) -> None:
    """Let executions be as if they had not been heard from for longer than agreed."""
    silent_ms = RUN.c.timeout_ms + 1000
    overdue = sa.update(RUN).where(RUN.c.execution_id.in_(runs), RUN.c.lapse_ms > 0)
    overdue = overdue.values(heartbeat_ms=RUN.c.heartbeat_ms - silent_ms, lapse_ms=RUN.c.lapse_ms - silent_ms)
    store.database.write(LOCAL, lambda tx: tx.execute(overdue))


def test_a_run_is_an_execution_in_the_context_of_its_experiment(call: Calls) -> None:
    given = node(pb.Execution, custom={"lr": 0.1, "depth": 3, "loss": "hinge"})
    started = start(call, execution=given.SerializeToString())
    run = started.run
    assert (run.experiment, run.step, run.number, run.state) == ("churn", "train", 1, v1.RUN_STATE_RUNNING)
    assert run.start_ms == run.heartbeat_ms > 1_600_000_000_000
    assert not started.joined
    made = execution(call, run)
    assert (made.type, made.name, made.last_known_state) == ("mlmd.Run", "churn/train/1", pb.Execution.RUNNING)
    assert made.custom_properties["lr"].double_value == 0.1
    (context,) = call("GetContextsByExecution", execution_id=run.execution_id).contexts
    assert (context.id, context.type, context.name) == (run.context_id, "mlmd.Experiment", "churn")


def test_runs_of_a_step_are_numbered_for_themselves(call: Calls) -> None:
    numbers = [start(call, step=step).run.number for step in ("train", "train", "evaluate", "train")]
    assert numbers == [1, 2, 1, 3]
    assert start(call, experiment="fraud").run.number == 1
    assert execution(call, start(call, type_name="Trainer").run).type == "Trainer"


@pytest.mark.parametrize("apart_ms", [-3_600_000, 3_600_000])
def test_servers_whose_clocks_are_apart_agree_on_who_is_silent(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch, apart_ms: int
) -> None:
    """Each of two servers hears a run that lives, and their clocks differ by an hour."""
    store = Store.open(mariadb_url)
    call = Calls(store)
    mine = start(call)
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(clock, "time_ns", lambda: time.time_ns() + apart_ms * 1_000_000)
        assert reap_runs(store) == []
        theirs = start(call)
        assert call("Heartbeat", token=mine.token).state == v1.RUN_STATE_RUNNING
        assert store.database.write(LOCAL, lambda tx: take_lease(tx, "sweep", "elsewhere", 60))
    assert reap_runs(store) == []
    assert not store.database.write(LOCAL, lambda tx: take_lease(tx, "sweep", "here", 60))
    lapse(store, mine.run.execution_id, theirs.run.execution_id)
    assert sorted(reap_runs(store)) == [mine.run.execution_id, theirs.run.execution_id]
    store.close()


def test_starting_again_with_the_token_is_the_same_run(call: Calls) -> None:
    first = start(call)
    again = start(call, token=first.token)
    assert again.joined
    assert again.run.execution_id == first.run.execution_id
    assert call.code("StartRun", **{**STEP, "step": "evaluate"}, token=first.token) is Code.ALREADY_EXISTS
    assert call("JoinRun", token=first.token).run == again.run


def test_processes_with_one_key_share_a_run_while_it_lives(call: Calls) -> None:
    first, second = start(call, join_key="job-7"), start(call, join_key="job-7")
    assert second.joined
    assert (second.token, second.run.execution_id) == (first.token, first.run.execution_id)
    assert start(call, join_key="job-8").run.execution_id != first.run.execution_id
    for elsewhere in ({"experiment": "fraud"}, {"step": "evaluate"}):
        other = start(call, join_key="job-7", **elsewhere)
        assert not other.joined
        assert other.run.execution_id != first.run.execution_id, "a key is of one step of one experiment"
    assert start(call).run.execution_id != first.run.execution_id, "without a key nobody joins"
    finish(call, first.token)
    assert not start(call, join_key="job-7").joined


def test_ranks_that_start_at_once_find_one_run_and_others_count_without_gaps(call: Calls) -> None:
    start(call, experiment="other")
    with ThreadPoolExecutor(8) as pool:
        shared = list(pool.map(lambda _: start(call, join_key="job").run.execution_id, range(8)))
        alone = list(pool.map(lambda _: start(call).run.number, range(8)))
    assert len(set(shared)) == 1
    assert sorted(alone) == list(range(2, 10))


@pytest.mark.parametrize("state", [v1.RUN_STATE_COMPLETE, v1.RUN_STATE_FAILED, v1.RUN_STATE_CANCELED])
def test_an_end_is_final_and_safe_to_repeat(call: Calls, state: int) -> None:
    token = start(call, execution=node(pb.Execution, custom={"lr": 0.1}).SerializeToString()).token
    ended = finish(call, token, state, "why")
    assert (ended.state, ended.reason, ended.lost) == (state, "why", False)
    assert ended.end_ms >= ended.start_ms
    assert finish(call, token, state, "again") == ended
    others = {v1.RUN_STATE_COMPLETE, v1.RUN_STATE_FAILED, v1.RUN_STATE_CANCELED} - {state}
    for other in others:
        assert call.code("FinishRun", token=token, state=other) is Code.FAILED_PRECONDITION
    assert call("Heartbeat", token=token).state == state
    stored = execution(call, ended)
    assert stored.custom_properties["mlmd.reason"].string_value == "why"
    assert stored.custom_properties["lr"].double_value == 0.1
    assert stored.name == "churn/train/1"


def test_a_silent_run_is_ended_with_the_reason_and_a_live_one_is_not(call: Calls, store: Store) -> None:
    dead, alive = start(call, timeout_ms=60_000), start(call, timeout_ms=60_000)
    assert reap_runs(store) == []
    lapse(store, dead.run.execution_id)
    assert reap_runs(store) == [dead.run.execution_id]
    assert reap_runs(store) == []
    run = call("GetRun", execution_id=dead.run.execution_id).run
    assert (run.state, run.lost) == (v1.RUN_STATE_FAILED, True)
    assert re.match(r"Not heard from for \d+ seconds, where 60 were agreed: ", run.reason)
    assert execution(call, run).last_known_state == pb.Execution.FAILED
    assert execution(call, alive.run).last_known_state == pb.Execution.RUNNING


def test_a_run_taken_for_dead_lives_again_when_it_is_heard_from(call: Calls, store: Store) -> None:
    started = start(call, timeout_ms=60_000)
    token, execution_id = started.token, started.run.execution_id
    lapse(store, execution_id)
    assert reap_runs(store) == [execution_id]
    assert call("Heartbeat", token=token).state == v1.RUN_STATE_RUNNING
    run = call("JoinRun", token=token).run
    assert (run.state, run.lost, run.reason, run.end_ms) == (v1.RUN_STATE_RUNNING, False, "", 0)
    assert "mlmd.reason" not in execution(call, run).custom_properties
    lapse(store, execution_id)
    assert reap_runs(store) == [execution_id]
    ended = finish(call, token)
    assert (ended.state, ended.lost, ended.reason) == (v1.RUN_STATE_COMPLETE, False, "")


def test_many_reapers_end_a_run_once(call: Calls, store: Store) -> None:
    runs = [start(call, timeout_ms=60_000).run.execution_id for _ in range(20)]
    lapse(store, *runs)
    with ThreadPoolExecutor(4) as pool:
        ended = [run for some in pool.map(lambda _: reap_runs(store), range(4)) for run in some]
    assert sorted(ended) == runs


def test_a_run_that_mlmd_ended_stays_as_it_is(call: Calls, store: Store) -> None:
    run = start(call, timeout_ms=60_000).run
    changed = execution(call, run)
    changed.last_known_state = pb.Execution.COMPLETE
    call("PutExecutions", executions=[changed])
    lapse(store, run.execution_id)
    assert reap_runs(store) == []
    assert call("GetRun", execution_id=run.execution_id).run.state == v1.RUN_STATE_COMPLETE


def test_lists_are_paged_newest_first_and_chosen(call: Calls) -> None:
    runs = [start(call) for _ in range(5)]
    other = start(call, step="evaluate")
    elsewhere = start(call, experiment="fraud")
    finish(call, runs[0].token, v1.RUN_STATE_FAILED)
    ids = [run.run.execution_id for run in (*runs, other, elsewhere)]

    def listed(**fields: Any) -> list[int]:
        found: list[int] = []
        token = ""
        while True:
            page = call("ListRuns", page_size=2, page_token=token, **fields)
            found += [run.execution_id for run in page.runs]
            token = page.next_page_token
            if not token:
                return found

    assert listed() == ids[::-1]
    assert listed(experiment="churn") == ids[5::-1]
    assert listed(experiment="churn", step="train") == ids[4::-1]
    assert listed(state=v1.RUN_STATE_FAILED) == ids[:1]
    assert listed(experiment="churn", state=v1.RUN_STATE_CANCELED) == []
    assert call.code("ListRuns", experiment="nobody") is Code.NOT_FOUND
    assert call.code("ListRuns", experiment="churn", step="nothing") is Code.NOT_FOUND
    assert call.code("ListRuns", step="train") is Code.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "fields",
    [
        {"experiment": ""},
        {"experiment": " churn"},
        {"experiment": "x" * 121},
        {"step": ""},
        {"step": "a/b"},
        {"token": "short"},
        {"token": "x" * 16 + " "},
        {"timeout_ms": 999},
        {"timeout_ms": -1},
        {"join_key": "a\nb"},
        {"execution": b"\xff"},
        {"execution": pb.Execution(name="mine").SerializeToString()},
        {"execution": pb.Execution(last_known_state=pb.Execution.COMPLETE).SerializeToString()},
    ],
)
def test_what_cannot_be_kept_is_refused_and_leaves_nothing(call: Calls, fields: dict[str, Any]) -> None:
    given = {**STEP, "token": secrets.token_hex(16), **fields}
    assert call.code("StartRun", **given) is Code.INVALID_ARGUMENT
    assert not call("GetExecutions").executions
    assert not call("GetContexts").contexts


def test_an_unknown_token_or_execution_is_not_found(call: Calls) -> None:
    for method in ("JoinRun", "Heartbeat"):
        assert call.code(method, token="0" * 32) is Code.NOT_FOUND
    assert call.code("FinishRun", token="0" * 32, state=v1.RUN_STATE_COMPLETE) is Code.NOT_FOUND
    assert call.code("FinishRun", token=start(call).token) is Code.INVALID_ARGUMENT
    assert call.code("GetRun", execution_id=99) is Code.NOT_FOUND


def test_statements_do_not_grow_with_the_runs_that_are_there(call: Calls, store: Store) -> None:
    start(call)
    with counted(store) as few:
        start(call)
    for _ in range(10):
        start(call)
    with counted(store) as many:
        call("Heartbeat", token=start(call).token)
    with counted(store) as listed:
        call("ListRuns")
    assert len(many) <= len(few) + 4
    assert len(listed) == 1


def test_a_misspelt_experiment_or_step_is_named_with_what_was_meant(call: Calls) -> None:
    start(call)
    for fields, missing, sentence in (
        ({"experiment": "chrun"}, "experiment", "there is no experiment 'chrun'; did you mean 'churn'?"),
        ({"experiment": "else"}, "experiment", "there is no experiment 'else'; its first run makes it."),
        ({"experiment": "churn", "step": "trian"}, "step", "has no step 'trian'; did you mean 'train'?"),
        ({"experiment": "churn", "step": "score"}, "step", "has no step 'score'; it has 'train'."),
    ):
        with pytest.raises(NotFound, match=re.escape(sentence)) as caught:
            call("ListRuns", **fields)
        assert caught.value.facts == {"mlmd-missing": missing}
