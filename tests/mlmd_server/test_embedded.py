"""The server inside another process: where its data is, how it shares it, and how it ends."""

import logging
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlmd_client.calls import CallError
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import server_pb2
from mlmd_server.embedded import EmbeddedTransport, open_connection, open_embedded

from tests.services.ports import free_port

MLMD = "/ml_metadata.MetadataStoreService/"


def put_type(store: EmbeddedTransport, name: str) -> int:
    request = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name=name))
    return store.unary(MLMD + "PutArtifactType", request, service.PutArtifactTypeResponse).type_id


def type_names(store: EmbeddedTransport) -> set[str]:
    answer = store.unary(MLMD + "GetArtifactTypes", service.GetArtifactTypesRequest(), service.GetArtifactTypesResponse)
    return {kind.name for kind in answer.artifact_types}


def test_nothing_at_all_is_a_folder_beside_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_embedded(None)
    put_type(store, "Data")
    assert (tmp_path / "mlmd-data" / "metadata.db").is_file()
    assert store.parts.artifacts is not None
    store.close()


def test_the_process_may_change_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    monkeypatch.chdir(tmp_path / "one")
    for target in ("data", "sqlite:///data.db"):
        store = open_embedded(target)
        monkeypatch.chdir(tmp_path / "two")
        facts = store.parts.stores.of("")
        assert isinstance(facts, Store)
        facts.database.reader.dispose()
        put_type(store, "Data")
        beside = tmp_path / "one" / ("data/artifacts" if target == "data" else "artifacts")
        assert store.parts.artifacts.of("").artifacts.blobs.uri() == beside.as_uri()
        store.close()
        monkeypatch.chdir(tmp_path / "one")
    assert list((tmp_path / "two").iterdir()) == []


@pytest.mark.parametrize("name", ["a b", "100%", "ü", "q?x#y"])
def test_any_folder_will_do(tmp_path: Path, name: str) -> None:
    store = open_embedded(str(tmp_path / name))
    put_type(store, "Data")
    store.close()
    assert (tmp_path / name / "metadata.db").is_file()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file.db").touch()
    with pytest.raises(CallError, match=r"is a file; name its folder, or write sqlite:///.*file\.db"):
        open_embedded(str(tmp_path / "file.db"))


def test_a_database_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "metadata.db").write_bytes(b"no database at all" * 100)
    with pytest.raises(CallError) as caught:
        open_embedded(str(tmp_path))
    assert caught.value.code == Code.DATA_LOSS
    assert "cannot be read" in caught.value.message


def test_several_stores_on_one_database_see_and_wait_for_each_other(database_url: str) -> None:
    stores = [open_embedded(database_url) for _ in range(4)]

    def fill(number: int) -> None:
        for turn in range(5):
            put_type(stores[number], f"{number}-{turn}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(fill, range(4)))
    for store in stores:
        assert len(type_names(store)) == 20
    stores[0].close()
    assert put_type(stores[1], "0-0") == put_type(stores[2], "0-0")
    for store in stores:
        store.close()


def test_what_it_is_asked_it_says_of_itself(tmp_path: Path) -> None:
    store = open_embedded(str(tmp_path))
    info = store.unary("/mlmd.v1.Server/GetInfo", server_pb2.GetInfoRequest(), server_pb2.GetInfoResponse)
    assert info.http_address == ""
    assert "lineage" in info.features
    store.close()


def test_the_bytes_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLMD_ARTIFACTS", "nowhere://bucket")
    with pytest.raises(CallError) as caught:
        open_embedded(str(tmp_path))
    assert "from MLMD_ARTIFACTS" in caught.value.message


def test_the_environment_of_a_server_does_not_move_the_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLMD_DATABASE", f"sqlite:///{tmp_path}/other.db")
    monkeypatch.setenv("MLMD_GRPC_PORT", "not a port")
    open_embedded(str(tmp_path / "data")).close()
    assert not (tmp_path / "other.db").exists()


def test_a_cause_that_nobody_hears_of_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = open_embedded(str(tmp_path))
    with pytest.raises(CallError):
        store.unary(MLMD + "PutArtifactType", pb.Artifact(), service.PutArtifactTypeResponse)
    assert caplog.records == []
    with sqlite3.connect(tmp_path / "metadata.db") as database:
        database.execute("DROP TABLE Artifact")
    with caplog.at_level(logging.INFO), pytest.raises(CallError) as caught:
        store.unary(MLMD + "GetArtifacts", service.GetArtifactsRequest(), service.GetArtifactsResponse)
    assert caught.value.code == Code.DATA_LOSS
    assert "Artifact" not in caught.value.message
    (record,) = caplog.records
    assert caught.value.request_id in record.getMessage()
    assert record.exc_info is not None
    store.close()


def memory() -> pb.ConnectionConfig:
    return pb.ConnectionConfig(fake_database=pb.FakeDatabaseConfig())


def test_a_database_in_memory_is_the_transports_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    first, second = open_connection(memory()), open_connection(memory())
    put_type(first, "Data")
    assert (type_names(first), type_names(second)) == ({"Data"}, set())
    assert len(os.listdir(tmp_path)) == 2
    first.close()
    del second
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("mode", ["READONLY", "READWRITE", "READWRITE_OPENCREATE", None])
def test_connection_modes_of_sqlite(tmp_path: Path, mode: str | None) -> None:
    path = tmp_path / "metadata.db"
    sqlite: dict[str, Any] = {} if mode is None else {"connection_mode": mode}
    config = pb.ConnectionConfig(sqlite=pb.SqliteMetadataSourceConfig(filename_uri=str(path), **sqlite))
    if mode in ("READONLY", "READWRITE"):
        with pytest.raises(CallError, match="does not exist"):
            open_connection(config)
        open_embedded(f"sqlite:///{path}").close()
    store = open_connection(config)
    if mode == "READONLY":
        with pytest.raises(CallError) as caught:
            put_type(store, "Data")
        assert caught.value.code == Code.PERMISSION_DENIED
        assert caught.value.message == (
            "PutArtifactType needs the role writer, which nobody has while the database is open READONLY; "
            "open it READWRITE."
        )
        assert type_names(store) == set()
    else:
        put_type(store, "Data")
    store.close()


def test_a_database_that_is_away_is_told_by_its_place() -> None:
    place = f"127.0.0.1:{free_port()}/facts"
    with pytest.raises(CallError) as caught:
        open_embedded(f"mysql://mlmd:hunter2@{place}")
    assert caught.value.code == Code.UNAVAILABLE
    assert caught.value.message.endswith(f" It was sought at mysql://mlmd:***@{place}.")


def test_a_connection_that_names_nothing_is_refused() -> None:
    with pytest.raises(CallError, match="unset; give mysql, sqlite or fake_database"):
        open_connection(pb.ConnectionConfig())
