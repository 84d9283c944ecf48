"""Engines for the databases that the fixtures hand out, and old databases from their dumps."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from sqlalchemy.pool import NullPool

DUMPS = Path(__file__).resolve().parents[1] / "data" / "old_schemas"


def engine_of(url: str) -> sa.Engine:
    """Return an engine without a pool, so that no test leaves a connection behind."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "mysql":
        parsed = parsed.set(drivername="mysql+mysqldb", query={"charset": "utf8mb4"})
    return sa.create_engine(parsed, poolclass=NullPool)


def execute(engine: sa.Engine, *statements: str) -> None:
    """Run statements of the test's own, and commit."""
    with engine.connect() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement.replace("%", "%%") if engine.dialect.name == "mysql" else statement)
        connection.commit()


def rows(engine: sa.Engine, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


@contextlib.contextmanager
def statements_of_all_engines() -> Iterator[list[str]]:
    """Collect every statement that this process sends until the block ends."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


def load_old(engine: sa.Engine, version: int) -> None:
    """Fill an empty database with the one that Google's library downgraded to `version`."""
    text = (DUMPS / f"{engine.dialect.name}_v{version}.sql").read_text(encoding="utf-8")
    if engine.dialect.name == "sqlite":
        with contextlib.closing(sqlite3.connect(engine.url.database or "")) as connection:
            connection.executescript(text)
        return
    execute(engine, *statements_of(text))


def statements_of(text: str) -> Iterable[str]:
    """Split a dump; no statement of ours has a semicolon at the end of a line inside."""
    return [statement for part in text.split(";\n") if (statement := part.strip())]


def reference_config(engine: sa.Engine) -> mlmd.ConnectionConfig:
    """Return the same database as Google's core is told of it."""
    config = mlmd.ConnectionConfig()
    url = engine.url
    if engine.dialect.name == "sqlite":
        config.sqlite.filename_uri = url.database or ""
        return config
    config.mysql.host, config.mysql.port, config.mysql.database = url.host or "", url.port or 0, url.database or ""
    config.mysql.user, config.mysql.password = url.username or "", url.password or ""
    return config
