"""What a store refuses or cannot do: it is named, and leaves nothing half recorded."""

import os
from pathlib import Path

import pytest
from mlmd_client import Denied, NotFound, Refused, Store, Taken, Unreachable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as mlmd

from tests.client.sdk.conftest import OpenStore
from tests.conftest import StartServer


def nodes(store: Store) -> tuple[int, int, int]:
    """Return how many artifacts, LIVE artifacts and events there are."""
    artifacts = store.service.read(mlmd.GetArtifactsRequest(), mlmd.GetArtifactsResponse).artifacts
    ids = [artifact.id for artifact in artifacts]
    request = mlmd.GetEventsByArtifactIDsRequest(artifact_ids=ids)
    events = store.service.read(request, mlmd.GetEventsByArtifactIDsResponse).events if ids else []
    return len(artifacts), sum(artifact.state == pb.Artifact.LIVE for artifact in artifacts), len(events)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"model": object()}, r"params\['model'\]: is of type object, which no property can hold"),
        ({"seed": 2**63}, r"params\['seed'\]: .* does not fit 64 bits"),
        ({"name": "\ud800"}, r"params\['name'\]: .* UTF-8"),
    ],
)
def test_a_value_that_no_property_holds_is_named_before_anything_is_recorded(
    local_store: Store, params: dict[str, object], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        local_store.run("wrong/value", params=params)
    with pytest.raises(NotFound, match="there is no experiment 'wrong'"):
        local_store.runs("wrong")


def test_what_fails_leaves_nothing_half_recorded(store: Store, tmp_path: Path) -> None:
    with store.run("half/one") as run:
        with pytest.raises(Refused, match="there is no file or folder"):
            run.log_model("m", tmp_path / "gone.bin")
        for given in ("s3://bucket/new/model.bin", Path("s3://bucket/new/model.bin")):
            with pytest.raises(Refused, match=r"^data: 's3://bucket/new/model\.bin' is a URI, .*mlmd models register"):
                run.log_model("m", given)
        (tmp_path / "empty").mkdir()
        with pytest.raises(Refused, match="has no files"):
            run.log_model("m", tmp_path / "empty")
        with pytest.raises(Refused, match="cannot be pickled"):
            run.log_model("m", lambda: 0)
        with pytest.raises(Refused, match=r"properties\['x'\]"):
            run.log_model("m", {"w": 1}, properties={"x": object()})
        with pytest.raises(Refused, match="name"):
            run.log_model(" m", {"w": 1})
    assert nodes(store) == (0, 0, 0)
    assert not len(store.find("contexts", "type = 'mlmd.Collection'"))


def test_a_file_that_vanishes_while_it_is_sent_is_named(local_store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "weights.bin").write_bytes(os.urandom(1000))
    (folder / "dangling").symlink_to(tmp_path / "gone")
    with local_store.run("vanish/one") as run, pytest.raises(Refused, match="dangling"):
        run.log_model("m", folder)
    assert nodes(local_store) == (0, 0, 0)


def test_a_name_that_is_taken_is_told(store: Store) -> None:
    with store.run("taken/one") as run:
        run.log_model("m", {"w": 1})
        type_id = store["m@1"].message.type_id
        request = mlmd.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=type_id, name="m/2")])
        store.service.write(request, mlmd.PutArtifactsResponse)
        with pytest.raises(Taken, match="m/2"):
            run.log_model("m", {"w": 2})
    assert [version["number"] for version in store.versions("m")] == [1]


def test_what_is_not_there_is_not_found_by_name(store: Store) -> None:
    with pytest.raises(NotFound, match="no collection 'nothing'"):
        store["nothing@3"]
    with store.run("names/one") as run:
        run.log_model("both", {"w": 1})
        for wrong, sentence in (("both@7", "no version 7; its newest is 1"), ("both@champion", "no alias 'champion'")):
            with pytest.raises(NotFound, match=sentence):
                run.use(wrong)
        run.log_dataset("both", "a text")
    with pytest.raises(Refused, match=r"system\.Dataset/both or system\.Model/both"):
        store["both"]
    assert store.version("both", type="system.Model").type == "system.Model"
    with pytest.raises(NotFound, match="no artifact 9999"):
        store[9999]
    with pytest.raises(NotFound, match="no run"):
        store.run_facts("names/one/77")
    with pytest.raises(Refused, match="no_such_option"):
        store.lineage("system.Model/both", no_such_option=1)
    with pytest.raises(Refused, match="filter"):
        store.find("models", "no such thing")


def test_a_token_is_needed_where_the_server_wants_one(
    sqlite_url: str, start_server: StartServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('[[token]]\ntoken = "s3cret"\nsubject = "amy"\nroles = ["writer"]\n')
    server = start_server(sqlite_url, options=("--auth", f"tokens={tokens}"))
    with pytest.raises(Denied, match="Bearer"), Store(f"grpc://{server.target}") as store:
        store.run("tokens/one").start()
    monkeypatch.setenv("MLMD_TOKEN", "s3cret")
    with Store(f"grpc://{server.target}") as store, store.run("tokens/one") as run:
        run.metrics(auc=0.5)


def test_a_server_that_is_away_is_said_with_its_address(open_store: OpenStore) -> None:
    store = open_store("grpc://127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"no server answers at 127\.0\.0\.1:1"):
        store.runs("anything")
