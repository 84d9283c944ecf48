"""Runs of the same step as one node: five hundred trainings on one table are one line of a drawing.

Two nodes are repeats when they are equally far from the node that was asked for, of one type (and, executions, of one
step), and connected under the same keys to the same nodes nearer to it, repeats counted as one. So a step that is
repeated in turn, each run on what the last one made, stays a chain.
"""

from collections import defaultdict
from collections.abc import Mapping

from mlmd_schemas.pb.v1 import lineage_pb2 as v1

Name = tuple[str, int]


def name_of(ref: v1.LineageRef) -> Name:
    """Return a key for a node."""
    chosen = ref.WhichOneof("node") or "artifact_id"
    return chosen, getattr(ref, chosen)


def collapse(page: v1.LineagePage, steps: Mapping[Name, str]) -> v1.LineagePage:
    """Return the page with repeats as their first node, in which `repeats` lists them all; `steps` are of executions.

    Nodes of pages before count as themselves.
    """
    order = {name_of(node.node): node.hops for node in page.nodes}
    nearer: dict[Name, set[tuple[Name, str, int]]] = defaultdict(set)
    for edge in page.edges:
        source, target = name_of(edge.source), name_of(edge.target)
        for near, far in ((source, target), (target, source)):
            if far in order and order.get(near, -1) < order[far]:
                nearer[far].add((near, edge.key, edge.kind))
    first: dict[Name, Name] = {}
    groups: dict[object, list[v1.LineageNode]] = {}
    for node in page.nodes:
        name = name_of(node.node)
        around = frozenset((first.get(near, near), key, kind) for near, key, kind in nearer[name])
        group = groups.setdefault((node.hops, node.type, steps.get(name, ""), around or name), [])
        group.append(node)
        first[name] = name_of(group[0].node)
    return _drawn_together(page, list(groups.values()), first)


def _drawn_together(
    page: v1.LineagePage, groups: list[list[v1.LineageNode]], first: Mapping[Name, Name]
) -> v1.LineagePage:
    collapsed = v1.LineagePage()
    for group in groups:
        node = collapsed.nodes.add()
        node.CopyFrom(group[0])
        if len(group) > 1:
            node.repeats.extend(member.node for member in group)
            node.cut = max(member.cut for member in group)
    seen: set[tuple[Name, Name, int]] = set()
    for edge in page.edges:
        ends = (first.get(name_of(edge.source), name_of(edge.source)), name_of(edge.target))
        ends = (ends[0], first.get(ends[1], ends[1]))
        if (*ends, edge.kind) in seen:
            continue
        seen.add((*ends, edge.kind))
        added = collapsed.edges.add()
        added.CopyFrom(edge)
        for end, (field, node_id) in zip((added.source, added.target), ends, strict=True):
            end.Clear()
            setattr(end, field, node_id)
    return collapsed
