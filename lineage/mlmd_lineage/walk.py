"""A walk along the flow of data, one page of it, breadth first: a statement a hop for the events, one for the nodes.

Nodes have an order: by hops, within a hop by id. A page is a run of nodes in that order. A later page walks the way to
its beginning again, without reading what it does not show: what a walk has seen does not fit a token, and a cycle needs
it. Events that were written after the first page do not count, so pages of a store that is written to fit together.
"""

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sqlalchemy as sa
from mlmd_metadata_store.event_reads import event_rows
from mlmd_metadata_store.node_rows import READERS
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import NotFound
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.ends import COLUMN, ENDS, FAR, LEADING, Direction, Ref
from mlmd_lineage.noise import system_nodes
from mlmd_lineage.same_content import same_content
from mlmd_lineage.subgraph import Ending

EVENT_ID, EVENT_MS = 0, 4
"""Columns of `event_rows`."""


class Place(NamedTuple):
    """A place in the order of a walk: behind the node of this id among those of this hop."""

    hop: int
    node_id: int


BEGINNING = Place(-1, 0)


def _names(kind: Kind) -> sa.Select[Any]:
    kept = ("id", "type_id", "name", "uri")
    columns = [column if column.key in kept else sa.null() for column in READERS[kind].columns]
    return sa.select(*columns).where(columns[0].in_(sa.bindparam("ids", expanding=True)))


_NAMES = {kind: _names(kind) for kind in ENDS}
"""READERS' statements by id without what names do not need."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a walk may see and how far it goes."""

    page_size: int
    deepest: int
    """Hops from the start."""
    duration_ms: int = 0
    """0: as long as it takes."""
    since_ms: int = 0
    until_ms: int = 0
    newest_event: int = 0
    """Events of higher ids are not there; 0: all are."""
    names_alone: bool = False
    """Rows hold ids, types, names and URIs, and nothing where their other columns are."""
    with_system_nodes: bool = False
    join_digests: bool = False

    @property
    def has_times(self) -> bool:
        """Whether the times of events are read."""
        return not self.names_alone or bool(self.since_ms or self.until_ms)


@dataclass(slots=True)
class Found:
    """A node that the walk has reached."""

    hop: int
    row: Any
    """Columns of `READERS`; None: the store has its events alone."""
    hidden: bool
    cut: "v1.LineageCut" = v1.LINEAGE_CUT_UNSPECIFIED


