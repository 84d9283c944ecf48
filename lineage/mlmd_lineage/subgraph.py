"""GetLineageSubgraph: a walk over events from some artifacts or executions (mlmd-read contract, section 5).

Breadth first, at most one statement per hop: the events of the frontier. Nodes of the answer are their ids alone;
callers read the nodes that they want. What belongs to the nodes of the walk (paths of events, contexts, types) is read
at its end.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mlmd_metadata_store.event_reads import event_rows, events_of_rows
from mlmd_metadata_store.filter.faults import PREFIX
from mlmd_metadata_store.node_pages import first_ids, matching_ids
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.type_reads import all_types
from mlmd_schemas.errors import InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.ends import COLUMN, ENDS, FAR, INPUTS, OUTPUTS
from mlmd_lineage.lookahead import Lookahead
from mlmd_lineage.memberships import association_rows, attribution_rows

MOST_HOPS = 100
MOST_STARTING_NODES = 101
"""Starting nodes beyond these are left out, highest ids first. (Google's documents say 100, its server takes 101.)"""

_Query = pb.LineageSubgraphQueryOptions
_FOLLOWED: dict[tuple[int, Kind], frozenset[int]] = {
    (_Query.UPSTREAM, Kind.ARTIFACT): OUTPUTS,
    (_Query.UPSTREAM, Kind.EXECUTION): INPUTS,
    (_Query.DOWNSTREAM, Kind.ARTIFACT): INPUTS,
    (_Query.DOWNSTREAM, Kind.EXECUTION): OUTPUTS,
}
"""Which events lead on, by direction and the kind that is walked from; those not named follow every event."""
_ANY = "TRUE"
"""What an ending filter that is set and empty stands for: any node that is there, not one that events alone name."""
_FIELDS = frozenset(descriptor.name for descriptor in pb.LineageGraph.DESCRIPTOR.fields)


@dataclass(slots=True)
class Ending:
    """The nodes of one kind where the walk ends: found by a filter, and that lazily."""

    kind: Kind
    filter_query: str | None
    """None: there are no ending nodes."""
    included: bool
    _tested: dict[int, bool] = field(default_factory=dict)

    def among(self, tx: Transaction, ids: set[int]) -> set[int]:
        """Return the ending nodes among these; raises InvalidArgument for a wrong filter, once there is an id."""
        if self.filter_query is None or not ids:
            return set()
        untested = ids - self._tested.keys()
        if untested:
            with _naming(f"ending_{self.kind.name.lower()}s"):
                found = matching_ids(tx, self.kind, self.filter_query, untested)
            self._tested |= {node_id: node_id in found for node_id in untested}
        return {node_id for node_id in ids if self._tested[node_id]}


@dataclass(slots=True)
class Walk:
    """What a walk has found: nodes that it went on from, ending nodes, events in the order of the hops."""

    direction: int
    endings: dict[Kind, Ending]
    visited: dict[Kind, set[int]] = field(default_factory=lambda: {kind: set() for kind in ENDS})
    ended: dict[Kind, set[int]] = field(default_factory=lambda: {kind: set() for kind in ENDS})
    events: list[Any] = field(default_factory=list)
    ahead: Lookahead | None = None
    """Looks ahead where the walk has one direction and no nodes to end at."""

    def start(self, tx: Transaction, kind: Kind, ids: list[int]) -> None:
        """Begin at these nodes, of which ending nodes are not walked from."""
        ending = self.endings[kind].among(tx, set(ids))
        self.visited[kind] = set(ids) - ending
        self.ended[kind] = ending

    def hop(self, tx: Transaction, kind: Kind, frontier: set[int], hops_left: int) -> set[int]:
        """Follow the events of the frontier, which is of `kind`; return the nodes of the other kind to go on from."""
        far = FAR[kind]
        rows = self._events(tx, kind, frontier, hops_left)
        column = COLUMN[far]
        visited = self.visited[far]
        reached = {row[column] for row in rows} - visited
        if self.ahead:  # nothing ends this walk and no event is left out, which spares half of a thin hop
            self.events += rows
            visited |= reached
            return reached
        ending = self.endings[far].among(tx, reached)
        fresh = reached - ending
        left_out = set() if self.endings[far].included else set(ending)
        if not self.directed:
            left_out |= visited
        self.events += [row for row in rows if row[column] not in left_out]
        visited |= fresh
        self.ended[far] |= ending
        return fresh

    def _events(self, tx: Transaction, kind: Kind, frontier: set[int], hops_left: int) -> list[Any]:
        rows = self.ahead.rows(tx, kind, frontier, hops_left) if self.ahead else None
        if rows is not None:
            return rows
        return event_rows(tx, ENDS[kind], frontier, _FOLLOWED.get((self.direction, kind)))

    @property
    def directed(self) -> bool:
        """Whether events lead one way. If not, an event to a visited node was found from that node already."""
        return self.direction in (_Query.UPSTREAM, _Query.DOWNSTREAM)

    def nodes(self, kind: Kind) -> list[int]:
        """Return the ids of a kind that belong to the answer, ascending."""
        ended = self.ended[kind] if self.endings[kind].included else set()
        return sorted(self.visited[kind] | ended)


def get_lineage_subgraph(
    tx: Transaction, request: service.GetLineageSubgraphRequest
) -> service.GetLineageSubgraphResponse:
    """Walk from the starting nodes up to `max_num_hops` hops; answer what `read_mask` names, or everything.

    Raises InvalidArgument for a wrong query, NotFound when no node is a starting node.
    """
    walk = _walked(tx, request.lineage_subgraph_query_options)
    wanted = _FIELDS.intersection(request.read_mask.paths) if request.read_mask.paths else _FIELDS
    response = service.GetLineageSubgraphResponse()
    response.lineage_subgraph.SetInParent()
    _fill(tx, walk, wanted, response.lineage_subgraph)
    return response


def _walked(tx: Transaction, options: pb.LineageSubgraphQueryOptions) -> Walk:
    kind, filter_query = _start(options)
    if options.max_num_hops < 0:
        raise InvalidArgument(f"max_num_hops: {options.max_num_hops} is negative; ask for 0 to {MOST_HOPS} hops.")
    hops = min(options.max_num_hops, MOST_HOPS) if options.HasField("max_num_hops") else MOST_HOPS
    noun = kind.name.lower()
    with _naming(f"starting_{noun}s"):
        ids = first_ids(tx, kind, filter_query, MOST_STARTING_NODES)
    if not ids:
        raise NotFound(f"starting_{noun}s.filter_query: no {noun} matches {filter_query[:200]!r}.")
    endings = {
        Kind.ARTIFACT: _ending(Kind.ARTIFACT, options.ending_artifacts),
        Kind.EXECUTION: _ending(Kind.EXECUTION, options.ending_executions),
    }
    walk = Walk(options.direction, endings)
    if walk.directed and all(ending.filter_query is None for ending in endings.values()):
        walk.ahead = Lookahead(lambda near: _FOLLOWED[options.direction, near])
    walk.start(tx, kind, ids)
    frontier = set(walk.visited[kind])
    for hops_left in range(hops, 0, -1):
        if not frontier:
            break
        frontier = walk.hop(tx, kind, frontier, hops_left)
        kind = FAR[kind]
    return walk


@contextmanager
def _naming(field: str) -> Iterator[None]:
    """Tell in the error of a wrong filter which of the request's filters it is, behind the words that clients know."""
    try:
        yield
    except InvalidArgument as error:
        if not error.message.startswith(PREFIX):
            raise
        raise InvalidArgument(f"{PREFIX}{field}: {error.message.removeprefix(PREFIX)}") from error


def _start(options: pb.LineageSubgraphQueryOptions) -> tuple[Kind, str]:
    given = options.WhichOneof("starting_nodes")
    if given is None:
        raise InvalidArgument(
            "lineage_subgraph_query_options: nothing to start from; set starting_artifacts or starting_executions."
        )
    filter_query = getattr(options, given).filter_query
    if not filter_query:
        raise InvalidArgument(
            f"{given}.filter_query: it is empty; say which nodes to start from, for instance `id = 1`."
        )
    return (Kind.ARTIFACT if given == "starting_artifacts" else Kind.EXECUTION), filter_query


def _ending(kind: Kind, nodes: pb.LineageSubgraphQueryOptions.EndingNodes) -> Ending:
    given = nodes.filter_query if nodes.HasField("filter_query") else None
    return Ending(kind, _ANY if given == "" else given, nodes.include_ending_nodes)


def _fill(tx: Transaction, walk: Walk, wanted: frozenset[str], graph: pb.LineageGraph) -> None:
    """Add what is wanted of the walk to the graph; parent_contexts are never part of it."""
    artifacts, executions = walk.nodes(Kind.ARTIFACT), walk.nodes(Kind.EXECUTION)
    if "artifacts" in wanted:
        _add_ids(graph.artifacts.add, artifacts)
    if "executions" in wanted:
        _add_ids(graph.executions.add, executions)
    if "events" in wanted:
        events_of_rows(tx, walk.events, add=graph.events.add)
    _fill_memberships(tx, artifacts, executions, wanted, graph)
    for kind in (Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT):
        name = f"{kind.name.lower()}_types"
        if name in wanted:
            all_types(tx, kind, base_types=False, add=getattr(graph, name).add)


def _add_ids(add: Callable[[], Any], ids: list[int]) -> None:
    for node_id in ids:
        add().id = node_id


def _fill_memberships(
    tx: Transaction, artifacts: list[int], executions: list[int], wanted: frozenset[str], graph: pb.LineageGraph
) -> None:
    attributions = attribution_rows(tx, artifacts) if wanted & {"contexts", "attributions"} else []
    associations = association_rows(tx, executions) if wanted & {"contexts", "associations"} else []
    if "contexts" in wanted:
        contexts = {context_id for _, context_id, _ in (*attributions, *associations)}
        graph.contexts.extend(pb.Context(id=context_id) for context_id in sorted(contexts))
    if "attributions" in wanted:
        graph.attributions.extend(pb.Attribution(context_id=c, artifact_id=a) for _, c, a in attributions)
    if "associations" in wanted:
        graph.associations.extend(pb.Association(context_id=c, execution_id=e) for _, c, e in associations)
