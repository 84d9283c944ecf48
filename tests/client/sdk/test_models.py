"""The registry from Python: registered, gated, promoted, rolled back, resolved, watched."""

import datetime
import queue
from typing import Any

import pytest
from mlmd_client import NotFound, Refused, Store, Taken
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import registry_pb2 as v1


def logged(store: Store, auc: float) -> Any:
    with store.run("churn/train") as run:
        run.metrics(auc=auc)
        return run.log_model("churn-model", {"auc": auc})


def test_a_model_is_registered_gated_promoted_and_rolled_back(store: Store) -> None:
    first, second = logged(store, 0.90), logged(store, 0.95)
    churn = store.models["churn"]
    one = churn.register(first, author="ana", format="pickle")
    assert (one.number, one.artifact.ref, one.lineage().names()[0]) == (1, "churn-model@1", "churn-model@1")
    with pytest.raises(Taken):
        churn.register(first)
    churn.set_gates("auc >= 0.93", alias="champion")
    assert one.check().column("passed") == [False]
    with pytest.raises(Refused, match=r"auc >= 0\.93"):
        one.promote("champion")
    assert one.promote("champion", reason="the first one", override_gates=True).aliases == ["champion"]
    two = churn.register(second)
    assert two.check("files verified").column("rule") == ["auc >= 0.93", "files verified"]
    two.promote("champion", reason="better", expected=1)
    assert store.load("models:/churn@champion") == {"auc": 0.95}
    assert churn["champion"].number == churn["latest"].number == churn[2].number == 2
    assert churn.rollback("champion", reason="slow") == 1
    assert store.load("models:/churn@champion") == {"auc": 0.90}
    assert churn.moves("champion").column("reason") == ["slow", "better", "the first one"]
    assert churn.versions().column("number") == [2, 1]
    assert store.models.table().column("aliases") == [["champion=1"]]
    with pytest.raises(NotFound):
        churn["nobody"]


def test_a_watcher_is_told_of_every_move(store: Store) -> None:
    churn = store.models["churn"]
    one, two = churn.register(logged(store, 0.90)), churn.register(logged(store, 0.95))
    told: queue.Queue[dict[str, Any]] = queue.Queue()
    watch = store.watch("models/churn", on="champion", call=told.put)
    assert watch.ready.wait(60)
    one.promote("champion")
    one.promote("candidate")
    two.promote("champion", reason="better")
    moves = [told.get(timeout=60), told.get(timeout=60)]
    assert [(move["model"], move["from"], move["to"]) for move in moves] == [("churn", None, 1), ("churn", 1, 2)]
    assert moves[1]["reason"] == "better"
    watch.stop()
    assert watch.failure is None


def test_mlmd_underneath_is_the_same_store(store: Store) -> None:
    model = logged(store, 0.9)
    (artifact,) = store.raw.get_artifacts_by_id([model.id])
    assert artifact.name == "churn-model/1"
    assert {kind.name for kind in store.raw.get_execution_types()} == {"mlmd.Run"}


def test_a_version_is_deployed_archived_and_described(store: Store) -> None:
    fraud = store.models["team/fraud"]
    one = fraud.register("s3://models/fraud/1", name="first", author="ana")
    two = fraud.register(logged(store, 0.95))
    assert (fraud["first"].number, fraud["latest"].number) == (1, 2)
    with pytest.raises(NotFound, match="alias"):
        fraud["nobody"]
    one.deployed("prod", "scorer", runtime="onnx")
    assert fraud.deployments().column("service") == ["scorer"]
    with pytest.raises(Refused, match="'scorer'"):
        one.archive()
    with pytest.raises(Refused, match="state"):
        one.deployed("prod", "scorer", "GONE")
    two.deployed("prod", "scorer")
    assert fraud.deployments().column("state") == ["RUNNING", "STOPPED"]
    assert one.archive().archived
    assert not one.restore().archived
    two.promote("champion")
    found = store.models.resolve("models:/team%2Ffraud@champion")
    assert (found.number, dict(found.metrics)["auc"]) == (2, 0.95)
    assert store.models.resolve("models:/team%2Ffraud@champion", as_of="2999-01-01T00:00:00+01:00").number == 2
    with pytest.raises(NotFound):
        store.models.resolve("models:/team%2Ffraud@champion", as_of="0")
    assert "team/fraud" in two.card()
    assert two.card(html=True).startswith("<!")


