"""Databases that may be read and not written."""

import subprocess
from pathlib import Path

import grpc
import pytest
import sqlalchemy as sa
from mlmd_migrations import SchemaError, migrate, open_schema
from mlmd_migrations.errors import FAILED_PRECONDITION, PERMISSION_DENIED
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc
from sqlalchemy.pool import NullPool

from tests.migrations.databases import engine_of, load_old, reference_config
from tests.migrations.snapshot import contents
from tests.reference.client import Reference
from tests.services.mariadb import MariaDB
from tests.services.ports import free_port
from tests.services.server import PROGRAMS, Server


def read_only(engine: sa.Engine) -> sa.Engine:
    """The same SQLite file through a connection that may not write."""
    return sa.create_engine(f"sqlite:///file:{engine.url.database}?mode=ro&uri=true", poolclass=NullPool)


def test_store_of_ours_opens_read_only(sqlite_engine: sa.Engine) -> None:
    uuid = open_schema(sqlite_engine).store_uuid
    assert open_schema(read_only(sqlite_engine)).store_uuid == uuid


def test_store_of_googles_opens_read_only_without_an_identity(sqlite_engine: sa.Engine, google: Reference) -> None:
    assert not google.open(reference_config(sqlite_engine)).message
    google.release()
    before = contents(sqlite_engine)
    schema = open_schema(read_only(sqlite_engine))
    assert (schema.store_uuid, schema.text_mode, schema.wide_integers, schema.created) == ("", "utf8", True, False)
    assert contents(sqlite_engine) == before
    assert not [name for name in sa.inspect(sqlite_engine).get_table_names() if name.startswith("mlmd_")]


def test_empty_read_only_file_is_a_failed_precondition(sqlite_engine: sa.Engine) -> None:
    with sqlite_engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE somebody (id INT)")
        connection.commit()
    with pytest.raises(SchemaError, match="read-only") as refused:
        open_schema(read_only(sqlite_engine))
    assert refused.value.code == FAILED_PRECONDITION


def test_old_read_only_file_is_a_failed_precondition(sqlite_engine: sa.Engine) -> None:
    load_old(sqlite_engine, 8)
    for work in (lambda engine: open_schema(engine, enable_upgrade=True), migrate):
        with pytest.raises(SchemaError) as refused:
            work(read_only(sqlite_engine))
        assert refused.value.code == FAILED_PRECONDITION


def test_file_that_googles_config_asks_to_read_only_is_not_written(
    sqlite_engine: sa.Engine, google: Reference, tmp_path: Path
) -> None:
    assert not google.open(reference_config(sqlite_engine)).message
    google.release()
    file = Path(sqlite_engine.url.database or "")
    before = file.read_bytes()
    server = Server("", tmp_path / "server", environment={"MLMD_HOST": "127.0.0.1"})
    server.words = _reading(file, server.grpc_port, tmp_path)
    with server, server.channel() as channel:
        stub = service_grpc.MetadataStoreServiceStub(channel)
        found = stub.GetArtifactType(service.GetArtifactTypeRequest(type_name="mlmd.Dataset"), timeout=30)
        assert found.artifact_type.name == "mlmd.Dataset"
        with pytest.raises(grpc.RpcError) as refused:
            stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "Data"}), timeout=30)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
    assert file.read_bytes() == before


def test_empty_file_that_is_to_be_read_only_stays_empty(tmp_path: Path) -> None:
    file = tmp_path / "empty.db"
    file.touch()
    done = subprocess.run(_reading(file, free_port(), tmp_path), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "the database is read-only; make it writable, or open it for writing, and try again" in done.stderr
    assert file.stat().st_size == 0


def _reading(file: Path, port: int, folder: Path) -> list[str]:
    """Return Google's command line for a file of SQLite that it is only to read."""
    config = folder / "config.pbtxt"
    config.write_text(f'connection_config {{ sqlite {{ filename_uri: "{file}" connection_mode: READONLY }} }}')
    program = str(PROGRAMS / "metadata_store_server")
    return [program, f"--grpc_port={port}", f"--metadata_store_server_config_file={config}"]


def test_user_who_may_not_create_tables_is_told_what_to_grant(mariadb_engine: sa.Engine) -> None:
    load_old(mariadb_engine, 9)
    with mariadb_engine.connect() as connection:
        connection.exec_driver_sql("CREATE USER IF NOT EXISTS 'reader'@'127.0.0.1' IDENTIFIED BY 'reader'")
        connection.exec_driver_sql(f"GRANT SELECT ON `{mariadb_engine.url.database}`.* TO 'reader'@'127.0.0.1'")
    reader = engine_of(
        mariadb_engine.url.set(username="reader", password="reader").render_as_string(hide_password=False)
    )
    with pytest.raises(SchemaError, match="CREATE") as refused:
        open_schema(reader, enable_upgrade=True)
    assert refused.value.code == PERMISSION_DENIED
    assert "reader" not in refused.value.message
    assert "denied" in refused.value.detail


def test_read_only_server_serves_a_store_of_googles(own_mariadb: MariaDB) -> None:
    engine = engine_of(own_mariadb.create("kept"))
    load_old(engine, 9)
    open_schema(engine, enable_upgrade=True)
    for name in sa.inspect(engine).get_table_names():
        if name.startswith("mlmd_"):
            own_mariadb.execute(f"DROP TABLE {name}", "kept")
    own_mariadb.execute("CREATE USER 'plain'@'127.0.0.1' IDENTIFIED BY 'plain'")
    own_mariadb.execute("GRANT ALL ON kept.* TO 'plain'@'127.0.0.1'")
    own_mariadb.execute("SET GLOBAL read_only = 1")
    plain = engine_of(f"mysql://plain:plain@{own_mariadb.host}:{own_mariadb.port}/kept")
    schema = open_schema(plain)
    assert (schema.store_uuid, schema.text_mode, schema.wide_integers) == ("", "google", False)
