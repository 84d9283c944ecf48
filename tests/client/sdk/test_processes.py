"""One run and many threads, tasks, processes and ranks."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pandas
import pytest
from mlmd_client.failures import NotFound, Refused
from mlmd_client.places import Place, place_of
from mlmd_client.run import Run, current_run
from mlmd_client.store import Store

from tests.client.sdk.conftest import OpenStore
from tests.client.sdk.test_away import points
from tests.conftest import StartServer


def test_threads_log_into_one_run_and_lose_nothing(store: Store) -> None:
    with store.run("many/threads") as run:

        def work(number: int) -> None:
            for step in range(500):
                run.metric(f"loss/{number}", step * 0.5, step=step)
            run.metrics({f"final/{number}": number})

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(8)))
    for number in range(8):
        assert points(store, run.id, f"loss/{number}") == [(step, step * 0.5) for step in range(500)]
    assert store.run_facts(run.id).metrics == {f"final/{number}": number for number in range(8)}


def test_each_thread_and_task_is_in_its_own_run(local_store: Store) -> None:
    gate = threading.Barrier(3)

    def work(number: int) -> int:
        with local_store.run("many/same") as run:
            gate.wait(60)
            assert current_run() is run
            run.metrics(number=number)
        return run.id

    with ThreadPoolExecutor(3) as pool:
        ids = list(pool.map(work, range(3)))
    assert len(set(ids)) == 3, "runs of one step at the same time are runs of their own"
    assert [local_store.run_facts(execution_id).metrics["number"] for execution_id in ids] == [0, 1, 2]
    assert current_run() is None
    with local_store.run("many/same") as outer, local_store.run("many/same") as inner:
        assert inner.id != outer.id


def test_asyncio_tasks_have_runs_of_their_own(local_store: Store) -> None:
    async def task(number: int) -> int:
        async with local_store.run(f"many/task{number}") as run:
            await asyncio.sleep(0.01)
            assert current_run() is run
            run.metric("loss", number)
        assert current_run() is None
        return run.id

    async def main() -> list[int]:
        return list(await asyncio.gather(*(task(number) for number in range(4))))

    ids = asyncio.run(main())
    assert [points(local_store, execution_id, "loss")[0][1] for execution_id in ids] == [0, 1, 2, 3]
    assert {local_store.run_facts(execution_id).state for execution_id in ids} == {"COMPLETE"}


def test_a_cancelled_task_leaves_a_cancelled_run(local_store: Store) -> None:
    started: list[Run] = []

    async def task() -> None:
        async with local_store.run("many/cancelled") as run:
            started.append(run)
            await asyncio.sleep(600)

    async def main() -> None:
        running = asyncio.create_task(task())
        while not started:
            await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())
    assert local_store.run_facts(started[0].id).state == "CANCELED"


def test_runs_may_stand_in_runs(local_store: Store) -> None:
    with local_store.run("many/outer") as outer:
        with local_store.run("many/inner") as inner:
            assert current_run() is inner
            assert os.environ["MLMD_RUN"].startswith("many/inner#")
        assert current_run() is outer
        assert os.environ["MLMD_RUN"].startswith("many/outer#")
    assert "MLMD_RUN" not in os.environ


CHILD = """
from mlmd_client import Store

with Store().run() as run:
    for step in range(100):
        run.metric("child", step, step=step)
