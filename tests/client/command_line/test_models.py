"""The registry from the terminal: register, promote, look back, take back, fetch."""

import copy
from pathlib import Path

import pytest
from mlmd_client.command_line.session import plain
from mlmd_client.store import Store
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from tests.client.command_line.conftest import Run


def test_tags_and_aliases_are_objects_for_programs_and_words_for_people(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"1")
    run("put", "model.bin", "fraud-model", "--type", "model")
    run("models", "register", "fraud", "fraud-model", "--tag", "a=b=c", "--tag", "tier=1")
    run("models", "promote", "fraud", "champion", "1")
    run("models", "describe", "fraud", "--tag", "team=risk", "--tag", "note=a, b")
    told = run("models", "describe", "fraud", "--json").json
    assert (told["tags"], told["aliases"]) == ({"note": "a, b", "team": "risk"}, {"champion": 1})
    assert run("models", "describe", "fraud", "1", "--json").json["tags"] == {"a": "b=c", "tier": "1"}
    shown = run("models", "describe", "fraud").out
    assert [" ".join(line.split()) for line in shown.splitlines() if line.startswith(("aliases", "tags"))] == [
        "aliases champion@1",
        "tags note=a, b, team=risk",
    ]
    assert "champion@1" in run("models", "ls").out


def test_a_model_from_its_file_to_production_and_back(run: Run, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "model.bin").write_bytes(bytes([number]) * 1000)
        assert run("put", "model.bin", "fraud-model", "--type", "model").status == 0
        registered = run("models", "register", "fraud", f"fraud-model@{number}", "--format", "onnx:1", "--json").json
        assert (registered["number"], registered["format"]) == (number, "onnx 1")
    assert [row["number"] for row in run("models", "ls", "fraud", "--json").json] == [2, 1]
    first = run("models", "promote", "fraud", "champion", "1", "-m", "first", "--json").json
    assert (first["from"], first["to"], first["reason"]) == (None, 1, "first")
    run("models", "promote", "fraud", "champion", "2", "--expect", "1")
    lost = run("models", "promote", "fraud", "champion", "1", "--expect", "1")
    assert (lost.status, lost.out) == (6, "")
    assert run("models", "ls", "--json").json[0]["aliases"] == {"champion": 2}
    back = run("models", "rollback", "fraud", "champion", "-m", "slow", "--json").json
    assert (back["to"], back["rolls_back"]) == (1, 2)
    history = run("models", "history", "fraud", "--json").json
    assert [(move["sequence"], move["to"]) for move in history] == [(3, 1), (2, 2), (1, 1)]
    resolved = run("models", "resolve", "models:/fraud@champion", "--json").json
    assert (resolved["number"], resolved["files"], resolved["bytes"]) == (1, 1, 1000)
    got = run("get", "models:/fraud@champion", "served", "--layout", "tf-serving", "--json").json
    assert (got["number"], (tmp_path / "served" / "1" / "model.bin").read_bytes()) == (1, b"\x01" * 1000)
    assert run("models", "card", "fraud", "@champion").out.startswith("#")
    assert run("models", "deployments", "--json").json == []
    assert run("models", "check", "fraud", "champion", "2").status == 0
    run("models", "gates", "fraud", "--alias", "candidate", "--set", "files verified")
    assert [row["alias"] for row in run("models", "gates", "fraud", "--json").json] == ["candidate"]
    assert run("models", "gates", "fraud", "--alias", "champion", "--json").json == []


def test_what_is_shown_of_a_version_says_which_model_it_is_and_where_it_serves(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"1")
    run("put", "model.bin", "fraud", "--type", "model")
    assert "models" not in run("show", "fraud@1", "--json").json
    run("models", "register", "fraud", "fraud@1")
    run("models", "promote", "fraud", "champion", "1")
    assert run("show", "models:/fraud@champion", "--json").json["models"] == [
        {"model": "fraud", "version": "1", "aliases": ["champion", "latest"], "state": "LIVE", "deployed": []}
    ]
    run("models", "deploy", "fraud", "1", "prod", "scorer")
    (shown,) = run("show", "fraud@1", "--json").json["models"]
    assert shown["deployed"][0] == "prod/scorer DEPLOYED"
    serving = shown["deployed"][1].removesuffix(" RUNNING")
    assert run("show", serving, "--json").json["state"] == "RUNNING"
    text = run("show", "fraud@1").out
    assert "champion" in text
    assert "prod/scorer DEPLOYED" in text


def test_an_alias_that_never_was_has_no_history_and_one_that_was_removed_has(run: Run) -> None:
    run("models", "register", "fraud", "s3://models/fraud")
    run("models", "promote", "fraud", "champion", "1")
    run("models", "remove-alias", "fraud", "champion")
    assert [move["to"] for move in run("models", "history", "fraud", "champion", "--json").json] == [None, 1]
    told = run("models", "history", "fraud", "champoin")
    assert (told.status, told.out) == (3, "")
    assert told.err == "mlmd: ALIAS: the model 'fraud' has no alias 'champoin'; it has none.\n"
    run("models", "promote", "fraud", "champion", "1")
    checked = run("models", "check", "fraud", "champoin", "1")
    assert checked.status == 0
    assert "no gate stands before the alias 'champoin' of 'fraud'; did you mean 'champion'?" in checked.err


