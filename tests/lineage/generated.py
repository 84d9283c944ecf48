"""Graphs as large as anybody's: written in bulk, the same for the same seed."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ARTIFACT, ARTIFACT_PROPERTY, EVENT, EXECUTION, EXECUTION_PROPERTY

from tests.metadata_store.calls import Calls

BATCH = 50_000
EPOCH_MS = 1_700_000_000_000
NODE = ("type_id", "name", "create_time_since_epoch", "last_update_time_since_epoch")


@dataclass(frozen=True)
class Generated:
    """A graph whose executions read four or five artifacts of the last thousand, or of anywhere, and make one or two.

    Ids of both kinds begin at 1. Execution e comes after every execution of a lower id.
    """

    inputs: Sequence[tuple[int, int]]
    """Artifact and execution."""
    outputs: Sequence[tuple[int, int]]
    """Execution and artifact."""
    artifacts: int
    executions: int

    @property
    def edges(self) -> int:
        """How many events there are."""
        return len(self.inputs) + len(self.outputs)


def generated(edges: int, seed: int = 7) -> Generated:
    """Return a graph with about so many edges."""
    chance = random.Random(seed)
    inputs: list[tuple[int, int]] = []
    outputs: list[tuple[int, int]] = []
    artifacts, execution = 10, 0
    while len(inputs) + len(outputs) < edges:
        execution += 1
        read: set[int] = set()
        for _ in range(min(artifacts, 4 + (execution % 3 == 0))):
            nearest = 1 if chance.random() < 0.05 else max(1, artifacts - 1000)
            read.add(chance.randint(nearest, artifacts))
        inputs += [(artifact, execution) for artifact in sorted(read)]
        for _ in range(1 + execution % 2):
            artifacts += 1
            outputs.append((execution, artifacts))
    return Generated(inputs, outputs, artifacts, execution)


def write(store: Store, graph: Generated, properties: int = 0) -> None:
    """Write the graph into an empty store, each node with so many properties."""
    types = Calls(store)(
        "PutTypes",
        artifact_types=[pb.ArtifactType(name="system.Dataset")],
        execution_types=[pb.ExecutionType(name="Step")],
    )

    def rows(type_id: int, letter: str, count: int) -> Iterator[Sequence[Any]]:
        for number in range(1, count + 1):
            yield type_id, f"{letter}{number}", EPOCH_MS + number, EPOCH_MS + number

    def values(count: int) -> Iterator[Sequence[Any]]:
        for number in range(1, count + 1):
            for place in range(properties):
                yield number, f"property{place}", 1, f"value {place} of {number}"

    def events() -> Iterator[Sequence[Any]]:
        merged = [(execution, 0, artifact) for artifact, execution in graph.inputs]
        merged += [(execution, 1, artifact) for execution, artifact in graph.outputs]
        for execution, is_output, artifact in sorted(merged):
            kind = pb.Event.OUTPUT if is_output else pb.Event.INPUT
            yield artifact, execution, kind, EPOCH_MS + execution

    event = ("artifact_id", "execution_id", "type", "milliseconds_since_epoch")
    _insert(store, ARTIFACT, NODE, rows(types.artifact_type_ids[0], "a", graph.artifacts))
    _insert(store, EXECUTION, NODE, rows(types.execution_type_ids[0], "e", graph.executions))
    for table, count in ((ARTIFACT_PROPERTY, graph.artifacts), (EXECUTION_PROPERTY, graph.executions)):
        owner = f"{table.name.removesuffix('Property').lower()}_id"
        _insert(store, table, (owner, "name", "is_custom_property", "string_value"), values(count))
    _insert(store, EVENT, event, events())


def _insert(store: Store, table: Any, columns: Sequence[str], rows: Iterator[Sequence[Any]]) -> None:
    while batch := tuple(islice(rows, BATCH)):

        def body(tx: Transaction, batch: Sequence[Any] = batch) -> None:
            tx.insert(table, columns, batch)

        store.database.write(LOCAL, body)
