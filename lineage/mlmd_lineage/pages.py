"""A page of a walk as messages."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.event_reads import event_steps
from mlmd_metadata_store.node_rows import nodes_of_rows
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.v10 import NODE_TABLES, Kind

from mlmd_lineage.edges import PageEdges
from mlmd_lineage.ends import ENDS, INPUTS, Ref
from mlmd_lineage.executions import STEP_NAMES, ref_message, step_of_name
from mlmd_lineage.plain_values import clean, set_lineage_value
from mlmd_lineage.repeats import Name
from mlmd_lineage.versions import versions_of
from mlmd_lineage.walk import Found

_TYPE_ID, _NAME, _CREATED, _UPDATED, _URI, _STATE = 1, 2, 4, 5, 6, 7
"""Columns of `node_rows.READERS`."""
_STATES: dict[Kind, dict[int, str]] = {
    Kind.ARTIFACT: {number: name for name, number in pb.Artifact.State.items()},
    Kind.EXECUTION: {number: name for name, number in pb.Execution.State.items()},
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


def fill_page(tx: Transaction, page: Page, edges: PageEdges, detail: int, message: v1.LineagePage) -> dict[Name, str]:
    """Add the nodes and edges of a page to the message; return the step of each execution, "" for its type."""
    names_alone = detail == v1.LINEAGE_DETAIL_NAMES
    labels = labels_of(tx, page)
    nodes = _add_nodes(tx, page, labels, message)
    if not names_alone:
        _set_facts(tx, page, nodes)
    if detail == v1.LINEAGE_DETAIL_PROPERTIES:
        _set_properties(tx, page, nodes)
    _add_edges(tx, edges, with_keys=not names_alone, message=message)
    return {
        ("execution_id", ref.id): labels.get(ref) or step_of_name(node.name)
        for (ref, _), node in zip(page, nodes, strict=True)
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


def _add_nodes(tx: Transaction, page: Page, labels: dict[Ref, str], message: v1.LineagePage) -> list[v1.LineageNode]:
    types = {kind: _type_names(tx, kind, page) for kind in ENDS}
    plain, decode = tx.text.plain, tx.text.decode
    nodes = []
    for ref, found in page:
        node = message.nodes.add()
        nodes.append(node)
        if ref.kind is Kind.ARTIFACT:
            node.node.artifact_id = ref.id
        else:
            node.node.execution_id = ref.id
        if found.hop:
            node.hops = found.hop
        if found.cut:
            node.cut = found.cut
        row = found.row
        if row is None:
            node.gone = True
            continue
        node.type = types[ref.kind].get(row[_TYPE_ID], "")
        name = row[_NAME]
        if name:
            node.name = name if plain and name.isascii() else clean(decode(name))
        elif ref in labels:
            node.name = labels[ref]
    return nodes


def _type_names(tx: Transaction, kind: Kind, page: Page) -> dict[int, str]:
    ids = {found.row[_TYPE_ID] for ref, found in page if ref.kind is kind and found.row is not None}
    return {type_id: clean(facts.name) for type_id, facts in tx.types.get_many(tx, kind, ids).items()}


def _set_facts(tx: Transaction, page: Page, nodes: Sequence[v1.LineageNode]) -> None:
    """Add URI, times, state and versions."""
    versions = versions_of(tx, [ref.id for ref, _ in page if ref.kind is Kind.ARTIFACT])
    for (ref, found), node in zip(page, nodes, strict=True):
        row = found.row
        if row is None:
            continue
        if row[_URI]:
            node.uri = clean(tx.text.decode(row[_URI]))
        node.create_ms, node.update_ms = row[_CREATED], row[_UPDATED]
        state = _STATES[ref.kind].get(row[_STATE])
        if state is not None:
            node.state = state
        if ref.kind is Kind.ARTIFACT and ref.id in versions:
            node.versions.extend(versions[ref.id])


def _set_properties(tx: Transaction, page: Page, nodes: Sequence[v1.LineageNode]) -> None:
    for kind in ENDS:
        there = [
            (found.row, node)
            for (ref, found), node in zip(page, nodes, strict=True)
            if ref.kind is kind and found.row is not None
        ]
        wholes = nodes_of_rows(tx, kind, [row for row, _ in there])
        for whole, (_, node) in zip(wholes, there, strict=True):
            for values in (whole.custom_properties, whole.properties):
                for name in values:
                    set_lineage_value(node.properties[clean(name)], values[name])


def _add_edges(tx: Transaction, edges: PageEdges, *, with_keys: bool, message: v1.LineagePage) -> None:
    keys = event_steps(tx, [row[0] for row in edges.events]) if with_keys else {}
    add = message.edges.add
    for event_id, artifact_id, execution_id, kind, ms in edges.events:
        edge = add()
        if kind in INPUTS:
            edge.source.artifact_id = artifact_id
            edge.target.execution_id = execution_id
            edge.kind = v1.LINEAGE_EDGE_KIND_INPUT
        else:
            edge.source.execution_id = execution_id
            edge.target.artifact_id = artifact_id
            edge.kind = v1.LINEAGE_EDGE_KIND_OUTPUT
        if with_keys:
            edge.time_ms = ms or 0
            if event_id in keys:
                edge.key = "/".join(clean(step) for step in keys[event_id])
    for other in edges.others:
        edge = add()
        edge.source.CopyFrom(ref_message(other.source))
        edge.target.CopyFrom(ref_message(other.target))
        edge.kind = other.kind
