"""Artifacts that say by their uri that their files are another's: an importer's copy, a model registered by its uri.

Such an artifact has no files of its own in this store; what keeps it keeps the one that has them.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.named_files import ids_in, plain_folder
from mlmd_metadata_store.transaction import Transaction, chunks
from mlmd_schemas.tables.own import MANIFEST
from mlmd_schemas.tables.v10 import ARTIFACT

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_URIS = (
    sa.select(ARTIFACT.c.id, ARTIFACT.c.uri)
    .where(ARTIFACT.c.id.in_(_IDS), ARTIFACT.c.uri.is_not(None))
    .order_by(ARTIFACT.c.id)
)
_ROOTS = sa.select(MANIFEST.c.artifact_id, MANIFEST.c.root_uri).where(
    MANIFEST.c.artifact_id.in_(_IDS), MANIFEST.c.is_external == 0
)
_NAMERS = sa.select(ARTIFACT.c.id, ARTIFACT.c.uri)
_AT = _NAMERS.where(ARTIFACT.c.uri.in_(_IDS))
_RANGES_AT_ONCE = 400
"""Ranges of one statement: SQLite takes fewer than a thousand."""
_BETWEEN = _NAMERS.where(
    sa.or_(
        *(
            sa.and_(ARTIFACT.c.uri >= sa.bindparam(f"from_{number}"), ARTIFACT.c.uri < sa.bindparam(f"to_{number}"))
            for number in range(_RANGES_AT_ONCE)
        )
    )
)
_ENDS = (("/", "0"), ("?", "@"))
"""What follows a folder in a uri that names it or something in it, each with the next character of ASCII.

In every collation the second is greater than the first, so that what begins with a folder and the first lies between
the two; what else a collation puts there is passed over.
"""


def holders(tx: Transaction, artifact_ids: Iterable[int], held: Collection[int]) -> dict[int, int]:
    """Return which of the `held` artifacts have the files that the uris of these say, each with one that says so.

    A uri may be the folder of an artifact, with or without a slash at its end, or anything below it.
    """
    said = [(namer, plain_folder(tx.text.decode(uri or ""))) for namer, uri in tx.rows_in(_URIS, artifact_ids)]
    candidates = [
        (holder, namer, uri) for namer, uri in said for holder in ids_in(uri) if holder in held and holder != namer
    ]
    roots = {row[0]: str(row[1]) for row in tx.rows_in(_ROOTS, {holder for holder, _, _ in candidates})}
    return {holder: namer for holder, namer, uri in candidates if uri.startswith(roots.get(holder, "\0"))}


def artifact_at(tx: Transaction, uri: str) -> int:
    """Return the artifact that has its files at a uri, which may be anything in its folder; 0 when there is none."""
    plain = plain_folder(uri)
    roots = tx.rows_in(_ROOTS, ids_in(plain))
    return next((holder for holder, root in roots if plain.startswith(str(root))), 0)


def namers(tx: Transaction, root_uris: dict[int, str]) -> dict[int, int]:
    """Return the artifacts whose uris name the folders of these others or something in them, each with that one.

    Folders are looked for in the index of uris, in every spelling that `holders` understands, and not all uris read.
    """
    folders = [folder for root_uri in root_uris.values() for folder in _spellings(root_uri)]
    found = tx.rows_in(_AT, map(tx.text.encode, folders))
    ranges = [
        (tx.text.encode(folder + first), tx.text.encode(folder + last)) for folder in folders for first, last in _ENDS
    ]
    for chunk in chunks(ranges, _RANGES_AT_ONCE):
        found += tx.rows(_BETWEEN, _bounds(chunk))
    said = [(namer, plain_folder(tx.text.decode(uri))) for namer, uri in found]
    return {
        namer: holder
        for namer, uri in said
        for holder in ids_in(uri)
        if holder != namer and uri.startswith(root_uris.get(holder, "\0"))
    }


def _spellings(root_uri: str) -> tuple[str, ...]:
    """Return a folder in the schemes that name it, without a slash at its end."""
    folder = root_uri.rstrip("/")
    return (folder, f"minio{folder.removeprefix('s3')}") if folder.startswith("s3://") else (folder,)


def _bounds(ranges: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters of `_BETWEEN`, the last range for those that are too many."""
    filled = [*ranges, *[ranges[-1]] * (_RANGES_AT_ONCE - len(ranges))]
    return {
        f"{end}_{number}": bound
        for number, pair in enumerate(filled)
        for end, bound in zip(("from", "to"), pair, strict=True)
    }
