"""`mlmd why`, `pin`, `unpin`, `pins`, `verify` and `sweep`: what keeps files, and whether they are still the same."""

import hashlib
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mlmd_client.store import Store
from mlmd_schemas.pb import metadata_store_pb2
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd
from mlmd_schemas.pb.v1 import artifacts_pb2

from tests.client.command_line.conftest import KEEP_NOTHING, Run, run_on
from tests.conftest import StartServer


def _file_of(on: Run, name: str) -> Path:
    """Return where the one file of a version is in the folder of artifacts."""
    uri = on("show", name, "--json").json["uri"]
    return Path(unquote(urlsplit(uri).path)) / "f"


def test_what_keeps_a_version_is_told(on: Run, target: str) -> None:
    with Store(target) as store:
        store["churn@2"].set_alias("champion", reason="best")
    kept = on("why", "churn@champion", *KEEP_NOTHING)
    assert (kept.status, "is kept" in kept.out, "'champion'" in kept.out) == (0, True, True), kept
    told = on("why", "churn@2", *KEEP_NOTHING, "--json").json
    assert (told["kept"], [one["rule"] for one in told["reasons"]]) == (True, ["alias"])
    assert told["summary"] == kept.out.strip()
    assert on("why", f"artifact:{told['artifact']}", *KEEP_NOTHING).out == kept.out
    assert [one["rule"] for one in on("why", "churn@1", "--json").json["reasons"]] == ["young"]
    garbage = on("why", "churn@1", *KEEP_NOTHING, "--json").json
    assert (garbage["kept"], garbage["reasons"]) == (False, [])


def test_what_deleted_a_version_is_told(on: Run) -> None:
    assert on("gc", "--keep-newest", "1", "--keep-younger-than", "0s", "--reason", "quota of 2026").status == 0
    gone = on("why", "churn@1")
    assert (gone.status, "were deleted by" in gone.out, "quota of 2026" in gone.out) == (0, True, True)


def test_a_pinned_version_is_kept(on: Run) -> None:
    assert on("pins").out == ""
    pinned = on("pin", "churn@1", "--reason", "paper of 2026")
    assert pinned.status == 0
    (row,) = on("pins", "--json").json
    assert (row["name"], row["reason"], row["artifact"]) == ("churn/1", "paper of 2026", pinned_id(on, "churn@1"))
    assert row["by"]
    assert row["when"].startswith("20")
    assert "pinned" in on("why", "churn@1", *KEEP_NOTHING).out
    assert on("pin", "churn@1").status == 0, "it is safe to repeat"
    assert [one["id"] for one in on("gc", "--dry-run", *KEEP_NOTHING, "--json").json["garbage"]] == [
        pinned_id(on, "churn@2")
    ]
    assert on("unpin", "churn@1").status == 0
    assert on("pins").out == ""
    assert on("unpin", "churn@1").status == 0, "it is safe to repeat"


def pinned_id(on: Run, name: str) -> int:
    """Return the id of a version."""
    return int(on("show", name, "--json").json["id"])


def test_files_that_are_the_same_changed_or_missing(on: Run) -> None:
    same = on("verify", "churn@1", "churn@2")
    assert (same.status, same.out) == (0, "")
    assert "read 2 files, 2 bytes; 0 missing or changed" in same.err
    assert on("show", "churn@1", "--json").json["files"][0]["state"] == "verified"
    first, second = (_file_of(on, f"churn@{number}") for number in (1, 2))
    first.chmod(0o600)
    first.write_text("x")
    second.unlink()
    wrong = on("verify", "churn@1", "churn@2")
    assert (wrong.status, [line.split()[1:] for line in wrong.out.splitlines()[1:]]) == (
        7,
        [["f", "changed"], ["f", "missing"]],
    )
    assert "2 missing or changed" in wrong.err
    told = on("verify", "churn@2", "--json")
    assert told.status == 7
    assert told.json == {
        "files": 1,
        "bytes": told.json["bytes"],
        "findings": [{"artifact": pinned_id(on, "churn@2"), "path": "f", "verdict": "missing"}],
        "unread": [],
    }


