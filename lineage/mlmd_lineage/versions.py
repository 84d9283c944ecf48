"""Which versions of which collections artifacts are."""

from collections import defaultdict
from collections.abc import Collection

import sqlalchemy as sa
from mlmd_metadata_store.kept_facts import COLLECTION_TYPE
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.own import ALIAS, COLLECTION, VERSION
from mlmd_schemas.tables.v10 import CONTEXT, Kind

from mlmd_lineage.plain_values import clean

_IDS: sa.BindParameter[int] = sa.bindparam("ids", expanding=True)
_VERSIONS = (
    sa.select(
        VERSION.c.artifact_id,
        VERSION.c.context_id,
        VERSION.c.number,
        COLLECTION.c.latest_number,
        CONTEXT.c.type_id,
        CONTEXT.c.name,
    )
    .join(CONTEXT, CONTEXT.c.id == VERSION.c.context_id)
    .join(COLLECTION, COLLECTION.c.context_id == VERSION.c.context_id)
    .where(VERSION.c.artifact_id.in_(_IDS))
)
_ALIASES = sa.select(ALIAS.c.context_id, ALIAS.c.number, ALIAS.c.alias).where(ALIAS.c.context_id.in_(_IDS))


def versions_of(tx: Transaction, artifact_ids: Collection[int]) -> dict[int, list[v1.LineageVersion]]:
    """Return the versions that each of these artifacts is, by collection; two statements at most."""
    rows = tx.rows_in(_VERSIONS, artifact_ids)
    if not rows:
        return {}
    aliases: dict[tuple[int, int], list[str]] = defaultdict(list)
    for context_id, number, alias in tx.rows_in(_ALIASES, {row[1] for row in rows}):
        aliases[context_id, number].append(alias)
    found: dict[int, list[v1.LineageVersion]] = defaultdict(list)
    types = tx.types.get_many(tx, Kind.CONTEXT, {row[4] for row in rows})
    for artifact_id, context_id, number, latest, type_id, context_name in sorted(rows):
        name = clean(tx.text.decode(context_name))
        type_name, facts = "", types.get(type_id)
        if facts is not None and facts.name == COLLECTION_TYPE:  # a registered model has its name alone
            type_name, _, name = name.partition("/")
        found[artifact_id].append(
            v1.LineageVersion(
                context_id=context_id,
                type_name=type_name,
                name=name,
                number=number,
                aliases=sorted(aliases[context_id, number]),
                is_latest=number == latest,
            )
        )
    return found
