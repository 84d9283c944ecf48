"""FindPath: the shortest way by which one of two nodes came from the other.

Two walks meet: one with the flow of data from the first node, one against it from the second. Each round the walk with
the fewer nodes at its edge goes one hop further, so that a node of which everything was made costs no more than its
other end. If the first did not lead to the second, the same is asked the other way round.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlmd_metadata_store.event_reads import event_rows
from mlmd_metadata_store.node_rows import READERS
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.edges import Edge, PageEdges
from mlmd_lineage.ends import COLUMN, ENDS, FAR, LEADING, Direction, Ref
from mlmd_lineage.noise import system_nodes
from mlmd_lineage.pages import fill_page
from mlmd_lineage.same_content import same_content
from mlmd_lineage.subgraph import Ending
from mlmd_lineage.walk import EVENT_MS, Bounds, Found
from mlmd_lineage.walk_options import bounds_of, endings_of, ref_of

MOST_SEARCHED = 1_000_000
"""Nodes that a search sees at most."""

Step = tuple[Ref, Any]
"""The node before, and the row of the event that led from it; no row where contents are the same."""


@dataclass(slots=True)
class Side:
    """The walk from one of the two ends."""

    start: Ref
    direction: Direction
    bounds: Bounds
    endings: Mapping[Kind, Ending]
    before: dict[Ref, Step | None] = field(default_factory=dict)
    edge: set[Ref] = field(default_factory=set)

    def begin(self, tx: Transaction) -> None:
        """Stand at the start, and at what has the same content."""
        self.before = {self.start: None}
        self.edge = {self.start} | self._twins(tx, {self.start})

    def advance(self, tx: Transaction) -> set[Ref]:
        """Go one hop further; return the nodes that are new."""
        fresh: set[Ref] = set()
        for kind in ENDS:
            ids = {ref.id for ref in self.edge if ref.kind is kind}
            if self.edge != {self.start}:
                ids -= self.endings[kind].among(tx, ids)
            far = FAR[kind]
            for row in event_rows(tx, ENDS[kind], ids, LEADING[self.direction][kind]):
                ref = Ref(far, row[COLUMN[far]])
                if ref not in self.before and self._is_within(row[EVENT_MS]):
                    self.before[ref] = (Ref(kind, row[COLUMN[kind]]), row)
                    fresh.add(ref)
        self.edge = fresh | self._twins(tx, fresh)
        return self.edge

    def _twins(self, tx: Transaction, refs: set[Ref]) -> set[Ref]:
        """Add artifacts with the content of one of these; return those that are new."""
        added: set[Ref] = set()
        if not self.bounds.join_digests:
            return added
        for holders in same_content(tx, sorted(ref.id for ref in refs if ref.kind is Kind.ARTIFACT)):
            known = next(Ref(Kind.ARTIFACT, i) for i in holders if Ref(Kind.ARTIFACT, i) in refs)
            for ref in (Ref(Kind.ARTIFACT, i) for i in holders):
                if ref not in self.before:
                    self.before[ref] = (known, None)
                    added.add(ref)
        return added

    def _is_within(self, ms: int | None) -> bool:
        since, until = self.bounds.since_ms, self.bounds.until_ms
        return ms is None or (ms >= since and (not until or ms < until))

    def way(self, ref: Ref) -> list[Step]:
        """Return the steps from the start to a node: each node with the event that leads on from it."""
        steps: list[Step] = []
        step = self.before[ref]
        while step is not None:
            steps.append(step)
            step = self.before[step[0]]
        return steps[::-1]


def find_path(tx: Transaction, request: v1.FindPathRequest) -> v1.FindPathResponse:
    """Return the shortest path between two nodes along the flow of data, whichever came first.

    Raises InvalidArgument for a wrong request, NotFound when either node is not there.
    """
    first, second = ref_of(request.first, "first"), ref_of(request.second, "second")
    if first == second:
        raise InvalidArgument(f"second: is {second}, as first is; name another node.")
    bounds, endings = bounds_of(request.options, 0), endings_of(request.options)
    _require(tx, first, "first")
    _require(tx, second, "second")
    response = v1.FindPathResponse()
    for begin, end in ((first, second), (second, first)):
        forward = Side(begin, Direction.DOWNSTREAM, bounds, endings)
        backward = Side(end, Direction.UPSTREAM, bounds, endings)
        meeting, cut = _search(tx, forward, backward, bounds.deepest)
        response.cut = response.cut or cut
        if meeting is not None:
            response.found, response.reversed = True, begin == second
            response.cut = v1.LINEAGE_CUT_UNSPECIFIED
            _fill(tx, forward, backward, meeting, request.options, response.path)
            break
    return response


def _require(tx: Transaction, ref: Ref, field_name: str) -> None:
    if not tx.rows_in(READERS[ref.kind].by_id, [ref.id]) and not event_rows(tx, ENDS[ref.kind], [ref.id]):
        raise NotFound(f"{field_name}: there is no {ref}; the store has no event of it either.")


def _search(tx: Transaction, forward: Side, backward: Side, most_hops: int) -> "tuple[Ref | None, v1.LineageCut]":
    """Walk until the sides meet; return where, or None and the limit that ended the search."""
    for side in (forward, backward):
        side.begin(tx)
    if meeting := _meeting(forward.edge, backward.before):
        return meeting, v1.LINEAGE_CUT_UNSPECIFIED
    for _ in range(most_hops):
        ahead, behind = sorted((forward, backward), key=lambda side: len(side.edge))
        if not ahead.edge:
            return None, v1.LINEAGE_CUT_UNSPECIFIED
        if meeting := _meeting(ahead.advance(tx), behind.before):
            return meeting, v1.LINEAGE_CUT_UNSPECIFIED
        if len(forward.before) + len(backward.before) > MOST_SEARCHED:
            return None, v1.LINEAGE_CUT_PAGE
    return None, v1.LINEAGE_CUT_HOPS if forward.edge and backward.edge else v1.LINEAGE_CUT_UNSPECIFIED


def _meeting(fresh: set[Ref], known: Mapping[Ref, Any]) -> Ref | None:
    return min((ref for ref in fresh if ref in known), default=None)


def _fill(
    tx: Transaction, forward: Side, backward: Side, meeting: Ref, options: v1.LineageOptions, page: v1.LineagePage
) -> None:
    """Add the path to the page; nodes that are not shown leave an edge between their neighbours."""
    there, back = forward.way(meeting), backward.way(meeting)[::-1]
    refs = [ref for ref, _ in there] + [meeting] + [ref for ref, _ in back]
    events = [row for _, row in there] + [row for _, row in back]
    rows: dict[Ref, Any] = {}
    hidden: set[Ref] = set()
    for kind in ENDS:
        read = tx.rows_in(READERS[kind].by_id, {ref.id for ref in refs if ref.kind is kind})
        rows |= {Ref(kind, row[0]): row for row in read}
        if not options.with_system_nodes:
            hidden |= {Ref(kind, node_id) for node_id in system_nodes(tx, kind, read)}
    hidden -= {refs[0], refs[-1]}
    nodes = [(ref, Found(hop, rows.get(ref), ref in hidden)) for hop, ref in enumerate(refs) if ref not in hidden]
    edges = PageEdges()
    last = refs[0]
    for ref, row in zip(refs[1:], events, strict=True):
        if ref in hidden:
            continue
        place = refs.index(ref)
        if refs[place - 1] in hidden:
            edges.others.append(Edge(last, ref, v1.LINEAGE_EDGE_KIND_HIDDEN))
        elif row is None:
            edges.others.append(Edge(last, ref, v1.LINEAGE_EDGE_KIND_SAME_CONTENT))
        else:
            edges.events.append(row)
        last = ref
    fill_page(tx, nodes, edges, options.detail, page)
