"""A small store that shows every corner of reading: eight artifacts, four executions, four contexts, ten events.

It is the fixture of the recorded filter cases, so ids, times and order of insertion are those of the recording:
types 10 to 17, artifacts 1 to 8, executions 1 to 4, contexts 1 to 4.
"""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from google.protobuf.any_pb2 import Any as AnyMessage
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ARTIFACT, CONTEXT, EXECUTION

from tests.metadata_store.calls import Calls, node
from tests.services.sql_server import Address

DATASET, MODEL, MODEL_V2, EMPTY, TRAINER, EVALUATOR, PIPELINE, RUN = range(10, 18)
STATES = pb.Artifact
RUNS = pb.Execution
ANY = AnyMessage(type_url="type.googleapis.com/x", value=b"\x01\x02")
ARTIFACTS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        {"type_id": DATASET, "name": "d1", "uri": "gs://b/1", "state": STATES.LIVE, "external_id": "ext-a1"},
        {"span": 1, "acc": 0.5, "note": "hello", "flag": True},
        {"owner": "amy", "n": 5},
    ),
    (
        {"type_id": DATASET, "name": "d2", "uri": "gs://b/2", "state": STATES.PENDING},
        {"span": 2, "acc": 0.95, "note": "it's", "flag": False},
        {"owner": "bob"},
    ),
    (
        {"type_id": DATASET, "uri": "gs://b/3"},
        {"span": 3, "st": {"k": 1}, "pr": ANY},
        {"my param": "x y", "a.b": 1, "a+b": 1, "UPPER": 7},
    ),
    ({"type_id": MODEL, "name": "m1", "uri": "/m/1", "state": STATES.DELETED}, {}, {"owner": "amy", "n": 5}),
    (
        {"type_id": MODEL_V2, "name": "m1", "uri": "gs://b/1", "state": STATES.MARKED_FOR_DELETION},
        {},
        {"n": 5.5, "s": "5"},
    ),
    ({"type_id": DATASET, "name": "", "state": STATES.UNKNOWN}, {"CamelProp": "Cc", "span": 0}, {"n": "five"}),
    ({"type_id": DATASET, "name": "D1", "uri": "GS://B/1", "state": STATES.ABANDONED}, {"name": "zzz"}, {}),
    (
        {"type_id": DATASET, "name": "uri", "uri": "uri", "state": STATES.REFERENCE, "external_id": "name"},
        {"note": "note"},
        {"owner": "100%_x"},
    ),
]
EXECUTIONS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (
        {"type_id": TRAINER, "name": "run1", "last_known_state": RUNS.COMPLETE, "external_id": "ext-e1"},
        {"lr": 0.1, "span": 1},
        {"k": "v"},
    ),
    ({"type_id": TRAINER, "name": "run2", "last_known_state": RUNS.RUNNING}, {"lr": 0.2}, {}),
    ({"type_id": EVALUATOR}, {}, {"k": "w"}),
    ({"type_id": TRAINER, "name": "run4", "last_known_state": RUNS.FAILED}, {}, {}),
]
CONTEXTS: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"type_id": PIPELINE, "name": "p1", "external_id": "ext-c1"}, {"owner": "amy"}, {"team": "x"}),
    ({"type_id": RUN, "name": "r1"}, {}, {"team": "y"}),
    ({"type_id": RUN, "name": "r2"}, {}, {}),
    ({"type_id": PIPELINE, "name": "p2"}, {"owner": "bob"}, {}),
]
KINDS = pb.Event
EVENTS: list[tuple[int, int, Any, int, tuple[str | int, ...]]] = [
    (2, 2, KINDS.INPUT, 203, ("examples", 1)),
    (1, 1, KINDS.INPUT, 101, ("examples", 0)),
    (1, 4, KINDS.OUTPUT, 102, ("model", 0)),
    (2, 1, KINDS.INPUT, 201, ("examples", 0)),
    (2, 5, KINDS.OUTPUT, 202, ()),
    (3, 4, KINDS.DECLARED_INPUT, 301, ()),
    (3, 6, KINDS.DECLARED_OUTPUT, 302, ()),
    (4, 7, KINDS.PENDING_OUTPUT, 401, ()),
    (3, 2, KINDS.INTERNAL_INPUT, 303, ()),
    (3, 8, KINDS.INTERNAL_OUTPUT, 304, ()),
]
"""Execution, artifact, type, milliseconds, steps of the path."""
ATTRIBUTIONS = [(3, 2), (3, 5), (1, 4), (1, 2), (1, 1), (2, 4), (2, 1)]
"""Context, artifact."""
ASSOCIATIONS = [(3, 3), (3, 2), (1, 2), (1, 1), (2, 1)]
"""Context, execution."""
PARENTS = [(1, 3), (1, 2), (4, 3)]
"""Parent, child."""


