"""The client on Oracle's MySQL 9 without a server: by Google's ConnectionConfig, and as a Store."""

from pathlib import Path

import pytest
from mlmd_client.metadata_store import ListOptions, MetadataStore, errors
from mlmd_client.store import Store
from mlmd_metadata_store.addresses import parse_url
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.client.command_line.conftest import run_on

pytestmark = pytest.mark.mysql9
LONG = 2**40


@pytest.fixture
def store_url(mysql9_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an empty database, the bytes beside it in the test's folder."""
    monkeypatch.setenv("MLMD_ARTIFACTS", str(tmp_path / "bytes"))
    monkeypatch.setenv("MLMD_JOURNAL", str(tmp_path / "journal"))
    monkeypatch.setenv("MLMD_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return mysql9_url


def config_of(url: str) -> pb.ConnectionConfig:
    """Return a URL's parts as Google's library takes them."""
    parts = parse_url(url)
    mysql = pb.MySQLDatabaseConfig(
        host=parts.host or "",
        port=parts.port or 0,
        user=parts.username or "",
        password=parts.password or "",
        database=parts.database or "",
    )
    return pb.ConnectionConfig(mysql=mysql)


def test_googles_client_by_a_connection_config(store_url: str) -> None:
    config = config_of(store_url)
    store = MetadataStore(config)
    data = store.put_artifact_type(pb.ArtifactType(name="Data", properties={"n": pb.INT, "s": pb.STRING}))
    run = store.put_execution_type(pb.ExecutionType(name="Run"))
    group = store.put_context_type(pb.ContextType(name="Group"))
    artifact = pb.Artifact(type_id=data, name="ü 🎈", uri="file:///x")
    artifact.properties["n"].int_value = LONG
    artifact.custom_properties["odd"].double_value = float("nan")
    event = pb.Event(type=pb.Event.OUTPUT)
    execution_id, (artifact_id,), (context_id,) = store.put_execution(
        pb.Execution(type_id=run), [(artifact, event)], [pb.Context(type_id=group, name="a group")]
    )
    with pytest.raises(errors.AlreadyExistsError):
        store.put_artifacts([pb.Artifact(type_id=data, name="ü 🎈")])
    store.close()

    again = MetadataStore(config)
    (found,) = again.get_artifacts_by_context(context_id)
    assert (found.id, found.name, found.properties["n"].int_value) == (artifact_id, "ü 🎈", LONG)
    assert str(found.custom_properties["odd"].double_value) == "nan"
    (there,) = again.get_events_by_execution_ids([execution_id])
    assert (there.artifact_id, there.type) == (artifact_id, pb.Event.OUTPUT)
    assert [one.id for one in again.get_artifacts(ListOptions(filter_query=f"properties.n.int_value = {LONG}"))] == [
        artifact_id
    ]
    again.close()


def test_the_sdk_and_the_command_on_a_database_url(store_url: str, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("x,y\n1,a\n")
    with Store(store_url) as store:
        with store.run("churn/prepare", capture=False) as prepare:
            prepare.log_dataset("churn-train", tmp_path / "train.csv")
        with store.run("churn/train", params={"lr": 0.1}, capture=False) as train:
            train.use("churn-train@latest")
            train.metrics(auc=0.9, odd=float("inf"))
            for step in range(50):
                train.metric("loss", 1 / (step + 1), step=step)
            train.evaluate("test", [0, 1, 1, 0], [0.1, 0.8, 0.4, 0.3])
            train.log_model("churn", {"weights": [1]})
        store["churn@1"].set_alias("champion")
    with Store(store_url) as again:
        assert again["churn@champion"].load() == {"weights": [1]}
        assert again["churn@champion"].provenance().names() == [
            *("churn@1", "churn/train/1", "churn-train@1", "churn/prepare/1"),
        ]
        assert again.runs("churn/train")[0]["auc"] == 0.9
        assert "test" in str(again.compare("churn@1"))
    rows = {row["check"]: row for row in run_on(store_url)("doctor", "--json").json}
    assert [check for check, row in rows.items() if not row["ok"]] == []
    assert run_on(store_url)("show", "churn@champion", "--json").json["made_by"] == "churn/train/1"
