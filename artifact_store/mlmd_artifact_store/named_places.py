"""Artifacts that say by their uri that their files are another's: an importer's copy, a model registered by its uri.

Such an artifact has no files of its own in this store; what keeps it keeps the one that has them.
"""

from collections.abc import Collection, Iterable
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.own import MANIFEST
from mlmd_schemas.tables.v10 import ARTIFACT

from mlmd_artifact_store.locations import MARK

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_URIS = (
    sa.select(ARTIFACT.c.id, ARTIFACT.c.uri)
    .where(ARTIFACT.c.id.in_(_IDS), ARTIFACT.c.uri.is_not(None))
    .order_by(ARTIFACT.c.id)
)
_ROOTS = sa.select(MANIFEST.c.artifact_id, MANIFEST.c.root_uri).where(
    MANIFEST.c.artifact_id.in_(_IDS), MANIFEST.c.is_external == 0
)
_AT = sa.select(ARTIFACT.c.id, ARTIFACT.c.uri).where(ARTIFACT.c.uri.in_(_IDS))
_LONGEST_ID = 18
"""Digits of a number that surely fits 64 bits."""


def holders(tx: Transaction, artifact_ids: Iterable[int], held: Collection[int]) -> dict[int, int]:
    """Return which of the `held` artifacts have the files that the uris of these say, each with one that says so.

    A uri may be the folder of an artifact, with or without a slash at its end, or anything below it.
    """
    said = [(namer, _plain(tx.text.decode(uri or ""))) for namer, uri in tx.rows_in(_URIS, artifact_ids)]
    candidates = [
        (holder, namer, uri) for namer, uri in said for holder in _ids_in(uri) if holder in held and holder != namer
    ]
    roots = {row[0]: str(row[1]) for row in tx.rows_in(_ROOTS, {holder for holder, _, _ in candidates})}
    return {holder: namer for holder, namer, uri in candidates if uri.startswith(roots.get(holder, "\0"))}


def namers(tx: Transaction, root_uris: dict[int, str]) -> dict[int, int]:
    """Return the artifacts whose uri is the folder of one of these others, each with that one."""
    at = {tx.text.encode(text): holder for holder, uri in root_uris.items() for text in (uri, uri.rstrip("/"))}
    return {row[0]: at[row[1]] for row in tx.rows_in(_AT, at) if at.get(row[1], row[0]) != row[0]}


def _plain(uri: str) -> str:
    """Return a uri as a folder's, without what Kubeflow adds to it and in the scheme that this store writes."""
    scheme, separator, rest = uri.partition("?")[0].rstrip("/").partition("://")
    return f"{'s3' if scheme == 'minio' else scheme}{separator}{rest}/"


def _ids_in(uri: str) -> set[int]:
    """Return the numbers that are whole segments of a uri; the artifact's own id is one where its files are here."""
    heads = (segment.partition(MARK)[0] for segment in uri.split("/"))
    return {int(head) for head in heads if head.isascii() and head.isdecimal() and len(head) <= _LONGEST_ID}
