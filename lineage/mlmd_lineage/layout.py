"""Places for the nodes of a directed graph: layers from left to right, few crossings, neighbours on one height.

Sugiyama's way: edges that would close a cycle are turned round, layers are longest paths, an edge over several layers
gets a bend in each, layers are ordered by the mean place of their neighbours, and heights are as near to the mean of
the neighbours as the order and the room between nodes let them be. The same graph gets the same places.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 8
BEND_ROOM = 0.4
"""Rows that a bend of an edge takes; a node takes one."""

Key = Hashable


@dataclass(slots=True)
class Layout:
    """Where nodes and edges go; a column is a layer, a row the room of one node."""

    columns: dict[Key, int] = field(default_factory=dict)
    rows: dict[Key, float] = field(default_factory=dict)
    """Heights of nodes and bends, from 0 on."""
    bends: dict[int, list[Key]] = field(default_factory=dict)
    """By place of the edge among the edges given, its bends from source to target."""

    @property
    def width(self) -> int:
        """How many columns there are."""
        return max(self.columns.values(), default=-1) + 1

    @property
    def height(self) -> float:
        """How many rows there are."""
        return max(self.rows.values(), default=-1) + 1


def laid_out(nodes: Sequence[Key], edges: Sequence[tuple[Key, Key]]) -> Layout:
    """Return places for nodes; every edge is between two of them."""
    order = _order(nodes, edges)
    forward = [pair if order[pair[0]] <= order[pair[1]] else (pair[1], pair[0]) for pair in edges]
    layout = Layout(columns=_columns(nodes, forward))
    neighbours: dict[Key, list[Key]] = defaultdict(list)
    for number, (source, target) in enumerate(forward):
        chain = [source, *_bends(layout, number, source, target), target]
        for one, other in pairwise(chain):
            if one != other:
                neighbours[one].append(other)
                neighbours[other].append(one)
        if edges[number] != (source, target) and number in layout.bends:
            layout.bends[number].reverse()
    layers: list[list[Key]] = [[] for _ in range(layout.width)]
    for key, column in layout.columns.items():
        layers[column].append(key)
    _arrange(layers, layout.columns, neighbours)
    layout.rows = _heights(layers, neighbours, {bend for bends in layout.bends.values() for bend in bends})
    return layout


def _order(nodes: Sequence[Key], edges: Sequence[tuple[Key, Key]]) -> dict[Key, int]:
    """Return an order in which every edge leads onward, but for the edges that close a cycle."""
    onward: dict[Key, list[Key]] = defaultdict(list)
    entered = set()
    for source, target in edges:
        onward[source].append(target)
        entered.add(target)
    done: dict[Key, int] = {}
    seen: set[Key] = set()
    for root in [key for key in nodes if key not in entered] + list(nodes):
        if root in seen:
            continue
        seen.add(root)
        stack = [(root, iter(onward[root]))]
        while stack:
            key, rest = stack[-1]
            following = next((other for other in rest if other not in seen), None)
            if following is None:
                done[key] = -len(done)
                stack.pop()
            else:
                seen.add(following)
                stack.append((following, iter(onward[following])))
    return done


def _columns(nodes: Sequence[Key], edges: Sequence[tuple[Key, Key]]) -> dict[Key, int]:
    """Return the longest way to each node; what nothing leads to stands right before what it leads to."""
    onward: dict[Key, list[Key]] = defaultdict(list)
    missing = dict.fromkeys(nodes, 0)
    for source, target in edges:
        if source != target:
            onward[source].append(target)
            missing[target] += 1
    columns = dict.fromkeys(nodes, 0)
    sources = [key for key in nodes if not missing[key]]
    ready = list(sources)
    for key in ready:
        for target in onward[key]:
            columns[target] = max(columns[target], columns[key] + 1)
            missing[target] -= 1
            if not missing[target]:
                ready.append(target)
    for key in sources:
        if onward[key]:
            columns[key] = min(columns[target] for target in onward[key]) - 1
    return columns


def _bends(layout: Layout, number: int, source: Key, target: Key) -> list[Key]:
    bends: list[Key] = []
    for column in range(layout.columns[source] + 1, layout.columns[target]):
        bend = ("bend", number, column)
        layout.columns[bend] = column
        bends.append(bend)
    if bends:
        layout.bends[number] = list(bends)
    return bends


def _arrange(layers: list[list[Key]], columns: Mapping[Key, int], neighbours: Mapping[Key, list[Key]]) -> None:
    """Order each layer by the mean place of its neighbours, there and back again."""
    places = {key: float(place) for layer in layers for place, key in enumerate(layer)}
    for sweep in range(SWEEPS):
        rightward = sweep % 2 == 0
        for column, layer in list(enumerate(layers)) if rightward else list(enumerate(layers))[::-1]:
            beside = column - 1 if rightward else column + 1
            means = {}
            for key in layer:
                there = [places[other] for other in neighbours.get(key, ()) if columns[other] == beside]
                means[key] = sum(there) / len(there) if there else places[key]
            layer.sort(key=lambda key: (means[key], places[key]))
            places |= {key: float(place) for place, key in enumerate(layer)}


def _heights(layers: list[list[Key]], neighbours: Mapping[Key, list[Key]], bends: set[Key]) -> dict[Key, float]:
    rooms = {key: BEND_ROOM if key in bends else 1.0 for layer in layers for key in layer}
    rows: dict[Key, float] = {}
    for layer in layers:
        rows |= dict(zip(layer, _spread([0.0] * len(layer), [rooms[key] for key in layer]), strict=True))
    for sweep in range(SWEEPS):
        for layer in layers if sweep % 2 == 0 else layers[::-1]:
            wanted = []
            for key in layer:
                there = [rows[other] for other in neighbours.get(key, ())]
                wanted.append(sum(there) / len(there) if there else rows[key])
            rows |= dict(zip(layer, _spread(wanted, [rooms[key] for key in layer]), strict=True))
    top = min(rows.values(), default=0.0)
    return {key: row - top for key, row in rows.items()}


def _spread(wanted: Sequence[float], rooms: Sequence[float]) -> list[float]:
    """Return the places nearest to those wanted (least squares) that keep the order and the room of each.

    Pooling adjacent violators: what overlaps moves together to the mean of what it wants.
    """
    offsets, at = [], 0.0
    for place, room in enumerate(rooms):
        at += (rooms[place - 1] + room) / 2 if place else 0.0
        offsets.append(at)
    pools: list[list[float]] = []  # sum and number of what the members want, less their offsets
    for want, offset in zip(wanted, offsets, strict=True):
        pools.append([want - offset, 1.0])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] >= pools[-1][0] / pools[-1][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    bases = [pool[0] / pool[1] for pool in pools for _ in range(int(pool[1]))]
    return [base + offset for base, offset in zip(bases, offsets, strict=True)]
