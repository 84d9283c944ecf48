"""A process that dies in the middle: SQLite forgets what it did, MySQL keeps it and the next run goes on from there."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_migrations import SchemaError, migrate, open_schema
from mlmd_migrations.errors import ABORTED, CANCELLED, FAILED_PRECONDITION
from sqlalchemy import event

from tests.migrations.conftest import NewEngine
from tests.migrations.databases import execute, load_old, rows
from tests.migrations.snapshot import contents, shape, tables

READING = ("SELECT", "SET", "SHOW", "PRAGMA", "DESCRIBE", "BEGIN", "ROLLBACK", "COMMIT")
Work = Callable[[sa.Engine], object]


class Died(BaseException):
    """The process is gone; nothing catches it."""


def die_at(engine: sa.Engine, number: int, work: Work, statement_start: str = "") -> bool:
    """Do the work and die before its `number`th writing statement that starts so; tells whether it came to that."""
    count = 0

    def strike(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        nonlocal count
        words = statement.lstrip()
        count += words.startswith(statement_start) and not words.upper().startswith(READING)
        if count == number:
            raise Died

    event.listen(sa.Engine, "before_cursor_execute", strike)
    try:
        work(engine)
    except Died:
        return True
    finally:
        event.remove(sa.Engine, "before_cursor_execute", strike)
    return False


def upgrade(engine: sa.Engine) -> object:
    return open_schema(engine, enable_upgrade=True)


def downgrade_to_0(engine: sa.Engine) -> None:
    with pytest.raises(SchemaError) as ended:
        open_schema(engine, downgrade_to=0)
    assert ended.value.code == CANCELLED


def survive(engine: sa.Engine, work: Work) -> int:
    """Let the work die ever later on one database until it is done; returns how often it died."""
    number = 1
    while die_at(engine, number, work):
        number += 1
    return number - 1


def test_creation_dies_again_and_again_and_arrives(new_engine: NewEngine) -> None:
    engine, fresh = new_engine(), new_engine()
    open_schema(fresh)
    assert survive(engine, open_schema) > 8
    assert shape(engine, extras=True) == shape(fresh, extras=True)
    assert contents(engine) == contents(fresh)
    assert open_schema(engine).text_mode == "utf8"


@pytest.mark.parametrize("version", [0, 5, 7])
def test_upgrade_dies_again_and_again_and_arrives(new_engine: NewEngine, version: int) -> None:
    engine, straight = new_engine(), new_engine()
    for old in (engine, straight):
        load_old(old, version)
    upgrade(straight)
    assert survive(engine, upgrade) > 5
    assert shape(engine) == shape(straight)
    assert contents(engine) == contents(straight)


@pytest.mark.parametrize("number", range(1, 40, 3))
def test_upgrade_that_died_once_is_refused_until_it_is_run_again(new_engine: NewEngine, number: int) -> None:
    engine, straight = new_engine(), new_engine()
    for old in (engine, straight):
        load_old(old, 0)
    upgrade(straight)
    assert die_at(engine, number, upgrade)
    assert rows(engine, _version_query(engine)) != [(10,)]
    with pytest.raises(SchemaError) as refused:
        open_schema(engine)
    assert refused.value.code == FAILED_PRECONDITION
    upgrade(engine)
    assert shape(engine) == shape(straight)
    assert contents(engine) == contents(straight)


def _version_query(engine: sa.Engine) -> str:
    return "SELECT schema_version FROM MLMDEnv" if "MLMDEnv" in tables(engine) else "SELECT 0"


def test_downgrade_dies_again_and_again_and_arrives(new_engine: NewEngine) -> None:
    engine, straight = new_engine(), new_engine()
    for made in (engine, straight):
        open_schema(made)
    downgrade_to_0(straight)
    assert survive(engine, downgrade_to_0) > 5
    assert shape(engine) == shape(straight)
    assert contents(engine) == contents(straight)


def test_widening_dies_again_and_again_and_arrives(mariadb_engine: sa.Engine) -> None:
    load_old(mariadb_engine, 9)
    assert not open_schema(mariadb_engine, enable_upgrade=True).wide_integers
    before = contents(mariadb_engine)
    assert die_at(mariadb_engine, 3, migrate)
    assert not open_schema(mariadb_engine).wide_integers
    assert survive(mariadb_engine, migrate) > 3
    assert open_schema(mariadb_engine).wide_integers
    assert contents(mariadb_engine) == before


@pytest.mark.parametrize("table", ["TypeProperty", "Event", "Attribution"])
def test_half_made_tables_that_have_rows_are_not_healed(mariadb_engine: sa.Engine, table: str) -> None:
    assert die_at(mariadb_engine, 1, open_schema, f"CREATE TABLE `{table}`")
    made = tables(mariadb_engine)
    assert 0 < len(made) < 15
    execute(mariadb_engine, "INSERT INTO Type (name, type_kind) VALUES ('theirs', 1)")
    with pytest.raises(SchemaError) as refused:
        open_schema(mariadb_engine)
    assert refused.value.code == ABORTED
    assert tables(mariadb_engine) == made


def test_half_made_tables_of_another_server_are_not_healed(mariadb_engine: sa.Engine) -> None:
    open_schema(mariadb_engine)
    drop = [f"DROP TABLE {name}" for name in sa.inspect(mariadb_engine).get_table_names() if name.startswith("mlmd_")]
    execute(mariadb_engine, *drop, "DELETE FROM Type", "DELETE FROM MLMDEnv")
    with pytest.raises(SchemaError) as refused:
        open_schema(mariadb_engine)
    assert refused.value.code == ABORTED
