"""What others made in a database that a change would fail over or take away, looked for before its first statement.

MySQL commits each DDL statement by itself, so a change that fails in its middle leaves a database that is neither old
nor new; and what SQLite says then, or loses in silence, names no mend.
"""

import re
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from sqlite3 import Connection as SqliteConnection
from sqlite3 import Error as SqliteError
from sqlite3 import connect as connect_sqlite

from sqlalchemy import Connection, text

from mlmd_migrations import own_tables
from mlmd_migrations.errors import FAILED_PRECONDITION, SchemaError
from mlmd_migrations.facts import Facts
from mlmd_migrations.steps import Step

MOST_TOLD = 5
"""How many obstacles one error tells."""
SQLITE_MADE = """
SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
ORDER BY rowid"""
MYSQL_VIEWS = "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()"
MYSQL_PARTITIONED = """
SELECT DISTINCT TABLE_NAME FROM information_schema.PARTITIONS
WHERE TABLE_SCHEMA = DATABASE() AND PARTITION_NAME IS NOT NULL"""
MYSQL_FOREIGN_KEYS = """
SELECT CONSTRAINT_NAME, TABLE_SCHEMA, TABLE_SCHEMA = DATABASE(), TABLE_NAME, COLUMN_NAME,
    REFERENCED_TABLE_SCHEMA = DATABASE(), REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME
FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS NOT NULL
AND (TABLE_SCHEMA = DATABASE() OR REFERENCED_TABLE_SCHEMA = DATABASE())"""
_ALTERED = re.compile(r"ALTER TABLE `(\w+)` ")
_DROPPED = re.compile(r"DROP TABLE `(\w+)`")
_WIDENED = re.compile(r"MODIFY COLUMN `(\w+)`")
_BROKEN = re.compile(r"error in (?:view|trigger) (.+?)(?: after rename)?: ")
_TAKEN = re.compile(r"(?:there is already an? \w+ named|table|index|view) (.+?)(?: already exists)?$")


def check(connection: Connection, facts: Facts, steps: list[Step]) -> None:
    """Look for what is in the way of the steps and of our own tables; reads only.

    Raises SchemaError FAILED_PRECONDITION, which names what is in the way, why, and the mend.
    """
    if facts.revision != own_tables.HEAD:
        own_tables.check_names(facts.catalog)
    statements = [statement for step in steps for statement in step.statements]
    if not statements or not facts.catalog:
        return
    found = list(dict.fromkeys((_on_sqlite if facts.database == "sqlite" else _on_mysql)(connection, statements)))
    if found:
        more = f"; and {len(found) - MOST_TOLD} more like these" if len(found) > MOST_TOLD else ""
        raise SchemaError(
            FAILED_PRECONDITION,
            f"What others made in this database is in the way: {'; '.join(found[:MOST_TOLD])}{more}. "
            "Nothing was changed.",
        )


def _on_sqlite(connection: Connection, statements: list[str]) -> Iterator[str]:
    """Try the statements on a copy without rows until nothing stops them, leaving out what did."""
    made = {str(name): (str(kind), str(sql)) for name, kind, sql in connection.execute(text(SQLITE_MADE))}
    while True:
        with closing(_copied(made)) as copy:
            trouble = _tried(copy, statements)
            left = {row[0] for row in copy.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
        if trouble is None:
            break
        told = _BROKEN.search(trouble) or _TAKEN.search(trouble)
        name = _spelt(told[1], made) if told else ""
        if not name:
            return  # what the copy cannot tell, the change itself will
        kind, _ = made.pop(name)
        if _BROKEN.search(trouble):
            why = trouble[told.end() :] if told else ""
            yield f"{kind} {name} does not bear that a table is built anew ({why}); drop it, and make it afterwards"
        else:
            yield f"{kind} {name} has a name that is needed; rename it, or drop it"
    for name, (kind, _) in made.items():
        if kind == "trigger" and name not in left:
            yield f"trigger {name} would be lost with its table, which is built anew; drop it, and make it afterwards"


def _spelt(name: str, made: Iterable[str]) -> str:
    """The name as it was made; SQLite folds the case of ASCII letters."""
    return next((known for known in made if known.lower() == name.strip('`"[]').lower()), "")


def _copied(made: dict[str, tuple[str, str]]) -> SqliteConnection:
    copy = connect_sqlite(":memory:", isolation_level=None)
    for _, sql in made.values():
        with suppress(SqliteError):  # needs what only its owner's program has, as a collation
            copy.execute(sql)
    return copy


def _tried(copy: SqliteConnection, statements: list[str]) -> str | None:
    """What SQLite says of the first statement that fails."""
    try:
        for statement in statements:
            copy.execute(statement)
    except SqliteError as error:
        return str(error)
    return None


def _on_mysql(connection: Connection, statements: list[str]) -> Iterator[str]:
    altered = {match[1].lower(): statement for statement in statements if (match := _ALTERED.match(statement))}
    dropped = {match[1].lower() for statement in statements if (match := _DROPPED.match(statement))}
    for (name,) in connection.execute(text(MYSQL_VIEWS)):
        if name.lower() in altered.keys() | dropped:
            yield f"view {name} stands where a table of MLMD's should be; rename it, or restore a backup"
    for (name,) in connection.execute(text(MYSQL_PARTITIONED)):
        if "ADD UNIQUE KEY" in altered.get(name.lower(), ""):
            yield (
                f"table {name} is partitioned, which the unique key that it gets does not allow; run ALTER TABLE "
                f"`{name}` REMOVE PARTITIONING"
            )
    yield from _foreign_keys(connection, altered, dropped)


def _foreign_keys(connection: Connection, altered: dict[str, str], dropped: set[str]) -> Iterator[str]:
    widened = {(name, column) for name, sql in altered.items() for column in _WIDENED.findall(sql)}
    for key, schema, from_here, table, column, to_here, target, target_column in connection.execute(
        text(MYSQL_FOREIGN_KEYS)
    ):
        changes = (from_here and (table.lower(), column) in widened) or (
            to_here and ((target.lower(), target_column) in widened or target.lower() in dropped)
        )
        if changes:
            yield (
                f"foreign key {key} of table {schema}.{table} to {target} keeps a column as it is that is to be "
                f"changed; run ALTER TABLE `{schema}`.`{table}` DROP FOREIGN KEY `{key}`, and make it afterwards"
            )
