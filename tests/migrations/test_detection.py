"""Which databases are opened and which are refused, and how (mlmd-write contract, section 9, edge cases 66 and 67)."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from mlmd_migrations import SchemaError, migrate, open_schema, plan
from mlmd_migrations.errors import ABORTED, DATA_LOSS, FAILED_PRECONDITION, INTERNAL, UNAVAILABLE
from mlmd_migrations.history import TABLES

from tests.migrations.databases import engine_of, execute, rows
from tests.migrations.snapshot import contents, shape, tables

WAYS = {"opening": open_schema, "upgrading": lambda engine: open_schema(engine, enable_upgrade=True)}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


def refusal(engine: sa.Engine, way: str) -> SchemaError:
    with pytest.raises(SchemaError) as refused:
        WAYS[way](engine)
    return refused.value


@EVERY_WAY
@pytest.mark.parametrize("version", [11, 12, 1000])
def test_write_66_newer_version_is_refused(engine: sa.Engine, way: str, version: int) -> None:
    open_schema(engine)
    execute(engine, f"UPDATE MLMDEnv SET schema_version = {version}")
    error = refusal(engine, way)
    assert error.code == FAILED_PRECONDITION
    assert str(version) in error.message
    for other in (migrate, plan):
        with pytest.raises(SchemaError) as refused:
            other(engine)
        assert refused.value.code == FAILED_PRECONDITION


@EVERY_WAY
def test_write_67_no_version_row_is_aborted(engine: sa.Engine, way: str) -> None:
    open_schema(engine)
    execute(engine, "DELETE FROM MLMDEnv")
    assert refusal(engine, way).code == ABORTED


@EVERY_WAY
def test_lone_empty_version_table_is_aborted(engine: sa.Engine, way: str) -> None:
    execute(engine, "CREATE TABLE MLMDEnv (schema_version INTEGER PRIMARY KEY)")
    assert refusal(engine, way).code == ABORTED
    assert tables(engine) == ["MLMDEnv"]


@EVERY_WAY
def test_write_67_two_version_rows_are_data_loss(engine: sa.Engine, way: str) -> None:
    open_schema(engine)
    execute(engine, "INSERT INTO MLMDEnv VALUES (9)")
    error = refusal(engine, way)
    assert error.code == DATA_LOSS
    assert "9" in error.message
    assert "10" in error.message


@pytest.mark.parametrize("table", [table.name for table in TABLES if table.name != "MLMDEnv"])
def test_write_67_missing_table_is_aborted_and_named(engine: sa.Engine, table: str) -> None:
    open_schema(engine)
    execute(engine, f"DROP TABLE {table}")
    error = refusal(engine, "opening")
    assert error.code == ABORTED
    assert f" {table} are absent" in error.message
    complete = ", ".join(other.name for other in TABLES if other.name != table)
    assert error.message.startswith(f"The database has only a part of MLMD's tables: {complete} are complete, ")
    assert table not in tables(engine)


@EVERY_WAY
def test_missing_version_table_beside_the_rest_is_aborted(engine: sa.Engine, way: str) -> None:
    open_schema(engine)
    execute(engine, "DROP TABLE MLMDEnv")
    assert refusal(engine, way).code == ABORTED


@EVERY_WAY
@pytest.mark.parametrize("column", ["ArtifactProperty.bool_value", "ContextProperty.proto_value", "Event.type"])
def test_missing_checked_column_is_aborted(engine: sa.Engine, way: str, column: str) -> None:
    open_schema(engine)
    table, name = column.split(".")
    execute(engine, f"ALTER TABLE {table} RENAME COLUMN {name} TO elsewhere")
    error = refusal(engine, way)
    assert error.code == ABORTED
    assert table in error.message


def test_missing_external_id_is_not_noticed_at_opening(engine: sa.Engine) -> None:
    open_schema(engine)
    execute(engine, "ALTER TABLE Artifact RENAME COLUMN external_id TO elsewhere")
    assert not open_schema(engine).created


@EVERY_WAY
def test_stray_type_table_is_not_taken_for_version_0_and_stays(engine: sa.Engine, way: str) -> None:
    execute(engine, "CREATE TABLE Type (id INT, is_artifact_type INT)", "INSERT INTO Type VALUES (1, 1)")
    error = refusal(engine, way)
    assert error.code == INTERNAL
    assert "Type" in error.message
    assert tables(engine) == ["Type"]
    assert rows(engine, "SELECT id FROM Type") == [(1,)]


@pytest.mark.parametrize("version", [-1, 0])
def test_version_row_that_no_server_writes(engine: sa.Engine, version: int) -> None:
    open_schema(engine)
    execute(engine, f"UPDATE MLMDEnv SET schema_version = {version}")
    before = shape(engine), contents(engine)
    assert refusal(engine, "opening").code == FAILED_PRECONDITION
    assert refusal(engine, "upgrading").code == INTERNAL
    assert (shape(engine), contents(engine)) == before


@pytest.mark.parametrize("version", ["'ten'", "NULL"])
@EVERY_WAY
def test_version_row_that_is_no_number(engine: sa.Engine, way: str, version: str) -> None:
    open_schema(engine)
    table = "DROP TABLE MLMDEnv", "CREATE TABLE MLMDEnv (schema_version TEXT)"
    execute(engine, *table, f"INSERT INTO MLMDEnv VALUES ({version})")
    error = refusal(engine, way)
    assert error.code == INTERNAL
    assert "is no number" in error.message


def test_version_9_over_tables_of_version_10_is_mended(engine: sa.Engine) -> None:
    """Google's server fails on the column that is there already; an interrupted upgrade looks like this."""
    open_schema(engine)
    before = shape(engine)
    execute(engine, "UPDATE MLMDEnv SET schema_version = 9")
    open_schema(engine, enable_upgrade=True)
    assert rows(engine, "SELECT schema_version FROM MLMDEnv") == [(10,)]
    assert shape(engine) == before


