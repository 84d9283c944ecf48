"""The edges of a page: events between nodes that are shown, and ways through nodes that are not."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.ends import COLUMN, FAR, INPUTS, Direction, Ref
from mlmd_lineage.walk import EVENT_ID, EVENT_MS, EVENT_TYPE, Found, Walk


class Edge(NamedTuple):
    """Data flows from `source` to `target`."""

    source: Ref
    target: Ref
    kind: int
    """Number of `LineageEdgeKind`."""
    event_id: int = 0
    time_ms: int = 0


def page_edges(walk: Walk) -> list[Edge]:
    """Return the edges that become whole on this page: one end is on it, the other on it or on one before."""
    edges: list[Edge] = []
    hidden_far: dict[Ref, list[Ref]] = defaultdict(list)
    for kind, rows in walk.rows.items():
        far = FAR[kind]
        near_nodes, far_nodes = walk.nodes[kind], walk.nodes[far]
        here, there = COLUMN[kind], COLUMN[far]
        for row in rows:
            near_id, far_id = row[here], row[there]
            source, target = near_nodes[near_id], far_nodes.get(far_id)
            if target is None or not walk.is_given(target, far_id) or not walk.is_given(source, near_id):
                continue
            if source.hidden or target.hidden:
                hidden_far[Ref(kind, near_id)].append(Ref(far, far_id))
            elif walk.is_new(source, near_id) or walk.is_new(target, far_id):
                edges.append(edge_of_event(row))
    edges.sort(key=lambda edge: edge.event_id)
    edges += sorted(set(_through_hidden(walk, hidden_far)))
    edges += _same_content(walk)
    return edges


def edge_of_event(row: Any) -> Edge:
    """Return the edge of a row of `event_rows`."""
    artifact, execution = Ref(Kind.ARTIFACT, row[1]), Ref(Kind.EXECUTION, row[2])
    ms = row[EVENT_MS] or 0
    if row[EVENT_TYPE] in INPUTS:
        return Edge(artifact, execution, v1.LINEAGE_EDGE_KIND_INPUT, row[EVENT_ID], ms)
    return Edge(execution, artifact, v1.LINEAGE_EDGE_KIND_OUTPUT, row[EVENT_ID], ms)


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
