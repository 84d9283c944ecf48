"""Versions 0 to 9 become version 10 (mlmd-write contract, section 8.3, edge cases 66, 68 and 69)."""

import pytest
import sqlalchemy as sa
from mlmd_migrations import SchemaError, obstacles, open_schema
from mlmd_migrations.errors import FAILED_PRECONDITION, INTERNAL
from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.migrations.conftest import NewEngine
from tests.migrations.databases import execute, load_old, reference_config, rows
from tests.migrations.snapshot import contents, shape, widened
from tests.reference.client import Reference

VERSIONS = range(10)
NEVER_ALTERED_BY_OPENING = "mlmd_"


@pytest.mark.parametrize("version", VERSIONS)
def test_write_66_old_version_is_refused_and_untouched_without_leave(engine: sa.Engine, version: int) -> None:
    load_old(engine, version)
    before = shape(engine), contents(engine)
    with pytest.raises(SchemaError, match="--enable-upgrade") as refused:
        open_schema(engine)
    assert refused.value.code == FAILED_PRECONDITION
    assert (shape(engine), contents(engine)) == before
    assert not [name for name in sa.inspect(engine).get_table_names() if name.startswith(NEVER_ALTERED_BY_OPENING)]


@pytest.mark.parametrize("version", VERSIONS)
def test_write_66_upgraded_database_has_the_shape_of_a_fresh_one(new_engine: NewEngine, version: int) -> None:
    old, fresh = new_engine(), new_engine()
    load_old(old, version)
    open_schema(fresh)
    schema = open_schema(old, enable_upgrade=True)
    assert not schema.created
    assert schema.wide_integers == (old.dialect.name == "sqlite")
    assert rows(old, "SELECT schema_version FROM MLMDEnv") == [(10,)]
    assert widened(shape(old)) == shape(fresh)


@pytest.mark.parametrize("version", VERSIONS)
def test_write_66_an_upgrade_keeps_every_id(engine: sa.Engine, version: int) -> None:
    load_old(engine, version)
    keyed = ["Type", "Artifact", "Execution", *(["Context"] if version > 2 else [])]
    before = {table: rows(engine, f"SELECT id FROM {table} ORDER BY id") for table in keyed}
    assert all(before.values())
    named = rows(engine, "SELECT id, name FROM Type ORDER BY id")
    open_schema(engine, enable_upgrade=True)
    assert rows(engine, "SELECT schema_version FROM MLMDEnv") == [(10,)]
    assert {table: rows(engine, f"SELECT id FROM {table} ORDER BY id") for table in keyed} == before
    assert rows(engine, "SELECT id, name FROM Type ORDER BY id") == named


@pytest.mark.parametrize("version", VERSIONS)
def test_upgrade_does_to_data_and_shape_what_googles_does(
    new_engine: NewEngine, google: Reference, version: int
) -> None:
    ours, theirs = new_engine(), new_engine()
    load_old(ours, version)
    load_old(theirs, version)
    opened = google.open(reference_config(theirs), mlmd.MigrationOptions(enable_upgrade_migration=True))
    assert not opened.message
    google.release()
    open_schema(ours, enable_upgrade=True)
    assert shape(ours) == shape(theirs)
    assert contents(ours) == contents(theirs)


@pytest.mark.parametrize("version", range(8))
def test_write_68_last_of_equal_events_survives_and_paths_to_nowhere_go(engine: sa.Engine, version: int) -> None:
    load_old(engine, version)
    open_schema(engine, enable_upgrade=True)
    assert rows(engine, "SELECT id, milliseconds_since_epoch FROM Event") == [(51, 6)]
    assert rows(engine, "SELECT event_id, step_key FROM EventPath") == [(51, "last")]


def test_write_69_artifact_types_of_version_0_have_kind_1_and_execution_types_kind_0(engine: sa.Engine) -> None:
    load_old(engine, 0)
    before = rows(engine, "SELECT id, name, is_artifact_type FROM Type ORDER BY id")
    open_schema(engine, enable_upgrade=True)
    assert rows(engine, "SELECT id, name, type_kind FROM Type ORDER BY id") == before
    assert {kind for _, _, kind in before} == {0, 1}


def test_simple_types_of_an_upgraded_database_get_the_next_ids(engine: sa.Engine) -> None:
    load_old(engine, 5)
    execute(engine, "DELETE FROM Type WHERE name LIKE 'mlmd.%'")
    (last,) = rows(engine, "SELECT MAX(id) FROM Type")[0]
    assert isinstance(last, int)
    open_schema(engine, enable_upgrade=True)
    ids = [row[0] for row in rows(engine, "SELECT id FROM Type WHERE name LIKE 'mlmd.%' ORDER BY id")]
    assert len(ids) == 9
    assert isinstance(ids[0], int)
    assert ids[0] > last


