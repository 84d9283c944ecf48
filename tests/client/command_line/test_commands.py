"""Every command says what is so, to people and to programs, and its exit status tells what happened."""

import io
import json
import os
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlmd_client.command_line.commands import mlmd
from mlmd_client.command_line.inventory import Listed
from mlmd_client.command_line.session import Session
from mlmd_client.store import Store
from mlmd_client.tables import Table
from rich.console import Console

from tests.client.command_line.conftest import Run, run_on
from tests.conftest import StartServer

PROGRAM = Path(sys.executable).parent / "mlmd"


def test_names_with_versions_are_listed(ask: Run) -> None:
    assert ask("ls", "--json").json == [
        {"type": "system.Dataset", "name": "churn-train", "versions": 1},
        {"type": "system.Model", "name": "churn", "versions": 2},
    ]
    text = ask("ls").out
    assert text.splitlines()[0].split() == ["type", "name", "versions"]
    assert [row["name"] for row in ask("ls", "models", "--json").json] == ["churn/2", "churn/1"]


def test_a_version_is_shown_with_its_run_and_files(ask: Run) -> None:
    shown = ask("show", "churn@champion", "--json").json
    assert (shown["ref"], shown["aliases"], shown["made_by"]) == ("churn@2", ["champion"], "churn/train/2")
    assert [file["state"] for file in shown["files"]] == ["declared"]
    text = ask("show", "churn@champion").out
    assert "made_by" in text
    assert shown["files"][0]["sha256"] in text
    assert ask("show", f"artifact:{shown['id']}", "--json").json["ref"] == "churn@2"


def test_of_very_many_files_the_first_are_shown_and_all_counted() -> None:
    def rows(many: int) -> Iterator[dict[str, Any]]:
        return ({"path": f"{number:09}", "bytes": number} for number in range(many))

    tracemalloc.start()
    try:
        listed = Listed(rows(20_000), every=False)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 20_000
    assert (listed.count, listed.size_bytes, listed.rows) == (20_000, sum(range(20_000)), list(rows(20)))
    assert Listed(rows(30), every=True).rows == list(rows(30))


def test_a_version_of_many_files_is_shown_with_their_number(tmp_path: Path) -> None:
    ask = run_on(str(tmp_path / "store"))
    (tmp_path / "many").mkdir()
    for number in range(25):
        (tmp_path / "many" / f"{number:02}.bin").write_bytes(b"four")
    ask("put", str(tmp_path / "many"), "many-files")
    text = ask("show", "many-files").out
    assert "25 files, 100 bytes" in text
    assert "19.bin" in text
    assert "20.bin" not in text
    assert [file["path"] for file in ask("show", "many-files", "--json").json["files"]][-1] == "24.bin"


def test_a_run_is_shown_with_its_parameters(ask: Run) -> None:
    shown = ask("show", "churn/train/2", "--json").json
    assert (shown["state"], shown["params"]) == ("COMPLETE", {"lr": 0.2})
    assert shown["properties"]["odd"] == "NaN"
    assert (shown["used"], shown["made"]) == (["churn-train@1"], ["churn@2"])
    text = [" ".join(line.split()) for line in ask("show", "churn/train/2").out.splitlines()]
    assert {"used churn-train@1", "made churn@2"} <= set(text)
    assert ask("show", f"execution:{shown['id']}", "--json").json["name"] == "churn/train/2"


def test_nodes_are_found_and_ordered(ask: Run) -> None:
    rows = ask("find", "runs", "custom_properties.auc.double_value > 0.905", "--order", "-auc", "--json").json
    assert [row["auc"] for row in rows] == [0.92, 0.91]
    refused = ask("find", "runs", "auc >")
    assert (refused.status, refused.out) == (6, "")
    assert refused.err.startswith("mlmd: ")


@pytest.mark.parametrize(("width", "side_by_side"), [(100, True), (20, False)])
def test_a_table_that_has_no_room_is_shown_row_by_row(width: int, side_by_side: bool) -> None:
    session, written = Session(None, "", as_json=False), io.StringIO()
    session.console = Console(file=written, force_terminal=True, width=width, no_color=True, color_system=None)
    rows = [{"id": 3, "name": "churn/train/2", "state": "COMPLETE", "auc": 0.92}] * 2
    session.table(Table(["id", "name", "state", "auc"], rows))
    lines = [line.split() for line in written.getvalue().splitlines()]
    if side_by_side:
        assert lines == [["id", "name", "state", "auc"], *[["3", "churn/train/2", "COMPLETE", "0.92"]] * 2]
    else:
        record = [["id", "3"], ["name", "churn/train/2"], ["state", "COMPLETE"], ["auc", "0.92"], []]
        assert lines == record * 2


