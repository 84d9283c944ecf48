"""The events that a walk along one direction needs, several hops in one statement.

Most lineage is long and thin: a hop reaches one or two nodes, and asking for each hop by itself is mostly waiting for
the database. So while few events come back, a recursive statement asks for the next hops ahead, twice as many each
time, four times while it is one event a hop; when many come back, each hop is asked for by itself. What a walk finds
does not change: it takes from here, node by node, exactly the events that it would have asked for.
"""

from collections.abc import Callable
from functools import lru_cache
from operator import itemgetter
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
_EVENT_ID = itemgetter(0)
_NEAR = {Kind.ARTIFACT: EVENT.c.artifact_id, Kind.EXECUTION: EVENT.c.execution_id}

Followed = Callable[[Kind], frozenset[int]]
"""Which event types lead on from nodes of a kind."""


class Lookahead:
    """Events by the node that they lead on from, ascending; one for each walk."""

    def __init__(self, followed: Followed) -> None:
        self._followed = followed
        self._known: dict[Kind, dict[int, list[Any]]] = {Kind.ARTIFACT: {}, Kind.EXECUTION: {}}
        self._ahead = 1

    def rows(self, tx: Transaction, kind: Kind, frontier: set[int], hops_left: int) -> list[Any] | None:
        """Return the events that lead on from the frontier by ascending id; None when the hop should be asked for.

        `hops_left` counts this hop; no further hop is looked ahead to.
        """
        if len(frontier) > FEW_NODES:
            return None
        known = self._known[kind]
        if not frontier <= known.keys():
            self._fetch(tx, kind, frontier, min(self._ahead, hops_left))
        if len(frontier) == 1:
            (node_id,) = frontier
            return known[node_id]
        return sorted([row for node_id in frontier for row in known[node_id]], key=_EVENT_ID)

    def _fetch(self, tx: Transaction, kind: Kind, frontier: set[int], hops: int) -> None:
        """Ask for the events of the frontier and, `hops` - 1 times, of the nodes that they lead to.

        An event leads on from one of its ends only, so it comes more than once only where paths of several lengths
        lead to it.
        """
        alone = len(frontier) == 1
        statement = _statement(kind, self._followed(Kind.ARTIFACT), self._followed(Kind.EXECUTION), alone)
        start = {"start": min(frontier)} if alone else {"ids": sorted(frontier)}
        rows = tx.rows(statement, {**start, "last_hop": hops - 1})
        ends = ((kind, COLUMN[kind], COLUMN[FAR[kind]]), (FAR[kind], COLUMN[FAR[kind]], COLUMN[kind]))
        asked: tuple[set[int], set[int]] = (set(frontier), set())
        found: tuple[set[Any], set[Any]] = (set(), set())
        last = hops - 1
        for row in rows:
            hop, event = row[0], row[1:]
            parity = hop & 1
            found[parity].add(event)
            if hop < last:
                asked[not parity].add(event[ends[parity][2]])
        for (near, column, _), nodes, events in zip(ends, asked, found, strict=True):
            by_node: dict[int, list[Any]] = {node_id: [] for node_id in nodes}
            for event in sorted(events, key=_EVENT_ID):
                by_node[event[column]].append(event)
            self._known[near].update(by_node)
        growth = 4 if len(rows) <= hops else 2  # an event a hop: a chain
        self._ahead = min(growth * hops, MOST_AHEAD) if len(rows) <= FEW_EVENTS else 1


@lru_cache(maxsize=16)
def _statement(
    kind: Kind, from_artifacts: frozenset[int], from_executions: frozenset[int], alone: bool
) -> sa.Select[Any]:
    """Return the recursive statement that starts at nodes of `kind`; its columns are the hop and the event's.

    One node `alone` is bound and not written into the text, so that SQLite need not compile it anew for each node.
    """
    followed = {Kind.ARTIFACT: from_artifacts, Kind.EXECUTION: from_executions}
    typed = {
        near: EVENT.c.type.in_([sa.literal_column(str(number)) for number in sorted(numbers)])
        for near, numbers in followed.items()
    }
    near = _NEAR[kind]
    begin = near == sa.bindparam("start") if alone else near.in_(sa.bindparam("ids", expanding=True))
    start = sa.select(sa.literal_column("0").label("hop"), *_COLUMNS).where(begin, typed[kind])
    walk = start.cte("walk", recursive=True)
    steps = []
    for parity, there in ((0, FAR[kind]), (1, kind)):
        joined = walk.join(EVENT, _NEAR[there] == walk.c[_NEAR[there].name])
        step = sa.select((walk.c.hop + sa.literal_column("1")).label("hop"), *_COLUMNS).select_from(joined)
        steps.append(
            step.where(
                walk.c.hop < sa.bindparam("last_hop", type_=sa.BigInteger),
                walk.c.hop % sa.literal_column("2") == sa.literal_column(str(parity)),
                typed[there],
            )
        )
    walk = walk.union(*steps)
    return sa.select(walk)
