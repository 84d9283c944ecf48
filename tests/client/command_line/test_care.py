"""`mlmd purge` and `mlmd gc`: the care of a store by an administrator who is far from its database."""

import hashlib
from pathlib import Path
from typing import Any

import pytest
from mlmd_client.calls import CallError
from mlmd_client.service import Service
from mlmd_client.store import Store
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import admin_pb2

from tests.client.command_line.conftest import KEEP_NOTHING, Run, run_on
from tests.conftest import StartServer


def ids(run: Run) -> list[str]:
    """Return the ids of both versions."""
    return [str(run("show", f"churn@{number}", "--json").json["id"]) for number in (1, 2)]


def test_a_purge_is_looked_at_and_then_confirmed(on: Run) -> None:
    first, _ = ids(on)
    looked = on("purge", "artifact", first, "--include-bytes")
    assert looked.status == 0
    assert looked.out.splitlines()[0].split() == ["id", "name", "uri"]
    assert looked.out.splitlines()[1].split()[:2] == [first, "churn/1"]
    assert "would purge 1 node" in looked.err
    assert "1 file, 1 byte" in looked.err
    told = on("purge", "artifact", first, "--include-bytes", "--json").json
    digest = told["digest"]
    assert (told["purged"], told["nodes"][0]["name"], told["obstacles"]) == (False, "churn/1", [])
    assert f"--confirm {digest}" in looked.err
    assert on("show", "churn@1").status == 0
    done = on("purge", "artifact", first, "--include-bytes", "--confirm", digest, "--reason", "consent withdrawn")
    assert (done.status, "purged 1 node" in done.err) == (0, True)
    assert on("show", f"artifact:{first}", "--json").json["state"] == "DELETED"
    assert on("get", f"artifact:{first}").status == 3


def test_what_forbids_a_purge_is_told(on: Run, target: str) -> None:
    first, second = ids(on)
    with Store(target) as store:
        store["churn@2"].set_alias("champion", reason="best")
    looked = on("purge", "artifact", "--filter", f"id = {second}")
    assert looked.status == 6
    assert "The alias 'champion' of system.Model/churn points at artifact" in looked.err
    assert "nothing can be purged like this" in looked.err
    told = on("purge", "artifact", first, second, "--json")
    assert (told.status, len(told.json["obstacles"]), told.json["node_count"]) == (6, 1, 2)
    digest = told.json["digest"]
    refused = on("purge", "artifact", first, second, "--confirm", digest, "--reason", "r")
    assert (refused.status, "Nothing was purged." in refused.err) == (6, True)


def test_wrong_uses_of_purge(on: Run) -> None:
    first, _ = ids(on)
    for words, status, sentence in (
        (("artifact",), 2, "ids or --filter"),
        (("artifact", first, "--filter", "id = 1"), 2, "ids or --filter"),
        (("artifact", first, "--confirm", "ab"), 2, "no digest"),
        (("artifact", first, "--confirm", "zz" * 32), 2, "no digest"),
        (("artifact", first, "--confirm", "ab" * 32), 2, "--reason"),
        (("artifact", first, "--confirm", "ab" * 32, "--reason", "r"), 6, "confirms other nodes"),
        (("execution", "1", "--include-bytes"), 6, "only artifacts have bytes"),
        (("artifact", "99"), 3, "there is no artifact 99"),
    ):
        said = on("purge", *words)
        assert (said.status, sentence in said.err) == (status, True), (words, said)
    assert on("show", "churn@1").status == 0


def test_garbage_is_looked_at_and_collected(on: Run) -> None:
    first, second = ids(on)
    assert on("gc", "--dry-run").out == ""
    dry = on("gc", "--dry-run", *KEEP_NOTHING)
    assert [line.split()[:3] for line in dry.out.splitlines()[1:]] == [[one, "1", "1"] for one in (first, second)]
    assert "would delete the files of 2 artifacts, 2 bytes; 0 keep theirs" in dry.err
    assert on("show", "churn@1", "--json").json["state"] == "LIVE"
    done = on("gc", "--keep-newest", "1", "--keep-younger-than", "0s", "--reason", "quota", "--json")
    assert (done.status, [one["id"] for one in done.json["garbage"]]) == (0, [int(first)])
    assert (done.json["deleted"], done.json["kept"]) == (True, 1)
    assert on("get", f"artifact:{first}").status == 3
    assert on("get", "churn@2", "fetched").status == 0
    assert on("gc", "--keep-newest", "1", "--keep-younger-than", "0s").out == ""