def test_runs_are_listed_by_name_state_and_all(ask: Run) -> None:
    assert [row["name"] for row in ask("runs", "churn/train", "--json").json] == ["churn/train/2", "churn/train/1"]
    everything = ["churn/train/2", "churn/train/1", "churn/prepare/1"]
    assert [row["name"] for row in ask("runs", "--json").json] == everything
    assert list(ask("runs", "--json").json[0])[:5] == list(ask("runs", "churn", "--json").json[0])[:5]
    assert ask("runs", "--state", "FAILED", "--json").json == []
    assert [row["name"] for row in ask("runs", "-n", "1", "--json").json] == everything[:1]
    assert ask("runs", "churn", "--state", "FAILED", "--json").json == []
    assert [row["name"] for row in ask("runs", "churn/train/1", "--json").json] == ["churn/train/1"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["runs", "chrun"], "NAME: there is no experiment 'chrun'; did you mean 'churn'?"),
        (["runs", "churn/trian"], "NAME: the experiment 'churn' has no step 'trian'; did you mean 'train'?"),
        (["runs", "churn/train/9"], "NAME: there is no run 'churn/train/9'."),
        (
            ["show", "churn/train"],
            "WHAT: nothing with versions is called 'churn/train'; 'churn/train' is a step, and its newest run is "
            "'churn/train/2'.",
        ),
        (["show", "chrun"], "WHAT: nothing with versions is called 'chrun'; did you mean 'churn'?"),
        (
            ["models", "webhooks", "deliveries", "9"],
            "WEBHOOK: there is no webhook 9; `mlmd models webhooks ls` lists them.",
        ),
    ],
)
def test_a_name_that_is_not_there_is_an_error_and_no_empty_list(ask: Run, words: list[str], sentence: str) -> None:
    told = ask(*words)
    assert (told.status, told.out, told.err) == (3, "", f"mlmd: {sentence}\n")


def test_an_error_of_a_filter_tells_the_place_in_what_was_written(ask: Run) -> None:
    assert ask("find", "models", "name =").err.rstrip().endswith("[at 1:7]")


