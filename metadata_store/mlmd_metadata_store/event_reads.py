"""Events out of the database, by artifact or by execution (mlmd-read contract, 2.8)."""

from collections.abc import Callable, Collection, Iterable, Sequence
from operator import itemgetter
from typing import Any, Literal

import sqlalchemy as sa
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.tables.v10 import EVENT, EVENT_PATH

from mlmd_metadata_store.node_rows import set_raw_text
from mlmd_metadata_store.rpc import mlmd_read
from mlmd_metadata_store.transaction import Transaction

End = Literal["artifact", "execution"]
"""Which end of an event is asked for."""

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_COLUMNS = (EVENT.c.id, EVENT.c.artifact_id, EVENT.c.execution_id, EVENT.c.type, EVENT.c.milliseconds_since_epoch)
_BY: dict[End, sa.Select[Any]] = {
    "artifact": sa.select(*_COLUMNS).where(EVENT.c.artifact_id.in_(_IDS)),
    "execution": sa.select(*_COLUMNS).where(EVENT.c.execution_id.in_(_IDS)),
}
_BY_ID = sa.select(*_COLUMNS).where(EVENT.c.id.in_(_IDS))
_TYPED = EVENT.c.type.in_(sa.bindparam("types", expanding=True))
_OF_TYPES = {end: by.where(_TYPED) for end, by in _BY.items()}
# Without its time an event of an artifact is in the index that keeps events unique, and its row need not be looked up.
_WITHOUT_TIME = sa.select(*_COLUMNS[:-1], sa.null())
_TIMELESS: dict[End, sa.Select[Any]] = {
    "artifact": _WITHOUT_TIME.where(EVENT.c.artifact_id.in_(_IDS), _TYPED),
    "execution": _WITHOUT_TIME.where(EVENT.c.execution_id.in_(_IDS), _TYPED),
}
# The table has no column to order steps by. An event's steps are inserted in order by one statement, so the row number
# that SQLite and InnoDB give each row, by which both walk the index on event_id, keeps them.
_STEPS = sa.select(
    EVENT_PATH.c.event_id, EVENT_PATH.c.is_index_step, EVENT_PATH.c.step_index, EVENT_PATH.c.step_key
).where(EVENT_PATH.c.event_id.in_(_IDS))
_TYPES = frozenset(pb.Event.Type.values())


def event_rows(
    tx: Transaction, by: End, ids: Iterable[int], types: Collection[int] | None = None, *, times: bool = True
) -> list[Any]:
    """Return rows (id, artifact_id, execution_id, type, milliseconds_since_epoch) by ascending event id.

    `ids` are of the end that `by` says; `types`, when given, keeps only events of these `Event.Type` numbers, of which
    without `times` the time is None.
    """
    if types is None:
        rows = tx.rows_in(_BY[by], ids)
    else:
        statement = _OF_TYPES[by] if times else _TIMELESS[by]
        rows = tx.rows_in(statement, ids, types=sorted(types)) if types else []
    rows.sort(key=itemgetter(0))
    return rows


def events_of_rows(tx: Transaction, rows: Sequence[Any], *, add: Callable[[], pb.Event] = pb.Event) -> list[pb.Event]:
    """Return the messages of rows of `event_rows`, in their order; `add` makes each, for instance in a response."""
    events: dict[int, pb.Event] = {}
    for event_id, artifact_id, execution_id, kind, milliseconds in rows:
        event = events[event_id] = add()
        event.artifact_id = artifact_id
        event.execution_id = execution_id
        if kind in _TYPES:  # the enum is closed: on the wire, too, an unknown number is no type
            event.type = kind
        if milliseconds is not None:
            event.milliseconds_since_epoch = milliseconds
    _read_paths(tx, events)
    return list(events.values())


def event_steps(tx: Transaction, event_ids: Iterable[int]) -> dict[int, list[str]]:
    """Return the steps of the paths of these events in their order, indexes as digits; an event without has none."""
    found: dict[int, list[str]] = {}
    for event_id, is_index, index, key in tx.rows_in(_STEPS, event_ids):
        found.setdefault(event_id, []).append(str(index or 0) if is_index else tx.text.decode(key or ""))
    return found


def events_by_id(tx: Transaction, ids: Iterable[int]) -> dict[int, pb.Event]:
    """Return the events of these event ids that exist, by id; the ids are those of the table, no message has them."""
    rows = tx.rows_in(_BY_ID, ids)
    return dict(zip((row[0] for row in rows), events_of_rows(tx, rows), strict=True))


def _read_paths(tx: Transaction, events: dict[int, pb.Event]) -> None:
    for event_id, is_index, index, key in tx.rows_in(_STEPS, events):
        step = events[event_id].path.steps.add()
        if is_index:
            step.index = index or 0
        else:
            _set_key(step, tx.text.decode(key or ""))


def _set_key(step: pb.Event.Path.Step, key: str) -> None:
    try:
        step.key = key
    except UnicodeEncodeError:
        set_raw_text(step, "key", key)


def _by_executions(
    tx: Transaction, request: service.GetEventsByExecutionIDsRequest
) -> service.GetEventsByExecutionIDsResponse:
    response = service.GetEventsByExecutionIDsResponse()
    events_of_rows(tx, event_rows(tx, "execution", request.execution_ids), add=response.events.add)
    return response


def _by_artifacts(
    tx: Transaction, request: service.GetEventsByArtifactIDsRequest
) -> service.GetEventsByArtifactIDsResponse:
    response = service.GetEventsByArtifactIDsResponse()
    events_of_rows(tx, event_rows(tx, "artifact", request.artifact_ids), add=response.events.add)
    return response


EVENT_READ_METHODS = (
    mlmd_read("GetEventsByExecutionIDs", _by_executions),
    mlmd_read("GetEventsByArtifactIDs", _by_artifacts),
)