def test_garbage_is_collected_call_by_call(on: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlmd_client.command_line.care.AT_ONCE", 1)
    first, second = map(int, ids(on))
    dry = on("gc", "--dry-run", *KEEP_NOTHING)
    assert "the first of more" in dry.err
    done = on("gc", *KEEP_NOTHING, "--json").json
    assert ([one["id"] for one in done["garbage"]], done["kept"]) == ([first, second], 0)


def test_what_was_deleted_before_a_failure_is_told(on: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mlmd_client.command_line.care.AT_ONCE", 1)
    first, second = ids(on)
    once, answered = Service.once, list[Any]()

    def fail_later(*arguments: Any, **named: Any) -> Any:
        if answered:
            raise CallError(Code.UNAVAILABLE, "The server went away.")
        answered.append(once(*arguments, **named))
        return answered[0]

    monkeypatch.setattr(Service, "once", fail_later)
    said = on("gc", *KEEP_NOTHING)
    assert (said.status, "deleted the files of 1 artifact until then" in said.err) == (4, True)
    monkeypatch.setattr(Service, "once", once)
    states = [on("show", f"artifact:{one}", "--json").json["state"] for one in (first, second)]
    assert states == ["DELETED", "LIVE"]


@pytest.mark.parametrize("wrong", ["1x", "-1", "", "1e3", "9" * 12])
def test_a_time_that_is_none(on: Run, wrong: str) -> None:
    said = on("gc", "--dry-run", "--keep-younger-than", wrong)
    assert (said.status, "write 90s, 15m, 12h or 30d" in said.err) == (2, True)


def test_whoever_is_no_administrator_is_refused(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    digest = hashlib.sha256(b"w").hexdigest()
    tokens.write_text(f'[[token]]\nsha256 = "{digest}"\nsubject = "ana"\nroles = ["writer"]\n')
    server = start_server(sqlite_url, options=("--auth", f"tokens={tokens}"))
    run = run_on(f"grpc://{server.target}")
    for words in (("purge", "artifact", "1"), ("gc", "--dry-run")):
        said = run("--token", "w", *words)
        assert (said.status, "role admin" in said.err) == (5, True), said


def test_a_researcher_sees_what_was_deleted_by_whom_and_why(on: Run) -> None:
    first, second = ids(on)
    assert "deleted" not in on("show", "churn@1", "--json").json
    assert on("gc", "--keep-newest", "1", "--keep-younger-than", "0s", "--reason", "quota of 2026").status == 0
    (row,) = on("show", "churn@1", "--json").json["deleted"]
    assert (row["what"], row["reason"], row["files"], row["bytes"]) == ("files", "quota of 2026", 1, 1)
    assert row["by"]
    assert row["when"].startswith("20")
    assert ["files", row["by"], "quota of 2026"] == _told(on("show", "churn@1").out)
    digest = on("purge", "artifact", second, "--json").json["digest"]
    assert on("purge", "artifact", second, "--confirm", digest, "--reason", "consent withdrawn").status == 0
    shown = on("show", f"artifact:{second}")
    assert _told(shown.out) == ["facts", row["by"], "consent withdrawn"]
    assert "1 file, 1 byte" in shown.out, "the files are still there"
    assert first != second


def _told(out: str) -> list[str]:
    """Return what, by whom and why of the table of deletions, without its time and counts."""
    lines = out.splitlines()
    head, line = lines[lines.index("deleted") + 1 :][:2]
    columns = {name: head.index(name) for name in head.split()}
    ends = dict(zip(columns.values(), [*list(columns.values())[1:], None], strict=True))
    return [line[columns[name] : ends[columns[name]]].strip() for name in ("what", "by", "reason")]


@pytest.mark.parametrize("kind", ["execution", "context"])
def test_a_purged_run_or_context_says_so(on: Run, target: str, kind: str) -> None:
    with Store(target) as store, store.run("churn/train", params={"deleted": "never"}, capture=False):
        pass
    found = on("find", {"execution": "executions", "context": "experiments"}[kind], "--json").json
    node = str(found[0]["id"])
    before = on("show", f"{kind}:{node}")
    assert before.status == 0
    digest = on("purge", kind, node, "--json").json["digest"]
    done = on("purge", kind, node, "--confirm", digest, "--reason", "by mistake")
    assert done.status == 0, done
    assert _told(on("show", f"{kind}:{node}").out)[::2] == ["facts", "by mistake"]


def test_tombstones_of_some_nodes(on: Run, target: str) -> None:
    first, second = map(int, ids(on))
    assert on("gc", *KEEP_NOTHING).status == 0
    with Store(target) as store:

        def listed(**fields: Any) -> list[int]:
            request = admin_pb2.ListTombstonesRequest(**fields)
            return [one.id for one in store.service.read(request, admin_pb2.ListTombstonesResponse).tombstones]

        artifact = admin_pb2.NODE_KIND_ARTIFACT
        assert listed(kind=artifact, ids=[second]) == [second]
        assert listed(kind=artifact, ids=[second, first, 99]) == [first, second]
        assert listed(kind=admin_pb2.NODE_KIND_EXECUTION, ids=[first]) == []
        for wrong in ({"ids": [first]}, {"kind": artifact, "ids": range(1, 1002)}):
            with pytest.raises(CallError, match=r"^(kind|ids): "):
                listed(**wrong)
