"""What two nodes came from, in memory: who made which artifact, from what, under which keys."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from mlmd_metadata_store.event_reads import event_steps
from mlmd_metadata_store.node_rows import nodes_of_rows
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from mlmd_schemas.tables.own import MANIFEST
from mlmd_schemas.tables.v10 import Kind

from mlmd_lineage.ends import OUTPUTS, Direction, Ref
from mlmd_lineage.executions import step_of
from mlmd_lineage.pages import labels_of
from mlmd_lineage.plain_values import clean
from mlmd_lineage.versions import versions_of
from mlmd_lineage.walk import Bounds, Found, Walk
from mlmd_lineage.walk_options import endings_of

_NAME, _URI, _TYPE_ID = 2, 6, 1
_DIGESTS = sa.select(MANIFEST.c.artifact_id, MANIFEST.c.digest).where(
    MANIFEST.c.artifact_id.in_(sa.bindparam("ids", expanding=True))
)


@dataclass(slots=True)
class Ancestry:
    """The graphs upstream of two nodes as one."""

    nodes: dict[Ref, Found] = field(default_factory=dict)
    makers: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    """By artifact, the executions that made it, first event first; importers make nothing and are not among them."""
    inputs: dict[int, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """By execution, key and id of the artifacts that it read, in the order of the events."""
    executions: dict[int, pb.Execution] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    """By artifact, what people call it: its version in a collection, else its name, else its URI."""
    types: dict[int, str] = field(default_factory=dict)
    digests: dict[int, bytes] = field(default_factory=dict)
    is_cut: bool = False

    def step(self, execution_id: int) -> str:
        """Return the name of an execution's step."""
        execution = self.executions.get(execution_id)
        return step_of(execution) if execution is not None else f"execution {execution_id}"

    def same_content(self, first: int, second: int) -> bool:
        """Say whether two artifacts are one, or hold the same files."""
        return first == second or (bool(self.digests.get(first)) and self.digests[first] == self.digests.get(second))

    def makers_by_step(self, artifact_id: int) -> dict[str, int]:
        """Return the first maker of each step: a cached run made nothing anew."""
        found: dict[str, int] = {}
        for execution_id in self.makers.get(artifact_id, ()):
            found.setdefault(self.step(execution_id), execution_id)
        return found


def ancestry_of(tx: Transaction, starts: Iterable[Ref], bounds: Bounds, options: v1.LineageOptions) -> Ancestry:
    """Walk upstream from each start; raises NotFound when the store knows nothing of one.

    The number of statements depends on the hops alone.
    """
    found = Ancestry()
    events: dict[int, Any] = {}
    for start in starts:
        walk = Walk(Direction.UPSTREAM, bounds, endings_of(options))
        walk.run(tx, start)
        found.is_cut |= walk.has_next or walk.has_deeper
        for kind, nodes in walk.nodes.items():
            for node_id, node in nodes.items():
                if walk.is_given(node, node_id):
                    found.nodes[Ref(kind, node_id)] = node
                    found.is_cut |= bool(node.cut)
        events |= {row[0]: row for rows in walk.rows.values() for row in rows}
    _connect(tx, found, [events[event_id] for event_id in sorted(events)])
    _name(tx, found)
    return found


def _connect(tx: Transaction, found: Ancestry, rows: list[Any]) -> None:
    """Fill makers and inputs; a DAG counts as a maker only of what nothing inside it is known to have made."""
    keys = event_steps(tx, [row[0] for row in rows])
    outputs = {row[0] for row in rows if row[3] in OUTPUTS}
    for event_id, artifact_id, execution_id, *_ in rows:
        if event_id not in outputs:
            key = "/".join(clean(step) for step in keys.get(event_id, ()))
            found.inputs[execution_id].append((key, artifact_id))
    hidden: dict[int, list[int]] = defaultdict(list)
    for event_id, artifact_id, execution_id, *_ in rows:
        node = found.nodes.get(Ref(Kind.EXECUTION, execution_id))
        if event_id in outputs and node is not None:
            (hidden if node.hidden else found.makers)[artifact_id].append(execution_id)
    for artifact_id, executions in hidden.items():
        if artifact_id not in found.makers:
            found.makers[artifact_id] = [i for i in executions if i in found.inputs]


def _name(tx: Transaction, found: Ancestry) -> None:
    page = [(ref, node) for ref, node in found.nodes.items() if node.row is not None]
    executions = [node.row for ref, node in page if ref.kind is Kind.EXECUTION]
    found.executions = {one.id: one for one in nodes_of_rows(tx, Kind.EXECUTION, executions)}
    artifacts = [(ref, node) for ref, node in page if ref.kind is Kind.ARTIFACT]
    ids = [ref.id for ref, _ in artifacts]
    labels = labels_of(tx, artifacts)
    versions = versions_of(tx, ids)
    types = tx.types.get_many(tx, Kind.ARTIFACT, {node.row[_TYPE_ID] for _, node in artifacts})
    for ref, node in artifacts:
        own = clean(tx.text.decode(node.row[_NAME] or node.row[_URI] or ""))
        version = [f"{one.name}/{one.number}" for one in versions.get(ref.id, ())]
        found.names[ref.id] = version[0] if version else (own if node.row[_NAME] else labels.get(ref, "") or own)
        facts = types.get(node.row[_TYPE_ID])
        found.types[ref.id] = clean(facts.name) if facts is not None else ""
    found.digests = {artifact_id: bytes(digest) for artifact_id, digest in tx.rows_in(_DIGESTS, ids)}
