"""Metrics that wait to be sent: points of series and scalars, gathered into few requests."""

import threading
import time
from array import array
from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from mlmd_schemas.pb.v1 import metrics_pb2 as v1

from mlmd_client.failures import Refused, refused

LOG_SERIES, LOG_SCALARS = "/mlmd.v1.Metrics/LogSeries", "/mlmd.v1.Metrics/LogScalars"
LONGEST_NAME = 255
MOST_SERIES = 5_000
MOST_POINTS = 200_000
"""Series and points in one request; the server takes 10,000 series and 100 MiB."""
MANY = 20_000
"""Points that are not worth waiting with."""

Call = tuple[str, Message]
Key = tuple[str, str]


def checked_name(name: object, field: str, *, empty: bool = False) -> str:
    """Return a name that the server will take, because what it refuses later can be told to nobody; raises Refused.

    >>> checked_name("train/loss", "name")
    'train/loss'
    """
    if not isinstance(name, str):
        raise refused(f"{field}: is of type {type(name).__name__} and no text; the name comes first.")
    if (not name and not empty) or len(name) > LONGEST_NAME or name != name.strip() or "\0" in name:
        raise refused(
            f"{field}: {name[:60]!r} is empty, longer than {LONGEST_NAME} characters, begins or ends with space, or "
            "holds a NUL; call it something like 'train/loss'."
        )
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise refused(f"{field}: {name[:60]!r} cannot be written as UTF-8; mend its surrogates.") from None
    return name


class _Columns:
    """The points of one series."""

    __slots__ = ("next_step", "steps", "times", "values")

    def __init__(self) -> None:
        self.next_step = 0
        self.clear()

    def clear(self) -> None:
        self.steps, self.times, self.values = array("q"), array("q"), array("d")

    def add(self, value: float, step: int | None, time_ms: int) -> None:
        self.mend()
        chosen = self.next_step if step is None else step
        self.next_step = max(self.next_step, chosen + 1)
        self.steps.append(chosen)
        self.times.append(time_ms)
        self.values.append(value)

    def mend(self) -> None:
        """Take away what Ctrl-C left of a point: one is there when its value is."""
        count = len(self.values)
        if len(self.steps) != count:
            del self.steps[count:], self.times[count:]


class Points:
    """What was logged since the last time; safe to use from many threads.

    >>> points = Points()
    >>> points.add("loss", "", 0.5, None)
    1
    >>> [path for path, request in points.drain()]
    ['/mlmd.v1.Metrics/LogSeries']
    >>> list(points.drain())
    []
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._series: dict[Key, _Columns] = {}
        self._scalars: dict[str, float] = {}
        self._count = 0
        self._closed = False

    def add(self, name: str, slice_name: str, value: float, step: int | None) -> int:
        """Note a point; without a step it gets the one after the highest. Returns how many wait.

        Raises Refused when nobody will send it any more.
        """
        now = time.time_ns() // 1_000_000
        with self._lock:
            if self._closed:
                raise over()
            columns = self._series.get((name, slice_name))
            if columns is None:
                columns = self._series[name, slice_name] = _Columns()
            columns.add(value, step, now)
            self._count += 1
            return self._count

    def set(self, scalars: dict[str, float]) -> None:
        """Note scalars; the last of a name counts. Raises Refused when nobody will send them any more."""
        with self._lock:
            if self._closed:
                raise over()
            self._scalars |= scalars

    def close(self) -> None:
        """Take nothing more; what waits can still be drained."""
        with self._lock:
            self._closed = True

    def drain(self) -> Iterator[Call]:
        """Yield what waits as requests without owner, and forget it."""
        with self._lock:
            for columns in self._series.values():
                columns.mend()
            taken = [(key, columns.steps, columns.times, columns.values) for key, columns in self._series.items()]
            for columns in self._series.values():
                columns.clear()
            scalars, self._scalars, self._count = self._scalars, {}, 0
        request, points = v1.LogSeriesRequest(), 0
        for (name, slice_name), steps, times, values in taken:
            for start in range(0, len(steps), MOST_POINTS):
                part = slice(start, start + MOST_POINTS)
                key = v1.MetricKey(name=name, slice=slice_name)
                request.series.add(key=key, steps=steps[part], times_ms=times[part], values=values[part])
                points += len(steps[part])
                if points >= MOST_POINTS or len(request.series) >= MOST_SERIES:
                    yield LOG_SERIES, request
                    request, points = v1.LogSeriesRequest(), 0
        if request.series:
            yield LOG_SERIES, request
        if scalars:
            yield LOG_SCALARS, v1.LogScalarsRequest(scalars=scalars)


def over() -> Refused:
    """Return what is said to a thread that logs while another one ends the run.

    >>> over().code.name
    'INVALID_ARGUMENT'
    """
    return refused("run: it has ended meanwhile, and takes nothing; log inside `with store.run(...)`.")


def owners_of(path: str, request: Any) -> list[v1.MetricOwner]:
    """Return the owners in a request of the metrics service, to be filled; none for another service.

    >>> len(owners_of(LOG_SCALARS, v1.LogScalarsRequest()))
    1
    """
    if path == LOG_SERIES:
        return [series.key.owner for series in request.series]
    if path == LOG_SCALARS:
        return [request.owner]
    if path == "/mlmd.v1.Metrics/LogEvaluation":
        return [evaluation.key.owner for evaluation in request.evaluations]
    if path in ("/mlmd.v1.Metrics/LogConfusionMatrix", "/mlmd.v1.Metrics/LogCurve"):
        return [request.key.owner]
    return []
