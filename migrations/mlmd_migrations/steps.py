"""The steps from what a database is to what it is to be.

A step is computed by comparing the tables that exist with the shape that is wanted, never by trusting the version
number alone. So a migration that MySQL left half done (DDL commits by itself there) continues where it stopped.
"""

from dataclasses import dataclass

from mlmd_migrations import events, mysql_changes, properties, sqlite_changes
from mlmd_migrations.errors import ABORTED, INTERNAL, SchemaError
from mlmd_migrations.facts import Facts
from mlmd_migrations.history import ENVIRONMENT, LATEST, TABLES, tables_at
from mlmd_migrations.rendering import Dialect, quoted
from mlmd_migrations.shapes import Table

MARKER = "MLMDEnvTemp"
SIBLING_COLUMNS = frozenset({"is_artifact_type", "type_kind"})
"""One column under two names: an interrupted step across version 2 may have renamed it already."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What the tables are to be."""

    version: int = LATEST
    wide: bool = False
    """MySQL: 64-bit ids and int_value; False leaves them as they are."""
    extras: bool = False
    """With our own indexes on Google's tables; False leaves them as they are."""


@dataclass(frozen=True, slots=True)
class Step:
    """Statements that belong together, and what they are for."""

    title: str
    statements: tuple[str, ...]

    def __str__(self) -> str:
        return "\n".join([self.title, *(f"    {statement};" for statement in self.statements)])


def creation(facts: Facts, text_mode: str) -> list[Step]:
    """The steps that make what is absent of version 10's tables, and then say that they are there."""
    dialect = Dialect(facts.database, LATEST, wide=True, utf8=text_mode == "utf8")
    absent = [table for table in tables_at(LATEST) if table.name not in facts.catalog]
    steps = [Step(f"Create table {table.name}", tuple(dialect.create(table))) for table in absent]
    insert = f"INSERT INTO {quoted(ENVIRONMENT.name)} (`schema_version`) VALUES ({LATEST})"  # noqa: S608 - our own name
    return [*steps, Step(f"Say that the schema version is {LATEST}", (insert,))]


def change(facts: Facts, text_mode: str, version: int, goal: Goal) -> list[Step]:
    """The steps from schema `version` to the goal; none when nothing is to be done. Needs the catalog's indexes.

    Raises SchemaError ABORTED when a table or column of a version both have is absent, FAILED_PRECONDITION when a
    column that MLMD does not know would be lost, INTERNAL when somebody else's table is in the way.
    """
    _check_complete(facts, min(version, goal.version))
    _check_strangers(facts, version)
    wide = goal.wide or facts.is_wide
    dialect = Dialect(facts.database, goal.version, wide=wide, utf8=text_mode == "utf8")
    steps = _marking(dialect) if version == 0 < goal.version else []
    steps += _data_steps(facts, version, goal.version)
    for table in tables_at(goal.version):
        if table.name == ENVIRONMENT.name and version == 0:
            continue
        steps += _table_steps(facts, dialect, table, goal)
    wanted = {table.name for table in tables_at(goal.version)}
    dropped = [table.name for table in TABLES if table.name in facts.catalog and table.name not in wanted]
    dropped.sort(key=lambda name: name == ENVIRONMENT.name)  # last, because without it a rest would look like version 0
    steps += [Step(f"Drop table {name}", (f"DROP TABLE {quoted(name)}",)) for name in dropped]
    if goal.version not in (version, 0):
        steps.append(_versioning(goal.version))
    return steps


def _check_complete(facts: Facts, version: int) -> None:
    absent = [
        table.name if table.name not in facts.catalog else f"{table.name}.{column.name}"
        for table in tables_at(version)
        for column in table.columns
        if column.name not in SIBLING_COLUMNS
        and (table.name not in facts.catalog or column.name not in facts.catalog[table.name].columns)
    ]
    if absent:
        raise SchemaError(
            ABORTED,
            f"The database is not a whole schema version {version}: {', '.join(dict.fromkeys(absent))} "
            "are absent. Nothing was changed; restore a backup.",
        )


def _check_strangers(facts: Facts, version: int) -> None:
    # A table younger than the version is the work of an interrupted migration, or somebody else's under MLMD's name.
    strangers = [
        table.name
        for table in TABLES
        if table.since > version and table.name in facts.catalog
        for column in table.at(table.since).columns
        if column.name not in facts.catalog[table.name].columns
    ]
    # Dropped as the rest of an interrupted migration, which nobody else's table is to be.
    if version == 0 and MARKER in facts.catalog and set(facts.catalog[MARKER].columns) != {"schema_version"}:
        strangers.append(MARKER)
    if strangers:
        raise SchemaError(
            INTERNAL,
            f"The database has tables that are not MLMD's under MLMD's names: {', '.join(dict.fromkeys(strangers))}. "
            "Nothing was changed; rename them.",
        )


def _marking(dialect: Dialect) -> list[Step]:
    # The version appears whole or not at all, by a rename: an MLMDEnv without a row could not be told from damage.
    table = ENVIRONMENT.at(LATEST)
    return [
        Step(
            "Record that this is schema version 1",
            (
                f"DROP TABLE IF EXISTS {quoted(MARKER)}",
                dialect.create_table(table, MARKER),
                f"INSERT INTO {quoted(MARKER)} (`schema_version`) VALUES (1)",  # noqa: S608 - our own name
                f"ALTER TABLE {quoted(MARKER)} RENAME TO {quoted(table.name)}",
            ),
        )
    ]


def _versioning(version: int) -> Step:
    return Step(
        f"Say that the schema version is {version}",
        (f"UPDATE {quoted(ENVIRONMENT.name)} SET `schema_version` = {version}",),  # noqa: S608 - our own name
    )


def _data_steps(facts: Facts, version: int, target: int) -> list[Step]:
    steps: list[Step] = []
    if version < events.UNIQUE_SINCE <= target:
        steps.append(Step("Keep the last of equal events", events.UNIQUE))
    if target < version:
        steps.append(Step("Drop property rows whose value has no column", properties.drop_valueless(facts, target)))
    if target < 2 <= version and "type_kind" in facts.catalog["Type"].columns:
        steps.append(Step("Drop context types", ("DELETE FROM `Type` WHERE `type_kind` = 2",)))
    if target < version and facts.database == "mysql":
        cuts = properties.cut_strings(facts, target)
        steps += [Step("Cut strings to 65,535 bytes", cuts)] if cuts else []
    return steps


def _table_steps(facts: Facts, dialect: Dialect, table: Table, goal: Goal) -> list[Step]:
    found = facts.catalog.get(table.name)
    indexes = tuple(
        index
        for index in table.indexes
        if not index.extra or goal.extras or (found is not None and index.name in found.indexes)
    )
    table = Table(table.name, table.columns, table.primary_key, table.uniques, indexes, table.since)
    if found is None:
        return [Step(f"Create table {table.name}", tuple(dialect.create(table)))]
    changes = sqlite_changes if facts.database == "sqlite" else mysql_changes
    statements = changes.change_table(dialect, table, found)
    return [Step(f"Change table {table.name}", tuple(statements))] if statements else []
