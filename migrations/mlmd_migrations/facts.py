"""What a database is: its schema version, what of the tables is there, whose it is (mlmd-write contract, section 9)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, text

from mlmd_migrations import own_tables
from mlmd_migrations.catalog import Catalog, read_columns
from mlmd_migrations.errors import ABORTED, DATA_LOSS, INTERNAL, SchemaError
from mlmd_migrations.history import LATEST, TABLES, tables_at
from mlmd_migrations.own_tables import StoreRow
from mlmd_migrations.rendering import WIDENED, Database, quoted
from mlmd_migrations.simple_types import missing_types


@dataclass(slots=True)
class Facts:
    """Everything that opening decides by, read in at most five statements."""

    database: Database
    catalog: Catalog
    versions: tuple[int, ...] | None
    """The rows of MLMDEnv; None when there is no such table."""
    revision: str
    """Of our own tables; "" when they are not there."""
    store: StoreRow | None

    @property
    def missing(self) -> list[str]:
        """The tables of version 10 that are absent or lack a column that Google's server checks."""
        absent = []
        for table in tables_at(LATEST):
            found = self.catalog.get(table.name)
            # Google's check passes over every external_id, so a table that lacks it counts as complete.
            checked = {column.name for column in table.columns} - {"external_id"}
            if found is None or not checked <= set(found.columns):
                absent.append(table.name)
        return absent

    @property
    def is_version_0(self) -> bool:
        """Whether this is the shape of ml-metadata 0.13.2, which kept no version."""
        if self.versions is not None or not all(table.name in self.catalog for table in TABLES if table.since == 0):
            return False
        return "is_artifact_type" in self.catalog["Type"].columns

    @property
    def is_wide(self) -> bool:
        """Whether ids, int_value and step_index have 64 bits; False as long as one of them has not."""
        return self.database == "sqlite" or not any(
            self.catalog[table.name].columns[column.name].data_type == "int"
            for table in TABLES
            if table.name in self.catalog
            for column in table.columns
            if column.kind in WIDENED and column.name in self.catalog[table.name].columns
        )

    @property
    def version(self) -> int | None:
        """The schema version, None for an empty database (also one with only unrelated tables).

        Raises SchemaError ABORTED when MLMDEnv is empty, DATA_LOSS when it has several rows.
        """
        if self.versions is None:
            return 0 if self.is_version_0 else None
        if not self.versions:
            raise SchemaError(
                ABORTED,
                "MLMDEnv has no schema version: another server is creating this database, or failed to. Try again; if "
                "it stays so and the tables hold nothing, drop them and start again, else restore a backup.",
            )
        if len(self.versions) > 1:
            raise SchemaError(
                DATA_LOSS,
                f"MLMDEnv has {len(self.versions)} schema versions ({', '.join(map(str, self.versions))}) and must "
                "have one; delete the wrong rows, or restore a backup.",
            )
        return self.versions[0]


def read_facts(connection: Connection) -> Facts:
    """Look at the database; changes nothing."""
    database: Database = "sqlite" if connection.dialect.name == "sqlite" else "mysql"
    catalog = read_columns(connection)
    versions = None
    if "schema_version" in (catalog["MLMDEnv"].columns if "MLMDEnv" in catalog else {}):
        rows = connection.execute(text("SELECT schema_version FROM `MLMDEnv`")).scalars()
        versions = tuple(_version(row) for row in rows)
    revision = own_tables.revision_of(connection, catalog)
    return Facts(database, catalog, versions, revision, own_tables.store_row(connection, catalog))


def _version(cell: Any) -> int:
    try:
        return int(cell)
    except (TypeError, ValueError):
        raise SchemaError(
            INTERNAL, f"MLMDEnv says schema version {cell!r}, which is no number; correct it, or restore a backup."
        ) from None


def is_current(connection: Connection, facts: Facts) -> bool:
    """Whether nothing at all is to be done before the store can be used."""
    return (
        facts.versions == (LATEST,)
        and not facts.missing
        and facts.revision == own_tables.HEAD
        and facts.store is not None
        and not missing_types(connection)
    )


def is_half_made(connection: Connection, facts: Facts) -> bool:
    """Whether our server was stopped while it created these tables: they are ours, and none has a row.

    Our own tables are made first, so a store row beside empty tables tells our halves from anybody else's.
    """
    if facts.versions or facts.store is None:
        return False
    present = [table.name for table in TABLES if table.name in facts.catalog]
    return bool(present) and all(
        connection.execute(text(f"SELECT 1 FROM {quoted(name)} LIMIT 1")).first() is None  # noqa: S608 - our own names
        for name in present
    )
