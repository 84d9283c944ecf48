"""Databases that may be read and not written."""

import pytest
import sqlalchemy as sa
from mlmd_migrations import SchemaError, migrate, open_schema
from mlmd_migrations.errors import FAILED_PRECONDITION, PERMISSION_DENIED
from sqlalchemy.pool import NullPool

from tests.migrations.databases import engine_of, load_old, reference_config
from tests.migrations.snapshot import contents
from tests.reference.client import Reference
from tests.services.mariadb import MariaDB


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
