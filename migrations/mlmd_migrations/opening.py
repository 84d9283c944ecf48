"""Opening a database: look, and only if something is missing take the lock, look again and mend it."""

from dataclasses import dataclass
from typing import Literal, cast

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from mlmd_migrations import own_tables, simple_types
from mlmd_migrations.errors import ABORTED, FAILED_PRECONDITION, INTERNAL, SchemaError
from mlmd_migrations.facts import Facts, is_current, is_half_made, read_facts
from mlmd_migrations.history import LATEST, TABLES, tables_at
from mlmd_migrations.rendering import Dialect
from mlmd_migrations.session import changing, explained, is_read_only, looking

TextMode = Literal["utf8", "google"]


@dataclass(frozen=True, slots=True)
class Schema:
    """An open database, as its users need to know it."""

    text_mode: TextMode
    """'google': strings are UTF-8 bytes over a latin1 connection (MySQL databases that Google's server made)."""
    wide_integers: bool
    """False: ids, int_value and step_index have 32 bits until `migrate` widens them."""
    store_uuid: str
    """The store's identity; "" in a read-only database that our server never wrote to."""
    created: bool
    """Whether this call made the tables."""


def open_schema(
    engine: Engine, *, enable_upgrade: bool = False, downgrade_to: int = -1, google_text: bool = False
) -> Schema:
    """Make sure that the database has schema version 10, the simple types and our own tables.

    An empty database gets them all; `google_text` leaves the character set of the tables to the MySQL database, as
    Google's server does, for teams that want to be able to go back to it. Versions 0 to 9 are upgraded when
    `enable_upgrade`. Google's tables are otherwise never altered. A read-only database at version 10 opens for reading.

    Raises SchemaError with the codes of the mlmd-write contract, section 9: ABORTED (partial schema, or somebody holds
    the lock), DATA_LOSS, FAILED_PRECONDITION (older without `enable_upgrade`, or newer), INTERNAL, UNAVAILABLE; after a
    downgrade (`downgrade_to` from 0 to 10) always CANCELLED, INVALID_ARGUMENT when there is nothing like it.
    """
    with looking(engine) as connection:
        facts = read_facts(connection)
        if is_current(connection, facts):
            return _schema(facts)
    try:
        with changing(engine) as connection:
            created = _mend(connection, google_text)
            facts = read_facts(connection)
        with changing(engine) as connection:
            simple_types.insert_missing(connection)
    except DBAPIError as error:
        if is_read_only(error) and facts.versions == (LATEST,) and not facts.missing:
            return _schema(facts)
        raise explained(error, "The database could not be prepared") from error
    return _schema(facts, created)


def _schema(facts: Facts, created: bool = False) -> Schema:
    adopted: TextMode = "utf8" if facts.database == "sqlite" else "google"
    text_mode = cast(TextMode, facts.store.text_mode) if facts.store else adopted
    return Schema(text_mode, facts.is_wide, facts.store.store_uuid if facts.store else "", created)


def _mend(connection: Connection, google_text: bool) -> bool:
    facts = read_facts(connection)
    version = None if is_half_made(connection, facts) else facts.version
    if version is not None and version != LATEST:
        raise SchemaError(FAILED_PRECONDITION, f"schema version {version}")
    creating = version is None
    if creating and len(facts.missing) < len(TABLES) and not is_half_made(connection, facts):
        raise _partial(facts)
    if not creating and facts.missing:
        raise _partial(facts)
    _complete_own_tables(connection, facts, creating, google_text)
    if creating:
        _create(connection, read_facts(connection))
    return creating


def _partial(facts: Facts) -> SchemaError:
    present = [table.name for table in TABLES if table.name not in facts.missing]
    return SchemaError(
        ABORTED,
        f"The database has only a part of MLMD's tables: {', '.join(present)} are complete, "
        f"{', '.join(facts.missing)} are absent or lack columns. Restore a backup, or use an empty database.",
    )


def _complete_own_tables(connection: Connection, facts: Facts, creating: bool, google_text: bool) -> None:
    if facts.revision != own_tables.HEAD:
        own_tables.upgrade(connection)
    if facts.store is None:
        googles = facts.database == "mysql" and (google_text or not creating)
        own_tables.insert_store_row(connection, "google" if googles else "utf8")


def _create(connection: Connection, facts: Facts) -> None:
    utf8 = facts.store is None or facts.store.text_mode == "utf8"
    dialect = Dialect(facts.database, LATEST, wide=True, utf8=utf8)
    for table in tables_at(LATEST):
        if table.name in facts.catalog:
            continue
        for statement in dialect.create(table):
            connection.exec_driver_sql(statement)
    connection.execute(text("INSERT INTO `MLMDEnv` (schema_version) VALUES (:version)"), {"version": LATEST})
