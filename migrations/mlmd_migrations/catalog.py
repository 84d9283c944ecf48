"""What tables, columns and indexes a database really has."""

from dataclasses import dataclass, field

from sqlalchemy import Connection, text

from mlmd_migrations.history import TABLES

SQLITE_COLUMNS = """
SELECT m.name, c.name, lower(c.type), NULL, NULL
FROM sqlite_master AS m JOIN pragma_table_info(m.name) AS c WHERE m.type IN ('table', 'view') ORDER BY m.name, c.cid"""
SQLITE_INDEXES = """
SELECT m.name, l.name, l."unique", c.name, CASE WHEN l.origin = 'c' THEN i.sql END
FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS l JOIN pragma_index_info(l.name) AS c
LEFT JOIN sqlite_master AS i ON i.type = 'index' AND i.name = l.name
WHERE m.type = 'table' AND l.origin <> 'pk' ORDER BY m.name, l.name, c.seqno"""
MYSQL_COLUMNS = """
SELECT TABLE_NAME, COLUMN_NAME, LOWER(DATA_TYPE), CHARACTER_SET_NAME, COLLATION_NAME
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION"""
MYSQL_INDEXES = """
SELECT TABLE_NAME, INDEX_NAME, 1 - NON_UNIQUE, COLUMN_NAME, NULL
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND INDEX_NAME <> 'PRIMARY'
ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX"""


@dataclass(slots=True)
class FoundColumn:
    """A column that exists; `data_type` in lower case, `charset` and `collation` only where MySQL keeps text."""

    name: str
    data_type: str
    charset: str = ""
    collation: str = ""


@dataclass(slots=True)
class FoundIndex:
    """An index that exists; `sql` is its statement where the database keeps one (SQLite)."""

    name: str
    unique: bool
    columns: tuple[str, ...] = ()
    sql: str = ""


@dataclass(slots=True)
class FoundTable:
    """A table that exists."""

    name: str
    columns: dict[str, FoundColumn] = field(default_factory=dict)
    indexes: dict[str, FoundIndex] = field(default_factory=dict)

    def unique_on(self, columns: tuple[str, ...]) -> FoundIndex | None:
        """The unique index on exactly these columns, whatever it is called."""
        for index in self.indexes.values():
            if index.unique and set(index.columns) == set(columns):
                return index
        return None


Catalog = dict[str, FoundTable]


def read_columns(connection: Connection) -> Catalog:
    """Every table with its columns and without its indexes; one statement."""
    spelling = _spelling(connection)
    found: Catalog = {}
    sql = SQLITE_COLUMNS if connection.dialect.name == "sqlite" else MYSQL_COLUMNS
    for table, column, data_type, charset, collation in connection.execute(text(sql)):
        name = spelling.get(table, table)
        found.setdefault(name, FoundTable(name)).columns[column] = FoundColumn(
            column, data_type, charset or "", collation or ""
        )
    return found


def add_indexes(connection: Connection, catalog: Catalog) -> Catalog:
    """The same catalog with the indexes of its tables (primary keys left out); one statement."""
    spelling = _spelling(connection)
    sql = SQLITE_INDEXES if connection.dialect.name == "sqlite" else MYSQL_INDEXES
    for table, name, unique, column, statement in connection.execute(text(sql)):
        found = catalog.get(spelling.get(table, table))
        if found is not None:
            index = found.indexes.setdefault(name, FoundIndex(name, bool(unique), sql=statement or ""))
            index.columns += (column,)
    return catalog


def _spelling(connection: Connection) -> dict[str, str]:
    """Stored table names and MLMD's, which differ on a MySQL server that keeps names in lower case."""
    if connection.dialect.name == "sqlite":
        return {}
    return {table.name.lower(): table.name for table in TABLES}
