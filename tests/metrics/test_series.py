"""A million points as five hundred, with everything on them that matters."""

import math
import random
from array import array
from typing import Any

import pytest
from mlmd_metrics.errors import MetricsError
from mlmd_metrics.series import downsampled


@pytest.fixture(scope="module")
def loss() -> list[float]:
    noise = random.Random(11)
    return [2.3 * math.exp(-step / 2e5) + 0.1 * noise.random() for step in range(1_000_000)]


def test_a_million_points(loss: list[float]) -> None:
    values = loss[:]
    values[123_456], values[654_321] = 99.0, -7.0
    kept = downsampled(values, points=500)
    assert 400 < len(kept) <= 500
    assert {0, 123_456, 654_321, 999_999} <= set(kept)


def test_a_run_that_diverged(loss: list[float]) -> None:
    values = loss[:]
    values[700_000] = math.inf
    values[700_001:] = [math.nan] * (len(values) - 700_001)
    kept = downsampled(values, points=500)
    assert len(kept) <= 500
    assert {700_000, 700_001, 999_999} <= set(kept)
    finite = [values[index] for index in kept if math.isfinite(values[index])]
    assert max(finite) == max(loss[:700_000])
    assert min(finite) == min(loss[:700_000])


def test_short_series_stay_whole() -> None:
    assert downsampled([], 8) == []
    assert downsampled([3.0], 8) == [0]
    assert downsampled([1.0] * 500) == list(range(500))
    assert downsampled(array("d", [1.0] * 501)) == sorted(set(downsampled([1.0] * 501)))


def test_nothing_but_nan() -> None:
    kept = downsampled([math.nan] * 1000, 8)
    assert kept == [0, 999]


@pytest.mark.parametrize("points", [0, 7, -1, 2.5, True, "500", None])
def test_points_must_leave_room(points: Any) -> None:
    with pytest.raises(MetricsError, match="points is"):
        downsampled([1.0] * 100, points)


def test_values_must_be_numbers() -> None:
    wrong: list[Any] = [*[1.0] * 99, "x"]
    with pytest.raises(MetricsError, match=r"values\[99\] is 'x'"):
        downsampled(wrong, 8)
