"""What loaders call: for many keys at once, the functions of the store that every wire uses."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlmd_metadata_store.event_reads import events_by_id
from mlmd_metadata_store.neighbours import neighbour_pages
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.type_reads import types_by_id
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import Kind

from mlmd_api.graphql.connections import Page, checked_first, number_after, number_cursor
from mlmd_api.graphql.session import Session


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event and its id, which MLMD's message does not carry."""

    id: int
    message: pb.Event


def nodes(session: Session, ids: Sequence[int], kind: Kind) -> Mapping[int, Any]:
    """Find nodes of a kind by id."""
    return {node.id: node for node in session.read(nodes_by_id, kind, ids)}


def types(session: Session, ids: Sequence[int], kind: Kind) -> Mapping[int, Any]:
    """Find types of a kind of node by id."""
    return {found.id: found for found in session.read(types_by_id, kind, ids)}


def events(session: Session, ids: Sequence[int]) -> Mapping[int, StoredEvent]:
    """Find events by id."""
    found = session.read(events_by_id, ids)
    return {event_id: StoredEvent(event_id, message) for event_id, message in found.items()}


def neighbours(session: Session, owners: Sequence[int], edge: str, after: int, size: int) -> Mapping[int, list[int]]:
    """Find the ids of what is next to nodes."""
    return session.read(neighbour_pages, edge, owners, after, size)


async def neighbour_page(
    session: Session, edge: str, owner: int, page: Mapping[str, Any], batch: Any, *shared: Any
) -> Page:
    """Return a page of what is next to a node; `batch` finds them by id."""
    first, after = checked_first(page.get("first")), number_after(edge, page.get("after"))
    ids = await session.loading.load(neighbours, owner, edge, after, first + 1) or []
    items = await session.loading.load_all(batch, ids[:first], *shared)
    return Page(items, number_cursor(edge), len(ids) > first, after > 0)
