"""GetLineageGraph: whole nodes around a page of artifacts (mlmd-read contract, 5.6).

Google's server declares it and answers UNIMPLEMENTED; its core of version 1.14 is what this follows. The walk is
undirected. `boundary_artifacts` and `boundary_executions` say which nodes to keep, apart from the starting ones: a node
that fails is left out with the events that lead to it. Where `max_node_size` leaves no room for all nodes of a hop, the
lowest ids stay.
"""

from dataclasses import dataclass, field
from typing import Any

from mlmd_metadata_store.event_reads import event_rows, events_of_rows
from mlmd_metadata_store.filter import parse_filter
from mlmd_metadata_store.node_pages import Members, matching_ids, node_page
from mlmd_metadata_store.node_rows import nodes_by_id
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_reads import all_types
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.ends import COLUMN, ENDS, FAR

MOST_HOPS = 20


@dataclass(slots=True)
class Neighbourhood:
    """What has been found around the starting artifacts, and how many nodes there is room for."""

    room: int | None
    """Nodes that may still be added; None: as many as there are."""
    kept: dict[Kind, str]
    """By kind, the filter of the nodes to keep; "" keeps all."""
    found: dict[Kind, set[int]] = field(default_factory=lambda: {kind: set() for kind in ENDS})
    events: list[Any] = field(default_factory=list)

    def add(self, kind: Kind, ids: list[int]) -> set[int]:
        """Add as many of these nodes as there is room for; return them."""
        added = set(ids if self.room is None else ids[: self.room])
        self.found[kind] |= added
        if self.room is not None:
            self.room -= len(added)
        return added

    def hop(self, tx: Transaction, kind: Kind, frontier: set[int]) -> set[int]:
        """Add the neighbours of the frontier, which is of `kind`, and the events that lead to them; return them."""
        if not frontier or self.room == 0:
            return set()
        far = FAR[kind]
        rows = event_rows(tx, ENDS[kind], frontier)
        reached = {row[COLUMN[far]] for row in rows} - self.found[far]
        if reached and self.kept[far]:
            reached = matching_ids(tx, far, self.kept[far], reached)
        added = self.add(far, sorted(reached))
        self.events += [row for row in rows if row[COLUMN[far]] in added]
        return added


def get_lineage_graph(tx: Transaction, request: service.GetLineageGraphRequest) -> service.GetLineageGraphResponse:
    """Walk from the artifacts of one page up to `max_num_hops` (20 at most) hops and `max_node_size` nodes.

    The answer holds whole nodes, the events between them that led to them, the users' artifact and execution types and
    all context types. Raises InvalidArgument for a wrong query, NotFound when the page is empty.
    """
    options = request.options
    hops, surroundings = _limits(options)
    starting = pb.LineageGraph()
    node_page(tx, Members(Kind.ARTIFACT), options.artifacts_options, starting.artifacts.add)
    if not starting.artifacts:
        raise NotFound("artifacts_options: no artifact is on this page; there is nothing to start from.")
    kind = Kind.ARTIFACT
    frontier = surroundings.add(kind, [artifact.id for artifact in starting.artifacts])
    for _ in range(hops):
        frontier = surroundings.hop(tx, kind, frontier)
        kind = FAR[kind]
    response = service.GetLineageGraphResponse()
    _fill(tx, surroundings, response.subgraph)
    return response


def _limits(options: pb.LineageGraphQueryOptions) -> tuple[int, Neighbourhood]:
    if not options.HasField("artifacts_options"):
        raise InvalidArgument("options.artifacts_options: it is not set; say which artifacts to start from.")
    stop = options.stop_conditions
    if stop.max_num_hops < 0:
        raise InvalidArgument(
            f"options.stop_conditions.max_num_hops: {stop.max_num_hops} is negative; ask for 0 to {MOST_HOPS} hops."
        )
    kept = {Kind.ARTIFACT: stop.boundary_artifacts, Kind.EXECUTION: stop.boundary_executions}
    for kind, filter_query in kept.items():
        if filter_query:
            parse_filter(kind, filter_query)
    hops = min(stop.max_num_hops, MOST_HOPS) if stop.HasField("max_num_hops") else MOST_HOPS
    return hops, Neighbourhood(options.max_node_size if options.max_node_size > 0 else None, kept)


def _fill(tx: Transaction, surroundings: Neighbourhood, graph: pb.LineageGraph) -> None:
    nodes_by_id(tx, Kind.ARTIFACT, surroundings.found[Kind.ARTIFACT], graph.artifacts.add)
    nodes_by_id(tx, Kind.EXECUTION, surroundings.found[Kind.EXECUTION], graph.executions.add)
    events_of_rows(tx, surroundings.events, add=graph.events.add)
    for kind in (Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT):
        add = getattr(graph, f"{kind.name.lower()}_types").add
        all_types(tx, kind, simple=kind is Kind.CONTEXT, base_types=False, add=add)
