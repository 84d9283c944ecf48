"""Putting events: the write contract's edge cases 48 to 50, by name, and what they cost."""

from typing import Any

import pytest
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.event_writes import store_events
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import AlreadyExists, Code, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls, counted

INPUT, OUTPUT = pb.Event.INPUT, pb.Event.OUTPUT


@pytest.fixture
def filled(call: Calls) -> Calls:
    """Calls on a store with artifacts 1 to 3 and executions 1 to 3."""
    artifact_type = call("PutArtifactType", artifact_type=pb.ArtifactType(name="A")).type_id
    execution_type = call("PutExecutionType", execution_type=pb.ExecutionType(name="E")).type_id
    call("PutArtifacts", artifacts=[pb.Artifact(type_id=artifact_type) for _ in range(3)])
    call("PutExecutions", executions=[pb.Execution(type_id=execution_type) for _ in range(3)])
    return call


def event(artifact: int = 1, execution: int = 1, kind: Any = INPUT, *steps: int | str, **fields: Any) -> pb.Event:
    made = pb.Event(artifact_id=artifact, execution_id=execution, type=kind, **fields)
    for step in steps:
        made.path.steps.add(**({"index": step} if isinstance(step, int) else {"key": step}))
    return made


def code(call: Calls, *events: pb.Event) -> Code:
    return call.code("PutEvents", events=events)


def stored(call: Calls) -> list[pb.Event]:
    return list(call("GetEventsByArtifactIDs", artifact_ids=range(-5, 10_000)).events)


def test_write_48_what_is_missing_or_unknown_is_an_invalid_argument(filled: Calls) -> None:
    wrong = [
        pb.Event(execution_id=1, type=INPUT),
        pb.Event(artifact_id=1, type=INPUT),
        pb.Event(artifact_id=1, execution_id=1),
        event(kind=pb.Event.UNKNOWN),
        event(artifact=99),
        event(execution=99),
        event(artifact=0),
        event(artifact=-1),
    ]
    for each in wrong:
        assert code(filled, each) is Code.INVALID_ARGUMENT
        assert code(filled, event(2, 2), each) is Code.INVALID_ARGUMENT
    unknown_type = pb.Event.FromString(b"\x08\x01\x10\x01\x20\x63")  # type 99
    assert code(filled, unknown_type) is Code.INVALID_ARGUMENT
    assert not stored(filled)


def test_an_error_names_what_is_missing_in_the_contracts_order(filled: Calls) -> None:
    message = filled.message("PutEvents", events=[event(99, 98, pb.Event.UNKNOWN)])
    assert "event.type" in message
    message = filled.message("PutEvents", events=[event(99, 98)])
    assert "artifact" in message
    assert "99" in message
    message = filled.message("PutEvents", events=[event(1, 98)])
    assert "execution" in message
    assert "98" in message


def test_write_49_one_event_for_each_artifact_execution_and_type(filled: Calls) -> None:
    assert code(filled, event(), event()) is Code.ALREADY_EXISTS
    assert not stored(filled)
    assert code(filled, event(), event(kind=OUTPUT)) is Code.OK
    assert code(filled, event(2, 2), event()) is Code.ALREADY_EXISTS
    assert len(stored(filled)) == 2, "nothing of the failed request"
    message = filled.message("PutEvents", events=[event(2, 2), event(2, 3), event()])
    assert "artifact 1 and execution 1" in message
    assert "INPUT" in message


def test_the_first_error_in_the_requests_order_is_the_answer(filled: Calls) -> None:
    filled("PutEvents", events=[event()])
    nameless = pb.Event(artifact_id=1, execution_id=1)
    assert code(filled, event(2, 2), event(), nameless) is Code.ALREADY_EXISTS
    assert code(filled, event(2, 2), nameless, event()) is Code.INVALID_ARGUMENT
    assert code(filled, event(), event(99, 99)) is Code.ALREADY_EXISTS


def test_write_50_times_and_paths(filled: Calls) -> None:
    before = now_ms()
    steps = ("examples", 0, "", -1, 2**31 - 1, "examples")
    filled(
        "PutEvents",
        events=[
            event(1, 1, INPUT, *steps, milliseconds_since_epoch=0),
            event(1, 2, INPUT, milliseconds_since_epoch=-5),
            event(1, 3, INPUT, 7),
            event(2, 1, OUTPUT, path=pb.Event.Path(steps=[pb.Event.Path.Step()])),
        ],
    )
    first, negative, timeless, pathless = stored(filled)
    assert first == event(1, 1, INPUT, *steps, milliseconds_since_epoch=0)
    assert negative.milliseconds_since_epoch == -5
    assert before <= timeless.milliseconds_since_epoch <= now_ms()
    assert not pathless.HasField("path"), "a step that is neither index nor key is no step"


def test_steps_keep_their_order_among_many_events(filled: Calls) -> None:
    kinds = [kind for kind in pb.Event.Type.values() if kind]
    events = [
        event(artifact, execution, kind, *(f"k{step}" if step % 3 else step for step in range(40)))
        for artifact in (1, 2, 3)
        for execution in (1, 2, 3)
        for kind in kinds
    ]
    filled("PutEvents", events=events[::2])
    filled("PutEvents", events=events[1::2])
    found = stored(filled)
    assert [(e.artifact_id, e.execution_id, e.type) for e in found] == [
        (e.artifact_id, e.execution_id, e.type) for e in [*events[::2], *events[1::2]]
    ]
    assert {tuple(e.path.SerializeToString() for e in found)} == {(events[0].path.SerializeToString(),) * len(events)}


def test_keys_may_be_anything_and_indexes_have_64_bits(filled: Calls) -> None:
    keys = ("Tür 'x' \"y\" %s $0 \\ 模型 🎲", "k" * 10_000, 2**40)
    filled("PutEvents", events=[event(1, 1, INPUT, *keys)])
    (found,) = stored(filled)
    assert found.path == event(1, 1, INPUT, *keys).path


def test_events_for_other_writers_need_no_nodes_and_are_never_swallowed(filled: Calls) -> None:
    def body(tx: Transaction) -> None:
        store_events(tx, [event(77, 88)])

    filled.store.database.write(LOCAL, body)
    with pytest.raises(AlreadyExists, match="artifact 77 and execution 88"):
        filled.store.database.write(LOCAL, body)
    with pytest.raises(InvalidArgument):
        filled.store.database.write(LOCAL, lambda tx: store_events(tx, [pb.Event(artifact_id=1, execution_id=1)]))
    filled.store.database.write(LOCAL, lambda tx: store_events(tx, []))
    assert len(stored(filled)) == 1


def test_statements_do_not_grow_with_the_request(filled: Calls) -> None:
    ids = filled("PutArtifacts", artifacts=[pb.Artifact(type_id=10) for _ in range(5000)]).artifact_ids
    costs = {}
    for execution, count in ((1, 1), (2, 100), (3, 5000)):
        events = [event(artifact, execution, INPUT, "key", 1) for artifact in ids[:count]]
        with counted(filled.store) as statements:
            filled("PutEvents", events=events)
        costs[count] = len(statements)
        with counted(filled.store) as statements:
            assert len(filled("GetEventsByExecutionIDs", execution_ids=[execution]).events) == count
        costs[-count] = len(statements)
    # Two looks for the nodes, the events, their steps; on SQLite one question for the ids of several rows.
    assert costs[1] == 4
    assert costs[100] <= costs[1] + 1
    assert costs[5000] <= costs[1] + 1 + 5 + 5
    assert costs[-100] == costs[-1] == 2
    assert costs[-5000] <= 2 + 5