"""


def test_a_subprocess_joins_the_run_and_does_not_end_it(
    database_url: str, start_server: StartServer, open_store: OpenStore
) -> None:
    store = open_store(f"grpc://{start_server(database_url).target}")
    with store.run("many/processes") as run:
        done = subprocess.run([sys.executable, "-c", CHILD], env=os.environ | run.environment, capture_output=True)
        assert done.returncode == 0, done.stderr
        assert store.run_facts(run.id).state == "RUNNING"
        run.metric("parent", 1.0)
    assert len(points(store, run.id, "child")) == 100
    assert len(store.runs("many")) == 1
    assert store.run_facts(run.id).state == "COMPLETE"


def _in_fork(run: Run, number: int) -> None:
    for step in range(200):
        run.metric(f"fork/{number}", step, step=step)


def test_a_forked_process_logs_into_the_run(store: Store) -> None:
    forking = multiprocessing.get_context("fork")
    with store.run("many/forks") as run:
        run.metric("parent", 0.0)
        children = [forking.Process(target=_in_fork, args=(run, number)) for number in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join(240)
        assert [child.exitcode for child in children] == [0, 0]
        run.metric("parent", 1.0)
    for number in range(2):
        assert points(store, run.id, f"fork/{number}") == [(step, float(step)) for step in range(200)]
    assert len(points(store, run.id, "parent")) == 2


def _threads_in_fork(run: Run, number: int) -> None:
    gate = threading.Barrier(8)

    def work(thread: int) -> None:
        gate.wait(60)
        run.metric(f"fork/{number}", thread, step=thread)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))


def test_threads_of_a_forked_process_lose_nothing(store: Store) -> None:
    forking = multiprocessing.get_context("fork")
    with store.run("many/fork-threads") as run:
        for number in range(3):
            child = forking.Process(target=_threads_in_fork, args=(run, number))
            child.start()
            child.join(240)
            assert child.exitcode == 0
    for number in range(3):
        assert sorted(points(store, run.id, f"fork/{number}")) == [(thread, float(thread)) for thread in range(8)]


def test_ranks_share_a_run_and_rank_0_writes(store: Store) -> None:
    def rank(number: int) -> tuple[int, bool]:
        run = store.run("many/ranks", join="job-7", rank=number).start()
        run.metric("loss", number, step=0)
        run.metrics({f"rank{number}": 1.0})
        started.wait(60)
        execution_id = run.id
        if number:
            run.finish()
            left.release()
        else:
            for _ in range(3):
                left.acquire(timeout=60)
            assert store.run_facts(execution_id).state == "RUNNING", "only the writer ends it"
            run.finish()
        return execution_id, run.is_writer

    started, left = threading.Barrier(4), threading.Semaphore(0)
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(rank, range(4)))
    assert len({execution_id for execution_id, _ in answers}) == 1
    assert [writes for _, writes in answers] == [True, False, False, False]
    (row,) = store.runs("many/ranks")
    assert (row["state"], row["rank0"]) == ("COMPLETE", 1.0)
    assert "rank1" not in row
    assert points(store, row["id"], "loss") == [(0, 0.0)]


def test_other_ranks_get_what_rank_0_keeps_and_wait_only_when_they_look(store: Store) -> None:
    other = store.run("many/kept", join="job-8", rank=1).start()
    models = [other.log_model("m", {"w": number}) for number in range(2)]
    data = [other.log_dataset("d", pandas.DataFrame({"x": [1]})) for _ in range(2)]
    assert repr(models[1]) == "<Version of m, kept by rank 0>"
    with ThreadPoolExecutor(3) as pool:
        asked = [pool.submit(getattr, one, "ref") for one in (*models, data[1])]
        writer = store.run("many/kept", join="job-8", rank=0).start()
        assert not any(one.done() for one in asked)
        kept = [writer.log_model("m", {"w": number}) for number in range(2)]
        kept.append(writer.log_dataset("d", pandas.DataFrame({"x": [1]})))
        kept.append(writer.log_dataset("d", pandas.DataFrame({"x": [1]})))
        assert [one.result(60) for one in asked] == ["m@1", "m@2", "d@1"] == [one.ref for one in kept[:3]]
    assert models[0].load() == {"w": 0}
    late = other.log_model("never", {"w": 1})
    writer.finish()
    with pytest.raises(NotFound, match="kept nothing under the name 'never'"):
        late.id  # noqa: B018
    other.finish()
    assert store.versions("m").column("number") == [2, 1]


@pytest.mark.parametrize(
    ("environment", "place"),
    [
        ({}, Place()),
        ({"RANK": "0", "WORLD_SIZE": "1"}, Place()),
        (
            {"RANK": "3", "WORLD_SIZE": "8", "TORCHELASTIC_RUN_ID": "r", "MASTER_ADDR": "h", "MASTER_PORT": "1"},
            Place(3, 8, "TORCHELASTIC_RUN_ID=r MASTER_ADDR=h MASTER_PORT=1"),
        ),
        ({"SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_JOB_ID": "9"}, Place(1, 2, "SLURM_JOB_ID=9")),
        (
            {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "PMIX_NAMESPACE": "n"},
            Place(1, 2, "PMIX_NAMESPACE=n"),
        ),
    ],
)
def test_launchers_say_which_rank_it_is(environment: dict[str, str], place: Place) -> None:
    assert place_of(environment) == place


def test_ranks_that_nothing_holds_together_are_told_what_to_do() -> None:
    with pytest.raises(Refused, match="pass join="):
        place_of({"RANK": "1", "WORLD_SIZE": "2"})


def test_an_ended_run_cannot_be_joined(local_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_store.run("many/ended") as run:
        pass
    for name, value in run.environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Refused, match="has ended"):
        local_store.run().start()
    monkeypatch.delenv("MLMD_RUN")
    with pytest.raises(Refused, match="MLMD_RUN"):
        local_store.run()
