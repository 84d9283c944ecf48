"""An archive, complete in its parts, written into the store in one transaction."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from mlmd_schemas.pb.v1 import archive_pb2 as v1
from mlmd_schemas.tables.imports import IMPORTED
from mlmd_schemas.tables.v10 import PARENT_TYPE, TYPE, TYPE_PROPERTY

from mlmd_metadata_store.archive_export import store_uuid
from mlmd_metadata_store.archive_ids import Ids, Row
from mlmd_metadata_store.archive_lines import rows_of
from mlmd_metadata_store.archive_nodes import NodePlan
from mlmd_metadata_store.archive_origins import Origins
from mlmd_metadata_store.archive_staging import drop_import, locked_origin, messages_of
from mlmd_metadata_store.archive_tables import ARCHIVED, NODE_NAMES, ORIGINS, ArchivedTable
from mlmd_metadata_store.archive_writes import (
    Collections,
    Count,
    add_nodes,
    add_parent_types,
    add_properties,
    add_rows,
    add_type_properties,
    add_types,
    by_column,
    is_collection_table,
)
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.transaction import Transaction

_TYPE_TABLES = {TYPE.name: add_types, TYPE_PROPERTY.name: add_type_properties, PARENT_TYPE.name: add_parent_types}
_REMEMBERED_AT_ONCE = 10_000
_BEGIN_TRIAL = sa.text("SAVEPOINT mlmd_trial")
_END_TRIAL = sa.text("ROLLBACK TO SAVEPOINT mlmd_trial")


def commit_import(tx: Transaction, request: v1.CommitImportRequest) -> v1.CommitImportResponse:
    """Write what was added to an import; with `dry_run` write it and take it back.

    Raises NotFound without the import, FailedPrecondition when parts are missing or a collection here went on by
    itself, AlreadyExists when another node here has a name or external id of the archive, InvalidArgument for rows
    that are none.
    """
    origin = locked_origin(tx, request.import_id, request.count)
    if request.dry_run:
        tx.execute(_BEGIN_TRIAL)
    own = store_uuid(tx)
    try:
        counts = _Importing(tx, Ids(origin, origin == own), Origins(own), request).run()
    except UniqueViolation as error:
        raise AlreadyExists(
            "The archive has a type with an external id that another type of this store has, or what it brings was "
            "written at this moment by somebody else. Nothing was imported; try again."
        ) from error
    if request.dry_run:
        tx.execute(_END_TRIAL)
    else:
        drop_import(tx, request.import_id)
    told = [_told(archived, counts[archived.name]) for archived in ARCHIVED if archived is not ORIGINS]
    return v1.CommitImportResponse(tables=told)


def _told(archived: ArchivedTable, count: Count) -> v1.ImportedTable:
    return v1.ImportedTable(
        table=archived.name,
        rows=count.rows,
        added=count.added,
        present=count.rows - count.added,
        renumbered=count.renumbered,
    )


class _Importing:
    """One import under way."""

    def __init__(self, tx: Transaction, ids: Ids, origins: Origins, request: v1.CommitImportRequest) -> None:
        self._tx, self._ids, self._origins, self._request = tx, ids, origins, request
        self._counts = {archived.name: Count() for archived in ARCHIVED}
        self._numbers: dict[str, list[int]] = {archived.name: [] for archived in ARCHIVED}
        self._collections = Collections()

    def run(self) -> dict[str, Count]:
        """Write every table in the order of an archive, whatever the order of its parts."""
        for number, message in enumerate(self._messages(1, self._request.count), 1):
            self._numbers[message.table].append(number)
        for archived in ARCHIVED:
            if archived.name in NODE_NAMES:
                self._write_nodes(archived)
                continue
            for rows in self._batches(archived):
                if archived is ORIGINS:
                    self._origins.add(rows)
                else:
                    self._write(archived, rows)
        self._collections.finish(self._tx)
        remembered = self._origins.remembered(self._ids)
        columns = [column.name for column in IMPORTED.columns]
        while told := list(islice(remembered, _REMEMBERED_AT_ONCE)):
            self._tx.insert_ignore(IMPORTED, columns, told)
        return self._counts

    def _messages(self, first: int, last: int) -> Iterator[v1.ArchiveRows]:
        return messages_of(self._tx, self._request.import_id, first, last)

    def _batches(self, archived: ArchivedTable) -> Iterator[list[Row]]:
        """Yield the rows of a table, message by message; types are few and come at once."""
        batches = (self._batch(archived, number) for number in self._numbers[archived.name])
        if archived.name in _TYPE_TABLES:
            yield [row for batch in batches for row in batch]
        else:
            yield from batches

    def _batch(self, archived: ArchivedTable, number: int) -> list[Row]:
        (message,) = self._messages(number, number)
        columns = list(message.columns)
        missing = [column for column in archived.columns if column not in columns]
        if missing:
            raise InvalidArgument(f"rows.columns: rows of {archived.name} come without {missing[0]!r}.")
        return [by_column(columns, row) for row in rows_of(message.lines, columns)]

    def _write(self, archived: ArchivedTable, rows: list[Row]) -> None:
        count = self._counts[archived.name]
        count.rows += len(rows)
        if archived.name in _TYPE_TABLES:
            _TYPE_TABLES[archived.name](self._tx, self._ids, rows, count)
        elif archived.name.endswith("Property"):
            add_properties(self._tx, self._ids, archived, rows, count)
        elif is_collection_table(archived.table):
            self._collections.add(self._tx, self._ids, archived, rows, count)
        else:
            add_rows(self._tx, self._ids, archived, rows, count)

    def _write_nodes(self, archived: ArchivedTable) -> None:
        """Decide what every node is, then write the new ones."""
        count = self._counts[archived.name]
        plan = NodePlan(self._tx, self._ids, NODE_NAMES[archived.name], self._origins)
        for rows in self._typed(archived):
            count.rows += len(rows)
            plan.add(rows)
        count.renumbered += plan.finish()
        for rows in self._typed(archived):
            count.added += add_nodes(self._tx, self._ids, archived, rows, plan)

    def _typed(self, archived: ArchivedTable) -> Iterator[list[Row]]:
        for rows in self._batches(archived):
            yield [row | {"type_id": self._type(row)} for row in rows]

    def _type(self, row: Row) -> Any:
        found = self._ids.types.get(row["type_id"])
        if found is None:
            raise FailedPrecondition(f"The archive has a node of type {row['type_id']} and no such type; export again.")
        return found