@dataclass(slots=True)
class Walk:
    """One walk, up to the end of its page."""

    direction: Direction
    bounds: Bounds
    endings: dict[Kind, Ending]
    after: Place = BEGINNING
    end: Place = BEGINNING
    """The last node of the page."""
    nodes: dict[Kind, dict[int, Found]] = field(default_factory=lambda: {kind: {} for kind in ENDS})
    order: list[tuple[Ref, Found]] = field(default_factory=list)
    """Every node, by hops, then id."""
    rows: dict[Kind, list[Any]] = field(default_factory=lambda: {kind: [] for kind in ENDS})
    """Events by the kind that they lead on from."""
    twins: list[tuple[int, int]] = field(default_factory=list)
    """Pairs of artifacts with the same content."""
    has_next: bool = False
    has_deeper: bool = False
    _room: int = 0
    _began: float = 0.0

    def run(self, tx: Transaction, start: Ref) -> None:
        """Walk from a node to the end of the page; raises NotFound when the store knows nothing of it."""
        self._room = self.bounds.page_size
        kind, level = start.kind, self._arrive(tx, start.kind, {start.id}, 0)
        for hop in range(self.bounds.deepest + 1):
            level, is_cut = self._part(kind, level, hop)
            reached = self._leave(tx, kind, level)
            if hop == 0 and self.nodes[kind][start.id].row is None and not self.rows[kind]:
                raise NotFound(f"node: there is no {start}; the store has no event of it either.")
            is_deepest = hop == self.bounds.deepest
            if is_cut or not reached or is_deepest or self._is_full():
                self.has_next = is_cut or (bool(reached) and not is_deepest)
                self.has_deeper = bool(reached) and is_deepest and not is_cut
                break
            kind = FAR[kind]
            level = self._arrive(tx, kind, reached, hop + 1)
        self._mark()

    def _part(self, kind: Kind, level: list[int], hop: int) -> tuple[list[int], bool]:
        """Return the nodes of a level up to the end of the page, and whether any are behind it."""
        if hop < self.after.hop:
            return level, False
        self._began = self._began or time.monotonic()
        found = self.nodes[kind]
        new = level if hop > self.after.hop else [node_id for node_id in level if node_id > self.after.node_id]
        shown = [node_id for node_id in new if not found[node_id].hidden]
        is_cut = len(shown) > self._room
        if is_cut:
            last = shown[self._room - 1]
            level = [node_id for node_id in level if node_id <= last]
        self._room -= min(len(shown), self._room)
        self.end = Place(hop, level[-1])
        return level, is_cut

    def _is_full(self) -> bool:
        """Say whether the page ends here; one that shows nothing yet does not."""
        if self.end <= self.after:
            return False
        limit = self.bounds.duration_ms
        return not self._room or bool(limit and (time.monotonic() - self._began) * 1000 >= limit)

    def _leave(self, tx: Transaction, kind: Kind, level: list[int]) -> set[int]:
        """Follow the events of these nodes; return the nodes at their other ends that are new."""
        found, bounds = self.nodes[kind], self.bounds
        leaving = [node_id for node_id in level if not found[node_id].cut]  # but for those that the walk ends at
        rows = event_rows(tx, ENDS[kind], leaving, LEADING[self.direction][kind], times=bounds.has_times)
        if bounds.newest_event:
            rows = [row for row in rows if row[EVENT_ID] <= bounds.newest_event]
        if bounds.since_ms or bounds.until_ms:
            rows = self._within(kind, rows)
        self.rows[kind] += rows
        far = FAR[kind]
        return {row[COLUMN[far]] for row in rows} - self.nodes[far].keys()

    def _within(self, kind: Kind, rows: list[Any]) -> list[Any]:
        """Return the events within the window; an event without a time is within every window."""
        since, until = self.bounds.since_ms, self.bounds.until_ms
        kept = []
        for row in rows:
            ms = row[EVENT_MS]
            if ms is None or (ms >= since and (not until or ms < until)):
                kept.append(row)
            else:
                self.nodes[kind][row[COLUMN[kind]]].cut = v1.LINEAGE_CUT_WINDOW
        return kept

    def _arrive(self, tx: Transaction, kind: Kind, ids: Collection[int], hop: int) -> list[int]:
        """Add new nodes; return their ids and those of their twins, ascending."""
        level = set(ids)
        if self.bounds.join_digests and kind is Kind.ARTIFACT:
            for holders in same_content(tx, level):
                level.update(holders)
                self.twins += [(holders[0], other) for other in holders[1:]]
        found = self.nodes[kind]
        statement = _NAMES[kind] if self.bounds.names_alone else READERS[kind].by_id
        rows = {row[0]: row for row in tx.rows_in(statement, level)}
        hidden = set() if self.bounds.with_system_nodes or not hop else system_nodes(tx, kind, rows.values())
        ended = self.endings[kind].among(tx, level) if hop else set()
        ordered = sorted(level)
        found.update([(node_id, Found(hop, rows.get(node_id), node_id in hidden)) for node_id in ordered])
        self.order += [(Ref(kind, node_id), found[node_id]) for node_id in ordered]
        for node_id in ended:
            found[node_id].cut = v1.LINEAGE_CUT_ENDING
        return ordered

    def _mark(self) -> None:
        """Mark the nodes that lead to nodes behind the end of the page."""
        if not (self.has_next or self.has_deeper):
            return
        deepest, given = self.bounds.deepest, self.given_ids()
        behind = v1.LINEAGE_CUT_DURATION if self._room else v1.LINEAGE_CUT_PAGE
        for kind, rows in self.rows.items():
            near, far_given = self.nodes[kind], given[FAR[kind]]
            here, there = COLUMN[kind], COLUMN[FAR[kind]]
            for row in rows:
                if row[there] not in far_given:
                    source = near[row[here]]
                    source.cut = v1.LINEAGE_CUT_HOPS if source.hop == deepest else behind

    def is_given(self, found: Found, node_id: int) -> bool:
        """Say whether a node is on this page or on one before it."""
        return (found.hop, node_id) <= self.end

    def is_new(self, found: Found, node_id: int) -> bool:
        """Say whether a node is on no page before this one."""
        return (found.hop, node_id) > self.after

    def given_ids(self) -> dict[Kind, Collection[int]]:
        """Return the nodes of this page and of those before it."""
        if not self.has_next:  # nothing was read that is not given
            return {kind: nodes.keys() for kind, nodes in self.nodes.items()}
        return {kind: {i for i, one in nodes.items() if self.is_given(one, i)} for kind, nodes in self.nodes.items()}

    def new_ids(self) -> dict[Kind, Collection[int]]:
        """Return the nodes that are on no page before this one."""
        if self.after == BEGINNING:
            return {kind: nodes.keys() for kind, nodes in self.nodes.items()}
        return {kind: {i for i, one in nodes.items() if self.is_new(one, i)} for kind, nodes in self.nodes.items()}

    def hidden_ids(self) -> dict[Kind, Collection[int]]:
        """Return the nodes that are not shown."""
        return {kind: {i for i, one in nodes.items() if one.hidden} for kind, nodes in self.nodes.items()}

    def page(self) -> list[tuple[Ref, Found]]:
        """Return the nodes that this page shows, in their order."""
        if self.after == BEGINNING and not self.has_next:
            return [one for one in self.order if not one[1].hidden]
        return [
            (ref, found)
            for ref, found in self.order
            if not found.hidden and self.is_given(found, ref.id) and self.is_new(found, ref.id)
        ]
