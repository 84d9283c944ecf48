"""An empty database gets version 10 (mlmd-write contract, section 7 and edge case 65)."""

import subprocess
import sys

import pytest
import sqlalchemy as sa
from mlmd_migrations import open_schema
from mlmd_migrations.history import TABLES
from mlmd_schemas.tables import v10

from tests.migrations.conftest import NewEngine
from tests.migrations.databases import engine_of, execute, rows, statements_of_all_engines
from tests.migrations.snapshot import EXTRA_INDEXES, contents, shape

SIMPLE_TYPES = [
    (1, "mlmd.Dataset", 1),
    (2, "mlmd.Model", 1),
    (3, "mlmd.Metrics", 1),
    (4, "mlmd.Statistics", 1),
    (5, "mlmd.Train", 0),
    (6, "mlmd.Transform", 0),
    (7, "mlmd.Process", 0),
    (8, "mlmd.Evaluate", 0),
    (9, "mlmd.Deploy", 0),
]


def test_write_65_empty_database_gets_fifteen_tables_the_version_and_the_simple_types(engine: sa.Engine) -> None:
    schema = open_schema(engine)
    assert schema.created
    assert schema.wide_integers
    assert schema.text_mode == "utf8"
    assert set(shape(engine)) == {table.name for table in TABLES}
    assert rows(engine, "SELECT schema_version FROM MLMDEnv") == [(10,)]
    assert rows(engine, "SELECT id, name, type_kind FROM Type ORDER BY id") == SIMPLE_TYPES
    empty = "SELECT COUNT(*) FROM Type WHERE COALESCE(version, description, input_type, output_type, external_id) <> ''"
    assert rows(engine, empty) == [(0,)]


def test_second_opening_changes_nothing_and_knows_the_store_again(engine: sa.Engine) -> None:
    first = open_schema(engine)
    before = contents(engine)
    second = open_schema(engine)
    assert not second.created
    assert (second.store_uuid, second.text_mode) == (first.store_uuid, first.text_mode)
    assert contents(engine) == before


def test_two_stores_are_two_identities(new_engine: NewEngine) -> None:
    assert open_schema(new_engine()).store_uuid != open_schema(new_engine()).store_uuid


def test_columns_are_those_that_statements_expect(engine: sa.Engine) -> None:
    open_schema(engine)
    found = shape(engine)
    expected = {table.name: {column.name for column in table.columns} for table in v10.METADATA.tables.values()}
    assert {name: set(parts["columns"]) for name, parts in found.items()} == expected


def test_unique_keys_are_those_that_statements_expect(engine: sa.Engine) -> None:
    open_schema(engine)
    found = shape(engine)
    for table in v10.METADATA.tables.values():
        for constraint in table.constraints:
            if isinstance(constraint, sa.UniqueConstraint):
                assert ",".join(column.name for column in constraint.columns) in found[table.name]["unique"]


def test_indexes_are_googles_and_our_two(engine: sa.Engine) -> None:
    open_schema(engine)
    names = {row[0] for parts in shape(engine, extras=True).values() for row in parts["indexes"]}
    assert names == {index.name for table in TABLES for index in table.indexes if index.until > 10}
    assert names >= EXTRA_INDEXES
    assert "idx_event_artifact_id" not in names


def test_index_counts_are_those_of_the_contract(engine: sa.Engine) -> None:
    open_schema(engine)
    lite = "SELECT COUNT(*) FROM sqlite_master WHERE type = 'index' AND tbl_name NOT LIKE 'mlmd\\_%' ESCAPE '\\'"
    mysql = (
        "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() "
        "AND TABLE_NAME NOT LIKE 'mlmd\\\\_%'"
    )
    expected = 40 if engine.dialect.name == "sqlite" else 82
    assert rows(engine, lite if expected == 40 else mysql) == [(expected + len(EXTRA_INDEXES),)]


