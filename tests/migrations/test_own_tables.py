"""Our own tables: what the revisions make is what statements expect."""

import contextlib
import importlib
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlmd_migrations.own_tables as own_tables
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from mlmd_migrations import SchemaError, open_schema
from mlmd_migrations.errors import FAILED_PRECONDITION
from mlmd_schemas import tables
from mlmd_schemas.tables import own

from tests.migrations.conftest import NewEngine
from tests.migrations.databases import execute, rows

for _module in pkgutil.iter_modules(tables.__path__):  # each adds its tables to the one MetaData
    importlib.import_module(f"{tables.__name__}.{_module.name}")

VERSIONS = Path(own_tables.SCRIPTS) / "versions"


def test_head_is_the_newest_revision_and_names_sort_by_age() -> None:
    config = Config()
    config.set_main_option("script_location", str(own_tables.SCRIPTS))
    scripts = ScriptDirectory.from_config(config)
    ages = [script.revision for script in scripts.walk_revisions()]
    assert scripts.get_heads() == [own_tables.HEAD]
    assert ages == sorted(ages, reverse=True)
    names = [path.stem for path in VERSIONS.glob("*.py")]
    assert all(re.fullmatch(r"v\d{4}_\w+", name) for name in names)
    assert sorted(name.split("_")[0] for name in names) == sorted(ages)


@contextlib.contextmanager
def recorded() -> Iterator[list[str]]:
    """Note what makes tables and indexes, as the files of statements have it."""
    made: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith("CREATE "):
            lines = statement.strip().expandtabs(4).splitlines()
            made.append("".join(f"{line.rstrip()}\n" for line in lines).rstrip())

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield made
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def everything_of_ours(engine: sa.Engine) -> dict[str, Any]:
    """Return columns, keys and indexes of our tables, as the database tells them."""
    inspector = sa.inspect(engine)
    found: dict[str, Any] = {}
    for name in (one for one in inspector.get_table_names() if one.startswith("mlmd_")):
        columns = [{key: str(value) for key, value in column.items()} for column in inspector.get_columns(name)]
        indexes = sorted(inspector.get_indexes(name), key=str)
        found[name] = columns, inspector.get_pk_constraint(name), indexes, inspector.get_table_options(name)
    return found


