"""Purging: what would go, the digest that confirms it, and the deletion.

The digest is over the nodes as they are, so that what is deleted is what was looked at.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.own import COLLECTION
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_metadata_store.alias_targets import aliases_of, aliases_of_contexts
from mlmd_metadata_store.node_erasure import property_count, strip_nodes
from mlmd_metadata_store.node_pages import first_ids
from mlmd_metadata_store.pins import pins_of
from mlmd_metadata_store.receipt_scrubbing import scrub_receipts
from mlmd_metadata_store.served_versions import served
from mlmd_metadata_store.tombstones import KIND_OF, Gone, What, put_tombstones
from mlmd_metadata_store.transaction import Transaction

MOST_NODES = 10_000
SHOWN = 100

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_NODES = {
    kind: sa.select(
        tables.node.c.id,
        tables.node.c.type_id,
        tables.node.c.name,
        tables.node.c.uri if kind is Kind.ARTIFACT else sa.null().label("uri"),
        tables.node.c.last_update_time_since_epoch,
    )
    .where(tables.node.c.id.in_(_IDS))
    .order_by(tables.node.c.id)
    for kind, tables in NODE_TABLES.items()
}
_ALIASES = {Kind.ARTIFACT: aliases_of, Kind.CONTEXT: aliases_of_contexts}
_LOCKED = {kind: statement.with_for_update() for kind, statement in _NODES.items()}
_COLLECTIONS = sa.select(COLLECTION.c.context_id).where(COLLECTION.c.context_id.in_(_IDS))


@dataclass(frozen=True, slots=True)
class Chosen:
    """The nodes of a purge as they are, by id: id, type, name, uri, time of the last update."""

    kind: Kind
    rows: Sequence[tuple[int, int, str, str, int]]
    obstacles: Sequence[str]
    """Why they may not be purged."""

    @property
    def ids(self) -> list[int]:
        """The ids of the nodes."""
        return [row[0] for row in self.rows]

    def digest(self, *parts: str) -> bytes:
        """Return the digest that confirms these nodes, and whatever else the parts say."""
        lines = [f"mlmd purge 1 {self.kind.value}", *parts, *(repr(row) for row in self.rows)]
        return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).digest()

    def shown(self) -> list[v1.PurgedNode]:
        """Return the first nodes for people."""
        return [v1.PurgedNode(id=row[0], name=row[2], uri=row[3]) for row in self.rows[:SHOWN]]


def choose(tx: Transaction, request: v1.PurgeRequest, *, locked: bool = False) -> Chosen:
    """Return the nodes that a request chooses; when `locked`, neither they nor their aliases change any more.

    Raises InvalidArgument for a request that chooses nothing, too much or in two ways, NotFound for an unknown id.
    """
    kind = KIND_OF.get(request.kind)
    if kind is None:
        raise InvalidArgument("kind: unspecified; say which kind of node.")
    ids = _ids(tx, kind, request)
    aliases = _ALIASES[kind](tx, ids, locked=locked) if kind in _ALIASES else []
    found = tx.rows_in((_LOCKED if locked else _NODES)[kind], ids)
    if len(found) < len(ids):
        missing = min(set(ids) - {row[0] for row in found})
        raise NotFound(f"ids: there is no {kind.name.lower()} {missing}; nothing was purged.")
    rows = [(row[0], row[1], tx.text.decode(row[2] or ""), tx.text.decode(row[3] or ""), row[4]) for row in found]
    obstacles = [
        f"The alias {alias!r} of {collection} points at {kind.name.lower()} {node_id}; move or remove it first."
        for node_id, collection, alias in aliases
    ]
    if kind is Kind.ARTIFACT:
        obstacles += [f"Artifact {pin.artifact_id} is pinned by {pin.subject!r}; unpin it." for pin in pins_of(tx, ids)]
    if kind is Kind.CONTEXT:
        obstacles += [
            f"Context {context_id} is a collection, whose versions are found by its name; purge its versions."
            for (context_id,) in tx.rows_in(_COLLECTIONS, ids)
        ]
    obstacles += [
        f"The service {one.service} serves version {one.number} of the model {one.model!r} ({kind.name.lower()} "
        f"{node_id}); let another version run there, or record with RecordDeployment that it is STOPPED."
        for node_id, one in served(tx, kind, ids)
    ]
    return Chosen(kind, rows, obstacles)


def _ids(tx: Transaction, kind: Kind, request: v1.PurgeRequest) -> list[int]:
    if bool(request.ids) == bool(request.filter_query):
        raise InvalidArgument("ids: name nodes either by ids or by filter_query.")
    if request.filter_query:
        ids = first_ids(tx, kind, request.filter_query, MOST_NODES + 1)
        if not ids:
            raise NotFound(f"filter_query: no {kind.name.lower()} matches.")
    else:
        ids = sorted(set(request.ids))
    if len(ids) > MOST_NODES:
        field = "filter_query: matches" if request.filter_query else "ids: names"
        raise InvalidArgument(f"{field} more than {MOST_NODES} nodes; purge them in several calls.")
    return ids


def preview(tx: Transaction, chosen: Chosen, digest: bytes) -> v1.PurgeResponse:
    """Return what would go."""
    return v1.PurgeResponse(
        digest=digest,
        node_count=len(chosen.rows),
        property_count=property_count(tx, chosen.kind, chosen.ids),
        nodes=chosen.shown(),
        obstacles=chosen.obstacles[:SHOWN],
    )


def without_facts(answer: v1.PurgeResponse) -> v1.PurgeResponse:
    """Return what is kept of an answer for a repeat: of the nodes their ids, since the rest is purged."""
    kept = v1.PurgeResponse()
    kept.CopyFrom(answer)
    for node in kept.nodes:
        node.ClearField("name")
        node.ClearField("uri")
    return kept


def check_confirmed(chosen: Chosen, digest: bytes, confirmed: bytes) -> None:
    """Raise FailedPrecondition when the confirmed digest is another one, or something forbids the purge."""
    if digest != confirmed:
        raise FailedPrecondition(
            "digest: it confirms other nodes, or these as they were before a change; ask again without a digest, look "
            "and confirm what you see. Nothing was purged."
        )
    if chosen.obstacles:
        more = f" (and {len(chosen.obstacles) - 1} more obstacles)" if len(chosen.obstacles) > 1 else ""
        raise FailedPrecondition(f"{chosen.obstacles[0]}{more} Nothing was purged.")


def purge_facts(tx: Transaction, chosen: Chosen, reason: str) -> None:
    """Take the facts of the nodes, also out of answers that are kept for repeats, and leave tombstones."""
    strip_nodes(tx, chosen.kind, chosen.ids)
    scrub_receipts(tx, chosen.kind, chosen.ids)
    put_tombstones(tx, chosen.kind, What.FACTS, map(Gone, chosen.ids), reason)
