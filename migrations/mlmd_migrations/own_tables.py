"""Our own tables: their revision, the store's row, and what makes them.

A database that has none of them gets them at once, by the statements in `own/whole`. One that has some is brought up
by the revisions; only for that Alembic is loaded, which takes longer than everything else that opening does.
"""

import re
import threading
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, text

from mlmd_migrations.catalog import Catalog
from mlmd_migrations.errors import FAILED_PRECONDITION, SchemaError

TextMode = Literal["utf8", "google"]
HEAD = "v0009"
"""The newest revision in `own/versions`; revision names sort by age."""
VERSION_TABLE = "mlmd_alembic_version"
SCRIPTS = Path(__file__).parent / "own"
WHOLE = SCRIPTS / "whole"
"""What all revisions together make, as statements for each kind of database; a test holds the two together."""
_ALEMBIC = threading.Lock()  # its `op` and `context` are one for the whole process


@dataclass(frozen=True, slots=True)
class StoreRow:
    """The one row of mlmd_store that opening needs."""

    store_uuid: str
    text_mode: TextMode


def revision_of(connection: Connection, catalog: Catalog) -> str:
    """The revision of our tables, "" when there is none.

    Raises SchemaError FAILED_PRECONDITION when a newer mlmd-server made them, or when the table is somebody else's.
    """
    if VERSION_TABLE not in catalog:
        return ""
    check_names(catalog, [VERSION_TABLE])
    revision = connection.execute(text("SELECT version_num FROM mlmd_alembic_version")).scalar() or ""
    if revision > HEAD:
        raise SchemaError(
            FAILED_PRECONDITION,
            f"A newer mlmd-server has opened this database (revision {revision} of its own tables, this one knows "
            f"{HEAD}); use that version or a later one.",
        )
    return str(revision)


def store_row(connection: Connection, catalog: Catalog) -> StoreRow | None:
    """The identity of the store, None before our server has opened it.

    Raises SchemaError FAILED_PRECONDITION when the table is somebody else's.
    """
    if "mlmd_store" not in catalog:
        return None
    check_names(catalog, ["mlmd_store"])
    row = connection.execute(text("SELECT store_uuid, text_mode FROM mlmd_store WHERE id = 1")).first()
    return StoreRow(row.store_uuid, row.text_mode) if row else None


def check_names(catalog: Catalog, names: Iterable[str] = ()) -> None:
    """Raise SchemaError FAILED_PRECONDITION when a table (of `names`, or any) has a name of ours and not our columns.

    No revision ever gave a table other columns, so that what lacks one was made by somebody else.
    """
    ours = _columns()
    lacking = {name: ours[name] - set(catalog[name].columns) for name in names or ours if name in catalog}
    strangers = [f"{name} (without {', '.join(sorted(absent))})" for name, absent in lacking.items() if absent]
    if strangers:
        raise SchemaError(
            FAILED_PRECONDITION,
            f"The database has tables that are not mlmd-server's under its names: {'; '.join(strangers)}. Nothing was "
            "changed; rename them, or use another database.",
        )


@cache
def _columns() -> dict[str, frozenset[str]]:
    """Our tables and their columns, the same on every database."""
    made = re.findall(r"^CREATE TABLE (?:IF NOT EXISTS )?(\w+) \((.*?)^\)", _whole("sqlite"), re.DOTALL | re.MULTILINE)
    return {name: frozenset(re.findall(r"^ +([a-z]\w*) ", columns, re.MULTILINE)) for name, columns in made}


def _whole(database: str) -> str:
    return (WHOLE / f"{database}.sql").read_text()


def are_absent(catalog: Catalog) -> bool:
    """Whether a database has none of our tables, not even some that somebody died over."""
    return not any(name.startswith("mlmd_") for name in catalog)


def load(revision: str, catalog: Catalog) -> None:
    """Load Alembic if it will be needed, which takes longer than its work and better happens before a lock is held."""
    if revision != HEAD and not are_absent(catalog):
        import_module("alembic.command")


def complete(
    connection: Connection, catalog: Catalog, revision: str, store: StoreRow | None, text_mode: TextMode
) -> StoreRow:
    """Make what is absent of our tables, and give a store without an identity one, with `text_mode`."""
    if are_absent(catalog):
        _create(connection)
    elif revision != HEAD:
        _upgrade(connection)
    return store or _insert_store_row(connection, text_mode)


def planned(revision: str, store: StoreRow | None, text_mode: TextMode) -> list[str]:
    """What `complete` would do, for a reader."""
    tables = [f"Bring mlmd-server's own tables to revision {HEAD}"] if revision != HEAD else []
    return tables if store else [*tables, f"Give the store an identity (text mode {text_mode})"]


def _insert_store_row(connection: Connection, text_mode: TextMode) -> StoreRow:
    row = StoreRow(str(uuid.uuid4()), text_mode)
    connection.execute(
        text("INSERT INTO mlmd_store (id, store_uuid, text_mode, create_ms) VALUES (1, :uuid, :mode, :now)"),
        {"uuid": row.store_uuid, "mode": text_mode, "now": time.time_ns() // 1_000_000},
    )
    return row


def _create(connection: Connection) -> None:
    database = "sqlite" if connection.dialect.name == "sqlite" else "mysql"
    for statement in _whole(database).split(";\n"):
        if statement:
            connection.exec_driver_sql(statement)


def _upgrade(connection: Connection) -> None:
    # Within the caller's transaction where the database has one for DDL.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, HEAD)
