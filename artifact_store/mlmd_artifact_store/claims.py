"""The places that a database remembers to have claimed, each by the mark that was seen there.

A mark lies where the bytes are and goes where they go. What the database remembers is what tells an empty place that is
to be the store's from one whose volume is not mounted, or whose bucket is another.
"""

import hashlib
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.own import CLAIM, MANIFEST

from mlmd_artifact_store.manifests import list_files

_COLUMNS = ("root_sha256", "root_uri", "claim_ms")
_ALL = sa.select(CLAIM.c.root_uri, CLAIM.c.claim_ms).order_by(CLAIM.c.claim_ms, CLAIM.c.root_uri)
_FORGET = sa.delete(CLAIM).where(CLAIM.c.root_sha256.in_(sa.bindparam("digests", expanding=True)))
_SAMPLED = 4
"""How many of the oldest and of the newest artifacts stand for all."""
_BELOW = sa.select(MANIFEST.c.artifact_id, MANIFEST.c.key_prefix).where(
    MANIFEST.c.is_external == 0,
    sa.func.substr(MANIFEST.c.root_uri, 1, sa.bindparam("length", type_=sa.BigInteger)) == sa.bindparam("root"),
)
_OLDEST = _BELOW.order_by(MANIFEST.c.artifact_id).limit(_SAMPLED)
_NEWEST = _BELOW.order_by(MANIFEST.c.artifact_id.desc()).limit(_SAMPLED)
_OWN_FILES = sa.select(MANIFEST.c.artifact_id).where(MANIFEST.c.is_external == 0).limit(1)


def remember_claim(tx: Transaction, root_uri: str) -> None:
    """Note that the mark at this place names this store; the first time counts."""
    tx.insert_ignore(CLAIM, _COLUMNS, [(hashlib.sha256(root_uri.encode()).digest(), root_uri, tx.agreed_ms())])


def forget_claim(tx: Transaction, root_uri: str) -> None:
    """Forget a place, whether its URI ends with a slash or not."""
    uri = root_uri.rstrip("/")
    tx.execute(_FORGET, {"digests": [hashlib.sha256(told.encode()).digest() for told in (uri, f"{uri}/")]})


def claims(tx: Transaction) -> dict[str, int]:
    """Return the places that are remembered, each with since when (ms), the latest last."""
    return dict(tx.rows(_ALL))


def has_files(tx: Transaction) -> bool:
    """Whether an artifact has files that this store keeps."""
    return bool(tx.rows(_OWN_FILES))


def some_keys(tx: Transaction, root_uri: str) -> list[str]:
    """Return the keys of a few files that are below a root by their manifests, the oldest and the newest."""
    bounds: dict[str, Any] = {"root": root_uri, "length": len(root_uri)}
    prefixes = {row[0]: row[1] for statement in (_OLDEST, _NEWEST) for row in tx.rows(statement, bounds)}
    return [
        prefix + file.path
        for artifact_id, prefix in prefixes.items()
        for file in list_files(tx, artifact_id, after="", size=1)
    ]