def test_unrelated_tables_stay_beside(engine: sa.Engine) -> None:
    execute(engine, "CREATE TABLE somebody (id INT)", "INSERT INTO somebody VALUES (7)")
    assert open_schema(engine).created
    assert rows(engine, "SELECT id FROM somebody") == [(7,)]


@pytest.mark.parametrize("lost", ["mlmd.Dataset", "mlmd.Evaluate"])
def test_missing_simple_type_comes_back_at_the_next_opening(engine: sa.Engine, lost: str) -> None:
    open_schema(engine)
    execute(engine, f"DELETE FROM Type WHERE name = '{lost}'")
    open_schema(engine)
    kind = {name: kind for _, name, kind in SIMPLE_TYPES}[lost]
    assert rows(engine, f"SELECT id, type_kind FROM Type WHERE name = '{lost}'") == [(10, kind)]


def test_simple_type_with_a_version_is_a_users_own(engine: sa.Engine) -> None:
    open_schema(engine)
    execute(engine, "UPDATE Type SET version = 'v9' WHERE name = 'mlmd.Model'")
    open_schema(engine)
    assert rows(engine, "SELECT id, version FROM Type WHERE name = 'mlmd.Model' ORDER BY id") == [(2, "v9"), (10, None)]


def test_opening_a_current_database_takes_few_statements_and_writes_nothing(engine: sa.Engine) -> None:
    open_schema(engine)
    with statements_of_all_engines() as statements:
        open_schema(engine)
    assert len(statements) <= 5, statements
    assert all(statement.strip().upper().startswith("SELECT") for statement in statements)


def test_opening_a_current_database_does_not_load_alembic(sqlite_engine: sa.Engine) -> None:
    open_schema(sqlite_engine)
    program = (
        "import sys, sqlalchemy as sa; from mlmd_migrations import open_schema; "
        f"open_schema(sa.create_engine({str(sqlite_engine.url)!r})); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == 0


def test_sqlite_property_indexes_leave_nulls_out(sqlite_engine: sa.Engine) -> None:
    open_schema(sqlite_engine)
    query = "SELECT COUNT(*) FROM sqlite_master WHERE name LIKE 'idx_%_property_%' AND sql LIKE '% IS NOT NULL'"
    assert rows(sqlite_engine, query) == [(9,)]


def test_mysql_tables_say_their_character_set_whatever_the_database_has(mariadb_engine: sa.Engine) -> None:
    execute(mariadb_engine, f"ALTER DATABASE `{mariadb_engine.url.database}` CHARACTER SET latin1")
    open_schema(mariadb_engine)
    query = "SELECT DISTINCT ENGINE, TABLE_COLLATION FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()"
    query += " AND TABLE_NAME <> 'mlmd_alembic_version'"
    assert rows(mariadb_engine, query) == [("InnoDB", "utf8mb4_bin")]


def test_google_text_leaves_the_character_set_to_the_database(mariadb_engine: sa.Engine) -> None:
    execute(mariadb_engine, f"ALTER DATABASE `{mariadb_engine.url.database}` CHARACTER SET latin1")
    schema = open_schema(mariadb_engine, google_text=True)
    assert (schema.text_mode, schema.wide_integers) == ("google", True)
    query = "SELECT TABLE_NAME LIKE 'mlmd\\_%', TABLE_COLLATION FROM information_schema.TABLES "
    query += "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME <> 'mlmd_alembic_version' GROUP BY 1, 2 ORDER BY 1"
    assert rows(mariadb_engine, query) == [(0, "latin1_swedish_ci"), (1, "utf8mb4_bin")]
    assert open_schema(mariadb_engine).text_mode == "google"


def test_mysql_9_is_created_and_opened_again(mysql9_url: str) -> None:
    engine = engine_of(mysql9_url)
    schema = open_schema(engine)
    assert (schema.created, schema.wide_integers, schema.text_mode) == (True, True, "utf8")
    assert open_schema(engine).store_uuid == schema.store_uuid
    assert rows(engine, "SELECT id, name, type_kind FROM Type ORDER BY id") == SIMPLE_TYPES
