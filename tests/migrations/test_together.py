"""Several processes on one database: one makes it, all can use it; a lock of somebody else's is told."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_migrations import SchemaError, migrate, open_schema
from mlmd_migrations.errors import ABORTED
from mlmd_migrations.session import changing
from sqlalchemy.pool import NullPool

from tests.migrations.databases import engine_of, execute, rows
from tests.migrations.snapshot import shape
from tests.migrations.test_creation import SIMPLE_TYPES
from tests.services.waiting import wait_for

REPOSITORY = Path(__file__).resolve().parents[2]
PROCESSES = 4


def open_in_processes(url: str) -> list[list[str]]:
    command = [sys.executable, "-W", "error", "-m", "tests.migrations.opener", url]
    pipe = subprocess.PIPE
    started = [
        subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stdout=pipe, stderr=pipe, text=True)
        for _ in range(PROCESSES)
    ]
    for process in started:
        assert process.stdout is not None
        assert process.stdout.readline() == "loaded\n"
    for process in started:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = []
    for process in started:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
        answers.append(out.split())
    return answers


def test_servers_that_start_together_on_an_empty_database_all_succeed(database_url: str) -> None:
    answers = open_in_processes(database_url)
    assert sorted(answer[0] for answer in answers) == ["False"] * (PROCESSES - 1) + ["True"]
    assert len({answer[1] for answer in answers}) == 1
    engine = engine_of(database_url)
    assert rows(engine, "SELECT id, name, type_kind FROM Type ORDER BY id") == SIMPLE_TYPES
    assert rows(engine, "SELECT schema_version FROM MLMDEnv") == [(10,)]
    assert len(shape(engine)) == 15
    assert rows(engine, "SELECT COUNT(*) FROM mlmd_store") == [(1,)]


def test_threads_that_open_different_databases_do_not_disturb_each_other(tmp_path: Path) -> None:
    engines = [engine_of(f"sqlite:///{tmp_path / f'{number}.db'}") for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        schemas = list(pool.map(open_schema, engines))
    assert all(schema.created for schema in schemas)
    assert len({schema.store_uuid for schema in schemas}) == len(engines)
    for engine in engines:
        assert rows(engine, "SELECT COUNT(*) FROM Type") == [(9,)]


def test_opener_waits_for_the_process_that_is_at_work(engine: sa.Engine) -> None:
    opener = engine_of(engine.url.render_as_string(hide_password=False))
    course: list[str] = []

    def execute_noted(cursor: Any, statement: str, parameters: Any, _: Any) -> bool:
        is_lock = statement == "BEGIN IMMEDIATE" or statement.startswith("SELECT GET_LOCK")
        course.extend(["asks"] * is_lock)
        cursor.execute(statement, parameters)
        course.extend(["has the lock"] * is_lock)
        return True

    sa.event.listen(opener, "do_execute", execute_noted)
    with ThreadPoolExecutor(1) as pool:
        with changing(engine):
            opening = pool.submit(open_schema, opener)
            wait_for(lambda: course)
            with engine.connect() as connection:
                assert sa.inspect(connection).get_table_names() == []
            course.append("the other is done")
        assert opening.result(60).created
    assert course[:3] == ["asks", "the other is done", "has the lock"]


def test_current_database_opens_while_another_process_holds_the_lock(engine: sa.Engine) -> None:
    uuid = open_schema(engine).store_uuid
    with changing(engine):
        assert open_schema(engine).store_uuid == uuid


def test_engine_whose_transactions_all_write_opens_beside_a_writer(sqlite_url: str) -> None:
    uuid = open_schema(engine_of(sqlite_url)).store_uuid
    writer = sa.create_engine(sqlite_url, connect_args={"timeout": 0.1}, poolclass=NullPool)
    sa.event.listen(writer, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    sa.event.listen(writer, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with changing(engine_of(sqlite_url)):
        assert open_schema(writer).store_uuid == uuid


def test_engine_whose_transactions_all_write_creates(sqlite_url: str) -> None:
    writer = sa.create_engine(sqlite_url, poolclass=NullPool)
    sa.event.listen(writer, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    sa.event.listen(writer, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    assert open_schema(writer).created
    assert not open_schema(writer).created


def test_writer_that_holds_sqlite_is_told_as_aborted(sqlite_url: str) -> None:
    impatient = sa.create_engine(sqlite_url, connect_args={"timeout": 0.1})
    with changing(engine_of(sqlite_url)), pytest.raises(SchemaError) as refused:
        open_schema(impatient)
    assert refused.value.code == ABORTED
    assert "try again" in refused.value.message
    impatient.dispose()


def test_open_transaction_on_a_table_aborts_a_migration_in_seconds_and_names_the_mend(
    mariadb_engine: sa.Engine,
) -> None:
    open_schema(mariadb_engine)
    execute(mariadb_engine, "DROP INDEX idx_attribution_artifact_id ON Attribution")
    with mariadb_engine.connect() as reader:
        reader.exec_driver_sql("SELECT * FROM Attribution").all()
        with pytest.raises(SchemaError, match="stop the servers that use this database") as refused:
            migrate(mariadb_engine)  # MariaDB's own patience is a day
    assert refused.value.code == ABORTED
    assert "Lock wait timeout" not in refused.value.message
    migrate(mariadb_engine)
    assert "idx_attribution_artifact_id" in {
        row[0] for row in shape(mariadb_engine, extras=True)["Attribution"]["indexes"]
    }


def test_session_of_a_migration_does_not_come_back_from_the_pool(mariadb_url: str) -> None:
    url = sa.make_url(mariadb_url).set(drivername="mysql+mysqldb", query={"charset": "utf8mb4"})
    made = {"init_command": "SET SESSION lock_wait_timeout = 4321"}
    engine = sa.create_engine(url, connect_args=made, pool_size=1, max_overflow=0)
    open_schema(engine)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT @@SESSION.lock_wait_timeout").scalar() == 4321
    engine.dispose()
