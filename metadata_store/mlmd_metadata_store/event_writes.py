"""Events on their way into the database (mlmd-write contract, 4.8)."""

from collections.abc import Sequence
from typing import Any

from mlmd_schemas.errors import AlreadyExists, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import EVENT, EVENT_PATH, Kind

from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.event_reads import EVENT_READ_METHODS
from mlmd_metadata_store.node_ids import existing_ids
from mlmd_metadata_store.one_by_one import one_by_one
from mlmd_metadata_store.rpc import mlmd_write
from mlmd_metadata_store.text_limits import fitting_text
from mlmd_metadata_store.transaction import Transaction

_COLUMNS = ("artifact_id", "execution_id", "type", "milliseconds_since_epoch")
_PATH_COLUMNS = ("event_id", "is_index_step", "step_index", "step_key")


def store_events(tx: Transaction, events: Sequence[pb.Event]) -> None:
    """Insert events whose artifact_id and execution_id are filled, with their paths; the time is now by default.

    Raises InvalidArgument for an event without a type, AlreadyExists when there is an event of the same artifact,
    execution and type. Whether the ids exist is the caller's to know.
    """
    if len(events) > 1:
        if tx.careful:
            one_by_one("event", events, lambda event: store_events(tx, [event]))
            return
        tx.setwise = True
    if not events:
        return
    now = now_ms()
    rows = [_row(event, now) for event in events]
    try:
        ids = tx.insert_ids(EVENT, _COLUMNS, rows)
    except UniqueViolation as error:
        raise AlreadyExists(_taken(events[0])) from error
    steps = [row for event_id, event in zip(ids, events, strict=True) for row in _steps(tx, event_id, event)]
    if steps:
        tx.insert(EVENT_PATH, _PATH_COLUMNS, steps, later=True)


def _row(event: pb.Event, now: int) -> tuple[int, int, int, int]:
    _check_type(event)
    time = event.milliseconds_since_epoch if event.HasField("milliseconds_since_epoch") else now
    return event.artifact_id, event.execution_id, event.type, time


def _check_type(event: pb.Event) -> None:
    if event.type == pb.Event.UNKNOWN:  # absent, UNKNOWN, or a number that the enum does not have
        raise InvalidArgument(
            f"event.type: missing or UNKNOWN in the event of artifact {event.artifact_id} and execution "
            f"{event.execution_id}; say INPUT, OUTPUT or another Event.Type."
        )


def _taken(event: pb.Event) -> str:
    return (
        f"There is an event {pb.Event.Type.Name(event.type)} of artifact {event.artifact_id} and execution "
        f"{event.execution_id} already; events are made once and not changed."
    )


def _steps(tx: Transaction, event_id: int, event: pb.Event) -> list[tuple[Any, ...]]:
    """Return the path's rows in order; a step with neither index nor key is left out, as the contract has it."""
    rows: list[tuple[Any, ...]] = []
    for step in event.path.steps:
        case = step.WhichOneof("value")
        if case == "index":
            rows.append((event_id, 1, step.index, None))
        elif case == "key":
            rows.append((event_id, 0, None, fitting_text(tx, "event.path.steps.key", step.key)))
    return rows


def put_events(tx: Transaction, events: Sequence[pb.Event]) -> None:
    """Check that the events are whole and that both their ends exist, and store them.

    Raises InvalidArgument for what is missing, AlreadyExists as `store_events` does.
    """
    if len(events) > 1:
        if tx.careful:
            one_by_one("event", events, lambda event: put_events(tx, [event]))
            return
        tx.setwise = True
    for event in events:
        _check_whole(event)
    for kind, field in ((Kind.ARTIFACT, "artifact_id"), (Kind.EXECUTION, "execution_id")):
        _check_end(tx, kind, field, events)
    store_events(tx, events)


def _check_whole(event: pb.Event) -> None:
    for field in ("artifact_id", "execution_id"):
        if not event.HasField(field):
            raise InvalidArgument(f"event.{field}: missing; an event needs both its artifact and its execution.")
    _check_type(event)


def _check_end(tx: Transaction, kind: Kind, field: str, events: Sequence[pb.Event]) -> None:
    wanted = {getattr(event, field) for event in events}
    missing = wanted - existing_ids(tx, kind, wanted) if wanted else ()
    if missing:
        noun = kind.name.lower()
        raise InvalidArgument(f"event.{field}: there is no {noun} with id {min(missing)}; put the {noun} first.")


def _put_events(tx: Transaction, request: service.PutEventsRequest) -> service.PutEventsResponse:
    put_events(tx, request.events)
    return service.PutEventsResponse()


EVENT_METHODS = (mlmd_write("PutEvents", _put_events), *EVENT_READ_METHODS)