def test_an_empty_database_gets_at_once_what_the_revisions_make(
    new_engine: NewEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once, one_by_one = new_engine(), new_engine()
    open_schema(at_once)
    monkeypatch.setattr(own_tables, "are_absent", lambda catalog: False)
    with recorded() as made:
        open_schema(one_by_one)
    ours = made[: next(number for number, one in enumerate(made) if "mlmd_" not in one)]
    noted = f"INSERT INTO {own_tables.VERSION_TABLE} (version_num) VALUES ('{own_tables.HEAD}')"
    file = own_tables.WHOLE / f"{'sqlite' if at_once.dialect.name == 'sqlite' else 'mysql'}.sql"
    assert file.read_text() == "".join(f"{one};\n" for one in (*ours, noted)), "write this into it"
    assert everything_of_ours(at_once) == everything_of_ours(one_by_one)
    for engine in (at_once, one_by_one):
        assert rows(engine, f"SELECT version_num FROM {own_tables.VERSION_TABLE}") == [(own_tables.HEAD,)]
        engine.dispose()


@pytest.mark.mysql9
@pytest.mark.parametrize("database_url", ["mysql9"], indirect=True)
def test_mysql_takes_the_statements_as_mariadb_does(engine: sa.Engine, database_url: str) -> None:
    test_tables_and_columns_are_those_that_statements_expect(engine)


def test_an_empty_database_is_made_without_alembic(sqlite_url: str) -> None:
    program = (
        "import sys; from mlmd_metadata_store.store import Store; Store.open(sys.argv[1]).close(); "
        "print([name for name in sys.modules if name.startswith('alembic')])"
    )
    done = subprocess.run([sys.executable, "-c", program, sqlite_url], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_tables_and_columns_are_those_that_statements_expect(engine: sa.Engine) -> None:
    open_schema(engine)
    inspector = sa.inspect(engine)
    made = {name for name in inspector.get_table_names() if name.startswith("mlmd_")} - {own_tables.VERSION_TABLE}
    assert made == set(own.METADATA.tables)
    for table in own.METADATA.tables.values():
        found = {column["name"]: column for column in inspector.get_columns(table.name)}
        assert list(found) == [column.name for column in table.columns]
        assert not any(column["nullable"] for column in found.values())
        key = inspector.get_pk_constraint(table.name)["constrained_columns"]
        assert key == [column.name for column in table.primary_key]
        for column in table.columns:
            family = found[column.name]["type"]
            assert isinstance(family, _family(column, inspector.dialect.name)), (table.name, column.name, family)


def _family(column: sa.Column[Any], database: str) -> type:
    declared = column.type
    if database == "sqlite" and column is column.table.autoincrement_column:
        return sa.Integer  # 64 bits there, and the only type of a key that numbers its rows
    if isinstance(declared, sa.BigInteger):
        return sa.BigInteger
    return sa.types._Binary if isinstance(declared, sa.LargeBinary) else sa.String


def test_indexes_of_our_own_tables(engine: sa.Engine) -> None:
    open_schema(engine)
    inspector = sa.inspect(engine)
    found = {(table, *index["column_names"]) for table in own.METADATA.tables for index in inspector.get_indexes(table)}
    owner = ("type_kind", "node_id", "name", "slice")
    assert found == {
        ("mlmd_manifests", "digest"),
        ("mlmd_receipts", "create_ms"),
        ("mlmd_versions", "artifact_id"),
        ("mlmd_series", *owner),
        ("mlmd_series_segments", "series_id", "first_step", "first_ms"),
        ("mlmd_evaluations", *owner),
        ("mlmd_runs", "token"),
        ("mlmd_runs", "context_id", "step", "number"),
        ("mlmd_runs", "lapse_ms"),
        ("mlmd_alias_moves", "context_id", "alias", "sequence"),
        ("mlmd_model_versions", "model_id", "number"),
        ("mlmd_model_versions", "model_artifact_id"),
        ("mlmd_deliveries", "state", "due_ms"),
        ("mlmd_deliveries", "webhook_id", "id"),
    }


def test_text_and_bytes_on_mysql_are_wide_and_exact(mariadb_engine: sa.Engine) -> None:
    execute(mariadb_engine, f"ALTER DATABASE `{mariadb_engine.url.database}` CHARACTER SET latin1")
    open_schema(mariadb_engine)
    query = (
        "SELECT CONCAT(TABLE_NAME, '.', COLUMN_NAME), COLUMN_TYPE, COLLATION_NAME FROM information_schema.COLUMNS "
        "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'mlmd\\_%' AND TABLE_NAME <> 'mlmd_alembic_version'"
    )
    listed = rows(mariadb_engine, query)
    assert {collation for _, _, collation in listed} == {None, "utf8mb4_bin"}
    kinds = {name: kind for name, kind, _ in listed}
    assert kinds["mlmd_exact_values.name"] == "varchar(255)"
    assert kinds["mlmd_exact_values.stand_in"] == "longtext"
    assert kinds["mlmd_exact_values.value"] == kinds["mlmd_receipts.response"] == "longblob"
    assert kinds["mlmd_aliases.number"] == "bigint(20)"


def test_every_table_takes_a_row_of_the_longest_key(engine: sa.Engine) -> None:
    open_schema(engine)
    key = "数" * 255
    insert = sa.insert(own.EXACT_VALUE).values(
        type_kind=1, node_id=2**62, is_custom_property=1, name=key, stand_in="∞" * 70_000, value=b"\0\xff" * 70_000
    )
    with engine.connect() as connection:
        connection.execute(insert)
        row = connection.execute(sa.select(own.EXACT_VALUE)).one()
    assert (row.node_id, row.name, len(row.stand_in), len(row.value)) == (2**62, key, 70_000, 140_000)


def test_tables_of_a_newer_server_are_refused_untouched(engine: sa.Engine) -> None:
    open_schema(engine)
    execute(engine, f"UPDATE {own_tables.VERSION_TABLE} SET version_num = 'v9999'")
    with pytest.raises(SchemaError, match="v9999") as refused:
        open_schema(engine)
    assert refused.value.code == FAILED_PRECONDITION
    assert rows(engine, f"SELECT version_num FROM {own_tables.VERSION_TABLE}") == [("v9999",)]


def test_tables_of_the_first_revision_get_the_later_ones(engine: sa.Engine) -> None:
    uuid = open_schema(engine).store_uuid
    tables = set(sa.inspect(engine).get_table_names())
    first = (VERSIONS / "v0001_own_tables.py").read_text()
    later = [name for name in own.METADATA.tables if f'"{name}"' not in first]
    drops = [f"DROP TABLE {name}" for name in later]
    execute(engine, *drops, f"UPDATE {own_tables.VERSION_TABLE} SET version_num = 'v0001'")
    assert open_schema(engine).store_uuid == uuid
    assert set(sa.inspect(engine).get_table_names()) == tables
    assert rows(engine, f"SELECT version_num FROM {own_tables.VERSION_TABLE}") == [(own_tables.HEAD,)]


def test_store_keeps_its_identity_when_a_revision_is_made_again(new_engine: NewEngine) -> None:
    engine = new_engine()
    uuid = open_schema(engine).store_uuid
    execute(engine, f"DELETE FROM {own_tables.VERSION_TABLE}")
    assert open_schema(engine).store_uuid == uuid
    assert rows(engine, f"SELECT version_num FROM {own_tables.VERSION_TABLE}") == [(own_tables.HEAD,)]


def test_a_database_of_the_revision_before_is_brought_up_by_opening(engine: sa.Engine) -> None:
    """The tables that came last are made when an older server's database is opened; what was there stays."""
    uuid = open_schema(engine).store_uuid
    for table in ("mlmd_manifests", "mlmd_files", "mlmd_uploads", "mlmd_upload_files"):
        execute(engine, f"DROP TABLE {table}")
    execute(engine, f"UPDATE {own_tables.VERSION_TABLE} SET version_num = 'v0002'")
    assert open_schema(engine).store_uuid == uuid
    assert rows(engine, f"SELECT version_num FROM {own_tables.VERSION_TABLE}") == [(own_tables.HEAD,)]
    assert set(own.METADATA.tables) <= set(sa.inspect(engine).get_table_names())


def test_paths_are_told_apart_by_their_bytes(engine: sa.Engine) -> None:
    open_schema(engine)
    paths = [b"a", b"a ", b"A", "é".encode(), "e\u0301".encode(), b"x" * 1024]
    values = {"artifact_id": 1, "size_bytes": 0, "sha256": b"", "verified_ms": 0, "etag": "", "media_type": ""}
    with engine.begin() as connection:
        connection.execute(sa.insert(own.FILE), [values | {"path": path} for path in paths])
        found = connection.execute(sa.select(own.FILE.c.path).order_by(own.FILE.c.path)).scalars().all()
    assert [bytes(path) for path in found] == sorted(paths)


@pytest.mark.parametrize("revision", sorted({path.stem.split("_")[0] for path in VERSIONS.glob("*.py")})[:-1])
def test_tables_of_an_older_server_gain_what_they_lack(new_engine: NewEngine, revision: str) -> None:
    engine = new_engine()
    uuid = open_schema(engine).store_uuid
    config = Config()
    config.set_main_option("script_location", str(own_tables.SCRIPTS))
    older = [script.revision for script in ScriptDirectory.from_config(config).iterate_revisions(revision, "base")]
    text = "".join((VERSIONS / path).read_text() for path in VERSIONS.iterdir() if path.stem.split("_")[0] in older)
    later = [name for name in own.METADATA.tables if f'"{name}"' not in text]
    assert later
    for name in later:
        execute(engine, f"DROP TABLE {name}")
    execute(engine, f"UPDATE {own_tables.VERSION_TABLE} SET version_num = '{revision}'")
    assert open_schema(engine).store_uuid == uuid
    assert set(own.METADATA.tables) <= set(sa.inspect(engine).get_table_names())
    assert rows(engine, f"SELECT version_num FROM {own_tables.VERSION_TABLE}") == [(own_tables.HEAD,)]
