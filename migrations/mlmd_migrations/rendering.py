"""A shape as the words of one database: column types, CREATE TABLE and CREATE INDEX."""

from dataclasses import dataclass
from typing import Literal

from mlmd_migrations.shapes import Column, ColumnKind, Index, Table, Unique

Database = Literal["sqlite", "mysql"]

SQLITE_TYPES: dict[ColumnKind, str] = {
    "auto": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "version": "INTEGER PRIMARY KEY",
    "reference": "INT",
    "int": "INT",
    "wide": "INT",
    "ms": "INT",
    "event_ms": "INT",
    "flag": "TINYINT(1)",
    "bool": "BOOLEAN",
    "double": "DOUBLE",
    "key": "VARCHAR(255)",
    "text": "TEXT",
    "value_text": "TEXT",
    "bytes": "BLOB",
}
MYSQL_TYPES: dict[ColumnKind, str] = SQLITE_TYPES | {
    "auto": "INT",
    "version": "INT",
    "ms": "BIGINT",
    "event_ms": "BIGINT",
    "bool": "TINYINT(1)",
    "value_text": "MEDIUMTEXT",
    "bytes": "MEDIUMBLOB",
}
WIDENED: frozenset[ColumnKind] = frozenset({"auto", "reference", "wide"})
"""What is INT in Google's MySQL databases and BIGINT in ours."""
PREFIXED: frozenset[ColumnKind] = frozenset({"text", "value_text"})
"""What MySQL can only index by its first characters."""
MEDIUM_TEXT_SINCE = 7
UTF8_OPTIONS = " ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"


def quoted(*names: str) -> str:
    """Identifiers in backticks, which SQLite and MySQL in every sql_mode accept."""
    return ", ".join(f"`{name}`" for name in names)


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one database wants its tables written."""

    database: Database
    version: int
    """The schema version the words are for."""
    wide: bool = True
    """MySQL: 64-bit ids and int_value."""
    utf8: bool = True
    """MySQL: tables say utf8mb4; else they take the database's character set, as Google's do."""

    def type_of(self, kind: ColumnKind) -> str:
        """The column type alone, without NOT NULL or keys (MySQL: upper case, as in DDL)."""
        if self.database == "sqlite":
            return SQLITE_TYPES[kind]
        if kind in WIDENED and self.wide:
            return "BIGINT"
        if kind == "value_text" and self.version < MEDIUM_TEXT_SINCE:
            return "TEXT"
        return MYSQL_TYPES[kind]

    def column(self, column: Column, text: str = "") -> str:
        """The definition of a column; `text` is a character set clause to keep (MySQL)."""
        words = [quoted(column.name), self.type_of(column.kind) + text]
        if column.required or (self.database == "mysql" and column.kind in ("auto", "version")):
            words.append("NOT NULL")
        if column.kind == "ms":
            words.append("DEFAULT 0")
        if column.kind == "auto" and self.database == "mysql":
            words.append("AUTO_INCREMENT")
        return " ".join(words)

    def index_columns(self, table: Table, index: Index) -> str:
        """The indexed columns, with MySQL's prefix lengths."""
        return ", ".join(self._index_part(table, name) for name in index.columns)

    def _index_part(self, table: Table, name: str) -> str:
        prefixed = self.database == "mysql" and table.column(name).kind in PREFIXED
        return quoted(name) + ("(255)" if prefixed else "")

    def _unique(self, unique: Unique) -> str:
        if self.database == "sqlite":
            return f"UNIQUE ({quoted(*unique.columns)})"
        return f"UNIQUE KEY {quoted(unique.name)} ({quoted(*unique.columns)})"

    def _primary_key(self, table: Table) -> tuple[str, ...]:
        names = table.primary_key
        if not names and self.database == "mysql":
            names = tuple(column.name for column in table.columns if column.kind in ("auto", "version"))
        return (f"PRIMARY KEY ({quoted(*names)})",) if names else ()

    def create_table(self, table: Table, name: str = "") -> str:
        """CREATE TABLE, on MySQL with its indexes, so that it appears whole or not at all."""
        parts = [self.column(column) for column in table.columns]
        parts += self._primary_key(table)
        parts += [self._unique(unique) for unique in table.uniques]
        if self.database == "mysql":
            parts += [f"KEY {quoted(index.name)} ({self.index_columns(table, index)})" for index in table.indexes]
        options = UTF8_OPTIONS if self.database == "mysql" and self.utf8 else ""
        return f"CREATE TABLE {quoted(name or table.name)} ({', '.join(parts)}){options}"

    def create_index(self, table: Table, index: Index) -> str:
        """CREATE INDEX, for a database where it is a statement of its own."""
        where = f" WHERE {quoted(index.columns[-1])} IS NOT NULL" if index.partial else ""
        return f"CREATE INDEX {quoted(index.name)} ON {quoted(table.name)} ({self.index_columns(table, index)}){where}"

    def create(self, table: Table) -> list[str]:
        """Everything it takes to have the table."""
        statements = [self.create_table(table)]
        if self.database == "sqlite":
            statements += [self.create_index(table, index) for index in table.indexes]
        return statements
