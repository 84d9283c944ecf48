"""What callers brought a database to hold, and what became more between two looks."""

import contextlib
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from mlmd_metadata_store.addresses import parse_url
from mlmd_schemas.tables import imports, own, registry, v10

from tests.services.sql_server import Address

OWN = {*own.METADATA.tables, *imports.IMPORT.metadata.tables, *registry.MODEL_VERSION.metadata.tables}
# A server that keeps house takes its lease when it comes to that, whatever is asked of it meanwhile.
TABLES = tuple(sorted({*v10.METADATA.tables, *OWN} - {"mlmd_leases"}))
RECEIPTS = own.RECEIPT.name


@dataclass(frozen=True)
class Contents:
    """The rows of every table but the leases, sorted."""

    rows: dict[str, list[tuple[Any, ...]]]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Contents) and self.rows == other.rows

    def more(self, before: "Contents") -> dict[str, int]:
        """Return how many rows each table has more than before, tables without a difference left out."""
        differences = {table: len(rows) - len(before.rows[table]) for table, rows in self.rows.items()}
        return {table: count for table, count in differences.items() if count}

    def marked(self, mark: str) -> dict[str, int]:
        """Return how many rows of each table contain this text, tables without any left out."""
        found = {table: sum(mark in str(row) for row in rows) for table, rows in self.rows.items()}
        return {table: count for table, count in found.items() if count}

    def differing(self, other: "Contents") -> list[str]:
        """Return the tables whose rows differ."""
        return [table for table, rows in self.rows.items() if rows != other.rows[table]]


def contents(url: str) -> Contents:
    """Read every table; on MySQL with locks, so that a transaction that is still open is waited for."""
    parsed = parse_url(url)
    if parsed.drivername == "sqlite":
        with contextlib.closing(sqlite3.connect(parsed.database or "")) as connection:
            reading = connection.cursor()
            return Contents({table: _sorted(reading.execute(f"SELECT * FROM `{table}`")) for table in TABLES})
    address = Address(parsed.port or 3306, user=parsed.username or "", password=str(parsed.password or ""))
    with contextlib.closing(address.connect(parsed.database or "", autocommit=False)) as connection:
        cursor, found = connection.cursor(), {}
        cursor.execute(";".join(f"SELECT * FROM `{table}` LOCK IN SHARE MODE" for table in TABLES))
        for table in TABLES:
            found[table] = _sorted(cursor.fetchall())
            cursor.nextset()
        return Contents(found)


def _sorted(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return sorted(rows, key=repr)