def build(call: Calls) -> None:
    """Fill an empty store by calls, then set the times, which callers cannot."""
    _put_types(call)
    call("PutArtifacts", artifacts=[node(pb.Artifact, given, custom, **f) for f, given, custom in ARTIFACTS])
    call("PutExecutions", executions=[node(pb.Execution, given, custom, **f) for f, given, custom in EXECUTIONS])
    call("PutContexts", contexts=[node(pb.Context, given, custom, **f) for f, given, custom in CONTEXTS])
    call("PutEvents", events=[_event(*facts) for facts in EVENTS])
    call(
        "PutAttributionsAndAssociations",
        attributions=[pb.Attribution(context_id=c, artifact_id=a) for c, a in ATTRIBUTIONS],
        associations=[pb.Association(context_id=c, execution_id=e) for c, e in ASSOCIATIONS],
    )
    call("PutParentContexts", parent_contexts=[pb.ParentContext(parent_id=p, child_id=c) for p, c in PARENTS])
    _set_times(call)


def _put_types(call: Calls) -> None:
    kinds = pb
    properties = {
        "span": kinds.INT,
        "acc": kinds.DOUBLE,
        "note": kinds.STRING,
        "flag": kinds.BOOLEAN,
        "st": kinds.STRUCT,
        "pr": kinds.PROTO,
        "CamelProp": kinds.STRING,
        "name": kinds.STRING,
    }
    artifact_types = [
        pb.ArtifactType(name="Dataset", description="a dataset", external_id="ext-t-ds", properties=properties),
        pb.ArtifactType(name="Model", base_type=pb.ArtifactType.MODEL),
        pb.ArtifactType(name="Model", version="v2"),
        pb.ArtifactType(name="Empty"),
    ]
    execution_types = [
        pb.ExecutionType(
            name="Trainer",
            base_type=pb.ExecutionType.TRAIN,
            external_id="ext-t-tr",
            properties={"lr": kinds.DOUBLE, "span": kinds.INT},
        ),
        pb.ExecutionType(name="Evaluator"),
    ]
    context_types = [
        pb.ContextType(name="Pipeline", external_id="ext-t-pi", properties={"owner": kinds.STRING}),
        pb.ContextType(name="Run", version="1"),
    ]
    ids = [call("PutArtifactType", artifact_type=made).type_id for made in artifact_types]
    ids += [call("PutExecutionType", execution_type=made).type_id for made in execution_types]
    ids += [call("PutContextType", context_type=made).type_id for made in context_types]
    assert ids == list(range(10, 18)), "an empty store gives the first types of its users 10 and on"


def _event(execution: int, artifact: int, kind: Any, milliseconds: int, steps: tuple[str | int, ...]) -> pb.Event:
    event = pb.Event(artifact_id=artifact, execution_id=execution, type=kind, milliseconds_since_epoch=milliseconds)
    for step in steps:
        event.path.steps.add(**({"index": step} if isinstance(step, int) else {"key": step}))
    return event


def _set_times(call: Calls) -> None:
    changes = [
        sa.update(ARTIFACT)
        .where(ARTIFACT.c.id == number)
        .values(create_time_since_epoch=1000 + 10 * number, last_update_time_since_epoch=2000 - number // 2 * 10)
        for number in range(1, len(ARTIFACTS) + 1)
    ]
    changes += [
        sa.update(EXECUTION).values(
            create_time_since_epoch=1000 + 10 * EXECUTION.c.id, last_update_time_since_epoch=2000 + 10 * EXECUTION.c.id
        ),
        sa.update(CONTEXT).values(create_time_since_epoch=1000, last_update_time_since_epoch=2000 + CONTEXT.c.id),
    ]

    def change(tx: Transaction) -> None:
        for statement in changes:
            tx.execute(statement)

    call.store.database.write(call.caller, change)


@contextmanager
def opened(request: pytest.FixtureRequest, folder: Path) -> Iterator[Calls]:
    """Open an empty store on the database that the fixture's parameter names, "sqlite" or "mariadb".

    For fixtures of a whole module, whose tests only read.
    """
    with ExitStack() as stack:
        url = f"sqlite:///{folder / 'metadata.db'}"
        if request.param == "mariadb":
            server: Address = request.getfixturevalue("mariadb")
            worker = request.getfixturevalue("worker_id")
            url = stack.enter_context(server.database(f"read_{worker}_{next(_NUMBERS)}"))
        store = Store.open(url)
        stack.callback(store.close)
        yield Calls(store)


_NUMBERS = itertools.count(1)
