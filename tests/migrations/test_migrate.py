"""`migrate` brings a database that Google's server made to our shape, when told to; `plan` only says how."""

import pytest
import sqlalchemy as sa
from mlmd_migrations import migrate, open_schema, plan
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.migrations.conftest import NewEngine
from tests.migrations.databases import execute, load_old, reference_config, rows, statements_of_all_engines
from tests.migrations.make_old_schemas import fill
from tests.migrations.snapshot import EXTRA_INDEXES, contents, shape, widened
from tests.reference.client import Reference

BEYOND_32_BITS = 5_000_000_000


def extras(engine: sa.Engine) -> set[str]:
    return {row[0] for parts in shape(engine, extras=True).values() for row in parts["indexes"]} & EXTRA_INDEXES


def everything(engine: sa.Engine) -> tuple[object, ...]:
    return shape(engine, extras=True), contents(engine), sorted(sa.inspect(engine).get_table_names())


def test_opening_never_alters_googles_tables(engine: sa.Engine, google: Reference) -> None:
    assert not google.open(reference_config(engine)).message
    fill(google)
    google.release()
    before = shape(engine, extras=True), contents(engine)
    schema = open_schema(engine)
    mysql = engine.dialect.name == "mysql"
    assert (schema.created, schema.wide_integers, schema.text_mode) == (False, not mysql, "google" if mysql else "utf8")
    assert (shape(engine, extras=True), contents(engine)) == before
    assert extras(engine) == set()


def test_migrate_widens_and_indexes_what_google_made_and_keeps_every_row(engine: sa.Engine, google: Reference) -> None:
    assert not google.open(reference_config(engine)).message
    fill(google)
    google.release()
    before = shape(engine), contents(engine)
    schema = migrate(engine)
    assert schema.wide_integers
    assert schema.text_mode == ("utf8" if engine.dialect.name == "sqlite" else "google")
    assert extras(engine) == EXTRA_INDEXES
    assert shape(engine) == widened(before[0])
    assert contents(engine) == before[1]
    assert open_schema(engine) == schema


def test_google_reads_and_writes_what_was_migrated(engine: sa.Engine, google: Reference) -> None:
    assert not google.open(reference_config(engine)).message
    fill(google)
    read = service.GetArtifactsByIDRequest(artifact_ids=[1, 2])
    before = google.put("GetArtifactsByID", read)
    google.release()
    migrate(engine)
    assert not google.open(reference_config(engine)).message
    assert google.put("GetArtifactsByID", read) == before


@pytest.mark.parametrize("version", range(10))
def test_migrate_upgrades_and_leaves_the_shape_of_a_fresh_database(new_engine: NewEngine, version: int) -> None:
    old, fresh = new_engine(), new_engine()
    load_old(old, version)
    open_schema(fresh)
    assert migrate(old).wide_integers
    assert shape(old, extras=True) == shape(fresh, extras=True)
    assert plan(old) == []


def test_wide_columns_hold_wide_numbers(mariadb_engine: sa.Engine) -> None:
    load_old(mariadb_engine, 9)
    insert = "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, int_value) VALUES "
    open_schema(mariadb_engine, enable_upgrade=True)
    with pytest.raises(sa.exc.DBAPIError, match="Out of range"):
        execute(mariadb_engine, f"{insert} (1, 'wide', 1, {BEYOND_32_BITS})")
    migrate(mariadb_engine)
    execute(mariadb_engine, f"{insert} ({BEYOND_32_BITS}, 'wide', 1, {-BEYOND_32_BITS})")
    execute(mariadb_engine, f"INSERT INTO Artifact (id, type_id) VALUES ({BEYOND_32_BITS}, {BEYOND_32_BITS})")
    execute(mariadb_engine, "INSERT INTO Artifact (type_id) VALUES (1)")
    assert rows(mariadb_engine, "SELECT MAX(id) FROM Artifact") == [(BEYOND_32_BITS + 1,)]


def test_text_keeps_the_character_set_that_its_column_has(mariadb_engine: sa.Engine) -> None:
    load_old(mariadb_engine, 5)
    execute(
        mariadb_engine,
        "ALTER TABLE ArtifactProperty MODIFY string_value TEXT CHARACTER SET latin1 COLLATE latin1_bin",
    )
    migrate(mariadb_engine)
    query = (
        "SELECT DATA_TYPE, COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() "
        "AND TABLE_NAME = 'ArtifactProperty' AND COLUMN_NAME = 'string_value'"
    )
    assert rows(mariadb_engine, query) == [("mediumtext", "latin1_bin")]


@pytest.mark.parametrize("version", [0, 5, 9])
def test_plan_alters_nothing_and_is_what_migrate_runs(engine: sa.Engine, version: int) -> None:
    load_old(engine, version)
    before = everything(engine)
    steps = plan(engine)
    assert everything(engine) == before
    planned = [line.strip().removesuffix(";") for step in steps for line in step.splitlines() if line.startswith(" ")]
    with statements_of_all_engines() as run:
        migrate(engine)
    assert planned
    position = iter(run)
    assert all(statement in position for statement in planned), "in this order"
    assert any("schema version is 10" in step for step in steps)
    assert plan(engine) == []


def test_plan_of_an_empty_database_is_its_creation(engine: sa.Engine) -> None:
    steps = plan(engine)
    assert sum("CREATE TABLE" in step for step in steps) == 15
    assert "mlmd.Deploy" in steps[-1]
    assert sa.inspect(engine).get_table_names() == []
    assert migrate(engine).created
    assert plan(engine) == []


def test_migrate_of_an_empty_database_in_googles_text(mariadb_engine: sa.Engine) -> None:
    assert not any("utf8mb4_bin" in step for step in plan(mariadb_engine, google_text=True))
    assert migrate(mariadb_engine, google_text=True).text_mode == "google"


def test_google_uses_a_database_of_ours(engine: sa.Engine, google: Reference) -> None:
    open_schema(engine)
    assert not google.open(reference_config(engine)).message
    fill(google)
    (first, second) = google.put("GetArtifacts", service.GetArtifactsRequest()).artifacts
    assert {artifact.name for artifact in (first, second)} == {"café", ""}
    types = google.put("GetArtifactTypes", service.GetArtifactTypesRequest()).artifact_types
    assert [(kind.id, kind.name, kind.base_type) for kind in types] == [
        (10, "Dataset", mlmd.ArtifactType.DATASET),
        (11, "Dataset", mlmd.ArtifactType.UNSET),
    ]
    google.release()
    assert not open_schema(engine).created


def test_fresh_database_has_googles_shape(new_engine: NewEngine, google: Reference) -> None:
    ours, theirs = new_engine(), new_engine()
    assert not google.open(reference_config(theirs)).message
    google.release()
    open_schema(ours)
    assert shape(ours) == widened(shape(theirs))
    assert contents(ours) == contents(theirs)
