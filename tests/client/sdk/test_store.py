"""The store as people use it: versions by name, what runs read and made, and what can be asked about it."""

import math
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlmd_client import NotFound, Refused, Store
from mlmd_client.unfinished_files import begin_file
from mlmd_schemas.pb.v1 import collections_pb2, metrics_pb2

from tests.client.sdk.conftest import OpenStore
from tests.conftest import StartServer


def train(store: Store, number: int, rate: float) -> None:
    with store.run("churn/train", params={"lr": rate}) as run:
        frame = run.use("churn-train@latest").df()
        assert frame["x"].tolist() == [1, 2, 3]
        for step in range(5):
            run.metric("loss", rate / (step + 1), step=step)
        run.metrics(auc=0.9 + rate)
        run.evaluate("test", [0, 1, 0, 1], np.array([0.1, 0.9, 0.4, 0.35 + rate]), labels=["stays", "leaves"])
        model = run.log_model("churn", {"rate": rate}, properties={"lr": rate})
    assert model is not None
    assert model.ref == f"churn@{number}"


def test_the_whole_task(store: Store, tmp_path: Path) -> None:
    with store.run("churn/prepare") as run:
        data = run.log_dataset("churn-train", pd.DataFrame({"x": [1, 2, 3]}), properties={"split": "train"})
    assert data is not None
    assert (data.ref, data.type, data.properties["rows"]) == ("churn-train@1", "system.Dataset", 3)
    train(store, 1, 0.01)
    train(store, 2, 0.02)
    store["churn@2"].set_alias("champion", reason="better")

    assert store.load("models:/churn@champion") == {"rate": 0.02}
    assert [store[name].number for name in ("churn@1", "churn:1", "churn/1", "churn@champion", "churn")] == [
        1,
        1,
        1,
        2,
        2,
    ]
    assert store["system.Model/churn@champion"].aliases == ["champion"]
    assert store["churn@1"].run is not None
    assert store["churn@1"].run.params == {"lr": 0.01}

    graph = store["churn@1"].lineage()
    assert {"churn@1", "churn-train@1", "churn/prepare/1", "churn/train/1"} <= set(graph.names())
    assert graph.is_complete
    assert [source.uri for source in store.provenance("churn@2").data] == [data.uri]
    assert {model.name for model in data.impact().models} == {"churn/1", "churn/2"}
    assert data.impact().to_networkx().number_of_edges() == 4

    table = store.find("models", "custom_properties.lr.double_value > 0.005", order="-lr", limit=1)
    assert table.column("name") == ["churn/2"]
    both = store.compare("churn@1", "churn@2")
    assert both.best("auc") == "churn@2"
    assert both.best("loss", lowest=True) == "churn@1"
    assert both.df().set_index("figure").loc["test/auc", "churn@1"] == 0.75
    assert both.roc("test").save(tmp_path / "roc.svg").read_text().startswith("<svg")
    assert store.diff("churn@1", "churn@2").where(what="lr", kind="parameter").column("churn@2") == [0.02]
    assert store.runs("churn").column("name") == ["churn/train/2", "churn/train/1", "churn/prepare/1"]
    assert store.versions("churn").column("aliases") == [["champion"], []]


