"""A page of a walk as messages."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.event_reads import event_steps
from mlmd_metadata_store.node_rows import nodes_of_rows
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_lineage.edges import Edge
from mlmd_lineage.ends import ENDS, Ref
from mlmd_lineage.executions import STEP_NAMES, ref_message, step_of_name
from mlmd_lineage.plain_values import clean, lineage_value
from mlmd_lineage.repeats import Name
from mlmd_lineage.versions import versions_of
from mlmd_lineage.walk import Found

_TYPE_ID, _NAME, _CREATED, _UPDATED, _URI, _STATE = 1, 2, 4, 5, 6, 7
"""Columns of `node_rows.READERS`."""
_STATES: dict[Kind, Callable[[int], str]] = {
    Kind.ARTIFACT: pb.Artifact.State.Name,
    Kind.EXECUTION: pb.Execution.State.Name,
}
_KNOWN_STATES = {
    Kind.ARTIFACT: frozenset(pb.Artifact.State.values()),
    Kind.EXECUTION: frozenset(pb.Execution.State.values()),
}
_NAMING = {Kind.ARTIFACT: ("display_name", "name"), Kind.EXECUTION: ("display_name", *STEP_NAMES)}
"""Properties that name a node which has no name, best first."""


def _labels(kind: Kind) -> sa.Select[Any]:
    prop, owner = NODE_TABLES[kind].property.c, NODE_TABLES[kind].owner
    return sa.select(prop[owner], prop.name, prop.string_value).where(
        prop[owner].in_(sa.bindparam("ids", expanding=True)), prop.name.in_(_NAMING[kind]), prop.string_value != ""
    )


_LABELS = {kind: _labels(kind) for kind in ENDS}

Page = Sequence[tuple[Ref, Found]]


def fill_page(
    tx: Transaction, page: Page, edges: Iterable[Edge], detail: int, message: v1.LineagePage
) -> dict[Name, str]:
    """Add the nodes and edges of a page to the message; return the step of each execution, "" for its type."""
    names_alone = detail == v1.LINEAGE_DETAIL_NAMES
    labels = labels_of(tx, page)
    versions = {} if names_alone else versions_of(tx, [ref.id for ref, _ in page if ref.kind is Kind.ARTIFACT])
    nodes: dict[Ref, v1.LineageNode] = {}
    for ref, found in page:
        node = nodes[ref] = message.nodes.add()
        _set_node(tx, node, ref, found, labels)
        if not names_alone:
            _set_facts(tx, node, ref, found)
            if ref.kind is Kind.ARTIFACT and ref.id in versions:
                node.versions.extend(versions[ref.id])
    if detail == v1.LINEAGE_DETAIL_PROPERTIES:
        _set_properties(tx, page, nodes)
    _add_edges(tx, edges, with_keys=not names_alone, message=message)
    return {
        ("execution_id", ref.id): labels.get(ref) or step_of_name(nodes[ref].name)
        for ref, _ in page
        if ref.kind is Kind.EXECUTION
    }


def labels_of(tx: Transaction, page: Page) -> dict[Ref, str]:
    """Return the names of nodes that have none, as their pipelines show them; one statement for each kind."""
    found: dict[Ref, str] = {}
    for kind, naming in _NAMING.items():
        unnamed = [ref.id for ref, node in page if ref.kind is kind and node.row is not None and not node.row[_NAME]]
        said: dict[int, dict[str, str]] = defaultdict(dict)
        for owner, name, text in tx.rows_in(_LABELS[kind], unnamed):
            said[owner][name] = clean(tx.text.decode(text))
        for owner, texts in said.items():
            found[Ref(kind, owner)] = next(texts[name] for name in naming if name in texts)
    return found


def _set_node(tx: Transaction, node: v1.LineageNode, ref: Ref, found: Found, labels: dict[Ref, str]) -> None:
    if ref.kind is Kind.ARTIFACT:
        node.node.artifact_id = ref.id
    else:
        node.node.execution_id = ref.id
    node.hops = found.hop
    node.cut = found.cut  # type: ignore[assignment]
    if found.row is None:
        node.gone = True
        return
    facts = tx.types.get(tx, ref.kind, found.row[_TYPE_ID])
    node.type = clean(facts.name) if facts is not None else ""
    name = found.row[_NAME]
    node.name = clean(tx.text.decode(name)) if name else labels.get(ref, "")


def _set_facts(tx: Transaction, node: v1.LineageNode, ref: Ref, found: Found) -> None:
    row = found.row
    if row is None:
        return
    if row[_URI]:
        node.uri = clean(tx.text.decode(row[_URI]))
    node.create_ms, node.update_ms = row[_CREATED], row[_UPDATED]
    if row[_STATE] in _KNOWN_STATES[ref.kind]:
        node.state = _STATES[ref.kind](row[_STATE])


def _set_properties(tx: Transaction, page: Page, nodes: dict[Ref, v1.LineageNode]) -> None:
    for kind in ENDS:
        rows = [found.row for ref, found in page if ref.kind is kind and found.row is not None]
        for whole in nodes_of_rows(tx, kind, rows):
            properties = nodes[Ref(kind, whole.id)].properties
            for values in (whole.custom_properties, whole.properties):
                for name in values:
                    properties[clean(name)].CopyFrom(lineage_value(values[name]))


def _add_edges(tx: Transaction, edges: Iterable[Edge], *, with_keys: bool, message: v1.LineagePage) -> None:
    edges = list(edges)
    keys = event_steps(tx, [edge.event_id for edge in edges if edge.event_id]) if with_keys else {}
    for edge in edges:
        added = message.edges.add()
        added.source.CopyFrom(ref_message(edge.source))
        added.target.CopyFrom(ref_message(edge.target))
        added.kind = edge.kind  # type: ignore[assignment]
        if edge.time_ms and with_keys:
            added.time_ms = edge.time_ms
        if edge.event_id in keys:
            added.key = "/".join(clean(step) for step in keys[edge.event_id])
