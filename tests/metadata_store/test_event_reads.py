"""Getting events: the read contract's edge case 19, by name, and what walks over the graph ask for."""

from mlmd_metadata_store.event_reads import event_rows, events_of_rows
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls
from tests.metadata_store.fixture import build

Facts = list[tuple[int, int, int]]


def facts(events: list[pb.Event]) -> Facts:
    return [(each.execution_id, each.artifact_id, each.type) for each in events]


def test_read_19_events_of_artifacts_and_executions(call: Calls) -> None:
    build(call)

    def of_artifacts(*ids: int) -> list[pb.Event]:
        return list(call("GetEventsByArtifactIDs", artifact_ids=ids).events)

    def of_executions(*ids: int) -> list[pb.Event]:
        return list(call("GetEventsByExecutionIDs", execution_ids=ids).events)

    assert facts(of_artifacts(4)) == [(1, 4, pb.Event.OUTPUT), (3, 4, pb.Event.DECLARED_INPUT)]
    assert facts(of_artifacts(1, 1)) == [(1, 1, pb.Event.INPUT), (2, 1, pb.Event.INPUT)]
    assert of_artifacts() == of_executions() == of_artifacts(99) == of_executions(99, -1, 0) == []
    first, *_, last = of_executions(2)
    assert (first.artifact_id, first.milliseconds_since_epoch) == (2, 203)
    assert [(step.key, step.index) for step in first.path.steps] == [("examples", 0), ("", 1)]
    assert last.artifact_id == 5
    assert not last.HasField("path")


def test_events_come_by_id_whatever_the_order_of_the_request(call: Calls) -> None:
    build(call)
    found = call("GetEventsByExecutionIDs", execution_ids=[3, 1, 2, 3]).events
    assert facts(list(found)) == [
        (2, 2, pb.Event.INPUT),
        (1, 1, pb.Event.INPUT),
        (1, 4, pb.Event.OUTPUT),
        (2, 1, pb.Event.INPUT),
        (2, 5, pb.Event.OUTPUT),
        (3, 4, pb.Event.DECLARED_INPUT),
        (3, 6, pb.Event.DECLARED_OUTPUT),
        (3, 2, pb.Event.INTERNAL_INPUT),
        (3, 8, pb.Event.INTERNAL_OUTPUT),
    ]


def test_rows_of_only_some_types(call: Calls) -> None:
    build(call)

    def body(tx: Transaction) -> None:
        inputs = events_of_rows(tx, event_rows(tx, "execution", range(1, 5), {pb.Event.INPUT}))
        assert facts(inputs) == [(2, 2, pb.Event.INPUT), (1, 1, pb.Event.INPUT), (2, 1, pb.Event.INPUT)]
        assert event_rows(tx, "artifact", range(1, 9), ()) == []
        assert event_rows(tx, "artifact", []) == []
        assert [tuple(row) for row in event_rows(tx, "artifact", [7])] == [(8, 7, 4, pb.Event.PENDING_OUTPUT, 401)]

    call.store.database.read(LOCAL, body)
