"""What a notebook shows of each public object, and what it offers after a bracket."""

import json
from typing import Any

import pytest
from google.protobuf.message import Message
from mlmd_client import Refused
from mlmd_client.store import Store
from mlmd_client.tables import Table
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import metrics_pb2

from tests.client.command_line.conftest import run_on


@pytest.fixture
def filled(local_store: Store) -> Store:
    """A store with a data set, a model that is registered and promoted, and its evaluations."""
    with local_store.run("show/train", params={"lr": 0.1}) as run:
        run.log_dataset("rows", {"a": 1})
        run.evaluate("test", [0, 1, 0, 1], [0.1, 0.8, 0.3, 0.2])
        run.evaluate("more", [0, 1, 0, 1], [0.1, 0.8, 0.3, 0.9])
        version = run.log_model("made", {"w": 1})
    local_store.models["churn"].register(version).promote("champion", reason="the first")
    return local_store


def shown(store: Store) -> dict[str, Any]:
    """Return an object of each public kind."""
    model = store.models["churn"]
    compared = store.compare("made@1")
    return {
        "models": store.models,
        "model": model,
        "no model": store.models["nobody"],
        "version": model["champion"],
        "resolved": store.models.resolve("models:/churn@champion"),
        "artifact": store["made@1"],
        "run": store.run("show/other"),
        "facts": store.run_facts("show/train/1"),
        "comparison": compared,
        "roc": compared.roc("test"),
        "matrices": compared.confusion_matrix(),
        "graph": store.lineage("made@1"),
        "table": store.find("artifacts"),
        "empty table": model.gates(),
        "webhooks": store.models.webhooks,
    }


def test_every_object_shows_itself(filled: Store) -> None:
    for name, one in shown(filled).items():
        assert " at 0x" not in repr(one), name
        page = one._repr_html_()
        assert page.startswith("<"), name
        assert "<script" not in page, name
    watch = filled.watch("models/churn", call=print)
    assert repr(watch) == "<Watch of churn, on>"
    watch.stop()
    assert repr(watch) == "<Watch of churn, stopped>"


def test_a_table_without_rows_says_so(filled: Store) -> None:
    assert str(filled.models["churn"].gates()) == "(no rows)"
    assert str(Table(["name"], [])) == "name\n(no rows)"
    assert "(no rows)" in Table(["name"], []).html()


