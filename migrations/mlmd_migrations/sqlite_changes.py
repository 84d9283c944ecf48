"""Changing a table on SQLite: columns are added where they belong at the end, else the table is built anew."""

from mlmd_migrations.catalog import FoundTable
from mlmd_migrations.errors import FAILED_PRECONDITION, SchemaError
from mlmd_migrations.history import TABLE
from mlmd_migrations.rendering import Dialect, quoted
from mlmd_migrations.shapes import Column, Table


def change_table(dialect: Dialect, table: Table, found: FoundTable) -> list[str]:
    """The statements that make `found` into `table`; none when it is that already."""
    absent = [column for column in table.columns if column.name not in found.columns]
    at_the_end = absent == list(table.columns[len(table.columns) - len(absent) :])
    if _obsolete_columns(table, found) or not at_the_end or not _same_uniques(table, found):
        return _rebuild(dialect, table, found)
    statements = [f"ALTER TABLE {quoted(table.name)} ADD COLUMN {dialect.column(column)}" for column in absent]
    known = {index.name for index in TABLE[table.name].indexes}
    obsolete = known - {index.name for index in table.indexes}
    statements += [f"DROP INDEX {quoted(name)}" for name in found.indexes if name in obsolete]
    missing = [index for index in table.indexes if index.name not in found.indexes]
    return statements + [dialect.create_index(table, index) for index in missing]


def _obsolete_columns(table: Table, found: FoundTable) -> set[str]:
    wanted = {column.name for column in table.columns}
    return {column.name for column in TABLE[table.name].columns} & set(found.columns) - wanted


def _same_uniques(table: Table, found: FoundTable) -> bool:
    wanted = {unique.columns for unique in table.uniques}
    return all(
        (unique.columns in wanted) == (found.unique_on(unique.columns) is not None)
        for unique in TABLE[table.name].uniques
    )


def _source(column: Column, found: FoundTable) -> str:
    for name in (column.name, column.renamed_from):
        if name in found.columns:
            return name
    return ""


def _rebuild(dialect: Dialect, table: Table, found: FoundTable) -> list[str]:
    strangers = set(found.columns) - {column.name for column in TABLE[table.name].columns}
    if strangers:
        raise SchemaError(
            FAILED_PRECONDITION,
            f"Table {table.name} has columns that are not MLMD's and would be lost: {', '.join(sorted(strangers))}. "
            "Nothing was changed; move them to a table of their own.",
        )
    pairs = [(column.name, source) for column in table.columns if (source := _source(column, found))]
    building = f"{table.name}Temp"
    known = {index.name for index in TABLE[table.name].indexes}
    foreign = [index.sql for index in found.indexes.values() if index.sql and index.name not in known]
    return [
        dialect.create_table(table, building),
        f"INSERT INTO {quoted(building)} ({quoted(*(name for name, _ in pairs))}) "  # noqa: S608 - our own names
        f"SELECT {quoted(*(source for _, source in pairs))} FROM {quoted(table.name)}",
        *_numbered_on(table, building),
        f"DROP TABLE {quoted(table.name)}",
        f"ALTER TABLE {quoted(building)} RENAME TO {quoted(table.name)}",
        *(dialect.create_index(table, index) for index in table.indexes),
        *foreign,
    ]


def _numbered_on(table: Table, building: str) -> list[str]:
    """The statements by which the new table gives no id that the old one gave to a row that is gone."""
    if all(column.kind != "auto" for column in table.columns):
        return []
    return [
        f"DELETE FROM sqlite_sequence WHERE name = '{building}'",  # noqa: S608 - our own names
        f"INSERT INTO sqlite_sequence (name, seq) SELECT '{building}', seq "  # noqa: S608 - our own names
        f"FROM sqlite_sequence WHERE name = '{table.name}'",
    ]
