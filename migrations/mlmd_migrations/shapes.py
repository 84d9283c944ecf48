"""What a table of some schema version looks like, said once for every database."""

from dataclasses import dataclass
from typing import Literal

ColumnKind = Literal[
    "auto",  # the numbered primary key
    "reference",  # another table's id
    "int",  # a number of an enum
    "wide",  # a user's integer
    "ms",  # milliseconds, required, 0 by default
    "event_ms",  # milliseconds, may be absent
    "flag",
    "bool",
    "double",
    "key",  # a short string that can be indexed whole
    "text",
    "value_text",  # a user's string
    "bytes",
    "version",  # the schema version
]
NEVER = 99
"""A version no schema reaches."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column, and the schema versions [since, until) that have it."""

    name: str
    kind: ColumnKind
    required: bool = False
    since: int = 0
    until: int = NEVER
    renamed_from: str = ""


@dataclass(frozen=True, slots=True)
class Unique:
    """A unique key beside the primary one; `name` is MySQL's in a created table, `added_name` in an upgraded one."""

    columns: tuple[str, ...]
    name: str
    added_name: str = ""
    since: int = 0


@dataclass(frozen=True, slots=True)
class Index:
    """A secondary index; `partial` ones leave NULLs of their last column out where the database can (SQLite)."""

    name: str
    columns: tuple[str, ...]
    since: int
    until: int = NEVER
    partial: bool = False
    extra: bool = False
    """Ours, not Google's: part of the databases we create, added to others only when told to."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table over all schema versions; `at` gives it as one version has it."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...] = ()
    uniques: tuple[Unique, ...] = ()
    indexes: tuple[Index, ...] = ()
    since: int = 0

    def at(self, version: int) -> "Table":
        """The table with only what `version` knows."""
        return Table(
            self.name,
            tuple(column for column in self.columns if column.since <= version < column.until),
            self.primary_key,
            tuple(unique for unique in self.uniques if unique.since <= version),
            tuple(index for index in self.indexes if index.since <= version < index.until),
            self.since,
        )

    def column(self, name: str) -> Column:
        """The column called `name`; KeyError if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)