def test_old_version_that_lacks_a_table_is_aborted_before_anything_changes(engine: sa.Engine) -> None:
    open_schema(engine)
    execute(engine, "UPDATE MLMDEnv SET schema_version = 5", "DROP TABLE Attribution")
    before = shape(engine)
    error = refusal(engine, "upgrading")
    assert error.code == ABORTED
    assert "Attribution" in error.message
    assert shape(engine) == before


def test_negative_downgrade_means_none(engine: sa.Engine) -> None:
    assert open_schema(engine, downgrade_to=-5).created


def test_file_that_is_no_database_is_an_error_without_the_drivers_words(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database, but long enough to be looked at as one" * 50)
    with pytest.raises(SchemaError) as refused:
        open_schema(engine_of(f"sqlite:///{path}"))
    assert refused.value.code == DATA_LOSS
    assert "sqlite3" not in refused.value.message
    assert "not a database" in refused.value.detail


def test_a_full_disk_is_told_with_its_mend(sqlite_url: str) -> None:
    engine = engine_of(sqlite_url)
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 4").close())
    with pytest.raises(SchemaError) as refused:
        open_schema(engine)
    assert refused.value.code == UNAVAILABLE
    assert "make room there" in refused.value.message
    assert refused.value.detail == "database or disk is full"
    sa.event.listen(engine, "connect", lambda raw, _: raw.execute("PRAGMA max_page_count = 4000").close())
    engine.dispose()
    assert open_schema(engine).created, "nothing half made was left"


def test_server_that_is_not_there_is_unavailable(mariadb_engine: sa.Engine) -> None:
    gone = engine_of(str(mariadb_engine.url.set(port=1).render_as_string(hide_password=False)))
    with pytest.raises(SchemaError) as refused:
        open_schema(gone)
    assert refused.value.code == UNAVAILABLE