def test_what_is_deployed_approved_and_archived(run: Run) -> None:
    for number in (1, 2):
        run("models", "register", "fraud", f"s3://models/fraud/{number}")
    deployed = run("models", "deploy", "fraud", "1", "prod", "scorer", "--runtime", "onnx", "--json").json
    assert (deployed["service"], deployed["number"], deployed["state"]) == ("scorer", 1, "RUNNING")
    refused = run("models", "archive", "fraud", "1")
    assert (refused.status, "'scorer'" in refused.err) == (6, True)
    run("models", "deploy", "fraud", "1", "prod", "scorer", "--state", "stopped")
    assert [row["state"] for row in run("models", "deployments", "fraud", "--json").json] == ["STOPPED"]
    assert run("models", "archive", "fraud", "1", "--json").json["state"] == "ARCHIVED"
    assert run("models", "restore", "fraud", "1", "--json").json["state"] == "LIVE"
    assert run("models", "archive", "fraud", "--json").json == {"model": "fraud", "state": "ARCHIVED"}
    assert run("models", "restore", "fraud", "--json").json["state"] == "LIVE"
    assert [row["reason"] for row in run("models", "approve", "fraud", "2", "-m", "good", "--json").json] == ["good"]
    assert run("models", "approve", "fraud", "2", "--withdraw", "--json").json == []


def test_gates_are_set_listed_and_cleared(run: Run) -> None:
    run("models", "register", "fraud", "s3://models/fraud/1")
    assert run("models", "gates", "fraud", "--json").json == []
    rules = ("--set", "auc >= 0.9", "--set", "files verified")
    listed = run("models", "gates", "fraud", "--alias", "champion", *rules, "--json").json
    assert listed == [{"alias": "champion", "rule": "auc >= 0.9"}, {"alias": "champion", "rule": "files verified"}]
    refused = run("models", "promote", "fraud", "champion", "1")
    assert (refused.status, "'auc'" in refused.err) == (6, True)
    for arguments in (("--set", "auc !! 1"), ("--clear", "--set", "auc > 1")):
        assert run("models", "gates", "fraud", "--alias", "champion", *arguments).status != 0
    assert run("models", "gates", "fraud", "--json").json == listed, "what is wrong changes nothing"
    assert run("models", "gates", "fraud", "--alias", "champion", "--clear", "--json").json == []
    assert run("models", "promote", "fraud", "champion", "1").status == 0


def test_webhooks_are_added_listed_and_removed(run: Run) -> None:
    run("models", "register", "fraud", "s3://models/fraud/1")
    url = "https://hooks.example.com/mlmd"
    made = run("models", "webhooks", "add", url, "--model", "fraud", "--json").json
    assert (made["url"], made["model"], len(made["secret"]) >= 32) == (url, "fraud", True)
    run("models", "promote", "fraud", "champion", "1")
    (listed,) = run("models", "webhooks", "ls", "--json").json
    assert listed == {key: made[key] for key in listed}, "and the secret no more"
    (delivery,) = run("models", "webhooks", "deliveries", str(made["id"]), "--json").json
    assert (delivery["model"], delivery["sequence"], delivery["status"]) == ("fraud", 1, None)
    assert run("models", "webhooks", "rm", str(made["id"]), "--json").json == {"removed": made["id"]}
    assert run("models", "webhooks", "ls", "--json").json == []
    assert run("models", "webhooks", "rm", str(made["id"])).status == 3
    private = run("models", "webhooks", "add", "http://127.0.0.1/")
    assert (private.status, "--webhook-private-addresses" in private.err) == (6, True), private


def test_what_is_not_there(run: Run) -> None:
    run("models", "register", "fraud", "s3://models/fraud/1")
    for arguments in (("ls", "nothing"), ("resolve", "models:/nothing@champion"), ("history", "nothing")):
        said = run("models", *arguments)
        assert (said.status, said.out) == (3, "")
        assert "nothing" in said.err


def test_what_is_refused(run: Run, store: str, tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / "model.bin").write_bytes(bytes([number]))
        run("put", "model.bin", "m", "--type", "model")
        run("models", "register", "team/模型", f"m@{number}")
    run("models", "promote", "team/模型", "champion", "1")
    with Store(store) as opened:
        opened.models["team/模型"].set_gates("auc >= 0.9", alias="candidate")
        request = v1.ArchiveModelVersionRequest(model="team/模型", version="2")
        opened.service.write(request, v1.ArchiveModelVersionResponse)
    for arguments, status, part in (
        (("register", "team/模型", "m@1"), 6, "version 1 of 'team/模型'"),
        (("promote", "team/模型", "champion", "2"), 6, "archived"),
        (("promote", "team/模型", "candidate", "1"), 6, "no metric 'auc'"),
        (("promote", "team/模型", "champion", "9"), 3, "'9'"),
        (("check", "team/模型", "candidate", "1"), 7, ""),
    ):
        said = run("models", *arguments)
        assert (said.status, part in said.err) == (status, True), (arguments, said)
    got = run("get", "models:/team%2F模型@champion", "served", "--layout", "triton", "--json").json
    assert (got["name"], (tmp_path / "served" / "team_模型" / "1" / "model.bin").read_bytes()) == ("team/模型", b"\x01")
    with Store(store) as opened:
        (artifact,) = opened.raw.get_artifacts_by_id([opened["m@1"].id])
        artifact.state = pb.Artifact.DELETED
        opened.raw.put_artifacts([artifact])
    for arguments in (("get", "models:/team%2F模型@champion", "again"), ("models", "resolve", "models:/team%2F模型/1")):
        said = run(*arguments)
        assert (said.status, "gone" in said.err) == (6, True), said
    assert not (tmp_path / "again").exists(), "nothing half-fetched is left"


