"""The events that a walk along one direction needs, several hops in one statement.

Most lineage is long and thin: a hop reaches one or two nodes, and asking for each hop by itself is mostly waiting for
the database. So while few events come back, a recursive statement asks for the next hops ahead, twice as many each
time; when many come back, each hop is asked for by itself. What a walk finds does not change: it takes from here, node
by node, exactly the events that it would have asked for.
"""

from collections import defaultdict
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.tables.v10 import EVENT, Kind

from mlmd_lineage.ends import COLUMN, FAR

MOST_AHEAD = 32
FEW_EVENTS = 64
"""Up to so many events, the next statement looks further ahead."""
FEW_NODES = 16
"""Beyond so many nodes in the frontier, a hop is asked for by itself."""

_COLUMNS = (EVENT.c.id, EVENT.c.artifact_id, EVENT.c.execution_id, EVENT.c.type, EVENT.c.milliseconds_since_epoch)
_NEAR = {Kind.ARTIFACT: EVENT.c.artifact_id, Kind.EXECUTION: EVENT.c.execution_id}

Followed = Callable[[Kind], frozenset[int]]
"""Which event types lead on from nodes of a kind."""


class Lookahead:
    """Events by the node that they lead on from; one for each walk."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._known: dict[Kind, dict[int, list[Any]]] = {Kind.ARTIFACT: {}, Kind.EXECUTION: {}}
        self._ahead = 1

    def rows(self, tx: Transaction, kind: Kind, frontier: set[int], hops_left: int) -> list[Any] | None:
        """Return the events that lead on from the frontier by ascending id; None when the hop should be asked for.

        `hops_left` counts this hop; no further hop is looked ahead to.
        """
        known = self._known[kind]
        if len(frontier) > FEW_NODES:
            return None
        if not frontier <= known.keys():
            self._fetch(tx, kind, frontier, min(self._ahead, hops_left))
        rows = {row[0]: row for node_id in frontier for row in known[node_id]}
        return [rows[event_id] for event_id in sorted(rows)]

    def _fetch(self, tx: Transaction, kind: Kind, frontier: set[int], hops: int) -> None:
        """Ask for the events of the frontier and, `hops` - 1 times, of the nodes that they lead to."""
        statement = _statement(kind, self._followed(Kind.ARTIFACT), self._followed(Kind.EXECUTION))
        rows = tx.rows(statement, {"ids": sorted(frontier), "last_hop": hops - 1})
        by_hop: dict[int, dict[int, list[Any]]] = defaultdict(lambda: defaultdict(list))
        near = kind
        nodes = frontier
        for row in rows:
            here = kind if row[0] % 2 == 0 else FAR[kind]
            by_hop[row[0]][row[1:][COLUMN[here]]].append(row[1:])
        for hop in range(hops):
            found = by_hop[hop]
            self._known[near].update((node_id, found.get(node_id, [])) for node_id in nodes)
            far = FAR[near]
            nodes = {row[COLUMN[far]] for events in found.values() for row in events}
            near = far
        self._ahead = min(2 * hops, MOST_AHEAD) if len(rows) <= FEW_EVENTS else 1


@lru_cache(maxsize=16)
def _statement(kind: Kind, from_artifacts: frozenset[int], from_executions: frozenset[int]) -> sa.Select[Any]:
    """Return the recursive statement that starts at nodes of `kind`; its columns are the hop and the event's."""
    types = {Kind.ARTIFACT: sorted(from_artifacts), Kind.EXECUTION: sorted(from_executions)}
    start = sa.select(sa.literal_column("0").label("hop"), *_COLUMNS).where(
        _NEAR[kind].in_(sa.bindparam("ids", expanding=True)), EVENT.c.type.in_(types[kind])
    )
    walk = start.cte("walk", recursive=True)
    steps = []
    for parity, near in ((0, FAR[kind]), (1, kind)):
        joined = walk.join(EVENT, _NEAR[near] == walk.c[_NEAR[near].name])
        step = sa.select((walk.c.hop + sa.literal_column("1")).label("hop"), *_COLUMNS).select_from(joined)
        steps.append(
            step.where(
                walk.c.hop < sa.bindparam("last_hop", type_=sa.BigInteger),
                walk.c.hop % sa.literal_column("2") == sa.literal_column(str(parity)),
                EVENT.c.type.in_(types[near]),
            )
        )
    walk = walk.union(*steps)
    return sa.select(walk)
