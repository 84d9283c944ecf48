"""A server that takes calls and does not answer: for a training it is away, and that is said."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlmd_client.failures import Unreachable
from mlmd_client.store import Store

from tests.client.sdk.conftest import OpenStore
from tests.client.sdk.test_away import journals, points
from tests.conftest import StartServer
from tests.services.server import Server
from tests.services.waiting import wait_for


def is_stopped(pid: int) -> bool:
    """Whether every thread of a process stands still."""
    states = [path.read_text().rpartition(")")[2].split()[0] for path in Path(f"/proc/{pid}/task").glob("*/stat")]
    return set(states) == {"T"}


@contextmanager
def hanging(server: Server) -> Iterator[None]:
    """Stop the processes of a server where they are, for clients that do not wait for long, and let them go on."""
    assert server.process is not None
    pid = server.process.pid
    os.killpg(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: is_stopped(pid))  # until then it answers
        with pytest.MonkeyPatch.context() as impatient:  # with a server that answers they wait as long as it takes
            impatient.setattr("mlmd_client.run._START_SECONDS", 0.5)
            impatient.setattr("mlmd_client.run._ID_SECONDS", 0.5)
            yield
    finally:
        os.killpg(pid, signal.SIGCONT)


@pytest.fixture
def server(sqlite_url: str, start_server: StartServer) -> Server:
    """A server that will hang."""
    return start_server(sqlite_url)


@pytest.mark.parametrize("is_known", [True, False], ids=["was-heard", "never-heard"])
def test_a_run_that_starts_while_the_server_hangs_is_told_later(
    server: Server,
    is_known: bool,
    open_store: OpenStore,
    journal_folder: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = f"grpc://{server.target}"
    store = open_store(target)
    if is_known:
        assert len(store.find("runs")) == 0
    with hanging(server):
        run = store.run("hanging/start", params={"lr": 0.5}, finish_seconds=0.5).start()
        assert "does not answer" in caplog.text
        assert "goes into a journal" in caplog.text
        for step in range(100):
            run.metric("loss", step / 7, step=step)
        assert run.flush(0.5) > 0
        run.metrics(auc=0.9)
        with pytest.raises(Unreachable, match="has no id yet"):
            run.id  # noqa: B018
        run.finish("FAILED", "it diverged")
        assert str(journals(journal_folder)[0]) in capsys.readouterr().err
    later = open_store(target)
    assert later.sync() == 0
    (row,) = later.runs("hanging/start")
    assert (row["state"], row["reason"], row["lr"], row["auc"]) == ("FAILED", "it diverged", 0.5, 0.9)
    assert points(later, row["id"], "loss") == [(step, step / 7) for step in range(100)]
    assert not journals(journal_folder)


def test_a_process_that_joins_a_run_while_the_server_hangs_logs_into_it_later(
    server: Server, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    store = open_store(f"grpc://{server.target}")
    with store.run("hanging/parent") as run:
        for name, value in run.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("mlmd_client.store.is_told_by_parent", lambda token: True)
        other: Store = open_store(f"grpc://{server.target}")
        with hanging(server):
            joined = other.run().start()
            assert "goes into a journal" in caplog.text
            joined.metric("loss", 0.5, step=1)
        assert joined.id == run.id
        joined.finish()
        assert points(store, run.id, "loss") == [(1, 0.5)]
    assert store.run_facts(run.id).state == "COMPLETE"
