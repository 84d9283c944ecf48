"""Artifacts that were purged and kept their files: the place of these has the name that nobody is to be told.

Keys stay as they are, because a blob cannot be renamed without being copied, and what names it by its uri would lose
it. So what is answered and refused leaves them out, and the files are fetched from the server, not from where they are.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from mlmd_metadata_store.tombstones import What
from mlmd_schemas.errors import StoreError
from mlmd_schemas.tables.own import MANIFEST, TOMBSTONE
from mlmd_schemas.tables.v10 import Kind

IS_PURGED = sa.exists(
    sa.select(TOMBSTONE.c.node_id)
    .where(
        TOMBSTONE.c.type_kind == Kind.ARTIFACT.value,
        TOMBSTONE.c.node_id == MANIFEST.c.artifact_id,
        TOMBSTONE.c.what == What.FACTS.value,
    )
    .correlate(MANIFEST)
)
"""The condition that the facts of a manifest's artifact were purged."""


def without_places(error: StoreError, prefixes: Iterable[str]) -> StoreError:
    """Return an error that tells of keys with these prefixes without what they begin with, down to the artifact."""
    message = error.message
    for prefix in prefixes:
        names, _, last = prefix.rstrip("/").rpartition("/")
        message = message.replace(f"{names}/{last}", f"…/{last}")
    return type(error)(message, error.facts)


@contextmanager
def untold(prefix: str, *, is_purged: bool) -> Iterator[None]:
    """Let errors of a purged artifact say nothing of its place."""
    try:
        yield
    except StoreError as error:
        if not is_purged:
            raise
        raise without_places(error, [prefix]) from error
