"""A whole store as rows of an archive, table by table, on one snapshot."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.pb.v1 import admin_pb2 as admin
from mlmd_schemas.pb.v1 import archive_pb2 as v1
from mlmd_schemas.tables.own import MANIFEST, RUN, STORE
from mlmd_schemas.tables.v10 import METADATA as V10
from mlmd_schemas.tables.v10 import SCHEMA_VERSION, Kind

from mlmd_metadata_store.archive_lines import line_of
from mlmd_metadata_store.archive_tables import ARCHIVED, FORMAT, ArchivedTable
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.keyset_tokens import ENDLESS
from mlmd_metadata_store.tombstones import tombstones_of
from mlmd_metadata_store.transaction import Transaction

ROWS_PER_PAGE = 2_000
MESSAGE_BYTES = 1 << 20
"""About how many bytes of lines one message has; a longer line has a message of its own."""
_STORE_UUID = sa.select(STORE.c.store_uuid)


def export(tx: Transaction, request: v1.ExportRequest) -> Iterator[v1.ExportResponse]:
    """Yield the header, then every row; what a snapshot holds, however long the caller takes to read it."""
    yield v1.ExportResponse(header=header(tx))
    for archived in ARCHIVED:
        for rows in _pages_of_pairs(tx, archived) if _is_of_pairs(archived) else _pages(tx, archived):
            told = _without_purged_places(tx, archived, _without_secrets(archived, rows))
            yield from _messages(archived, _texts(tx, archived, told))


def header(tx: Transaction) -> v1.ArchiveHeader:
    """Return the header of an archive of this store."""
    return v1.ArchiveHeader(format=FORMAT, schema_version=SCHEMA_VERSION, store_uuid=store_uuid(tx), create_ms=now_ms())


def store_uuid(tx: Transaction) -> str:
    """Return the identity of the store."""
    return str(tx.rows(_STORE_UUID)[0][0])


@lru_cache(maxsize=64)
def _statements(archived: ArchivedTable) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Return the statement for the last value of a page, and the one for its rows."""
    column = archived.table.c[archived.page]
    after = column > sa.bindparam("after", type_=sa.BigInteger)
    last = sa.select(column).where(after).order_by(column).limit(1).offset(ROWS_PER_PAGE - 1)
    until = column <= sa.bindparam("until", type_=sa.BigInteger)
    keys = list(archived.table.primary_key.columns) or [column]
    return last, sa.select(*archived.table.columns).where(after, until).order_by(*keys)


def _pages(tx: Transaction, archived: ArchivedTable) -> Iterator[list[Any]]:
    last, page = _statements(archived)
    after = -1
    while True:
        found = tx.rows(last, {"after": after})
        until = found[0][0] if found else ENDLESS
        rows = list(tx.rows(page, {"after": after, "until": until}))
        if rows:
            yield rows
        if not found:
            return
        after = until


def _is_of_pairs(archived: ArchivedTable) -> bool:
    """Whether rows are told apart by the page's column and one more: of one value there may be a million of them."""
    columns = list(archived.table.primary_key.columns)
    return len(columns) == 2 and columns[0].name == archived.page


@lru_cache(maxsize=64)
def _pair_statements(archived: ArchivedTable) -> tuple[sa.Select[Any], sa.Select[Any]]:
    """Return the statement for the rest of the rows of one value, and the one for the rows of the values after it."""
    first, second = archived.table.primary_key.columns
    rows = sa.select(*archived.table.columns).order_by(first, second).limit(ROWS_PER_PAGE)
    after = sa.bindparam("after", type_=sa.BigInteger)
    return rows.where(first == after, second > sa.bindparam("key", type_=second.type)), rows.where(first > after)


def _pages_of_pairs(tx: Transaction, archived: ArchivedTable) -> Iterator[list[Any]]:
    rest, following = _pair_statements(archived)
    owner, second = (archived.columns.index(column.name) for column in archived.table.primary_key.columns)
    page = list(tx.rows(following, {"after": -1}))
    while page:
        yield page
        last = page[-1]
        page = list(tx.rows(rest, {"after": last[owner], "key": last[second]}))
        if len(page) < ROWS_PER_PAGE:
            page += tx.rows(following, {"after": last[owner]})


def _without_secrets(archived: ArchivedTable, rows: list[Any]) -> list[Any]:
    """Return the rows without the tokens by which processes join a run."""
    if archived.table is not RUN:
        return rows
    place = archived.columns.index("token")
    return [[*row[:place], "", *row[place + 1 :]] for row in rows]


def _without_purged_places(tx: Transaction, archived: ArchivedTable, rows: list[Any]) -> list[Any]:
    """Return the rows without the places of files whose artifacts were purged: these have the names in them."""
    if archived.table is not MANIFEST:
        return rows
    owner, *places = (archived.columns.index(name) for name in ("artifact_id", "root_uri", "key_prefix"))
    stones = tombstones_of(tx, Kind.ARTIFACT, [row[owner] for row in rows])
    purged = {stone.id for stone in stones if stone.what == admin.Tombstone.WHAT_FACTS}
    return [
        ["" if number in places and row[owner] in purged else value for number, value in enumerate(row)] for row in rows
    ]


def _texts(tx: Transaction, archived: ArchivedTable, rows: list[Any]) -> list[Any]:
    """Return the rows with the text of MLMD's tables as callers know it."""
    if tx.text.plain or archived.table.metadata is not V10:
        return rows
    decode = tx.text.decode
    return [[decode(value) if isinstance(value, str) else value for value in row] for row in rows]


def _messages(archived: ArchivedTable, rows: list[Any]) -> Iterator[v1.ExportResponse]:
    lines: list[bytes] = []
    size = 0
    for row in rows:
        line = line_of(row)
        if lines and size + len(line) > MESSAGE_BYTES:
            yield _message(archived, lines)
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield _message(archived, lines)


def _message(archived: ArchivedTable, lines: list[bytes]) -> v1.ExportResponse:
    rows = v1.ArchiveRows(table=archived.name, columns=archived.columns, lines=b"".join(lines), row_count=len(lines))
    return v1.ExportResponse(rows=rows)
