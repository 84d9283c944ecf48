"""Changing a table on MySQL: one ALTER TABLE, so that a large table is copied once and changes whole or not at all."""

from collections.abc import Iterator

from mlmd_migrations.catalog import FoundColumn, FoundTable
from mlmd_migrations.history import TABLE
from mlmd_migrations.rendering import Dialect, quoted
from mlmd_migrations.shapes import Column, Table

TYPE_CHANGES = frozenset({("int", "bigint"), ("text", "mediumtext"), ("mediumtext", "text")})
"""(found, wanted); any other difference is the administrator's own choice and stays."""


def change_table(dialect: Dialect, table: Table, found: FoundTable) -> list[str]:
    """The statement that makes `found` into `table`; none when it is that already."""
    clauses = [
        *_column_clauses(dialect, table, found),
        *_unique_clauses(table, found),
        *_index_clauses(dialect, table, found),
        *_drop_clauses(table, found),
    ]
    return [f"ALTER TABLE {quoted(table.name)} {', '.join(clauses)}"] if clauses else []


def _column_clauses(dialect: Dialect, table: Table, found: FoundTable) -> Iterator[str]:
    for column in table.columns:
        if (present := found.columns.get(column.name)) is not None:
            if (present.data_type, dialect.type_of(column.kind).lower()) in TYPE_CHANGES:
                yield f"MODIFY COLUMN {dialect.column(column, _charset(present))}"
        elif column.renamed_from in found.columns:
            yield f"CHANGE COLUMN {quoted(column.renamed_from)} {dialect.column(column)}"
        else:
            yield f"ADD COLUMN {dialect.column(column)}"


def _charset(column: FoundColumn) -> str:
    return f" CHARACTER SET {column.charset} COLLATE {column.collation}" if column.charset else ""


def _unique_clauses(table: Table, found: FoundTable) -> Iterator[str]:
    for unique in TABLE[table.name].uniques:
        present = found.unique_on(unique.columns)
        if unique in table.uniques and present is None:
            yield f"ADD UNIQUE KEY {quoted(unique.added_name or unique.name)} ({quoted(*unique.columns)})"
        elif unique not in table.uniques and present is not None:
            yield f"DROP INDEX {quoted(present.name)}"


def _index_clauses(dialect: Dialect, table: Table, found: FoundTable) -> Iterator[str]:
    for index in TABLE[table.name].indexes:
        if index in table.indexes and index.name not in found.indexes:
            yield f"ADD INDEX {quoted(index.name)} ({dialect.index_columns(table, index)})"
        elif index not in table.indexes and index.name in found.indexes:
            yield f"DROP INDEX {quoted(index.name)}"


def _drop_clauses(table: Table, found: FoundTable) -> Iterator[str]:
    wanted = {column.name for column in table.columns}
    for column in TABLE[table.name].columns:
        if column.name in found.columns and column.name not in wanted and not _renamed(column, table, found):
            yield f"DROP COLUMN {quoted(column.name)}"


def _renamed(column: Column, table: Table, found: FoundTable) -> bool:
    return any(other.renamed_from == column.name and other.name not in found.columns for other in table.columns)
