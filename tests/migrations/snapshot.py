"""A database as plain values, so that two can be compared: columns, keys, indexes and rows, without names of keys."""

from typing import Any

import sqlalchemy as sa

EXTRA_INDEXES = {"idx_attribution_artifact_id", "idx_association_execution_id"}
Shape = dict[str, dict[str, Any]]

SQLITE_COLUMNS = "SELECT name, upper(type), \"notnull\", dflt_value, pk FROM pragma_table_info('{}')"
SQLITE_INDEXES = (
    "SELECT l.name, l.\"unique\", l.partial, group_concat(i.name) FROM pragma_index_list('{}') AS l "
    'JOIN pragma_index_info(l.name) AS i GROUP BY l.name, l."unique", l.partial'
)
MYSQL_COLUMNS = (
    "SELECT COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE, COLUMN_DEFAULT, COLUMN_KEY = 'PRI', EXTRA, COLLATION_NAME "
    "FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{}'"
)
MYSQL_INDEXES = (
    "SELECT INDEX_NAME, 1 - NON_UNIQUE, COALESCE(MAX(SUB_PART), 0), GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX) "
    "FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{}' "
    "GROUP BY INDEX_NAME, NON_UNIQUE"
)


def tables(engine: sa.Engine) -> list[str]:
    """Return the names of MLMD's tables and of strangers', without ours and SQLite's own."""
    names = sa.inspect(engine).get_table_names()
    return sorted(name for name in names if not name.startswith(("mlmd_", "sqlite_")))


def shape(engine: sa.Engine, *, extras: bool = False) -> Shape:
    """Return each table's columns and indexes; a unique key counts by its columns, as its name tells its history."""
    lite = engine.dialect.name == "sqlite"
    columns, indexes = (SQLITE_COLUMNS, SQLITE_INDEXES) if lite else (MYSQL_COLUMNS, MYSQL_INDEXES)
    found: Shape = {}
    with engine.connect() as connection:
        for name in tables(engine):
            described = {row[0]: tuple(row[1:]) for row in connection.exec_driver_sql(columns.format(name))}
            keyed = [tuple(row) for row in connection.exec_driver_sql(indexes.format(name))]
            found[name] = {
                "columns": described,
                "unique": sorted(str(row[3]) for row in keyed if row[1]),
                "indexes": sorted(row for row in keyed if not row[1] and (extras or row[0] not in EXTRA_INDEXES)),
            }
    return found


def widened(found: Shape) -> Shape:
    """Return a MySQL shape with every 32-bit id and value as 64 bits."""
    kept = {"state", "last_known_state", "data_type", "type", "schema_version"}
    return {
        table: parts
        | {
            "columns": {
                name: (what[0] if name in kept else what[0].replace("int(11)", "bigint(20)"), *what[1:])
                for name, what in parts["columns"].items()
            }
        }
        for table, parts in found.items()
    }


def contents(engine: sa.Engine) -> dict[str, list[dict[str, Any]]]:
    """Return every table's rows by column name, in an order that does not depend on the database."""
    found = {}
    with engine.connect() as connection:
        for name in tables(engine):
            listed = [dict(row._mapping) for row in connection.exec_driver_sql(f"SELECT * FROM `{name}`")]
            found[name] = sorted(listed, key=lambda row: repr(sorted(row.items())))
    return found
