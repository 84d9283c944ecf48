"""Manifests and files of many artifacts at once, in as many statements as for one."""

from collections import defaultdict
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.own import FILE, MANIFEST

from mlmd_artifact_store.manifests import FILE_COLUMNS, SELECTED, Manifest, StoredFile, manifest_of, stored_file

_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_MANIFESTS = sa.select(*SELECTED).where(MANIFEST.c.artifact_id.in_(_IDS))
_place = sa.func.row_number().over(partition_by=FILE.c.artifact_id, order_by=FILE.c.path).label("place")
_found = (
    sa.select(FILE.c.artifact_id, *(FILE.c[name] for name in FILE_COLUMNS), _place)
    .where(
        FILE.c.artifact_id.in_(_IDS),
        FILE.c.path > sa.bindparam("after"),
        FILE.c.path >= sa.bindparam("least"),
        FILE.c.path < sa.bindparam("before"),
    )
    .subquery("found")
)
_PAGES = sa.select(_found.c.artifact_id, *(_found.c[name] for name in FILE_COLUMNS)).where(
    _found.c.place <= sa.bindparam("size", type_=sa.Integer())
)


def manifests_of(tx: Transaction, artifact_ids: Collection[int]) -> dict[int, Manifest]:
    """Return the manifests of those artifacts that have one."""
    return {row[0]: manifest_of(row) for row in tx.rows_in(_MANIFESTS, artifact_ids)}


def file_pages(
    tx: Transaction, artifact_ids: Collection[int], after: str, size: int, prefix: str = ""
) -> dict[int, list[StoredFile]]:
    """Return up to `size` files of each artifact after a path, by the bytes of their paths."""
    least = prefix.encode()  # no byte of UTF-8 is 0xFF
    bounds: dict[str, Any] = {"after": after.encode(), "least": least, "before": least + b"\xff"}
    found: dict[int, list[StoredFile]] = defaultdict(list)
    for artifact_id, *columns in tx.rows_in(_PAGES, artifact_ids, "ids", size=size, **bounds):
        found[artifact_id].append(stored_file(columns))
    for files in found.values():
        files.sort(key=lambda file: file.path.encode())
    return found
