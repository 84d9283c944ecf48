"""The uris of a store whose bytes were copied to below another root, rewritten once the bytes are proven there.

Files are read by the keys below the root that the store has, and never by a uri. So a store that is rewritten in part
has uris of two kinds and nothing that cannot be read, and what is below the old root yet is what is left to do.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.transaction import Transaction, chunks
from mlmd_schemas.caller import Caller
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.tables.own import MANIFEST, UPLOAD
from mlmd_schemas.tables.v10 import ARTIFACT

from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.claims import forget_claim
from mlmd_artifact_store.manifests import LARGEST_PAGE
from mlmd_artifact_store.named_places import namers
from mlmd_artifact_store.relocated_uris import Relocation
from mlmd_artifact_store.upload_rows import UploadState

_AT_ONCE = 500
"""Artifacts of one transaction: a CASE of so many is evaluated for each of them."""
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_NEWEST = sa.select(sa.func.coalesce(sa.func.max(ARTIFACT.c.id), 0))


def _pages_of(key: sa.Column[int], *columns: sa.Column[Any]) -> sa.Select[Any]:
    return (
        sa.select(key, *columns)
        .where(key > sa.bindparam("after"), key <= sa.bindparam("newest"))
        .order_by(key)
        .limit(LARGEST_PAGE)
    )


_URIS = _pages_of(ARTIFACT.c.id, ARTIFACT.c.uri)
_ROOTS = _pages_of(MANIFEST.c.artifact_id, MANIFEST.c.root_uri, MANIFEST.c.is_external)
_SOME_URIS = sa.select(ARTIFACT.c.id, ARTIFACT.c.uri).where(ARTIFACT.c.id.in_(_IDS))
_HELD_URIS = _SOME_URIS.with_for_update()
_HELD_ROOTS = (
    sa.select(MANIFEST.c.artifact_id, MANIFEST.c.root_uri, MANIFEST.c.is_external)
    .where(MANIFEST.c.artifact_id.in_(_IDS))
    .with_for_update()
)
_PENDING = sa.select(UPLOAD.c.artifact_id, UPLOAD.c.root_uri, UPLOAD.c.subject).where(
    UPLOAD.c.state == UploadState.PENDING.value
)


def _renaming(table: sa.Table, key: str, uri: str, **others: Any) -> sa.Update:
    """Return the UPDATE that gives `_AT_ONCE` rows a uri each."""
    whens = [
        (table.c[key] == sa.bindparam(f"id_{n}", type_=sa.BigInteger), sa.bindparam(f"uri_{n}", type_=sa.String))
        for n in range(_AT_ONCE)
    ]
    return sa.update(table).where(table.c[key].in_(_IDS)).values({uri: sa.case(*whens, else_=table.c[uri]), **others})


_RENAME = _renaming(ARTIFACT, "id", "uri", last_update_time_since_epoch=sa.bindparam("now"))
_RENAME_MANIFESTS = _renaming(MANIFEST, "artifact_id", "root_uri")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """How many artifacts got, or would get, another uri, and how many manifests another root."""

    artifacts: int
    manifests: int

    def __add__(self, other: "Rewritten") -> "Rewritten":
        """Return both together."""
        return Rewritten(self.artifacts + other.artifacts, self.manifests + other.manifests)


NOTHING = Rewritten(0, 0)


def newest_artifact(artifacts: Artifacts, caller: Caller) -> int:
    """Return the greatest id of an artifact, 0 when there is none."""
    return artifacts.store.database.read(caller, lambda tx: int(tx.rows(_NEWEST)[0][0]))


def check_no_uploads(artifacts: Artifacts, relocation: Relocation, caller: Caller) -> None:
    """Raise FailedPrecondition when the files of an upload under way are to be below the old root."""
    if relocation.old == relocation.new:
        return
    rows = artifacts.store.database.read(caller, lambda tx: tx.rows(_PENDING))
    below = sorted((row[0], str(row[2])) for row in rows if relocation.moved(row[1]) is not None)
    if below:
        artifact_id, subject = below[0]
        has = "has" if len(below) == 1 else "have"
        raise FailedPrecondition(
            f"artifacts: {counted(len(below), 'upload')} to {relocation.old} {has} not ended, first that of artifact "
            f"{artifact_id}, begun by {subject!r}. Let clients finish, or give up what is older than an hour by "
            "`mlmd-server sweep --sweep-grace-seconds 3600`; copy what came since, then run this again."
        )


def to_rewrite(artifacts: Artifacts, relocation: Relocation, newest: int, caller: Caller) -> Rewritten:
    """Return how many artifacts and manifests up to an id are below the old root; nothing is changed."""
    database, what = artifacts.store.database, NOTHING
    for roots in _pages(artifacts, _ROOTS, newest, caller):
        below = [row for row in roots if _moved(relocation, row[1]) is not None]
        named = database.read(caller, partial(_named_alone, relocation, below)) if below else 0
        what += Rewritten(named, len(below))
    for uris in _pages(artifacts, _URIS, newest, caller):
        what += Rewritten(len(database.read(caller, partial(_uris_below, relocation, uris))), 0)
    return what


def _named_alone(relocation: Relocation, roots: Sequence[Any], tx: Transaction) -> int:
    """Return how many uris are below the old root for no other reason than that they name files of these."""
    uris = tx.rows_in(_SOME_URIS, _namers(tx, roots))
    return len(_uris_below(relocation, uris, tx, are_ours=True)) - len(_uris_below(relocation, uris, tx))


def rewrite(artifacts: Artifacts, relocation: Relocation, newest: int, caller: Caller) -> Iterator[Rewritten]:
    """Rewrite what is below the old root, of the artifacts up to an id, and yield after each transaction what it did.

    An artifact is rewritten together with its manifest and with those that name its files by their uris, so that these
    keep it at every moment. What was proven has to be the same up to that id.
    """
    database = artifacts.store.database
    for roots in _pages(artifacts, _ROOTS, newest, caller):
        below = [row[0] for row in roots if _moved(relocation, row[1]) is not None]
        for chunk in chunks(below, _AT_ONCE):
            yield database.write(caller, partial(_rewrite_roots, relocation, chunk), repeatable=True)
    for uris in _pages(artifacts, _URIS, newest, caller):
        left = database.read(caller, partial(_uris_below, relocation, uris))
        for chunk in chunks(sorted(left), _AT_ONCE):
            yield database.write(caller, partial(_rewrite_uris, relocation, chunk), repeatable=True)


def finish(artifacts: Artifacts, relocation: Relocation, caller: Caller) -> None:
    """Forget that the old root was a place of this store."""
    if relocation.old != relocation.new:
        body = partial(forget_claim, root_uri=relocation.old)
        artifacts.store.database.write(caller, body, repeatable=True)


def _pages(artifacts: Artifacts, statement: sa.Select[Any], newest: int, caller: Caller) -> Iterator[Sequence[Any]]:
    """Yield the rows of a table by the id of the artifact, a page at a time."""
    after = 0

    def body(tx: Transaction) -> Sequence[Any]:
        return tx.rows(statement, {"after": after, "newest": newest})

    while rows := artifacts.store.database.read(caller, body):
        yield rows
        after = rows[-1][0]


def _moved(relocation: Relocation, uri: str, *, is_ours: bool = False) -> str | None:
    """Return what a uri is to be, None when it is that or not below the old root."""
    moved = relocation.moved(uri, is_ours=is_ours) if uri else None
    return None if moved == uri else moved


def _namers(tx: Transaction, roots: Sequence[Any]) -> dict[int, int]:
    """Return the artifacts whose uris name files that were uploaded to these."""
    return namers(tx, {row[0]: row[1] for row in roots if not row[2]})


def _uris_below(
    relocation: Relocation, rows: Sequence[Any], tx: Transaction, *, are_ours: bool = False
) -> dict[int, str]:
    """Return what the uris of these artifacts are to be, as the database keeps it, of those below the old root."""
    moved = ((row[0], _moved(relocation, tx.text.decode(row[1] or ""), is_ours=are_ours)) for row in rows)
    return {artifact_id: tx.text.encode(uri) for artifact_id, uri in moved if uri is not None}


def _rewrite_roots(relocation: Relocation, ids: Sequence[int], tx: Transaction) -> Rewritten:
    """Rewrite manifests with their artifacts and with what names files of theirs."""
    roots = tx.rows(_HELD_ROOTS, {"ids": ids})
    moved = {row[0]: uri for row in roots if (uri := _moved(relocation, row[1])) is not None}
    below = [row for row in roots if row[0] in moved]
    with_theirs = {*moved, *_namers(tx, below)}
    artifacts = _rewrite_uris(relocation, with_theirs, tx, are_ours=True).artifacts
    _rename(tx, _RENAME_MANIFESTS, moved)
    return Rewritten(artifacts, len(moved))


def _rewrite_uris(relocation: Relocation, ids: Iterable[int], tx: Transaction, *, are_ours: bool = False) -> Rewritten:
    uris = _uris_below(relocation, tx.rows_in(_HELD_URIS, ids), tx, are_ours=are_ours)
    _rename(tx, _RENAME, uris, now=now_ms())
    return Rewritten(len(uris), 0)


def _rename(tx: Transaction, statement: sa.Update, uris: Mapping[int, str], **others: int) -> None:
    """Run an UPDATE of `_renaming` as often as it takes; its places that are left get the last row again."""
    for pairs in chunks(sorted(uris.items()), _AT_ONCE):
        filled = [*pairs, *[pairs[-1]] * (_AT_ONCE - len(pairs))]
        values: dict[str, Any] = {}
        for number, (artifact_id, uri) in enumerate(filled):
            values |= {f"id_{number}": artifact_id, f"uri_{number}": uri}
        tx.execute(statement, {"ids": [pair[0] for pair in pairs], **values, **others})
