"""How runs end that nobody ended, and what a server that goes away in the middle leaves behind."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlmd_client import Store, Unreachable

from tests.client.sdk.conftest import OpenStore
from tests.client.sdk.test_store import nodes
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


def test_a_model_that_cannot_be_sent_leaves_no_version_and_no_event(
    sqlite_url: str, start_server: StartServer, open_store: OpenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mlmd_client.artifact_calls.LONGEST_SECONDS", 0.2)
    server = start_server(sqlite_url, http=True)
    store = open_store(f"grpc://{server.target}")
    with store.run("endings/gone", finish_seconds=60) as run:
        assert run.log_model("m", {"w": 1}) is not None
        server.kill()
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


def test_a_run_that_ended_takes_nothing_more(local_store: Store) -> None:
    run = local_store.run("endings/twice").start()
    run.finish()
    run.finish("FAILED", "too late")
    assert local_store.run_facts(run.id).state == "COMPLETE"
    assert run.flush() == 0