def test_a_comparison_is_fetched_once_however_many_evaluations_it_shows(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[type[Message]] = []
    read = filled.service.read

    def noted(request: Message, answer: type[Message]) -> Message:
        asked.append(answer)
        return read(request, answer)

    monkeypatch.setattr(filled.service, "read", noted)
    page = filled.compare("made@1")._repr_html_()
    assert page.count("<svg") == 4
    assert asked.count(metrics_pb2.GetEvaluationsResponse) == 1


def test_large_drawings_keep_to_the_window(filled: Store) -> None:
    for one in (filled.lineage("made@1"), filled.compare("made@1").roc("test")):
        assert one._repr_html_().startswith('<div style="max-width:100%;max-height:85vh;overflow:auto"><svg')


def test_a_card_is_shown_as_a_page(filled: Store) -> None:
    version = filled.models["churn"]["champion"]
    plain, page = version.card(), version.card(html=True)
    assert (plain._repr_markdown_(), plain._repr_html_()) == (plain, None)
    assert page._repr_markdown_() is None
    assert (page._repr_html_() or "").startswith('<iframe sandbox srcdoc="&lt;!')


def test_the_registry_can_be_gone_through_and_asked(filled: Store) -> None:
    filled.models["other"].register("made@1")
    assert list(filled.models) == ["churn", "other"]
    assert "churn" in filled.models
    assert "nobody" not in filled.models
    with pytest.raises(Refused, match=r"^model: 0 is no text"):
        filled.models[0]  # type: ignore[index]


def test_brackets_offer_what_there_is(filled: Store) -> None:
    assert sorted(filled._ipython_key_completions_()) == ["made", "rows"]
    assert filled.models._ipython_key_completions_() == ["churn"]
    assert filled.models["churn"]._ipython_key_completions_() == ["champion", "1"]
    assert filled.compare("made@1").confusion_matrix("test")._ipython_key_completions_() == ["made@1 test"]


def test_a_graph_that_was_cut_says_how_to_see_more(filled: Store) -> None:
    graph = filled.provenance("made@1", hops=0)
    assert graph.is_complete
    with filled.run("show/next") as run:
        run.use("made@1")
        run.log_model("next", {"w": 2})
    cut = filled.provenance("next@1", hops=1)
    assert str(cut).endswith("… and more, beyond 1 hop; ask with hops=2")
    assert "ask with hops=2" in cut._repr_html_()
    with pytest.raises(Refused, match=r"^options: there is no 'hop'; there are hops, "):
        filled.lineage("made@1", hop=3)


def test_a_part_of_a_graph_is_drawn_and_exported_alone(filled: Store) -> None:
    with filled.run("show/next") as run:
        run.use("made@1")
        run.log_model("next", {"w": 2})
        run.log_model("beside", {"w": 3})
    whole = filled.lineage("made@1")
    part = whole.where(kind="artifact")
    assert 1 < len(part) < len(whole)
    drawn = part.drawing().svg
    assert f"{len(part)} artifacts, 0 executions" in drawn
    assert f"{len(part)} artifacts, 0 executions" in part._repr_html_()
    page = json.loads(part.export("json"))
    assert {("artifact", int(one["node"]["artifactId"])) for one in page["nodes"]} == set(part.nodes)
    nothing = whole.where(name="nothing-like-it")
    assert "<svg" not in nothing._repr_html_()
    with pytest.raises(Refused, match=r"^graph: has no nodes"):
        nothing.drawing()
    between = filled.path("made@1", "next@1")
    assert "2 artifacts, 1 execution, 2 edges" in between.drawing().svg


def test_a_run_that_was_not_begun_says_how_to(local_store: Store) -> None:
    with pytest.raises(Refused, match=r"is NEW and takes nothing; start\(\) it, or use `with`"):
        local_store.run("show/new").metric("loss", 1)


def test_of_a_large_graph_the_nearest_part_is_drawn_and_that_is_said(local_store: Store) -> None:
    raw = local_store.raw
    (data,) = raw.put_artifacts([pb.Artifact(type_id=raw.put_artifact_type(pb.ArtifactType(name="system.Dataset")))])
    kind = raw.put_execution_type(pb.ExecutionType(name="mlmd.Run"))
    runs = raw.put_executions([pb.Execution(type_id=kind, name=f"large/train/{n}") for n in range(70)])
    raw.put_events([pb.Event(artifact_id=data, execution_id=one, type=pb.Event.INPUT) for one in runs])
    graph = local_store.impact(data)
    html = graph._repr_html_()
    assert "<p>71 nodes, of which the nearest 60 are drawn; drawing() draws them all, up to 500, and" in html
    assert html.count("large/train/") < graph.drawing().svg.count("large/train/") + graph.table().html().count("large/")
    assert "nearest 30 each way" in local_store.lineage(data)._repr_html_()
    folded = local_store.impact(data, collapse_repeats=True)
    assert folded.table().column("stands_for") == [1, 70]
    assert "are drawn" not in folded._repr_html_()
    runs_alone = graph.where(kind="execution")
    assert "<p>70 nodes, of which the nearest 60 are drawn; drawing() draws up to 500.</p>" in runs_alone._repr_html_()
    assert "0 artifacts, 70 executions" in runs_alone.drawing().svg
    run = run_on(local_store.address)
    assert " and 69 more  mlmd.Run" in run("lineage", f"artifact:{data}", "--down", "--fold").out
    whole, part = (run("lineage", f"artifact:{data}", "--format", "svg", *most).out for most in ((), ("--most", "9")))
    assert len(part) < len(whole) / 2
    assert run("lineage", f"artifact:{data}", "--most", "9").status == 6
