"""Series out of the database: listed, downsampled, or point by point."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_metrics.series import FEWEST, downsampled
from mlmd_schemas.errors import InvalidArgument, NotFound, ResourceExhausted
from mlmd_schemas.pb.v1 import metrics_pb2 as v1
from mlmd_schemas.tables.own import SERIES, SERIES_SEGMENT

from mlmd_metadata_store.keyset_tokens import key_of_token, token_after
from mlmd_metadata_store.metric_owners import MetricName, Owner, by_kind, key_of, owners_of, require_owners
from mlmd_metadata_store.series_points import EMPTY, Key, Points, joined, unpacked
from mlmd_metadata_store.transaction import Transaction

DEFAULT_POINTS = 500
MOST_POINTS = 100_000
DEFAULT_PAGE = 10_000
LARGEST_PAGE = 1_000_000
MOST_READ = 20_000_000
"""Points that one call may go through; some 500 MB of memory."""

_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_LIST = "series_points"
_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_OF_OWNERS = sa.select(SERIES.c.id, SERIES.c.node_id, SERIES.c.name, SERIES.c.slice).where(
    SERIES.c.type_kind == sa.bindparam("kind"), SERIES.c.node_id.in_(_IDS)
)
_WITHIN = (
    SERIES_SEGMENT.c.series_id.in_(_IDS),
    SERIES_SEGMENT.c.first_step <= sa.bindparam("to_step"),
    SERIES_SEGMENT.c.last_step >= sa.bindparam("from_step"),
)
_IN_ORDER = (SERIES_SEGMENT.c.series_id, SERIES_SEGMENT.c.first_step, SERIES_SEGMENT.c.first_ms)
_HEADS = (
    sa.select(
        SERIES_SEGMENT.c.id,
        SERIES_SEGMENT.c.series_id,
        SERIES_SEGMENT.c.points,
        SERIES_SEGMENT.c.first_step,
        SERIES_SEGMENT.c.last_step,
        SERIES_SEGMENT.c.last_ms,
    )
    .where(*_WITHIN)
    .order_by(*_IN_ORDER)
)
_CONTENT = sa.select(SERIES_SEGMENT.c.series_id, SERIES_SEGMENT.c.content).where(*_WITHIN).order_by(*_IN_ORDER)
_CONTENT_OF = sa.select(SERIES_SEGMENT.c.id, SERIES_SEGMENT.c.content).where(SERIES_SEGMENT.c.id.in_(_IDS))


@dataclass(frozen=True, slots=True)
class SeriesTail:
    """A series with its size and its last point."""

    key: MetricName
    points: int
    first_step: int
    last_step: int
    last_ms: int
    last_value: float


def list_series(tx: Transaction, request: v1.ListSeriesRequest) -> v1.ListSeriesResponse:
    """Return the series of nodes; NotFound for a node that is not there."""
    owners = owners_of(request.owners)
    require_owners(tx, owners)
    answer = v1.ListSeriesResponse()
    for tail in series_tails(tx, owners):
        answer.series.add(
            key=tail.key.message(),
            points=tail.points,
            first_step=tail.first_step,
            last_step=tail.last_step,
            last_ms=tail.last_ms,
            last_value=tail.last_value,
        )
    return answer


def series_tails(tx: Transaction, owners: Sequence[Owner]) -> list[SeriesTail]:
    """Return size and last point of every series of these nodes, in at most four statements."""
    ids = series_of(tx, owners)
    last_of: dict[int, int] = {}
    sizes: dict[int, int] = {}
    first: dict[int, int] = {}
    for segment_id, series_id, points, first_step, _, _ in tx.rows_in(
        _HEADS, ids.values(), from_step=_LEAST, to_step=_MOST
    ):
        last_of[series_id] = segment_id
        sizes[series_id] = sizes.get(series_id, 0) + points
        first.setdefault(series_id, first_step)
    content = dict(tx.rows_in(_CONTENT_OF, last_of.values()))
    tails = []
    for key, series_id in ids.items():
        run = unpacked(bytes(content[last_of[series_id]]))
        tails.append(SeriesTail(key, sizes[series_id], first[series_id], *run.last, run.values[-1]))
    return tails


def series_of(tx: Transaction, owners: Sequence[Owner]) -> dict[MetricName, int]:
    """Return the series of these nodes, by owner in the given order, name and slice, with their ids."""
    rank = {owner: place for place, owner in enumerate(owners)}
    found = [
        (MetricName(Owner(kind, node_id), name, slice_name), series_id)
        for kind, ids in by_kind(owners).items()
        for series_id, node_id, name, slice_name in tx.rows_in(_OF_OWNERS, ids, kind=kind.value)
    ]
    return dict(sorted(found, key=lambda pair: (rank[pair[0].owner], pair[0].name, pair[0].slice)))


def read_series(tx: Transaction, request: v1.ReadSeriesRequest) -> v1.ReadSeriesResponse:
    """Return series downsampled to at most `points` points each, on one snapshot.

    Raises InvalidArgument for a number of points that is out of range, NotFound for a node that is not there,
    ResourceExhausted when the series have too many points to go through in one call.
    """
    points = request.points or DEFAULT_POINTS
    if not FEWEST <= points <= MOST_POINTS:
        raise InvalidArgument(f"points: {points} is not {FEWEST} to {MOST_POINTS:,}; 0 means {DEFAULT_POINTS}.")
    owners = owners_of(request.owners)
    require_owners(tx, owners)
    names = set(request.names)
    ids = {
        key: series_id
        for key, series_id in series_of(tx, owners).items()
        if (not names or key.name in names) and (not request.HasField("slice") or key.slice == request.slice)
    }
    from_step, to_step = _steps(request)
    whole = _whole(tx, ids.values(), from_step, to_step)
    answer = v1.ReadSeriesResponse()
    for key, series_id in ids.items():
        _add_sample(answer.series.add(key=key.message()), whole.pop(series_id, None), points)
    return answer


def _steps(request: v1.ReadSeriesRequest | v1.ListSeriesPointsRequest) -> tuple[int, int]:
    from_step = request.from_step if request.HasField("from_step") else _LEAST
    to_step = request.to_step if request.HasField("to_step") else _MOST
    if from_step > to_step:
        raise InvalidArgument(f"from_step: {from_step} lies behind to_step {to_step}; exchange them.")
    return from_step, to_step


def _whole(tx: Transaction, ids: Iterable[int], from_step: int, to_step: int) -> dict[int, Points]:
    """Return all points within the steps, by series."""
    wanted = list(ids)
    heads = tx.rows_in(_HEADS, wanted, from_step=from_step, to_step=to_step)
    total = sum(row[2] for row in heads)
    if total > MOST_READ:
        raise ResourceExhausted(
            f"owners: their series have {total:,} points, and one call goes through at most {MOST_READ:,}; ask for "
            "fewer nodes or names, or narrow from_step and to_step."
        )
    runs: dict[int, list[Points]] = {}
    for series_id, content in tx.rows_in(_CONTENT, wanted, from_step=from_step, to_step=to_step) if heads else ():
        runs.setdefault(series_id, []).append(unpacked(bytes(content)))
    return {series_id: joined(some).between(from_step, to_step) for series_id, some in runs.items()}


def _add_sample(sample: v1.SeriesSample, whole: Points | None, points: int) -> None:
    if whole is None or not whole:
        return
    kept = whole.picked(downsampled(whole.values, points)) if len(whole) > points else whole
    sample.total_points = len(whole)
    sample.steps.extend(kept.steps)
    sample.times_ms.extend(kept.times)
    sample.values.extend(kept.values)


def list_series_points(tx: Transaction, request: v1.ListSeriesPointsRequest) -> v1.ListSeriesPointsResponse:
    """Return a page of one series' points by step and time, all of them over the pages.

    Raises InvalidArgument for a page size or token that is none, NotFound for a node or series that is not there.
    """
    size = request.page_size or DEFAULT_PAGE
    if not 0 < size <= LARGEST_PAGE:
        raise InvalidArgument(f"page_size: {size} is not 1 to {LARGEST_PAGE:,}; 0 means {DEFAULT_PAGE:,}.")
    key = key_of(request.key, "key", named=True)
    after = _after(request.page_token)
    from_step, to_step = _steps(request)
    require_owners(tx, [key.owner])
    series_id = series_of(tx, [key.owner]).get(key)
    if series_id is None:
        raise NotFound(f"key: the node has no series {key.name!r} of the slice {key.slice!r}; ListSeries names them.")
    page = _page(tx, series_id, (from_step, to_step), after, size)
    answer = v1.ListSeriesPointsResponse()
    kept = page.cut(0, size)
    answer.steps.extend(kept.steps)
    answer.times_ms.extend(kept.times)
    answer.values.extend(kept.values)
    if len(page) > size:
        answer.next_page_token = token_after(_LIST, "{},{}".format(*kept.last))
    return answer


def _page(tx: Transaction, series_id: int, steps: tuple[int, int], after: Key | None, size: int) -> Points:
    """Return the points behind `after`: all there are, or more than `size` of them."""
    from_step, to_step = steps
    start = from_step if after is None else max(from_step, after[0])
    chosen: list[int] = []
    count = 0
    for segment_id, _, points, _, last_step, last_ms in tx.rows_in(
        _HEADS, [series_id], from_step=start, to_step=to_step
    ):
        if after is not None and (last_step, last_ms) <= after:
            continue
        if chosen:  # of the first segment an unknown part lies behind `after`
            count += points
        chosen.append(segment_id)
        if count > size:
            break
    content = dict(tx.rows_in(_CONTENT_OF, chosen))
    runs = [unpacked(bytes(content[segment_id])) for segment_id in chosen]
    found = joined(runs).between(start, to_step) if runs else EMPTY
    if after is None:
        return found
    keys = zip(found.steps, found.times, strict=True)
    behind = next((place for place, key in enumerate(keys) if key > after), len(found))
    return found.cut(behind, len(found))


def _after(token: str) -> Key | None:
    key = key_of_token(_LIST, token)
    if not key:
        return None
    try:
        step, time = map(int, key.split(","))
    except ValueError:
        raise InvalidArgument(
            "page_token: not one that this list gave; take next_page_token of the page before."
        ) from None
    return step, time
