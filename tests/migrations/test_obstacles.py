"""What others made and a change would fail over: named before the first statement, with the mend, on both databases."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa
from mlmd_migrations import SchemaError, migrate, open_schema, own_tables, plan
from mlmd_migrations.errors import CANCELLED, FAILED_PRECONDITION, INTERNAL
from mlmd_migrations.obstacles import MOST_TOLD

from tests.migrations.databases import execute, load_old, rows
from tests.migrations.snapshot import contents, shape, tables

Work = Callable[[sa.Engine], object]
WAYS: dict[str, Work] = {
    "migrate": migrate,
    "upgrade": lambda engine: open_schema(engine, enable_upgrade=True),
    "plan": plan,
}
EVERY_WAY = pytest.mark.parametrize("way", WAYS)


def made(engine: sa.Engine) -> object:
    """Everything there is, so that a change of anything is seen."""
    if engine.dialect.name == "sqlite":
        objects = rows(engine, "SELECT type, name, sql FROM sqlite_master ORDER BY name")
        return objects, contents(engine)
    return tables(engine), sorted(sa.inspect(engine).get_table_names()), shape(engine, extras=True), contents(engine)


def refused(engine: sa.Engine, work: Work, code: int = FAILED_PRECONDITION) -> str:
    before = made(engine)
    with pytest.raises(SchemaError) as error:
        work(engine)
    assert error.value.code == code, error.value.message
    assert "Nothing was changed" in error.value.message
    assert made(engine) == before
    return error.value.message


SQLITE = {
    "a view": ("CREATE VIEW mine AS SELECT id FROM Artifact", "DROP VIEW mine"),
    "a view over a view": ("CREATE VIEW mine AS SELECT id FROM artifact", "DROP VIEW mine"),
    "a trigger on a table": (
        "CREATE TRIGGER mine AFTER INSERT ON Artifact BEGIN DELETE FROM other; END",
        "DROP TRIGGER mine",
    ),
    "a trigger that writes to a table": (
        "CREATE TRIGGER mine AFTER INSERT ON other BEGIN DELETE FROM Artifact; END",
        "DROP TRIGGER mine",
    ),
    "the name of a table": ("CREATE TABLE ArtifactTemp (mine INT)", "DROP TABLE ArtifactTemp"),
    "the name of an index": ("CREATE INDEX idx_type_name ON other (a)", "DROP INDEX idx_type_name"),
}


@EVERY_WAY
@pytest.mark.parametrize("case", SQLITE)
def test_what_sqlite_would_fail_over_or_lose_is_named_before(sqlite_engine: sa.Engine, case: str, way: str) -> None:
    load_old(sqlite_engine, 4)
    make, mend = SQLITE[case]
    execute(sqlite_engine, "CREATE TABLE other (a INT)", make)
    message = refused(sqlite_engine, WAYS[way])
    assert f" {mend.split()[-1]} " in message, "the object"
    assert "drop it" in message
    execute(sqlite_engine, mend)
    WAYS[way](sqlite_engine)


def test_all_that_is_in_the_way_is_told_at_once(sqlite_engine: sa.Engine) -> None:
    load_old(sqlite_engine, 4)
    execute(sqlite_engine, *(f"CREATE VIEW mine{number} AS SELECT id FROM Artifact" for number in range(MOST_TOLD + 2)))
    message = refused(sqlite_engine, migrate)
    assert message.count("view mine") == MOST_TOLD
    assert "and 2 more" in message


def test_what_a_copy_cannot_be_made_of_is_in_nobodys_way(sqlite_engine: sa.Engine) -> None:
    """The tables of a search are made with it, and not by their own statements."""
    load_old(sqlite_engine, 4)
    execute(sqlite_engine, "CREATE VIRTUAL TABLE notes USING fts5(said)", "INSERT INTO notes VALUES ('kept')")
    migrate(sqlite_engine)
    assert rows(sqlite_engine, "SELECT said FROM notes WHERE notes MATCH 'kept'")


def test_what_is_in_nobodys_way_stays_and_works(sqlite_engine: sa.Engine) -> None:
    load_old(sqlite_engine, 9)  # to version 10 columns are added, and nothing is built anew
    execute(
        sqlite_engine,
        "CREATE TABLE other (a INT, type INT)",
        "CREATE VIEW artifacts AS SELECT id FROM Artifact",
        "CREATE TRIGGER counts AFTER INSERT ON Artifact BEGIN INSERT INTO other (type) VALUES (new.id); END",
    )
    migrate(sqlite_engine)
    execute(sqlite_engine, "INSERT INTO Artifact (type_id) VALUES (1)")
    assert rows(sqlite_engine, "SELECT MAX(id) FROM artifacts") == rows(sqlite_engine, "SELECT MAX(type) FROM other")


def test_a_word_of_a_view_that_is_no_table_is_in_nobodys_way(sqlite_engine: sa.Engine) -> None:
    load_old(sqlite_engine, 4)
    execute(sqlite_engine, "CREATE TABLE other (type INT)", "CREATE VIEW mine AS SELECT type AS event FROM other")
    migrate(sqlite_engine)
    assert rows(sqlite_engine, "SELECT event FROM mine") == []


OF_EVENT = "ALTER TABLE Event ADD CONSTRAINT mine FOREIGN KEY (artifact_id)"
FOREIGN_KEYS = {
    "of a table of theirs": "CREATE TABLE child (a INT, CONSTRAINT mine FOREIGN KEY (a) REFERENCES Artifact (id))",
    "between tables of MLMD's": f"{OF_EVENT} REFERENCES Artifact (id)",
    "to a table of theirs": f"{OF_EVENT} REFERENCES parent (a)",
}


@pytest.mark.parametrize("work", [migrate, plan])
@pytest.mark.parametrize("version", [0, 9])
@pytest.mark.parametrize("case", FOREIGN_KEYS)
def test_a_foreign_key_that_keeps_a_column_narrow_is_named(
    mariadb_engine: sa.Engine, case: str, version: int, work: Work
) -> None:
    load_old(mariadb_engine, version)
    execute(mariadb_engine, "CREATE TABLE parent (a INT PRIMARY KEY)", "INSERT INTO parent VALUES (1), (2), (3)")
    execute(mariadb_engine, FOREIGN_KEYS[case])
    message = refused(mariadb_engine, work)
    assert "foreign key mine of table" in message
    mend = message.split("; run ")[1].split(", and make it afterwards")[0]
    execute(mariadb_engine, mend)
    work(mariadb_engine)


@pytest.mark.parametrize("version", range(10))
def test_a_foreign_key_is_in_nobodys_way_while_nothing_is_widened(mariadb_engine: sa.Engine, version: int) -> None:
    load_old(mariadb_engine, version)
    theirs, between, _ = FOREIGN_KEYS.values()
    execute(mariadb_engine, theirs, between.replace("mine", "mine_too"))
    open_schema(mariadb_engine, enable_upgrade=True)


def test_a_foreign_key_to_a_table_that_a_downgrade_drops_is_named(mariadb_engine: sa.Engine) -> None:
    open_schema(mariadb_engine)
    execute(mariadb_engine, "CREATE TABLE child (a BIGINT, CONSTRAINT mine FOREIGN KEY (a) REFERENCES Context (id))")

    def downgrade(engine: sa.Engine) -> object:
        return open_schema(engine, downgrade_to=0)

    assert "foreign key mine" in refused(mariadb_engine, downgrade)
    execute(mariadb_engine, "DROP TABLE child")
    with pytest.raises(SchemaError) as ended:
        downgrade(mariadb_engine)
    assert ended.value.code == CANCELLED


@EVERY_WAY
def test_a_partitioned_table_that_gets_a_unique_key_is_named(mariadb_engine: sa.Engine, way: str) -> None:
    load_old(mariadb_engine, 4)
    execute(mariadb_engine, "ALTER TABLE Artifact PARTITION BY HASH (id) PARTITIONS 3")
    message = refused(mariadb_engine, WAYS[way])
    assert "table Artifact is partitioned" in message
    execute(mariadb_engine, message.split("; run ")[1].split(". Nothing")[0])
    WAYS[way](mariadb_engine)


def test_a_partitioned_table_that_gets_none_stays_so(mariadb_engine: sa.Engine) -> None:
    load_old(mariadb_engine, 9)
    execute(
        mariadb_engine,
        "ALTER TABLE EventPath PARTITION BY HASH (event_id) PARTITIONS 3",
        "ALTER TABLE ArtifactProperty PARTITION BY RANGE (artifact_id) (PARTITION p VALUES LESS THAN MAXVALUE)",
    )
    assert migrate(mariadb_engine).wide_integers


@EVERY_WAY
@pytest.mark.parametrize("version", [4, 10])
@pytest.mark.parametrize("name", ["mlmd_store", "mlmd_files", own_tables.VERSION_TABLE])
def test_a_table_of_others_under_a_name_of_ours_is_named(engine: sa.Engine, name: str, version: int, way: str) -> None:
    load_old(engine, min(version, 9))
    if version == 10:
        open_schema(engine, enable_upgrade=True)
        ours = [table for table in sa.inspect(engine).get_table_names() if table.startswith("mlmd_")]
        execute(engine, *(f"DROP TABLE {table}" for table in ours))
    execute(engine, f"CREATE TABLE {name} (id INT, mine INT)")
    message = refused(engine, WAYS[way])
    assert f"{name} (without " in message
    assert "rename" in message
    execute(engine, f"ALTER TABLE {name} RENAME TO theirs")
    WAYS[way](engine)


def test_a_table_of_others_is_not_taken_for_the_rest_of_a_migration(engine: sa.Engine) -> None:
    load_old(engine, 0)
    execute(engine, "CREATE TABLE MLMDEnvTemp (mine INT)", "INSERT INTO MLMDEnvTemp VALUES (7)")
    assert "MLMDEnvTemp" in refused(engine, migrate, INTERNAL)
    assert rows(engine, "SELECT mine FROM MLMDEnvTemp") == [(7,)]


def test_a_view_in_the_place_of_a_table_is_named(mariadb_engine: sa.Engine) -> None:
    load_old(mariadb_engine, 9)
    execute(mariadb_engine, "ALTER TABLE Attribution RENAME TO kept", "CREATE VIEW Attribution AS SELECT * FROM kept")
    assert "view Attribution stands where" in refused(mariadb_engine, migrate)


@pytest.mark.parametrize("column", ["external_id", "description"])
def test_what_the_steps_refuse_leaves_no_table_of_ours(mariadb_engine: sa.Engine, column: str) -> None:
    load_old(mariadb_engine, 9)
    execute(mariadb_engine, f"ALTER TABLE Type RENAME COLUMN {column} TO elsewhere")
    before = made(mariadb_engine)
    with pytest.raises(SchemaError):
        migrate(mariadb_engine)
    assert made(mariadb_engine) == before