def test_what_has_no_files_here_is_not_said_to_be_the_same(on: Run, target: str) -> None:
    with Store(target) as store:
        kind = mlmd.PutArtifactTypeRequest(artifact_type={"name": "Table"})
        type_id = store.service.write(kind, mlmd.PutArtifactTypeResponse).type_id
        put = mlmd.PutArtifactsRequest(artifacts=[{"type_id": type_id, "uri": "s3://elsewhere/table"}])
        (artifact_id,) = store.service.write(put, mlmd.PutArtifactsResponse).artifact_ids
    said = on("verify", "churn@1", f"artifact:{artifact_id}")
    assert (said.status, "read 1 file, 1 byte; 0 missing or changed" in said.err) == (1, True)
    assert f"artifact {artifact_id}: nothing was read" in said.err
    assert on("verify", f"artifact:{artifact_id}", "--json").json["unread"] == [artifact_id]
    assert "has no bytes in this store" in on("why", f"artifact:{artifact_id}").out


def test_unfinished_uploads_are_swept(on: Run, target: str) -> None:
    with Store(target) as store:
        kind = mlmd.GetArtifactTypeRequest(type_name="system.Model")
        type_id = store.service.read(kind, mlmd.GetArtifactTypeResponse).artifact_type.id
        artifact = metadata_store_pb2.Artifact(type_id=type_id, name="never").SerializeToString()
        begin = artifacts_pb2.BeginUploadRequest(artifact=artifact, more_files=True)
        begun = store.service.write(begin, artifacts_pb2.BeginUploadResponse).artifact_id
    nothing = on("sweep")
    assert (nothing.status, nothing.out, "gave up 0 uploads, finished 0 deletions" in nothing.err) == (0, "", True)
    assert on("sweep", "--grace", "1d").status == 0
    told = on("sweep", "--grace", "0s", "--json")
    assert (told.status, told.json) == (0, {"abandoned": [begun], "deleted": [], "failures": [], "failed": 0})
    assert on("show", f"artifact:{begun}", "--json").json["state"] == "ABANDONED"


def test_wrong_uses(on: Run) -> None:
    for words, status, sentence in (
        (("why", "churn@7"), 3, "WHAT: "),
        (("why", "execution:1"), 2, "WHAT: 'execution:1' is a run, and only artifacts have files"),
        (("why", "context:1"), 2, "context"),
        (("why", "artifact:99"), 3, "artifact 99"),
        (("why", "churn@1", "--keep-younger-than", "soon"), 2, "write 90s, 15m, 12h or 30d"),
        (("verify",), 2, "WHAT"),
        (("verify", "churn@1", "nothing@1"), 3, "'nothing'"),
        (("verify", "artifact:99"), 3, "artifact 99"),
        (("pin", "churn@7"), 3, "WHAT: "),
        (("unpin", "artifact:99"), 3, "artifact 99"),
        (("sweep", "--grace", "-1"), 2, "write 90s, 15m, 12h or 30d"),
    ):
        said = on(*words)
        assert (said.status, sentence in said.err) == (status, True), (words, said)


def test_who_may_ask_and_who_may_not(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    tokens = tmp_path / "tokens.toml"
    table = '[[token]]\nsha256 = "{}"\nsubject = "{}"\nroles = ["{}"]\n'
    digests = {role: hashlib.sha256(role.encode()).hexdigest() for role in ("reader", "writer")}
    tokens.write_text("".join(table.format(digest, role, role) for role, digest in digests.items()))
    server = start_server(sqlite_url, http=True, options=("--auth", f"tokens={tokens}"))
    run = run_on(f"grpc://{server.target}")
    (tmp_path / "f").write_text("1")
    assert run("--token", "writer", "put", str(tmp_path / "f"), "churn").status == 0
    assert run("--token", "reader", "why", "churn@1").status == 0
    assert run("--token", "reader", "pins").status == 0
    assert run("--token", "writer", "pin", "churn@1").status == 0
    for role, words, needed in (
        ("reader", ("pin", "churn@1"), "writer"),
        ("writer", ("verify", "churn@1"), "admin"),
        ("writer", ("sweep",), "admin"),
    ):
        said = run("--token", role, *words)
        assert (said.status, f"role {needed}" in said.err) == (5, True), said
