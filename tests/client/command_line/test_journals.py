"""What could not be sent is seen, sent again and discarded by commands."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from mlmd_client.delivery import journal_folder
from mlmd_client.journal import Journal, Record
from mlmd_client.store import Store
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from tests.client.command_line.conftest import Run, run_on
from tests.conftest import StartServer

SCALARS = "/mlmd.v1.Metrics/LogScalars"


@contextmanager
def begun_run(target: str) -> Iterator[tuple[str, int, Path]]:
    """Give the token and the execution of a run that goes on, and where journals are."""
    with Store(target) as store, store.run("churn/train", capture=False) as run:
        yield run.environment["MLMD_RUN"].rpartition("#")[2], run.id, journal_folder(store.address)


def left(folder: Path, token: str, *requests: v1.LogScalarsRequest, name: str = "20260101T000000Z-1-00") -> Path:
    """Leave a journal of these calls, as a process that died does."""
    journal = Journal.create(folder, {"token": token, "name": "churn/train", "target": "here"})
    if requests:
        journal.append([Record(SCALARS, f"{name}-{at}", one.SerializeToString()) for at, one in enumerate(requests)])
    journal.close()
    return journal.path.rename(folder / f"{name}.journal")


def wrong() -> v1.LogScalarsRequest:
    """A call that is always refused."""
    return v1.LogScalarsRequest(scalars={" ": 0.5})


def test_what_was_refused_is_shown_tried_again_and_discarded(
    run: Run, store: str, caplog: pytest.LogCaptureFixture
) -> None:
    with begun_run(store) as (token, execution_id, folder):
        left(folder, token, v1.LogScalarsRequest(scalars={"auc": 0.5}), wrong())
        with Store(store) as opened:
            opened.sync()
            assert opened.run_facts(execution_id).metrics == {"auc": 0.5}
        assert "20260101T000000Z-1-00.journal.undeliverable has what was not sent: `mlmd journals ls`" in caplog.text
        rows = {row["state"]: row for row in run("journals", "ls", "--json").json}
        (reason,) = rows["refused"]["reasons"]
        assert (rows["refused"]["calls"], rows["refused"]["run"], reason[:12]) == (1, "churn/train", "LogScalars: ")
        again = run("journals", "retry", "20260101", "--json")
        assert (again.status, again.json["sent"], len(again.json["remaining"])) == (6, 0, 1)
        why, where, told = again.err.splitlines()
        assert "LogScalars: scalars: ' ' begins or ends with a blank" in why
        assert "journal.undeliverable has what was not sent: `mlmd journals ls`" in where
        assert told == "mlmd: 1 journal cannot be sent; `mlmd journals discard` deletes what is given up"
        assert run("journals", "discard", "2026010").out == "1 journal with 1 call discarded\n"
        assert [path.name for path in folder.glob("*.undeliverable")] == []


def test_what_a_server_takes_now_is_sent(start_server: StartServer, sqlite_url: str) -> None:
    server = start_server(sqlite_url, options=("--max-message-bytes", "5000"))
    target = f"grpc://{server.target}"
    with begun_run(target) as (token, execution_id, folder):
        left(folder, token, v1.LogScalarsRequest(scalars={f"figure/{at}": at for at in range(1000)}))
        with Store(target) as opened:
            opened.sync()
        (row,) = [row for row in run_on(target)("journals", "ls", "--json").json if row["state"] == "refused"]
        assert "more than the 5000 that the server takes" in row["reasons"][0]
        server.stop()
        server.options = ()
        server.start()
        again = run_on(target)("journals", "retry")
        assert (again.out, again.err) == ("1 call sent\n", "")
        with Store(target) as opened:
            assert len(opened.run_facts(execution_id).metrics) == 1000
        assert list(folder.glob("*.undeliverable")) == []


def test_every_state_is_told_and_nothing_that_is_needed_is_discarded(run: Run, store: str) -> None:
    with begun_run(store) as (token, execution_id, folder):
        left(folder, token, wrong(), name="a")
        with left(folder, token, name="b").open("ab") as file:
            file.write(bytes(7))
        with Store(store) as opened:
            opened.sync()
        left(folder, token, v1.LogScalarsRequest(scalars={"f1": 1.0}), name="c")
        (folder / "d.journal").write_bytes(b"nothing of ours")
        living = Journal.create(folder, {"name": "lives"})
        shown = {row["journal"]: (row["state"], row["reasons"]) for row in run("journals", "ls", "--json").json}
        assert shown.pop("a.journal.undeliverable")[0] == "refused"
        assert shown.pop("b.journal.undeliverable") == ("broken", ["7 bytes at its end are no whole call"])
        assert shown.pop("c.journal")[0] == "waiting"
        assert shown.pop("d.journal") == ("unreadable", ["it is no journal"])
        assert shown[living.path.name] == ("in use", [])
        assert run("journals", "ls", "--all", "--json").json == run("journals", "ls", "--json").json
        held = run("journals", "discard", living.path.name)
        assert (held.status, held.err) == (
            6,
            f"mlmd: JOURNAL: {living.path.name!r} is of a process that lives; end that first.\n",
        )
        assert run("journals", "discard").status == run("journals", "discard", "a", "--all").status == 6
        absent = run("journals", "retry", "nothing")
        assert (absent.status, absent.err) == (
            3,
            "mlmd: JOURNAL: there is no journal 'nothing' of this store; `mlmd journals ls` lists them.\n",
        )
        assert run("journals", "discard", "--all").out == "3 journals with 1 call discarded\n"
        assert (folder / "c.journal").exists(), "nobody gave it up"
        assert run("journals", "retry", "c").out == "1 call sent\n"
        living.discard()
        with Store(store) as opened:
            assert opened.run_facts(execution_id).metrics == {"f1": 1.0}


def test_each_call_that_is_sent_is_counted_and_only_named_journals_are(run: Run, store: str) -> None:
    with begun_run(store) as (token, execution_id, folder):
        good = [v1.LogScalarsRequest(scalars={name: 1.0}) for name in ("f1", "auc", "mcc")]
        left(folder, token, *good[:2], wrong(), name="a")
        left(folder, token, good[2], name="b")
        named = run("journals", "retry", "a", "--json")
        assert (named.status, named.json["sent"]) == (6, 2)
        assert [row["journal"] for row in named.json["remaining"]] == ["a.journal.undeliverable"]
        assert (folder / "b.journal").exists(), "nobody named it"
        every = run("journals", "retry", "--json")
        assert (every.status, every.json["sent"], len(every.json["remaining"])) == (6, 1, 1)
        assert run("journals", "discard", "--all").status == 0
        assert run("journals", "retry").out == "0 calls sent\n"
        with Store(store) as opened:
            assert set(opened.run_facts(execution_id).metrics) == {"f1", "auc", "mcc"}


def test_nobody_answers() -> None:
    run = run_on("grpc://127.0.0.1:1")
    assert run("journals", "ls", "--json").json == []
    left(journal_folder("grpc://127.0.0.1:1"), "token", wrong())
    assert [row["state"] for row in run("journals", "ls", "--json").json] == ["waiting"]
    said = run("journals", "retry")
    assert (said.status, said.out) == (4, "")
    assert said.err.startswith("mlmd: ")
    assert "127.0.0.1:1" in said.err


def test_what_a_process_left_that_was_killed_as_it_began_goes_an_hour_later(run: Run, store: str) -> None:
    folder = journal_folder(store)
    folder.mkdir(parents=True)
    old, young = folder / "old.journal.new", folder / "young.journal.new"
    for path in (old, young):
        path.write_bytes(b"MLMDJRN1")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    assert run("journals", "ls", "--json").json == []
    assert [path.name for path in folder.iterdir()] == ["young.journal.new"]
