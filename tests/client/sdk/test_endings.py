"""How runs end that nobody ended, and what a server that goes away in the middle leaves behind."""

import contextlib
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from mlmd_client import CallError, Store, Unreachable

from tests.client.sdk.conftest import OpenStore
from tests.client.sdk.test_away import points
from tests.client.sdk.test_store_refusals import nodes
from tests.conftest import StartServer

PROGRAM = """
import sys
from mlmd_client import Store

run = Store(sys.argv[1]).run("endings/one").start()
run.metric("loss", 1.0)
{rest}
"""


@pytest.mark.parametrize(
    ("rest", "state", "reason"),
    [
        ("", "COMPLETE", ""),
        ("raise ValueError('boom')", "FAILED", "ValueError: boom"),
        ("other = run.store.run('endings/two').start()\nraise ValueError('boom')", "FAILED", "ValueError: boom"),
        ("try: raise ValueError('boom')\nexcept ValueError: pass", "COMPLETE", ""),
        ("run.finish('CANCELED', 'enough')", "CANCELED", "enough"),
    ],
)
def test_the_end_of_the_process_ends_a_run_that_was_only_started(
    sqlite_url: str, open_store: OpenStore, rest: str, state: str, reason: str
) -> None:
    program = PROGRAM.format(rest=rest)
    subprocess.run([sys.executable, "-c", program, sqlite_url], capture_output=True, check=False)
    (row,) = open_store(sqlite_url).runs("endings/one")
    assert (row["state"], row["reason"]) == (state, reason)


@pytest.mark.parametrize(
    ("raised", "state", "reason"),
    [
        (None, "COMPLETE", ""),
        (ValueError("boom"), "FAILED", "ValueError: boom"),
        (KeyboardInterrupt(), "CANCELED", "KeyboardInterrupt"),
        (SystemExit(0), "COMPLETE", ""),
    ],
)
def test_the_end_of_the_stores_block_ends_a_run_that_was_only_started(
    sqlite_url: str, open_store: OpenStore, raised: BaseException | None, state: str, reason: str
) -> None:
    with contextlib.suppress(BaseException), Store(sqlite_url) as store:
        store.run("endings/block").start()
        if raised is not None:
            raise raised
    (row,) = open_store(sqlite_url).runs("endings/block")
    assert (row["state"], row["reason"]) == (state, reason)


AWAY = """
import sys
from mlmd_client import Store
from mlmd_client.outbox import Outbox

run = Store(sys.argv[1]).run("endings/away", finish_seconds={seconds}).start()
run.metric("loss", 1.0)
assert run.flush() == 0
print(run.id, flush=True)
sys.stdin.readline()
run.metric("loss", 2.0)
flush = Outbox.flush
Outbox.flush = lambda self, seconds: (print("ending", flush=True), flush(self, seconds))[1]
{rest}
"""


@pytest.mark.parametrize("how", ["returns", "raises", "is interrupted", "has no journal"])
def test_what_a_process_could_not_send_is_said_at_its_end(
    how: str,
    sqlite_url: str,
    start_server: StartServer,
    open_store: OpenStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if how == "has no journal":
        (tmp_path / "file").write_text("no folder")
        monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "file"))
    server = start_server(sqlite_url)
    rest = "raise ValueError('boom')" if how == "raises" else ""
    program = AWAY.format(rest=rest, seconds=600 if how == "is interrupted" else 0.5)
    command = [sys.executable, "-c", program, f"grpc://{server.target}"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as child:
        assert child.stdout is not None
        execution_id = int(child.stdout.readline())
        server.kill()
        assert child.stdin is not None
        child.stdin.write("go on\n")
        child.stdin.flush()
        assert child.stdout.readline() == "ending\n"
        if how == "is interrupted":
            child.send_signal(signal.SIGINT)
        said = child.communicate()[1]
    (line,) = [line for line in said.splitlines() if line.startswith("mlmd: ")]
    assert f"calls of the run endings/away could not be sent to {server.target} (" in line
    server.start()
    store = open_store(f"grpc://{server.target}")
    if how == "has no journal":
        assert "ARE LOST: no journal could be written" in line
        return
    assert "2 are in" in line, "the number, and the end of the run"
    assert re.search(rf"2 are in {tmp_path}/journal/\S+\.journal, and whoever opens this store next", line)
    assert store.sync() == 0
    facts = store.run_facts(execution_id)
    assert (facts.state, facts.reason) == (("FAILED", "ValueError: boom") if how == "raises" else ("COMPLETE", ""))
    assert [value for _, value in points(store, execution_id, "loss")] == [1.0, 2.0]


def test_a_model_that_cannot_be_sent_leaves_no_version_and_no_event(
    sqlite_url: str, start_server: StartServer, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = start_server(sqlite_url, http=True)
    store = open_store(f"grpc://{server.target}")
    with store.run("endings/gone", finish_seconds=60) as run:
        assert run.log_model("m", {"w": 1}) is not None
        server.kill()
        with monkeypatch.context() as impatient:
            impatient.setattr("mlmd_client.artifact_calls.LONGEST_SECONDS", 0.2)
            impatient.setattr("mlmd_client.run_artifacts.RESTART_SECONDS", 0.0)
            with pytest.raises(Unreachable, match="no server answers at"):
                run.log_model("m", {"w": 2})
            with pytest.raises(Unreachable):
                run.use("m")
        server.start()
        third = run.log_model("m", {"w": 3})
    assert third is not None
    assert third.number == 2
    assert store.versions("m").column("number") == [2, 1]
    assert nodes(store)[1:] == (2, 2), "two artifacts that are LIVE, each with its event"


def test_a_server_that_is_started_anew_costs_a_run_nothing(
    sqlite_url: str, start_server: StartServer, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlmd_client.run_artifacts.RESTART_SECONDS", 600.0)
    server = start_server(sqlite_url, http=True)
    store = open_store(f"grpc://{server.target}")
    refused = threading.Semaphore(0)
    once = store.service.transport.unary

    def noted(*arguments: Any, **options: Any) -> Any:
        try:
            return once(*arguments, **options)
        except CallError:
            refused.release()
            raise

    monkeypatch.setattr(store.service.transport, "unary", noted)

    def begin_again() -> None:
        for _ in range(12):  # more often than a question is asked again
            refused.acquire()
        server.start()

    with store.run("endings/restart", finish_seconds=60) as run:
        run.log_dataset("rows", {"a": 1})
        server.kill()
        restart = threading.Thread(target=begin_again)
        restart.start()
        assert run.use("rows").number == 1
        restart.join()
        assert run.log_model("m", {"w": 1}).number == 1
    assert store.run_facts("endings/restart/1").state == "COMPLETE"


def test_a_run_that_ended_takes_nothing_more(local_store: Store) -> None:
    run = local_store.run("endings/twice").start()
    run.finish()
    run.finish("FAILED", "too late")
    assert local_store.run_facts(run.id).state == "COMPLETE"
    assert run.flush() == 0