def test_data_that_is_there_is_not_a_new_version_and_models_are(store: Store, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for name in ("a.csv", "b.csv"):
        (tmp_path / "data" / name).write_text(f"x\n{name}\n")
    with store.run("reuse/one") as run:
        first, again = (run.log_dataset("rows", tmp_path / "data") for _ in range(2))
        models = [run.log_model("m", {"w": 1}) for _ in range(2)]
    assert first is not None
    assert again is not None
    assert first.id == again.id
    assert [model.number for model in models if model is not None] == [1, 2]
    assert sorted(path.name for path in first.path.iterdir()) == ["a.csv", "b.csv"]
    with first.open("b.csv", "rt") as file:
        assert file.read() == "x\nb.csv\n"
    with pytest.raises(Refused, match=r"say which: 'a\.csv', 'b\.csv'"):
        first.df()
    with pytest.raises(NotFound, match=r"no file 'c\.csv'"):
        first.df("c.csv")


def test_fetched_files_are_fetched_once_and_again_when_somebody_changed_them(local_store: Store) -> None:
    with local_store.run("cache/one") as run:
        run.log_artifact("text", "hello")
    path = local_store["text"].path
    path.write_text("spoiled")
    assert local_store["text"].path.read_text() == "hello"
    stamp = path.stat().st_mtime_ns
    assert local_store["text"].path.stat().st_mtime_ns == stamp


def test_a_file_is_found_beside_others_and_while_others_fetch_it(local_store: Store, tmp_path: Path) -> None:
    with local_store.run("cache/shared") as run:
        run.log_artifact("first", "one")
        run.log_artifact("second", "two")
    assert local_store["first"].download(tmp_path / "all") == tmp_path / "all" / "first.txt"
    assert local_store["second"].download(tmp_path / "all") == tmp_path / "all" / "second.txt"
    folder = local_store["first"].path.parent
    folder.with_name(f"{folder.name}.whole.json").unlink()
    unfinished, descriptor = begin_file(folder)  # as another process has one that fetches the same at this moment
    try:
        assert local_store["first"].path == folder / "first.txt"
    finally:
        os.unlink(unfinished)
        os.close(descriptor)
    stamp = (folder / "first.txt").stat().st_mtime_ns
    assert local_store["first"].path == folder / "first.txt"
    assert (folder / "first.txt").stat().st_mtime_ns == stamp


def test_what_a_fetched_folder_was_left_as_is_told_in_a_few_bytes(local_store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source" / "deep"
    source.mkdir(parents=True)
    for number in range(100):
        (source / f"{number:03}").touch()
    (source.parent / "last").write_text("last")
    with local_store.run("cache/many") as run:
        run.log_artifact("many", tmp_path / "source")
    folder = local_store["many"].path
    mark = folder.with_name(f"{folder.name}.whole.json")
    kept = mark.read_bytes()
    assert len(kept) < 200
    for spoil in ((folder / "deep" / "007").unlink, (folder / "deep" / "more").touch, (folder / "last").unlink):
        spoil()
        assert local_store["many"].path == folder
        assert (folder / "last").read_text() == "last"
        assert (folder / "deep" / "007").exists()
    for other in (b"", b"{", b"[]", b'{"deep/000": [0, 1]}', b'{"files": 0, "only": "", "digest": ""}'):
        (folder / "last").write_text("lost")
        mark.write_bytes(other)  # of another version, or half of one
        assert (local_store["many"].path / "last").read_text() == "last"
    assert mark.read_bytes() != other, "it is marked anew"


def test_formats_are_called_as_on_the_command_line(local_store: Store) -> None:
    with local_store.run("graph/formats") as run:
        model = run.log_model("formats", {"weights": 1})
    assert model.lineage().export("prov-json") == model.lineage().export("prov_json")
    with pytest.raises(Refused, match="openlineage, prov-json, svg"):
        model.lineage().export("prov")


def test_slices_never_take_the_place_of_the_whole(local_store: Store) -> None:
    truth, score = [0, 1, 0, 1], [0.1, 0.9, 0.2, 0.8]
    nameless: list[list[object]] = [["", "", "DE", "DE"], ["DE", None, "DE", "FR"], [1.0, 1.0, float("nan"), 2.0]]
    with local_store.run("slices/whole") as run:
        for slices in nameless:
            with pytest.raises(Refused, match="slices"):
                run.evaluate("test", truth, score, slices=slices)
        run.evaluate("test", truth, score, slices=["DE", "DE", "FR", "FR"])


def test_a_matrix_and_a_curve_of_one_name_are_one_evaluation(local_store: Store) -> None:
    truth, score = ["ham", "spam", "ham", "spam"], [0.1, 0.9, 0.4, 0.35]
    with local_store.run("churn/train") as run:
        run.roc("test", truth, score)
        run.confusion_matrix("test", truth, ["ham", "spam", "spam", "spam"])
        run.roc("other", truth, score)
        run.roc("other", truth, [0.1, 0.9, 0.2, 0.8])
    figures = {row["figure"]: row["churn/train/1"] for row in local_store.compare("churn/train/1").table()}
    assert figures["test/accuracy"] == 0.75
    assert figures["test/auc"] == 0.75
    assert figures["other/auc"] == 1.0


def test_an_exception_marks_the_run_failed_with_its_message(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.run("fails/one") as run:
        run.metric("loss", 1 / 0)
    facts = store.run_facts(run.id)
    assert (facts.state, facts.reason) == ("FAILED", "ZeroDivisionError: division by zero")
    with pytest.raises(KeyboardInterrupt), store.run("fails/two") as run:
        raise KeyboardInterrupt
    assert store.run_facts(run.id).state == "CANCELED"
    with pytest.raises(Refused, match="takes nothing"):
        run.metric("loss", 1.0)


def test_aliases_move_only_where_they_were_seen(local_store: Store) -> None:
    with local_store.run("aliases/one") as run:
        run.log_model("m", {"w": 1})
        run.log_model("m", {"w": 2})
    local_store["m@1"].set_alias("champion", expected=0)
    with pytest.raises(Refused, match="points at version 1"):
        local_store["m@2"].set_alias("champion", expected=2)
    local_store["m@2"].set_alias("champion", reason="better", expected=1)
    moves = local_store.service.read(
        collections_pb2.ListAliasMovesRequest(type_name="system.Model", name="m"),
        collections_pb2.ListAliasMovesResponse,
    ).moves
    assert [(move.from_number, move.to_number, move.reason) for move in moves] == [(1, 2, "better"), (0, 1, "")]


def test_the_environment_says_which_store(
    sqlite_url: str, start_server: StartServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = start_server(sqlite_url)
    monkeypatch.setenv("MLMD_SERVER", f"grpc://{server.target}")
    with Store() as store, store.run("environment/one"):
        pass
    monkeypatch.delenv("MLMD_SERVER")
    monkeypatch.chdir(tmp_path)
    with Store() as store:
        assert not len(store.find("runs"))
    assert (tmp_path / "mlmd-data" / "metadata.db").exists()


def test_a_dead_process_of_an_embedded_store_is_noticed_by_the_next_one(sqlite_url: str, open_store: OpenStore) -> None:
    first = open_store(sqlite_url)
    run = first.run("dead/one", timeout_seconds=1.0).start()
    execution_id = run.id
    run._outbox()._heartbeat_seconds = 0.0  # it hangs
    while (facts := open_store(sqlite_url).run_facts(execution_id)).state == "RUNNING":
        time.sleep(0.2)  # one sign of life may be on its way yet
    assert facts.state == "FAILED"
    assert "Not heard from" in facts.reason


def test_notebooks_show_tables_drawings_and_graphs_without_scripts(local_store: Store) -> None:
    with local_store.run("shown/one", params={"note": "<script>alert(1)</script>"}) as run:
        run.evaluate("test", [0, 1, 0, 1], [0.1, 0.9, 0.4, 0.35])
        run.log_model("<b>m</b>", {"w": 1})
    version = local_store["<b>m</b>@1"]
    shown = [
        version._repr_html_(),
        run._repr_html_(),
        local_store.runs("shown")._repr_html_(),
        version.lineage()._repr_html_(),
        local_store.compare(version)._repr_html_(),
        local_store.compare(version).confusion_matrix()._repr_html_(),
    ]
    assert all("<script" not in one and "<b>m" not in one for one in shown)
    assert all("<svg" in one for one in shown[3:])


def test_nan_never_ends_a_training(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    nan, truth = float("nan"), ["ham", "spam", "ham", "spam"]
    with store.run("nan/train") as run:
        run.metric("train/loss", nan, step=1)
        run.metrics(auc=nan)
        run.roc("roc", truth, [0.1, nan, 0.4, 0.35])
        run.evaluate("all", np.array(truth), np.array([0.1, 0.9, nan, 0.35]), slices=["DE", "DE", "FR", "FR"])
        run.confusion_matrix("counts", counts=[[1, nan], [0, 1]], labels=["ham", "spam"])
        run.evaluate("sound", truth, [0.1, 0.9, 0.4, 0.35])
    facts = store.run_facts(run)
    assert (facts.state, math.isnan(facts.metrics["auc"])) == ("COMPLETE", True)
    owner = metrics_pb2.MetricOwner(execution_id=run.id)
    key = metrics_pb2.MetricKey(owner=owner, name="train/loss")
    series = store.service.read(metrics_pb2.ListSeriesPointsRequest(key=key), metrics_pb2.ListSeriesPointsResponse)
    assert (list(series.steps), [math.isnan(value) for value in series.values]) == ([1], [True])
    found = store.service.read(metrics_pb2.GetEvaluationsRequest(owners=[owner]), metrics_pb2.GetEvaluationsResponse)
    assert [one.key.name for one in found.evaluations] == ["sound"]
    for name in ("roc", "all", "counts"):
        assert any(f"evaluation {name!r}" in message and "nan" in message.lower() for message in caplog.messages)
    with store.run("nan/wrong") as run, pytest.raises(Refused, match="each needs one of each"):
        run.roc("short", truth, [0.1])


def test_what_is_captured_is_in_the_run_and_nothing_when_it_is_turned_off(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLMD_CAPTURE")
    with store.run("capture/on") as on, store.run("capture/off", capture=False) as off:
        pass
    stored = {run.id: run for run in store.raw.get_executions_by_id([on.id, off.id])}
    captured = set(stored[on.id].custom_properties) - set(stored[off.id].custom_properties)
    assert captured >= {"host", "pid", "python_version", "environment"}
    assert stored[on.id].custom_properties["pid"].string_value == str(os.getpid())


def test_a_seed_is_a_parameter_said_once(local_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    with local_store.run("seeds/one", {"lr": 0.5}, seed=np.int64(42), capture=["environment"]) as run:
        pass
    facts = local_store.run_facts(run.id)
    assert facts.params == {"lr": 0.5, "seed": 42}
    assert local_store.raw.get_executions_by_id([run.id])[0].custom_properties["python_hash_seed"].string_value == "7"
    assert local_store.runs("seeds/one")[0]["seed"] == 42
    assert local_store.run("seeds/two", {"seed": 42}, seed=42).state == "NEW"
    wrong: Any
    for wrong, said in ((0.5, "is of type float"), ("42", "is of type str"), (7, r"params\['seed'\] is 42")):
        with pytest.raises(Refused, match=said):
            local_store.run("seeds/two", {"seed": 42}, seed=wrong)


def test_how_one_came_from_the_other(store: Store) -> None:
    with store.run("churn/prepare") as run:
        data = run.log_artifact("data", "x")
    with store.run("churn/train") as run:
        run.use(data)
        model = run.log_model("model", {"w": 1})
    for ends in ((data, model), (model, data)):
        assert store.path(*ends).names() == ["data@1", "churn/train/1", "model@1"]
    with store.run("churn/other") as run:
        stranger = run.log_artifact("other", "y")
    assert store.path(stranger, model).names() == []