def test_what_is_refused_says_why(store: Store) -> None:
    team = store.models["team/模型"]
    with pytest.raises(NotFound, match="'team/模型'"):
        team.versions()
    first, second = logged(store, 0.90), logged(store, 0.95)
    one, two = team.register(first), team.register(second)
    assert one.ref == "models:/team%2F%E6%A8%A1%E5%9E%8B/1"
    assert store.load(one.ref) == {"auc": 0.90}
    with pytest.raises(Taken, match="version 1 of 'team/模型'"):
        team.register(first)
    team.set_gates("f1 >= 0.9", alias="candidate")
    with pytest.raises(Refused, match="no metric 'f1'"):
        one.promote("candidate")
    one.promote("champion")
    assert store.load("models:/team%2F模型@champion") == {"auc": 0.90}
    with pytest.raises(Refused, match="points at version 1") as lost:
        two.promote("champion", expected=2)
    assert lost.value.facts == {"mlmd-alias-number": "1"}, "where it points, to go on from"
    for uri, missing in {"unknown/1": "model", "team%2F模型/9": "version", "team%2F模型@nobody": "alias"}.items():
        with pytest.raises(NotFound) as absent:
            store.models.resolve(f"models:/{uri}")
        assert absent.value.facts == {"mlmd-missing": missing}
    with store.run("plain/run") as run:
        plain = run.log_model("plain", {"auc": 0.5})
    assert store.version("models:/plain/1").id == plain.id, "no model of the registry"
    with pytest.raises(Refused, match="'champion'"):
        store.service.write(
            v1.ArchiveModelVersionRequest(model="team/模型", version="1"), v1.ArchiveModelVersionResponse
        )
    store.service.write(v1.ArchiveModelVersionRequest(model="team/模型", version="2"), v1.ArchiveModelVersionResponse)
    with pytest.raises(Refused, match="archived"):
        two.promote("champion")
    (artifact,) = store.raw.get_artifacts_by_id([first.id])
    artifact.state = pb.Artifact.DELETED
    store.raw.put_artifacts([artifact])
    with pytest.raises(Refused, match="gone"):
        store.load("models:/team%2F模型@champion")


def test_everything_that_is_said_of_a_model_can_be_changed(store: Store) -> None:
    logged(store, 0.90)
    churn = store.models["churn"]
    one = churn.register("churn-model@1", format="pickle:5", signature='{"inputs": []}', tags={"a": "1"})
    assert (one.artifact.ref, one.message.format.version, one.message.signature) == (
        "churn-model@1",
        "5",
        '{"inputs": []}',
    )
    with pytest.raises(NotFound, match="did you mean 'churn-model'"):
        churn.register("chrun-model@1")
    told = one.describe(description="d", author="ana", tags={"b": "2"}, untag=["a"], format="onnx", signature="{}")
    message = told.message
    assert (message.description, message.author, dict(message.tags)) == ("d", "ana", {"b": "2"})
    assert (message.format.name, message.signature) == ("onnx", "{}")
    churn.describe(description="who leaves", owner="risk", tags={"tier": "1"})
    assert (churn.message.description, churn.message.owner, dict(churn.message.tags)) == (
        "who leaves",
        "risk",
        {"tier": "1"},
    )
    one.approve("good")
    assert len(churn[1].message.approvals) == 1
    one.approve(withdraw=True)
    assert len(churn[1].message.approvals) == 0


def test_a_version_in_use_is_archived_once_its_alias_is_taken_away(store: Store) -> None:
    churn = store.models["churn"]
    one = churn.register(logged(store, 0.90)).promote("champion")
    with pytest.raises(Refused, match="remove"):
        one.archive()
    churn.remove_alias("champion", reason="withdrawn")
    assert one.archive().archived
    assert churn.moves().column("reason") == ["withdrawn", ""]
    with pytest.raises(NotFound, match="it has none"):
        churn.remove_alias("champion")
    churn.archive()
    with pytest.raises(Refused, match="archived"):
        churn.register("s3://models/churn/2")
    churn.restore()
    assert churn.register("s3://models/churn/2").number == 2


def test_a_function_that_fails_ends_no_watch(local_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    churn = local_store.models["churn"]
    one, two = churn.register("s3://models/churn/1"), churn.register("s3://models/churn/2")
    told: queue.Queue[int] = queue.Queue()

    def deploy(move: dict[str, Any]) -> None:
        told.put(move["to"])
        if move["to"] == 1:
            raise OSError("the cluster is away")

    watch = local_store.watch("models/churn", call=deploy)
    assert watch.ready.wait(60)
    for version in (one, two):
        version.promote("champion")
    assert [told.get(timeout=60), told.get(timeout=60)] == [1, 2]
    assert "failed at move 1; it goes on" in caplog.text
    watch.wait(0.0)
    watch.stop()
    watch.wait()


def test_a_watch_of_nothing_is_said(local_store: Store, caplog: pytest.LogCaptureFixture) -> None:
    local_store.models["churn"].register("s3://models/churn/1")
    watch = local_store.watch("models/chrun", call=print)
    with pytest.raises(NotFound, match="did you mean 'churn'"):
        watch.wait()
    assert "the watch of chrun ended" in caplog.text


def test_moments_states_and_rules_as_people_have_them(local_store: Store) -> None:
    one = (
        local_store.models["churn"].register("s3://models/churn/1").promote("champion").deployed("prod", "s", "stopped")
    )
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    for moment in (later, later.isoformat(), int(later.timestamp() * 1000)):
        assert local_store.models.resolve("models:/churn@champion", as_of=moment).number == one.number
    with pytest.raises(Refused, match="write it with its offset"):
        local_store.models.resolve("models:/churn@champion", as_of=later.replace(tzinfo=None))
    with pytest.raises(Refused, match="give each rule by itself"):
        local_store.models["churn"].set_gates(["auc >= 0.9"])  # type: ignore[arg-type]
