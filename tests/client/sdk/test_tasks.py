"""A store in a program of asyncio: the run follows into tasks and threads, and cancelled tasks leave nothing half."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from mlmd_client import Run, Store, current_run
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd


def artifacts(store: Store) -> list[pb.Artifact]:
    """Return all artifacts."""
    return list(store.service.read(mlmd.GetArtifactsRequest(), mlmd.GetArtifactsResponse).artifacts)


def test_a_run_follows_into_tasks_and_threads(local_store: Store, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x\n1\n")

    async def worker(number: int, seen: list[Run | None]) -> None:
        seen.append(current_run())
        for step in range(20):
            run = current_run()
            assert run is not None
            run.metric(f"loss{number}", step, step=step)
            await asyncio.sleep(0)

    async def main() -> Run:
        seen: list[Run | None] = []
        async with local_store.run("tasks/shared") as run:
            async with asyncio.TaskGroup() as tasks:
                for number in range(4):
                    tasks.create_task(worker(number, seen))
            seen.append(await asyncio.to_thread(current_run))
            version = await asyncio.to_thread(run.log_dataset, "tasks-data", tmp_path / "data.csv")
            assert await asyncio.to_thread(lambda: version.ref) == "tasks-data@1"
        assert seen == [run] * 5
        assert current_run() is None
        return run

    run = asyncio.run(main())
    facts = local_store.run_facts(run.id)
    assert facts.state == "COMPLETE"
    assert str(local_store.compare(run).series("loss3").svg).startswith("<svg")
    made_by = local_store["tasks-data@1"].run
    assert made_by is not None
    assert made_by.id == run.id


def test_one_failed_task_fails_the_run_of_them_all(local_store: Store) -> None:
    runs: list[Run] = []

    async def waits() -> None:
        await asyncio.Event().wait()

    async def fails() -> None:
        run = current_run()
        assert run is not None
        run.metrics(auc=0.5)
        raise ValueError("the data ran out")

    async def main() -> None:
        async with local_store.run("tasks/failed") as run:
            runs.append(run)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(waits())
                tasks.create_task(fails())

    with pytest.raises(ExceptionGroup):
        asyncio.run(main())
    facts = local_store.run_facts(runs[0].id)
    assert facts.state == "FAILED"
    assert "ExceptionGroup" in facts.reason
    assert facts.metrics["auc"] == 0.5, "what was logged before is kept"


def test_a_run_that_timed_out_is_told_as_such(local_store: Store) -> None:
    runs: list[Run] = []

    async def main() -> None:
        async with asyncio.timeout(None) as limit:
            async with local_store.run("tasks/late") as run:
                runs.append(run)
                run.metrics(auc=0.5)
                limit.reschedule(asyncio.get_running_loop().time())
                await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    facts = local_store.run_facts(runs[0].id)
    assert (facts.state, facts.metrics["auc"]) == ("CANCELED", 0.5)


Held = tuple[threading.Event, threading.Event]
"""What says that a call came, and what lets it go on."""
Hold = Callable[[str], Held]


@pytest.fixture
def hold(local_store: Store, monkeypatch: pytest.MonkeyPatch) -> Hold:
    """A function that lets calls of a method wait: returns what says that one came, and what lets it go on."""
    transport = local_store.service.transport
    unary = transport.unary

    def prepare(method: str) -> Held:
        came, go_on = threading.Event(), threading.Event()

        def waiting(path: str, *arguments: Any, **named: Any) -> Any:
            if path.endswith(f"/{method}"):
                came.set()
                assert go_on.wait(60)
            return unary(path, *arguments, **named)

        monkeypatch.setattr(transport, "unary", waiting)
        return came, go_on

    return prepare


def test_what_waits_in_a_thread_leaves_the_loop_free(local_store: Store, hold: Hold) -> None:
    came, go_on = hold("GetArtifacts")

    async def main() -> None:
        asking = asyncio.create_task(asyncio.to_thread(local_store.find, "artifacts"))
        while not came.is_set():
            await asyncio.sleep(0.01)
        go_on.set()  # by the loop, which therefore goes on while the call waits
        assert (await asking).rows == []

    asyncio.run(main())


def cancelled(task: Callable[[], Coroutine[Any, Any, None]], held: Held, times: int = 1) -> None:
    """Run a task, cancel it while a call of it is held, then let the call go on."""
    came, go_on = held

    async def main() -> None:
        running = asyncio.create_task(task())
        assert await asyncio.to_thread(came.wait, 60)
        for _ in range(times):
            running.cancel()
            await asyncio.sleep(0.01)
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(main())


@pytest.mark.parametrize("times", [1, 3], ids=["once", "again-and-again"])
def test_a_task_that_is_cancelled_while_its_run_begins(local_store: Store, hold: Hold, times: int) -> None:
    async def task() -> None:
        async with local_store.run("tasks/never"):
            raise AssertionError("the task was cancelled before")

    cancelled(task, hold("StartRun"), times)
    assert [row["state"] for row in local_store.runs("tasks").rows] == ["CANCELED"], "a thread began it all the same"


def test_a_task_that_is_cancelled_while_its_run_ends(local_store: Store, hold: Hold) -> None:
    async def task() -> None:
        async with local_store.run("tasks/done") as run:
            run.metrics(auc=0.5)

    cancelled(task, hold("FinishRun"))
    (row,) = local_store.runs("tasks").rows
    assert (row["state"], row["auc"]) == ("COMPLETE", 0.5)


def test_an_upload_whose_task_was_cancelled_is_whole_or_not_there(
    local_store: Store, hold: Hold, tmp_path: Path
) -> None:
    (tmp_path / "model.bin").write_bytes(bytes(1 << 20))

    async def task() -> None:
        async with local_store.run("tasks/upload") as run:
            await asyncio.to_thread(run.log_model, "big", tmp_path / "model.bin")

    cancelled(task, hold("CommitUpload"))
    (row,) = local_store.runs("tasks").rows
    assert row["state"] == "CANCELED"
    (artifact,) = artifacts(local_store)
    assert artifact.state in (pb.Artifact.LIVE, pb.Artifact.ABANDONED)
    if artifact.state == pb.Artifact.LIVE:
        assert local_store.version(artifact.id).path.read_bytes() == bytes(1 << 20)