def test_every_name_can_be_said_without_doubt(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    for name in ("fraud", "fraud:3", "sales/2024", "a@b", "artifact:7", "MyType/two"):
        run("put", "a.txt", name, "--no-reuse")
    with Store(tmp_path / "store") as store:
        for kind in ("MyType", "Other"):
            with store.run("team/exp@1/train") as made:
                made.log_artifact("two", tmp_path / "a.txt", type=kind)
    for what, ref, kind in (
        ("fraud:3@latest", "fraud:3@1", "system.Artifact"),
        ("sales/2024@1", "sales/2024@1", "system.Artifact"),
        ("a@b@latest", "a@b@1", "system.Artifact"),
        ("artifact:7@1", "artifact:7@1", "system.Artifact"),
        ("MyType/two", "MyType/two@1", "MyType"),
        ("Other/two@1", "Other/two@1", "Other"),
        ("system.Artifact/MyType/two@1", "system.Artifact/MyType/two@1", "system.Artifact"),
    ):
        shown = run("show", what, "--json").json
        assert (shown["ref"], shown["type"]) == (ref, kind), what
    assert run("show", "team/exp@1/train/2", "--json").json["name"] == "team/exp@1/train/2"
    assert run("show", "two").err == (
        "mlmd: WHAT: 'two' is the name of several things; write MyType/two or Other/two.\n"
    )
    assert run("show", "sales/2024").err.endswith("; did you mean 'sales/2024@latest'?\n")
    assert run("show", "fraud:3").err == "mlmd: WHAT: system.Artifact/fraud has no version 3; its newest is 1.\n"


@pytest.mark.parametrize("alias", ["latest", "Latest", "7", " ", "a@b", "x" * 256])
def test_what_can_be_no_alias_is_refused_before_anything_is_sent(run: Run, tmp_path: Path, alias: str) -> None:
    (tmp_path / "a.txt").write_text("a")
    refused = run("put", "a.txt", "aliased", "--alias", alias)
    assert (refused.status, refused.err[:14]) == (6, "mlmd: --alias:")
    assert not (tmp_path / "store").exists()


def test_lineage_is_a_tree_that_shows_nothing_twice(ask: Run) -> None:
    tree = ask("lineage", "churn@2").out
    lines = [line.strip("│├└─ ").split("  ")[0] for line in tree.splitlines()]
    assert lines == ["churn@2 @champion", "churn/train/2", "churn-train@1", "churn/prepare/1", "churn@2 @champion"]
    down = ask("lineage", "churn-train@1", "--down").out
    assert [name in down for name in ("churn@1", "churn@2", "churn/prepare/1")] == [True, True, False]
    graph = ask("lineage", "churn@2", "--format", "json").json
    assert graph["start"].startswith("artifact:")
    assert {edge["kind"] for edge in graph["edges"]} == {"input", "output"}


@pytest.mark.parametrize(
    ("shape", "start"),
    [("dot", "digraph"), ("mermaid", "flowchart"), ("svg", "<svg"), ("prov-json", "{"), ("openlineage", "{")],
)
def test_lineage_for_other_tools(ask: Run, shape: str, start: str) -> None:
    assert ask("lineage", "churn@2", "--format", shape).out.startswith(start)


def test_provenance_and_impact_answer(ask: Run) -> None:
    answer = ask("provenance", "churn@1", "--json").json
    assert [row["name"] for row in answer["data"]] == ["churn-train@1"]
    assert answer["parameters"] == [{"step": "train", "name": "lr", "value": 0.1}]
    models = ask("impact", "churn-train", "--json").json["models"]
    assert [row["model"] for row in models] == ["churn@2", "churn@1"]
    assert "churn-train@1" in ask("provenance", "churn@1").out


def test_both_directions_are_what_none_is(ask: Run) -> None:
    both, up, down = (ask("lineage", "churn@1", *words).out for words in (("--up", "--down"), ("--up",), ("--down",)))
    assert both == ask("lineage", "churn@1").out == up + down
    assert "came from" in up
    assert "went into" in down


def test_a_difference_is_told_at_its_step(ask: Run) -> None:
    rows = ask("diff", "churn@1", "churn@2", "--json").json
    (rate,) = [row for row in rows if row["what"] == "parameter"]
    assert rate == {"step": "train", "what": "parameter", "name": "lr", "churn@1": 0.1, "churn@2": 0.2}


def test_figures_are_shown_and_drawn(ask: Run, tmp_path: Path) -> None:
    roc, matrix, loss = tmp_path / "roc.svg", tmp_path / "matrix.svg", tmp_path / "loss.svg"
    said = ask("metrics", "churn/train/1", "--roc", str(roc), "--matrix", str(matrix), "--series", "loss", str(loss))
    assert said.status == 0
    assert "test/auc" in said.out.replace(" ", "/")
    assert all(path.read_text().startswith("<svg") for path in (roc, matrix, loss))
    rows = {row["figure"]: row for row in ask("compare", "churn@1", "churn@2", "--json").json}
    assert (rows["auc"]["churn@1"], rows["auc"]["churn@2"]) == (0.91, 0.92)
    assert rows["odd"]["churn@1"] == "NaN"
    assert ask("compare", "churn@1").status == 2
    of_test = ask("compare", "churn@1", "churn@2", "--name", "test", "--json").json
    assert {row["figure"].partition("/")[0] for row in of_test} == {"test"}
    assert [row for row in rows.values() if row["figure"].startswith("test/")] == of_test
    unknown = ask("metrics", "churn@1", "--name", "tset")
    assert (unknown.status, unknown.err) == (
        3,
        "mlmd: --name: none of churn@1 has an evaluation 'tset'; `mlmd metrics churn@1` lists them.\n",
    )
    beside = ask("compare", "churn@1", "churn/prepare/1")
    assert (beside.status, beside.err) == (0, "churn/prepare/1 has none of these figures\n")


def test_a_folder_goes_in_and_comes_back(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.bin").write_bytes(bytes(range(256)) * 1000)
    (folder / "deep" / "ü ñ.txt").write_text("text")
    put = run("put", str(folder), "m", "--type", "model", "-p", "rows=3", "-p", "note=x=y", "--alias", "best", "--json")
    assert put.json["ref"] == "m@1"
    shown = run("show", "m@best", "--json").json
    assert shown["properties"] == {"rows": 3, "note": "x=y"}
    assert run("put", str(folder), "m", "--type", "model", "--json").json["ref"] == "m@1"
    got = run("get", "m@best", str(tmp_path / "out"), "--json").json
    assert (got["files"], got["name"], got["number"]) == (2, "m", 1)
    assert (tmp_path / "out" / "a.bin").read_bytes() == (folder / "a.bin").read_bytes()
    assert (tmp_path / "out" / "deep" / "ü ñ.txt").read_text() == "text"
    run("get", "m", str(tmp_path / "models"), "--layout", "triton")
    assert (tmp_path / "models" / "m" / "1" / "a.bin").exists()
    run("get", "m", str(tmp_path / "served"), "--layout", "tf-serving", "--prefix", "deep/")
    assert [str(path.relative_to(tmp_path / "served")) for path in (tmp_path / "served").rglob("*.*")] == [
        "1/deep/ü ñ.txt"
    ]


def test_bytes_that_changed_behind_the_stores_back_are_not_handed_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("good")
    uri = run("put", str(tmp_path / "data"), "d", "--json").json["uri"]
    (stored,) = [path for path in Path(uri.removeprefix("file://")).rglob("*") if path.is_file()]
    stored.write_text("evil")
    said = run("get", "d", str(tmp_path / "out"))
    assert said.status == 7
    assert "data" in said.err
    assert not list((tmp_path / "out").glob("data"))


def test_a_store_as_one_file(ask: Run, tmp_path: Path) -> None:
    archive = tmp_path / "all.mlmd"
    counts = {row["table"]: row["rows"] for row in ask("export", str(archive), "--json").json}
    assert (counts["Execution"], counts["mlmd_versions"]) == (3, 3)
    assert "is there already" in ask("export", str(archive)).err
    other = run_on(str(tmp_path / "other"))
    tried = other("import", str(archive), "--dry-run", "--json").json
    assert other("ls", "--json").json == []
    assert other("import", str(archive), "--json").json == tried
    assert other("show", "churn@champion", "--json").json["made_by"] == "churn/train/2"
    again = other("import", str(archive), "--json").json
    assert all(row["added"] == 0 and row["present"] == row["rows"] for row in again)


def test_a_file_that_is_no_archive_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no archive")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as other:
        other.writestr("x", "y")
    for name in ("text", "other.zip"):
        said = run("import", str(tmp_path / name))
        assert (said.status, said.out) == (6, "")
        assert "is no archive" in said.err


def test_an_archive_that_was_cut_is_refused_and_nothing_stays(ask: Run, tmp_path: Path) -> None:
    archive, cut = tmp_path / "all.mlmd", tmp_path / "cut.mlmd"
    ask("export", str(archive))
    with zipfile.ZipFile(archive) as whole, zipfile.ZipFile(cut, "w") as kept:
        for name in whole.namelist():
            if "-Execution." not in name:
                kept.writestr(name, whole.read(name))
    other = run_on(str(tmp_path / "other"))
    said = other("import", str(cut))
    assert said.status == 6
    assert "does not hold it" in said.err
    assert other("ls", "--json").json == []


def test_the_doctor_finds_a_healthy_store_healthy(ask: Run) -> None:
    rows = {row["check"]: row for row in ask("doctor", "--json").json}
    assert {"client", "server", "database", "bytes"} <= set(rows)
    assert all(row["ok"] for row in rows.values())
    assert "read from artifact" in rows["bytes"]["found"]


def test_the_doctor_says_what_to_do_about_a_server_that_is_away() -> None:
    said = run_on("grpc://127.0.0.1:1")("doctor", "--json")
    assert said.status == 7
    (server,) = [row for row in said.json if row["check"] == "server"]
    assert "start the server" in server["mend"]


def test_the_doctor_finds_bytes_that_are_gone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("good")
    uri = run("put", str(tmp_path / "data"), "d", "--json").json["uri"]
    for path in Path(uri.removeprefix("file://")).rglob("*"):
        if path.is_file():
            path.unlink()
    said = run("doctor", "--json")
    assert said.status == 7
    assert [row["check"] for row in said.json if not row["ok"]] == ["bytes"]


@pytest.mark.parametrize(
    ("arguments", "status", "part"),
    [
        (("show", "nothing@3"), 3, "nothing"),
        (("show", "churn@99"), 3, "99"),
        (("show", "a/b/7"), 3, "7"),
        (("show", "artifact:999"), 3, "999"),
        (("lineage", "context:1"), 2, "context"),
        (("get", "churn/train/1"), 6, "is a run"),
        (("put", "/no/such/file", "x"), 2, "/no/such/file"),
        (("frobnicate",), 2, "frobnicate"),
        (("put", ".", "x", "-p", "novalue"), 2, "novalue"),
        (("get", "artifact:1", "out", "--layout", "triton", "--prefix", "no"), 3, "no"),
    ],
)
def test_failures_are_a_sentence_and_a_status(ask: Run, arguments: tuple[str, ...], status: int, part: str) -> None:
    said = ask(*arguments)
    assert (said.status, said.out) == (status, "")
    assert part in said.err
    assert "Traceback" not in said.err


def test_nobody_there_is_a_status_of_its_own() -> None:
    said = run_on("grpc://127.0.0.1:1")("ls")
    assert said.status == 4
    assert "127.0.0.1:1" in said.err


def test_a_token_comes_from_the_environment(
    start_server: StartServer, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('[[token]]\ntoken = "secret"\nsubject = "ana"\nroles = ["writer"]\n')
    server = start_server(sqlite_url, options=("--auth", f"tokens={tokens}"))
    run = run_on(f"grpc://{server.target}")
    assert run("ls").status == 5
    monkeypatch.setenv("MLMD_TOKEN", "secret")
    assert run("ls").status == 0
    (tmp_path / "data").write_text("x")
    assert run("import", str(tmp_path / "data")).status == 6


def test_the_program_itself(tmp_path: Path) -> None:
    environment = {**os.environ, "MLMD_SERVER": str(tmp_path / "store")}
    Store(str(tmp_path / "store")).close()
    said = subprocess.run([PROGRAM, "ls", "--json"], capture_output=True, text=True, env=environment, check=False)
    assert (said.returncode, json.loads(said.stdout)) == (0, [])
    for shell in ("bash", "zsh"):
        script = subprocess.run([PROGRAM, "completion", shell], capture_output=True, text=True, check=True).stdout
        assert "_MLMD_COMPLETE" in script
    offered = subprocess.run(
        [PROGRAM],
        capture_output=True,
        text=True,
        env=environment | {"_MLMD_COMPLETE": "bash_complete", "COMP_LINE": "mlmd prov"},
        check=True,
    )
    assert offered.stdout.strip() == "plain,provenance"


@pytest.mark.parametrize("package", ["click", "rich"])
def test_without_a_package_the_mend_is_one_line(package: str, history: str) -> None:
    program = f"import sys; sys.modules[{package!r}] = None; from mlmd_client.command_line import main; main()"
    command = [sys.executable, "-c", program, "--server", history, "lineage", "churn"]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 2
    assert said.stderr == f"mlmd: {package} is not installed; run: pip install 'mlmd-server[cli]'\n"


def test_every_command_helps() -> None:
    for name in mlmd.commands:
        said = run_on("x")(name, "--help")
        assert said.status == 0
        assert said.out.startswith("Usage: ")


def test_the_store_is_closed_after_a_command(tmp_path: Path) -> None:
    run_on(str(tmp_path / "store"))("ls")
    with Store(str(tmp_path / "store")) as store:
        assert store.find("artifacts").rows == []


def test_a_store_that_is_not_there_is_not_made_by_asking(run: Run, store: str, tmp_path: Path) -> None:
    for arguments in (("ls",), ("show", "churn"), ("models", "ls"), ("runs", "churn"), ("export", "all.mlmd")):
        said = run(*arguments)
        assert (said.status, f"there is no store in {store!r}" in said.err) == (3, True)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "data.csv").write_text("x\n1\n")
    assert run("put", "data.csv", "churn").status == 0
    assert run("ls").status == 0


def test_what_is_misspelt_is_asked_about(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x\n1\n")
    run("put", "data.csv", "churn-train", "--type", "dataset", "--alias", "good")
    assert "; did you mean 'churn-train'?" in run("show", "chrun-train").err
    assert "; did you mean 'churn-train'?" in run("show", "system.Dataset/chrun-train").err
    assert "has no alias 'godo'; it has 'good'." in run("show", "churn-train@godo").err
    number = run("show", "7")
    assert (number.status, "write artifact:7 or execution:7" in number.err) == (6, True)
    assert "write models:/name@alias" in run("show", "model:/churn-train@good").err


def test_states_are_understood_in_any_case(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("x\n1\n")
    run("put", "data.csv", "churn")
    assert run("runs", "--state", "failed").status == 0