def test_no_model_is_fetched_outside_of_its_folder(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"m")
    run("put", "model.bin", "m", "--type", "model")
    run("models", "register", "..", "m@1")
    said = run("get", "models:/../1", "served/here", "--layout", "triton")
    assert (said.status, "'..'" in said.err, (tmp_path / "served").exists()) == (6, True, False)


def test_a_version_may_be_named_by_an_alias(run: Run) -> None:
    for number in (1, 2):
        run("models", "register", "fraud", f"s3://models/fraud/{number}")
    run("models", "promote", "fraud", "candidate", "2")
    moved = run("models", "promote", "fraud", "champion", "@candidate", "--json").json
    assert (moved["alias"], moved["to"]) == ("champion", 2)
    assert run("models", "check", "fraud", "champion", "@champion").status == 0
    assert run("models", "deploy", "fraud", "@champion", "prod", "scorer", "--json").json["number"] == 2
    assert run("models", "approve", "fraud", "@champion", "-m", "good").status == 0
    assert run("models", "archive", "fraud", "@champion").status == 6
    unknown = run("models", "promote", "fraud", "champion", "@candidat")
    assert (unknown.status, "'candidate', 'champion'" in unknown.err) == (3, True)
    assert run("models", "resolve", "fraud@champion", "--json").json["number"] == 2


def test_a_misspelt_model_is_asked_about(run: Run) -> None:
    run("models", "register", "fraud", "s3://models/fraud/1")
    said = run("models", "promote", "fruad", "champion", "1")
    assert (said.status, said.err) == (3, "mlmd: MODEL: there is no registered model 'fruad'; did you mean 'fraud'?\n")
    assert "; `mlmd models ls` lists them." in run("models", "history", "other").err


def test_files_are_fetched_by_a_name_that_nobody_registered(run: Run, tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b"1" * 10)
    run("put", "model.bin", "fraud-model", "--type", "model", "--alias", "best")
    got = run("get", "models:/fraud-model@best", "here", "--json").json
    assert (got["name"], got["number"], (tmp_path / "here" / "model.bin").read_bytes()) == ("fraud-model", 1, b"1" * 10)
    for uri in ("models:/fraud-modle@best", "models:/fraud-model@bset"):
        said = run("get", uri, "there")
        assert (said.status, "there is no registered model" in said.err) == (3, True)


def test_another_order_of_model_alias_and_version_is_asked_about(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    run("put", "a.txt", "fraud", "--type", "model")
    run("models", "register", "fraud", "fraud@1")
    mend = "`mlmd models promote fraud champion 1`.\n"
    for words, status, told in (
        (("fraud", "1", "champion"), 6, "ALIAS: '1' is a number, and numbers name versions; the alias comes before"),
        (("champion", "fraud", "1"), 3, "MODEL: there is no registered model 'champion'; `mlmd models ls` lists them;"),
        (("fraud", "champion", "fraud@1"), 3, "VERSION: the model 'fraud' has no version 'fraud@1'; its newest is"),
        (("fraud", "champion", "models:/fraud/1"), 3, "VERSION: the model 'fraud' has no version 'models:/fraud/1'"),
    ):
        said = run("models", "promote", *words)
        assert (said.status, said.out) == (status, "")
        assert said.err.startswith(f"mlmd: {told}")
        assert said.err.endswith(mend)
    assert run("models", "check", "fraud", "1", "champion").err.endswith("`mlmd models check fraud champion 1`.\n")
    assert run("models", "promote", "fraud", "champion", "@1", "--json").json["to"] == 1


def test_what_a_uri_means_shows_itself(run: Run, store: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    run("put", "a.txt", "fraud", "--type", "model")
    run("models", "register", "fraud", "fraud@1")
    with Store(store) as opened:
        found = opened.models.resolve("models:/fraud/1")
        assert repr(found).splitlines()[0].split() == ["model", "fraud"]
        assert (found.state, found.file_count, found.size_bytes) == ("LIVE", 1, 1)
        assert "<b>models:/fraud/1</b>" in found._repr_html_()
        with pytest.raises(AttributeError, match="has no 'url'; it has model, number"):
            _ = found.url
        assert plain(found.facts()) == run("models", "resolve", "fraud/1", "--json").json
        assert copy.copy(found).number == 1
