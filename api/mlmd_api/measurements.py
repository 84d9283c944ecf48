"""What is counted, for Prometheus: calls, errors and latency by method, wire and code, and the use of the pool.

With several workers the counts live in files of a folder that all of them share (`PROMETHEUS_MULTIPROC_DIR`, which has
to be in the environment before this module is imported), and a scrape of any worker adds them up.
"""

import logging
import math
import os
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from mlmd_schemas.errors import Code
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from mlmd_api.shared_counts import FOLDER_VARIABLE, make_room, summing

_LOG = logging.getLogger("mlmd.server")
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
NOTE_EVERY_SECONDS = 1.0
"""How old the pool's figures of another worker may be."""
_ENDS = "When the TLS certificate in force ends, the first of its chain; of workers the earliest."
_RELOADED = "Whether the TLS certificate in force is what its files hold."
_SILENT = "Workers that have not moved for ten seconds and more: connections that they get wait."
_Mode = Literal["livesum", "livemin"]
_BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class _Silent:
    """A figure that each worker knows of all, and that is not added up."""

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count

    def collect(self) -> Iterator[Metric]:
        """Yield it as it is now."""
        yield GaugeMetricFamily("mlmd_workers_silent", _SILENT, self._count())


class Measurements:
    """The counters of this process. `pool_use` returns, for each pool, the connections in use and the most.

    `silent` returns how many of the workers are; None where this process is the only one.
    """

    def __init__(
        self, pool_use: Callable[[], dict[str, tuple[int, int]]] = dict, silent: Callable[[], int] | None = None
    ) -> None:
        self._pool_use = pool_use
        self._silent = silent
        self._shared = FOLDER_VARIABLE in os.environ
        if self._shared:
            make_room(Path(os.environ[FOLDER_VARIABLE]))
        self._registry = registry = CollectorRegistry()
        self._calls = Counter("mlmd_calls", "Calls answered.", ["method", "wire", "code"], registry=registry)
        self._errors = Counter(
            "mlmd_errors", "Calls answered with another code than OK.", ["method", "wire", "code"], registry=registry
        )
        self._seconds = Histogram(
            "mlmd_call_seconds",
            "Seconds from request to answer.",
            ["method", "wire"],
            buckets=_BUCKETS,
            registry=registry,
        )
        self._in_flight = _gauge("mlmd_calls_in_flight", "Calls being answered at this moment.", registry)
        self._in_use = _gauge("mlmd_pool_connections_in_use", "Database connections held by calls.", registry, "pool")
        self._pool_size = _gauge(
            "mlmd_pool_connections_max", "Database connections that there can be.", registry, "pool"
        )
        self._told_loss = False
        self._certificate: tuple[Gauge, Gauge] | None = None
        self._counters = lru_cache(maxsize=None)(self._labelled)

    def _labelled(self, path: str, wire: str, code: Code) -> tuple[Counter, Counter | None, Histogram]:
        name = path.lstrip("/")
        errors = None if code is Code.OK else self._errors.labels(name, wire, code.name)
        return self._calls.labels(name, wire, code.name), errors, self._seconds.labels(name, wire)

    def begin(self) -> None:
        """Count a call that came in."""
        self._in_flight.inc()

    def end(self, path: str, wire: str, code: Code, seconds: float) -> None:
        """Count a call that was answered."""
        self._in_flight.dec()
        try:
            calls, errors, histogram = self._counters(path, wire, code)
        except OSError as error:  # somebody took away the folder of the counts; the call is answered all the same
            self._tell_loss(error)
            return
        calls.inc()
        if errors is not None:
            errors.inc()
        histogram.observe(seconds)

    def _tell_loss(self, error: OSError) -> None:
        if not self._told_loss:
            _LOG.error("calls are not counted while their files cannot be made: %s: %s", error.strerror, error.filename)
        self._told_loss = True

    @property
    def is_shared(self) -> bool:
        """Whether a scrape of another process asks for what this one counted."""
        return self._shared

    def note_pool(self) -> None:
        """Note how many connections are in use, for whoever asks another worker."""
        try:
            for pool, (in_use, size) in self._pool_use().items():
                self._in_use.labels(pool).set(in_use)
                self._pool_size.labels(pool).set(size)
        except OSError as error:
            self._tell_loss(error)

    def note_certificate(self, ends: float | None, is_new: bool) -> None:
        """Note when the certificate in force ends, in seconds since the epoch, and whether it is what its files hold.

        Only who shows one notes it, and in one thread.
        """
        if self._certificate is None:
            self._certificate = (
                _gauge("mlmd_certificate_not_after_timestamp_seconds", _ENDS, self._registry, mode="livemin"),
                _gauge("mlmd_certificate_last_reload_successful", _RELOADED, self._registry, mode="livemin"),
            )
        end, reloaded = self._certificate
        end.set(math.nan if ends is None else ends)
        reloaded.set(is_new)

    def page(self) -> bytes:
        """Return Prometheus' text page, all workers summed."""
        self.note_pool()
        if not self._shared:
            return generate_latest(self._registry)
        summed = CollectorRegistry()
        if self._silent is not None:
            summed.register(_Silent(self._silent))
        with summing(Path(os.environ[FOLDER_VARIABLE])):
            MultiProcessCollector(summed)  # reads them a first time
            return generate_latest(summed)


def _gauge(name: str, text: str, registry: CollectorRegistry, *labels: str, mode: _Mode = "livesum") -> Gauge:
    return Gauge(name, text, labels, registry=registry, multiprocess_mode=mode)
