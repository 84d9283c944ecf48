"""Version 10 becomes an older one (mlmd-write contract, sections 8.4 and 9.2, edge cases 66 and 70)."""

import pytest
import sqlalchemy as sa
from mlmd_migrations import SchemaError, migrate, open_schema, plan
from mlmd_migrations.errors import CANCELLED, FAILED_PRECONDITION, INVALID_ARGUMENT
from mlmd_migrations.history import LATEST
from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.migrations.conftest import NewEngine
from tests.migrations.databases import execute, load_old, reference_config, rows
from tests.migrations.make_old_schemas import fill
from tests.migrations.snapshot import contents, shape, tables
from tests.reference.client import Reference


def outcome(engine: sa.Engine, target: int) -> SchemaError:
    with pytest.raises(SchemaError) as ended:
        open_schema(engine, downgrade_to=target)
    return ended.value


def version(engine: sa.Engine) -> list[tuple[object, ...]]:
    return rows(engine, "SELECT schema_version FROM MLMDEnv")


def test_write_70_downgrade_to_8_is_cancelled_and_done(engine: sa.Engine) -> None:
    open_schema(engine)
    error = outcome(engine, 8)
    assert error.code == CANCELLED
    assert "8" in error.message
    assert version(engine) == [(8,)]


def test_write_70_target_that_never_was_is_an_invalid_argument(engine: sa.Engine) -> None:
    open_schema(engine)
    assert outcome(engine, LATEST + 1).code == INVALID_ARGUMENT
    assert version(engine) == [(10,)]


@pytest.mark.parametrize("target", [0, 7, 10])
def test_write_70_empty_database_is_an_invalid_argument_and_stays_empty(engine: sa.Engine, target: int) -> None:
    assert outcome(engine, target).code == INVALID_ARGUMENT
    assert sa.inspect(engine).get_table_names() == []


def test_write_66_newer_database_is_a_failed_precondition(engine: sa.Engine) -> None:
    open_schema(engine)
    execute(engine, "UPDATE MLMDEnv SET schema_version = 11")
    assert outcome(engine, 5).code == FAILED_PRECONDITION


@pytest.mark.parametrize("target", [5, 6, 10])
def test_write_70_target_that_is_not_older_changes_nothing_and_is_cancelled(engine: sa.Engine, target: int) -> None:
    load_old(engine, 5)
    before = shape(engine), contents(engine)
    error = outcome(engine, target)
    assert error.code == CANCELLED
    assert str(target) in error.message
    assert (shape(engine), contents(engine)) == before


def test_version_0_downgraded_to_0_is_cancelled(engine: sa.Engine) -> None:
    load_old(engine, 0)
    assert outcome(engine, 0).code == CANCELLED


@pytest.mark.parametrize("target", range(10))
def test_downgrade_does_to_shape_and_data_what_googles_does(
    new_engine: NewEngine, google: Reference, target: int
) -> None:
    ours, theirs = new_engine(), new_engine()
    for engine in (ours, theirs):
        assert not google.open(reference_config(engine)).message
        fill(google)
    google.open(reference_config(theirs), mlmd.MigrationOptions(downgrade_to_schema_version=target))
    google.release()
    migrated_shape = shape(ours)
    open_schema(ours)
    assert shape(ours) == migrated_shape
    assert outcome(ours, target).code == CANCELLED
    assert shape(ours) == shape(theirs)
    expected, found = contents(theirs), contents(ours)
    for name, listed in expected.items():
        for row in found[name]:
            row.pop("create_time_since_epoch", None), row.pop("last_update_time_since_epoch", None)
        for row in listed:
            row.pop("create_time_since_epoch", None), row.pop("last_update_time_since_epoch", None)
    # Google's downgrade leaves property rows without any value, which its own reads then choke on.
    lost = [row for row in expected["ArtifactProperty"] if row["name"] in ("flag", "any")]
    expected["ArtifactProperty"] = [row for row in expected["ArtifactProperty"] if row not in lost]
    assert len(lost) == 2
    assert found == expected


@pytest.mark.parametrize("target", range(10))
def test_what_was_downgraded_is_upgraded_again_to_the_same_shape(engine: sa.Engine, target: int) -> None:
    schema = open_schema(engine)
    before = shape(engine)
    outcome(engine, target)
    again = open_schema(engine, enable_upgrade=True)
    assert (again.store_uuid, again.wide_integers, again.text_mode) == (schema.store_uuid, True, "utf8")
    assert shape(engine) == before


def test_downgrade_to_0_drops_the_version_and_everything_younger(engine: sa.Engine) -> None:
    open_schema(engine)
    outcome(engine, 0)
    expected = "Artifact ArtifactProperty Event EventPath Execution ExecutionProperty Type TypeProperty"
    assert tables(engine) == expected.split()


def test_context_types_go_with_the_contexts(engine: sa.Engine) -> None:
    open_schema(engine)
    execute(engine, "INSERT INTO Type (name, type_kind) VALUES ('Run', 2)")
    outcome(engine, 1)
    assert rows(engine, "SELECT COUNT(*) FROM Type") == [(9,)]
    assert rows(engine, "SELECT COUNT(*) FROM Type WHERE is_artifact_type = 2") == [(0,)]


@pytest.mark.parametrize(("letter", "kept"), [("a", 65_535), ("é", 16_383)])
def test_long_strings_are_cut_to_what_text_holds_on_mysql(mariadb_engine: sa.Engine, letter: str, kept: int) -> None:
    open_schema(mariadb_engine)
    insert = "INSERT INTO ArtifactProperty (artifact_id, name, is_custom_property, string_value) VALUES "
    execute(mariadb_engine, f"{insert} (1, 'long', 0, '{letter * 70_000}'), (1, 'short', 0, 'short')")
    outcome(mariadb_engine, 6)
    found = rows(mariadb_engine, "SELECT CHAR_LENGTH(string_value) FROM ArtifactProperty ORDER BY name")
    assert found == [(kept,), (5,)]


def test_plan_of_a_downgrade_names_its_steps_and_changes_nothing(engine: sa.Engine) -> None:
    open_schema(engine)
    before = shape(engine), contents(engine)
    steps = plan(engine, downgrade_to=4)
    assert any("DROP TABLE `ParentContext`" in step for step in steps)
    assert (shape(engine), contents(engine)) == before
    assert plan(engine, downgrade_to=10) == []
    with pytest.raises(SchemaError) as ended:
        migrate(engine, downgrade_to=4)
    assert ended.value.code == CANCELLED
    assert version(engine) == [(4,)]
