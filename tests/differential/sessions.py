"""Sessions: the requests of one example, chosen call by call."""

from collections.abc import Callable

from mlmd_schemas.tables.v10 import Kind

from tests.differential.followed import Echo, Walk
from tests.differential.mutations import changed
from tests.differential.node_requests import Nodes
from tests.differential.read_requests import Reads
from tests.differential.source import Call, Source
from tests.differential.type_requests import Types

KINDS = (Kind.ARTIFACT, Kind.EXECUTION, Kind.CONTEXT)


Step = Call | Echo | Walk


def session(source: Source, length: int, *, wide: bool) -> list[Step]:
    """Return a session, to come after the prelude; `wide` allows integers beyond 32 bits.

    A step that is not chosen falls out, so that the simplest session is empty.
    """
    steps = []
    for number in range(length):
        source.largest = 4 + number // 3
        if source.below(50):
            steps.append(any_step(source, wide=wide))
    return steps


def any_step(source: Source, *, wide: bool) -> Step:
    """Return one step of a session."""
    nodes, types, reads = Nodes(source, wide=wide), Types(source), Reads(source)
    kind = source.pick(KINDS)
    made: tuple[tuple[int, Callable[[], Step]], ...] = (
        (8, lambda: Echo.chosen(source)),
        (5, lambda: Walk.chosen(source)),
        (22, lambda: nodes.put_nodes(kind)),
        (10, nodes.put_execution),
        (7, nodes.put_lineage_subgraph),
        (6, nodes.put_events),
        (6, nodes.put_members),
        (4, nodes.put_parents),
        (4, lambda: types.put_type(kind)),
        (2, types.put_types),
        (5, lambda: reads.of_type(kind)),
        (10, lambda: reads.by_key(kind)),
        (14, lambda: reads.listed(kind)),
        (6, reads.of_edges),
        (6, reads.lineage),
    )
    step = source.weighted(made)()
    if isinstance(step, Call) and source.chance(15):
        return changed(source, step, 1 + source.below(3))
    return step
