"""The edges of a page: events between nodes that are shown, and ways through nodes that are not."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

from mlmd_schemas.errors import ResourceExhausted
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.ends import COLUMN, FAR, Direction, Ref
from mlmd_lineage.walk import EVENT_ID, Found, Walk

MOST_WAYS = 100_000
"""Edges through hidden nodes on one page."""


class Edge(NamedTuple):
    """Data flows from `source` to `target`."""

    source: Ref
    target: Ref
    kind: "v1.LineageEdgeKind"


@dataclass(slots=True)
class PageEdges:
    """The edges that become whole on one page: one end is on it, the other on it or on one before."""

    events: list[Any] = field(default_factory=list)
    """Rows of `event_rows` between nodes that are shown, by id."""
    others: list[Edge] = field(default_factory=list)
    """Ways through hidden nodes, and equal contents."""


def page_edges(walk: Walk) -> PageEdges:
    """Return the edges of a page."""
    found = PageEdges()
    given, new, hidden = walk.given_ids(), walk.new_ids(), walk.hidden_ids()
    through: dict[Ref, list[Ref]] = defaultdict(list)
    for kind, rows in walk.rows.items():
        far = FAR[kind]
        here, there = COLUMN[kind], COLUMN[far]
        near_given, far_given = given[kind], given[far]
        near_new, far_new = new[kind], new[far]
        near_hidden, far_hidden = hidden[kind], hidden[far]
        for row in rows:
            near_id, far_id = row[here], row[there]
            if near_id not in near_given or far_id not in far_given:
                continue
            if near_id in near_hidden or far_id in far_hidden:
                through[Ref(kind, near_id)].append(Ref(far, far_id))
            elif near_id in near_new or far_id in far_new:
                found.events.append(row)
    found.events.sort(key=itemgetter(EVENT_ID))
    if through:
        found.others += sorted(_few(_through_hidden(walk, through)))
    found.others += _same_content(walk)
    return found


def _few(edges: Iterable[Edge]) -> set[Edge]:
    """Return distinct edges; raises ResourceExhausted when each of many inputs leads to each of many outputs."""
    found: set[Edge] = set()
    for edge in edges:
        found.add(edge)
        if len(found) > MOST_WAYS:
            raise ResourceExhausted(
                f"options.with_system_nodes: more than {MOST_WAYS:,} ways lead through nodes that are not shown; show "
                "them, or ask for fewer nodes or hops."
            )
    return found


def _through_hidden(walk: Walk, onward: dict[Ref, list[Ref]]) -> Iterator[Edge]:
    """Yield an edge for every two shown nodes between which a way leads through hidden ones alone.

    One that a page before had already may come again when one of its ways is new.
    """

    def found(ref: Ref) -> Found:
        return walk.nodes[ref.kind][ref.id]

    for near in onward:
        if found(near).hidden:
            continue
        fresh = walk.is_new(found(near), near.id)
        seen: set[Ref] = set()
        waiting = list(onward[near])
        ends: set[Ref] = set()
        while waiting:
            ref = waiting.pop()
            if ref in seen:
                continue
            seen.add(ref)
            if found(ref).hidden:
                fresh = fresh or walk.is_new(found(ref), ref.id)
                waiting += onward.get(ref, ())
            else:
                ends.add(ref)
        for end in ends - {near}:
            if fresh or walk.is_new(found(end), end.id):
                pair = (end, near) if walk.direction is Direction.UPSTREAM else (near, end)
                yield Edge(*pair, v1.LINEAGE_EDGE_KIND_HIDDEN)


def _same_content(walk: Walk) -> Iterable[Edge]:
    """Yield an edge for every two artifacts of one content, of which one is on this page."""
    nodes = walk.nodes[Kind.ARTIFACT]
    for pair in sorted(walk.twins):
        both = [(node_id, nodes[node_id]) for node_id in pair]
        if any(found.hidden or not walk.is_given(found, node_id) for node_id, found in both):
            continue
        if any(walk.is_new(found, node_id) for node_id, found in both):
            first, second = (Ref(Kind.ARTIFACT, node_id) for node_id in pair)
            yield Edge(first, second, v1.LINEAGE_EDGE_KIND_SAME_CONTENT)