def test_upgrading_an_empty_or_a_current_database_is_opening_it(engine: sa.Engine) -> None:
    assert open_schema(engine, enable_upgrade=True).created
    assert not open_schema(engine, enable_upgrade=True).created


@pytest.mark.parametrize("version", VERSIONS)
def test_ids_do_not_come_back_after_an_upgrade_on_sqlite(sqlite_engine: sa.Engine, version: int) -> None:
    load_old(sqlite_engine, version)
    for table in ("Artifact", "Event", "Type"):
        execute(sqlite_engine, f"UPDATE sqlite_sequence SET seq = 70 WHERE name = '{table}'")
    open_schema(sqlite_engine, enable_upgrade=True)
    execute(sqlite_engine, "INSERT INTO Artifact (type_id) VALUES (10)")
    execute(sqlite_engine, "INSERT INTO Event (artifact_id, execution_id, type) VALUES (70, 70, 3)")
    assert rows(sqlite_engine, "SELECT MAX(id) FROM Artifact") == [(71,)]
    assert rows(sqlite_engine, "SELECT MAX(id) FROM Event") == [(71,)]
    assert rows(sqlite_engine, "SELECT MIN(id) FROM Type WHERE id > 70") in ([(71,)], [(None,)])
    assert rows(sqlite_engine, "SELECT seq >= 70 FROM sqlite_sequence WHERE name = 'Type'") == [(1,)]


def test_index_of_a_users_own_survives_the_rebuilding_of_its_table(engine: sa.Engine) -> None:
    load_old(engine, 5)
    execute(engine, "CREATE INDEX theirs ON Artifact (state)")
    open_schema(engine, enable_upgrade=True)
    assert ("theirs", 0, 0, "state") in shape(engine)["Artifact"]["indexes"]


def test_failing_upgrade_leaves_sqlite_untouched(sqlite_engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(obstacles, "check", lambda *_: None)  # as with what no look finds beforehand
    load_old(sqlite_engine, 4)
    execute(sqlite_engine, "CREATE INDEX idx_execution_external_id ON EventPath (step_key)")
    before = shape(sqlite_engine), contents(sqlite_engine)
    with pytest.raises(SchemaError) as failed:
        open_schema(sqlite_engine, enable_upgrade=True)
    assert failed.value.code == INTERNAL
    assert "Change table Execution" in failed.value.message
    assert "already exists" in failed.value.detail
    assert (shape(sqlite_engine), contents(sqlite_engine)) == before


def test_somebody_elses_table_under_a_younger_name_is_left_alone(engine: sa.Engine) -> None:
    load_old(engine, 4)
    execute(engine, "CREATE TABLE ParentContext (id INT)")
    before = shape(engine), contents(engine)
    with pytest.raises(SchemaError, match="ParentContext") as refused:
        open_schema(engine, enable_upgrade=True)
    assert refused.value.code == INTERNAL
    assert (shape(engine), contents(engine)) == before


def test_column_of_a_users_own_is_not_lost_silently(sqlite_engine: sa.Engine) -> None:
    load_old(sqlite_engine, 5)
    execute(sqlite_engine, "ALTER TABLE Artifact ADD COLUMN colour TEXT")
    before = shape(sqlite_engine)
    with pytest.raises(SchemaError, match="colour") as refused:
        open_schema(sqlite_engine, enable_upgrade=True)
    assert refused.value.code == FAILED_PRECONDITION
    assert shape(sqlite_engine) == before


@pytest.mark.parametrize("version", VERSIONS)
def test_text_that_google_wrote_reads_the_same_through_google_after_the_upgrade(
    engine: sa.Engine, google: Reference, version: int
) -> None:
    from mlmd_schemas.pb import metadata_store_service_pb2 as service

    load_old(engine, version)
    execute(engine, "DELETE FROM ArtifactProperty WHERE name IN ('flag', 'any')")  # a downgrade took their values
    schema = open_schema(engine, enable_upgrade=True)
    assert schema.text_mode == ("utf8" if engine.dialect.name == "sqlite" else "google")
    assert not google.open(reference_config(engine)).message
    (artifact,) = google.put("GetArtifactsByID", service.GetArtifactsByIDRequest(artifact_ids=[1])).artifacts
    assert artifact.uri == "s3://data/ü"
    assert artifact.properties["note"].string_value == "naïve 数据 🙂"
    assert artifact.properties["span"].int_value == 2_000_000_000
