"""Points of series on their way into the database, and scalars on theirs into properties."""

from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.counting import counted
from mlmd_schemas.errors import Aborted, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import metrics_pb2 as v1
from mlmd_schemas.tables.own import SERIES, SERIES_SEGMENT
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.dialects import UniqueViolation
from mlmd_metadata_store.metric_owners import MetricName, Owner, by_kind, checked_name, key_of, owner_of, require_owners
from mlmd_metadata_store.node_writes import Rules, put_nodes
from mlmd_metadata_store.series_points import Head, Points, absorbed, in_order, merged, unpacked
from mlmd_metadata_store.transaction import Transaction
from mlmd_metadata_store.update_mask import mask_of_keys

MOST_SERIES = 10_000
"""Series that one call may add to."""

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_OWNER_COLUMNS = ("type_kind", "node_id", "name", "slice")
_LOCKED = (
    sa.select(SERIES.c.id, SERIES.c.type_kind, SERIES.c.node_id, SERIES.c.name, SERIES.c.slice)
    .where(
        SERIES.c.type_kind == sa.bindparam("kind"),
        SERIES.c.node_id.in_(_IDS),
        SERIES.c.name.in_(sa.bindparam("names", expanding=True)),
    )
    .order_by(SERIES.c.id)
    .with_for_update()
)
_HEADS = sa.select(
    SERIES_SEGMENT.c.series_id,
    SERIES_SEGMENT.c.id,
    SERIES_SEGMENT.c.first_step,
    SERIES_SEGMENT.c.first_ms,
    SERIES_SEGMENT.c.last_step,
    SERIES_SEGMENT.c.last_ms,
    SERIES_SEGMENT.c.points,
).where(SERIES_SEGMENT.c.series_id.in_(_IDS))
_CONTENT = sa.select(SERIES_SEGMENT.c.id, SERIES_SEGMENT.c.content).where(SERIES_SEGMENT.c.id.in_(_IDS))
_DELETE = sa.delete(SERIES_SEGMENT).where(SERIES_SEGMENT.c.id.in_(_IDS))
_SEGMENT_COLUMNS = ("series_id", "first_step", "first_ms", "last_step", "last_ms", "points", "content")


def log_series(tx: Transaction, request: v1.LogSeriesRequest) -> v1.LogSeriesResponse:
    """Add points to series, which are made when they are not there; the same points again change nothing.

    The number of statements depends neither on the number of series nor on that of points, but for those that INSERTs
    of many rows are split into. Raises InvalidArgument for a wrong key or columns of different lengths, NotFound for a
    node that is not there.
    """
    fresh = _checked(request.series)
    require_owners(tx, (key.owner for key in fresh))
    ids = _series_ids(tx, list(fresh))
    _store(tx, {ids[key]: points for key, points in fresh.items()})
    return v1.LogSeriesResponse()


def _checked(series: Sequence[v1.SeriesData]) -> dict[MetricName, Points]:
    if not 0 < len(series) <= MOST_SERIES:
        raise InvalidArgument(f"series: has {len(series)} entries; send 1 to {MOST_SERIES:,} in a call.")
    runs: dict[MetricName, list[Points]] = {}
    for place, data in enumerate(series):
        field = f"series[{place}]"
        runs.setdefault(key_of(data.key, f"{field}.key", named=True), []).append(_points(data, field))
    return {key: merged(some) for key, some in runs.items()}


def _points(data: v1.SeriesData, field: str) -> Points:
    steps, values = array("q", data.steps), array("d", data.values)
    times = array("q", data.times_ms) if data.times_ms else array("q", bytes(8 * len(steps)))
    for name, column in (("values", values), ("times_ms", times)):
        if len(column) != len(steps):
            raise InvalidArgument(
                f"{field}.{name}: has {counted(len(column), 'entry', 'entries')} and steps has {len(steps)}; each "
                "point needs one of each."
            )
    if not steps:
        raise InvalidArgument(f"{field}.steps: is empty; send at least one point.")
    return in_order(Points(steps, times, values))


def _series_ids(tx: Transaction, keys: Sequence[MetricName]) -> dict[MetricName, int]:
    """Return the ids of the series, each locked until the transaction ends, making those that are not there."""
    found = _locked(tx, keys)
    absent = [key for key in keys if key not in found]
    if absent:
        rows = [(key.owner.kind.value, key.owner.id, key.name, key.slice) for key in absent]
        try:
            found |= zip(absent, tx.insert_ids(SERIES, _OWNER_COLUMNS, rows), strict=True)
        except UniqueViolation as error:
            raise Aborted(
                "Another call makes the same series at this moment; nothing was written, try again."
            ) from error
    return found


def _locked(tx: Transaction, keys: Iterable[MetricName]) -> dict[MetricName, int]:
    wanted = set(keys)
    names = sorted({key.name for key in wanted})
    found: dict[MetricName, int] = {}
    for kind, ids in by_kind(key.owner for key in wanted).items():
        for series_id, _, node_id, name, slice_name in tx.rows_in(_LOCKED, ids, kind=kind.value, names=names):
            found[MetricName(Owner(kind, node_id), name, slice_name)] = series_id
    return {key: series_id for key, series_id in found.items() if key in wanted}


def _store(tx: Transaction, fresh: dict[int, Points]) -> None:
    heads: dict[int, list[Head]] = {}
    for series_id, segment_id, first_step, first_ms, last_step, last_ms, points in tx.rows_in(_HEADS, fresh):
        head = Head(segment_id, (first_step, first_ms), (last_step, last_ms), points)
        heads.setdefault(series_id, []).append(head)
    joining = {series_id: absorbed(heads.get(series_id, ()), points) for series_id, points in fresh.items()}
    gone = [head.id for some in joining.values() for head in some]
    stored = dict(tx.rows_in(_CONTENT, gone))
    tx.execute_in(_DELETE, gone)
    rows: list[tuple[Any, ...]] = []
    for series_id, points in fresh.items():
        whole = merged([*(unpacked(bytes(stored[head.id])) for head in joining[series_id]), points])
        rows += [(series_id, *part.first, *part.last, len(part), part.packed()) for part in whole.pieces()]
    tx.insert(SERIES_SEGMENT, _SEGMENT_COLUMNS, rows)


def log_scalars(tx: Transaction, request: v1.LogScalarsRequest) -> v1.LogScalarsResponse:
    """Write numbers as custom properties of a node and leave its other properties.

    Raises InvalidArgument without a node or numbers, NotFound for a node that is not there.
    """
    owner = owner_of(request.owner, "owner")
    if not request.scalars:
        raise InvalidArgument("scalars: is empty; send at least one number.")
    for name in request.scalars:
        checked_name(name, "scalars")
        if not name:
            raise InvalidArgument("scalars: a name is empty; name each number.")
    require_owners(tx, [owner])
    write_custom_properties(
        tx, owner, {name: pb.Value(double_value=number) for name, number in request.scalars.items()}
    )
    return v1.LogScalarsResponse()


def write_custom_properties(tx: Transaction, owner: Owner, properties: dict[str, pb.Value]) -> None:
    """Put custom properties of a node that is there; the others stay, and its update time moves."""
    node = (pb.Artifact if owner.kind is Kind.ARTIFACT else pb.Execution)(id=owner.id)
    for name, value in properties.items():
        node.custom_properties[name].CopyFrom(value)
    put_nodes(tx, owner.kind, [node], Rules(mask_of_keys(custom_properties=properties)))
