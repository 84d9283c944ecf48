"""A server that goes away, and processes that are killed: what was logged arrives, in order, each point once."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import cast

import pytest
from mlmd_client.delivery import journal_folder as delivery_folder
from mlmd_client.failures import NotFound, Refused, Unreachable
from mlmd_client.journal import Journal, Record, left_behind
from mlmd_client.journals import REFUSED, kept_journals
from mlmd_client.run import Run
from mlmd_client.store import Store
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.client.sdk.conftest import OpenStore
from tests.conftest import StartServer
from tests.services.server import Server
from tests.services.waiting import wait_for


def points(store: Store, execution_id: int, name: str) -> list[tuple[int, float]]:
    """Return every point of a series, duplicates too if there were any."""
    key = v1.MetricKey(owner=v1.MetricOwner(execution_id=execution_id), name=name)
    found: list[tuple[int, float]] = []
    token = ""
    while True:
        request = v1.ListSeriesPointsRequest(key=key, page_token=token)
        page = store.service.read(request, v1.ListSeriesPointsResponse)
        found += zip(page.steps, page.values, strict=True)
        token = page.next_page_token
        if not token:
            return found


def arrived(store: Store, execution_id: int) -> int:
    """Return how many points of the loss there are, none before there is such a series."""
    try:
        return len(points(store, execution_id, "loss"))
    except NotFound:
        return 0


def log(run: Run, first: int, last: int) -> None:
    for step in range(first, last):
        run.metric("loss", step / 7, step=step)
        run.metric("acc", -float(step), step=step, slice="test")


def journals(folder: Path) -> list[Path]:
    return [path for one in folder.glob("*") for path in left_behind(one)]


def journalled(folder: Path) -> int:
    """Return the last step that is in a journal, which its process may be writing."""
    last = 0
    for path in journals(folder):
        copy = folder / "copy"
        shutil.copyfile(path, copy)
        journal = Journal.take_over(copy)
        if journal is not None:
            for _, record in journal.records():
                if record.path.endswith("/LogSeries"):
                    request = v1.LogSeriesRequest.FromString(record.request)
                    last = max([last, *(step for one in request.series for step in one.steps)])
            journal.discard()
    return last


def again(server: Server) -> None:
    server.kill()
    server.start()


def test_a_server_killed_and_started_again_in_the_middle_gets_every_point_once(
    database_url: str, start_server: StartServer, open_store: OpenStore, journal_folder: Path
) -> None:
    server = start_server(database_url)
    store = open_store(f"grpc://{server.target}")
    with store.run("away/train", finish_seconds=60) as run:
        log(run, 0, 1000)
        for first in (1000, 2000, 3000):  # killed while the points of the moment before are being sent
            wait_for(lambda: arrived(store, run.id) > first - 1000)  # noqa: B023 - called at once
            server.kill()
            log(run, first, first + 500)
            server.start()
            log(run, first + 500, first + 1000)
        run.metrics(final=1.0)
        run.confusion_matrix("test", [0, 1], [0, 1])
    assert points(store, run.id, "loss") == [(step, step / 7) for step in range(4000)]
    assert store.run_facts(run.id).state == "COMPLETE"
    assert store.run_facts(run.id).metrics == {"final": 1.0}
    assert not journals(journal_folder)


def test_what_one_process_could_not_send_the_next_one_sends(
    database_url: str,
    start_server: StartServer,
    open_store: OpenStore,
    journal_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = start_server(database_url)
    store = open_store(f"grpc://{server.target}")
    run = store.run("away/train", finish_seconds=0.5).start()
    log(run, 0, 100)
    assert run.flush() == 0
    server.kill()
    log(run, 100, 3000)
    run.evaluate("test", [0, 1, 1], [0.1, 0.9, 0.2])
    run.finish("FAILED", "gave up")
    said = capsys.readouterr().err
    assert "could not be sent" in said
    assert str(journals(journal_folder)[0]) in said
    assert "store.sync()" in said
    server.start()
    later = open_store(f"grpc://{server.target}")
    assert later.sync() == 0
    assert points(later, run.id, "loss") == [(step, step / 7) for step in range(3000)]
    assert later.run_facts(run.id).state == "FAILED"
    assert later.run_facts(run.id).reason == "gave up"
    assert not journals(journal_folder)


def test_a_run_that_starts_while_nobody_answers_is_told_later(
    sqlite_url: str, start_server: StartServer, open_store: OpenStore, journal_folder: Path
) -> None:
    server = start_server(sqlite_url)
    server.kill()
    store = open_store(f"grpc://{server.target}")
    with store.run("away/offline", params={"lr": 0.5}, finish_seconds=60) as run:
        log(run, 0, 500)
        server.start()
        log(run, 500, 1000)
    assert run.number == 1
    assert points(store, run.id, "loss") == [(step, step / 7) for step in range(1000)]
    assert store.runs("away/offline")[0]["lr"] == 0.5
    assert store.runs("away/offline")[0]["state"] == "COMPLETE"
    assert not journals(journal_folder)


CHILD = textwrap.dedent(
    """
    import sys, time
    from mlmd_client import Store

    run = Store(sys.argv[1]).run("away/killed", timeout_seconds=1.0).start()
    print(run.id, flush=True)
    for step in range(10_000_000):
        run.metric("loss", step / 7, step=step)
        if step % 1000 == 0:
            print(step, flush=True)
            time.sleep(0.05)
    """
)


def test_a_question_does_not_wait_for_what_cannot_be_sent(
    open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_store("grpc://127.0.0.1:1")
    asked = []
    with store.run("away/asked", capture=False, finish_seconds=0) as run:
        run.metrics(auc=0.5)
        flush = run.flush

        def noted(seconds: float = 20.0) -> int:
            asked.append(seconds)
            return flush(seconds)

        monkeypatch.setattr(run, "flush", noted)
        with pytest.raises(Unreachable, match=r"^no server answers at 127\.0\.0\.1:1; "):
            store.runs("away")
    assert asked == [2.0]


def test_an_answer_knows_of_what_was_logged_before_however_long_that_takes(
    local_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    with local_store.run("away/slow", capture=False) as run:
        run.metrics(auc=0.5)
        flush = run.flush

        def late(seconds: float = 20.0) -> int:
            asked.append(seconds)
            return 1 if len(asked) == 1 else flush(seconds)

        monkeypatch.setattr(run, "flush", late)
        assert local_store.run_facts(run.id).metrics == {"auc": 0.5}
    assert asked == [2.0, 8.0]


def test_a_killed_process_leaves_a_journal_and_a_run_that_is_known_to_be_dead(
    database_url: str, start_server: StartServer, open_store: OpenStore, journal_folder: Path
) -> None:
    server = start_server(database_url)
    target = f"grpc://{server.target}"
    child = subprocess.Popen([sys.executable, "-c", CHILD, target], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    execution_id = int(child.stdout.readline())
    seen = 0
    while seen < 10_000:
        seen = int(child.stdout.readline())
    server.kill()
    while seen < 60_000:
        seen = int(child.stdout.readline())
    wait_for(lambda: journalled(journal_folder) >= seen)  # by itself, a second or so later
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    server.start()
    store = open_store(target)
    wait_for(lambda: store.run_facts(execution_id).state != "RUNNING")
    assert "Not heard from" in store.run_facts(execution_id).reason
    assert store.sync() == 0
    found = points(store, execution_id, "loss")
    assert len(found) > seen
    assert found == [(step, step / 7) for step in range(len(found))]
    assert not journals(journal_folder)


def test_refused_calls_are_kept_and_do_not_hold_up_the_rest(
    local_store: Store, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with local_store.run("away/refused") as run:
        run._outbox().put("/mlmd.v1.Metrics/LogEvaluation", v1.LogEvaluationRequest())
        run.metrics(auc=0.5)
    assert local_store.run_facts(run.id).metrics == {"auc": 0.5}
    assert "refused for good" in caplog.text
    said = capsys.readouterr().err
    (kept,) = [one for one in kept_journals(delivery_folder(local_store.address)) if one.state == REFUSED]
    assert (kept.run, kept.calls, list(kept.reasons)) == ("away/refused", 1, run.refused)
    assert f"refused for good: {run.refused[0]}" in said
    assert f"{kept.path} has what was refused: `mlmd journals ls`" in said
    assert run.refused[0].startswith("LogEvaluation: ")


def test_what_was_refused_outlives_a_process_that_is_killed(local_store: Store) -> None:
    program = (
        "import os, sys\n"
        "from mlmd_client import Store\n"
        "from mlmd_schemas.pb.v1 import metrics_pb2 as v1\n"
        "run = Store(sys.argv[1]).run('away/killed', capture=False).start()\n"
        "run._outbox().put('/mlmd.v1.Metrics/LogEvaluation', v1.LogEvaluationRequest())\n"
        "run.flush(60)\n"
        "assert len(run.refused) == 1\n"
        "os._exit(9)\n"
    )
    died = subprocess.run([sys.executable, "-c", program, local_store.address], capture_output=True, text=True)
    assert died.returncode == 9, died.stderr
    folder = delivery_folder(local_store.address)
    assert {(one.state, one.calls) for one in kept_journals(folder)} == {("waiting", 0), ("waiting", 1)}
    assert local_store.sync() == 0
    (kept,) = kept_journals(folder)
    assert (kept.state, kept.calls, kept.reasons[0][:15]) == (REFUSED, 1, "LogEvaluation: ")


def test_a_refused_call_that_no_disk_takes_is_said_to_be_lost(
    local_store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "file"))
    with local_store.run("away/refused", capture=False) as run:
        run._outbox().put("/mlmd.v1.Metrics/LogEvaluation", v1.LogEvaluationRequest())
    assert len(run.refused) == 1
    assert "what was refused IS LOST: no journal could be written." in capsys.readouterr().err


def test_a_call_that_no_server_takes_does_not_hold_up_the_rest(
    sqlite_url: str, start_server: StartServer, open_store: OpenStore, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_server(sqlite_url, options=("--max-message-bytes", "50000"))
    store = open_store(f"grpc://{server.target}")
    with store.run("away/large") as run:
        run.roc("test", [0, 1] * 5000, [step / 10_000 for step in range(10_000)])
        run.metrics(auc=0.5)
    assert store.run_facts(run.id).metrics == {"auc": 0.5}
    assert store.run_facts(run.id).state == "COMPLETE"
    assert "refused for good: LogCurve: it has " in capsys.readouterr().err


def test_a_damaged_journal_holds_up_no_other_and_is_kept(local_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    with local_store.run("away/damaged") as run:
        folder = delivery_folder(local_store.address)
        request = v1.LogScalarsRequest(scalars={"auc": 0.5})
        other = v1.LogScalarsRequest(scalars={"f1": 0.25})
        token = run.environment["MLMD_RUN"].rpartition("#")[2]
        for place, (key, one) in enumerate((("a", request), ("b", other))):
            journal = Journal.create(folder, {"token": token})
            journal.append([Record("/mlmd.v1.Metrics/LogScalars", key, one.SerializeToString())])
            journal.close()
            path = journal.path.rename(folder / f"2020010{place}T000000Z.journal")
            if not place:
                with path.open("ab") as file:
                    file.write(bytes(100))
        assert local_store.sync() == 0
    assert local_store.run_facts(run.id).metrics == {"auc": 0.5, "f1": 0.25}
    assert "ends with 100 bytes of no whole call" in caplog.text
    assert [path.name for path in folder.iterdir()] == ["20200100T000000Z.journal.undeliverable"]


def test_a_journal_that_cannot_be_written_is_said_and_nothing_is_lost_while_the_server_answers(
    local_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "file"))
    with local_store.run("away/no-journal") as run:
        log(run, 0, 100)
    assert len(points(local_store, run.id, "loss")) == 100
    assert "in memory alone" in caplog.text


def test_what_can_never_be_sent_is_refused_at_once(local_store: Store) -> None:
    with local_store.run("away/names") as run:
        for name in ("", " loss", "x" * 256, "a\0b", "\ud800"):
            with pytest.raises(Refused, match="name"):
                run.metric(name, 1.0)
        with pytest.raises(Refused, match=r"float\(\.\.\.\)"):
            run.metric("loss", "high")
        with pytest.raises(Refused, match="step"):
            run.metric("loss", 1.0, step=cast(int, 0.5))
