"""Intervals against SciPy, against DeLong's definition written out pair by pair, and against pROC's numbers."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import pytest

binomtest = pytest.importorskip("scipy.stats").binomtest

from mlmd_metrics.cutoffs import Cutoffs  # noqa: E402
from mlmd_metrics.errors import MetricsError  # noqa: E402
from mlmd_metrics.interval import auc_difference, auc_variance, delong, wilson  # noqa: E402

from tests.metrics.conftest import Scored  # noqa: E402

Numbers = npt.NDArray[np.float64]


def placements(y_true: npt.NDArray[np.int64], scores: Numbers) -> tuple[Numbers, Numbers]:
    """DeLong's structural components by comparing every positive with every negative."""
    positives, negatives = scores[y_true == 1], scores[y_true == 0]
    wins = (positives[:, None] > negatives) + 0.5 * (positives[:, None] == negatives)
    return wins.mean(axis=1), wins.mean(axis=0)


def delong_by_pairs(y_true: npt.NDArray[np.int64], scores: Numbers) -> tuple[float, float]:
    v10, v01 = placements(y_true, scores)
    return v10.mean(), v10.var(ddof=1) / len(v10) + v01.var(ddof=1) / len(v01)


@pytest.mark.parametrize("decimals", [1, 2, 17])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
def test_delong_is_its_definition(cancer: Scored, decimals: int, level: float) -> None:
    scores = cancer.y_score[:, 1].round(decimals)
    found = delong(Cutoffs.from_scores(cancer.y_true, scores), level)
    auc, variance = delong_by_pairs(cancer.y_true, scores)
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance)
    assert found.estimate == pytest.approx(auc, rel=1e-14)
    assert found.low == pytest.approx(auc - half, rel=1e-12)
    assert found.high == pytest.approx(min(1.0, auc + half), rel=1e-12)
    assert (found.level, found.method) == (level, "delong")


def test_difference_of_two_correlated_aucs(cancer: Scored) -> None:
    first = cancer.y_score[:, 1].round(1)
    second = cancer.y_score[:, 1]
    found = auc_difference(cancer.y_true, first, second)
    one, other = placements(cancer.y_true, first), placements(cancer.y_true, second)
    covariances = [np.cov(np.vstack(pair)) / len(pair[0]) for pair in zip(one, other, strict=True)]
    contrast = np.array([-1.0, 1.0])
    variance = float(contrast @ sum(covariances) @ contrast)
    estimate = float(other[0].mean() - one[0].mean())
    assert found.interval.estimate == pytest.approx(estimate, rel=1e-10)
    assert found.p_value == pytest.approx(2 * NormalDist().cdf(-abs(estimate) / math.sqrt(variance)), rel=1e-8)
    assert found.interval.high - found.interval.low == pytest.approx(
        2 * NormalDist().inv_cdf(0.975) * math.sqrt(variance), rel=1e-10
    )


def test_equal_scores_differ_by_nothing() -> None:
    found = auc_difference([0, 1, 0, 1], [0.1, 0.4, 0.5, 0.9], [1, 4, 5, 9])
    assert (found.interval.estimate, found.p_value) == (0.0, 1.0)


@pytest.mark.parametrize(("successes", "trials"), [(0, 10), (10, 10), (1, 3), (37, 285), (99999, 100000), (1, 1)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_wilson_is_scipys(successes: float, trials: float, level: float) -> None:
    expected = binomtest(successes, trials).proportion_ci(level, method="wilson")
    found = wilson(successes, trials, level)
    assert found.estimate == successes / trials
    assert found.low == pytest.approx(expected.low, rel=1e-9, abs=1e-12)
    assert found.high == pytest.approx(expected.high, rel=1e-9, abs=1e-12)


def test_nothing_tried_says_nothing() -> None:
    found = wilson(0, 0)
    assert math.isnan(found.estimate)
    assert (found.low, found.high) == (0.0, 1.0)


def test_full_separation_has_no_variance() -> None:
    found = delong(Cutoffs.from_scores([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]))
    assert (found.estimate, found.low, found.high) == (1.0, 1.0, 1.0)


def test_all_equal_scores() -> None:
    cutoffs = Cutoffs.from_scores([0, 1, 0, 1], [0.5] * 4)
    assert cutoffs.auc() == 0.5
    assert auc_variance(cutoffs) == 0.0


def test_too_few_rows_have_no_interval() -> None:
    found = delong(Cutoffs.from_scores([0, 0, 1], [0.1, 0.2, 0.8]))
    assert found.estimate == 1.0
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert math.isnan(delong(Cutoffs.from_scores([1, 1], [0.1, 0.2])).estimate)


@pytest.mark.parametrize("level", [0, 1, -0.1, 95, math.nan])
def test_level_is_a_share(level: float) -> None:
    with pytest.raises(MetricsError, match="level is"):
        wilson(1, 2, level)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 2), (3, 2), (math.nan, 2), (1, math.inf), (1, math.nan)])
def test_wilson_refuses_impossible_counts(successes: float, trials: float) -> None:
    with pytest.raises(MetricsError, match="successes is"):
        wilson(successes, trials)


@pytest.mark.parametrize(
    ("truths", "first", "second", "field"),
    [
        ([0, 1, 1, 1], [1, 2, 3, 4], [1, 2, 3, 4], "is_positive has 3 positives"),
        ([0, 0, 1, 1], [1, 2, 3], [1, 2, 3, 4], "first has 3"),
        ([0, 0, 1, 1], [1, 2, 3, 4], [1, 2, math.nan, 4], r"second\[2\] is NaN"),
    ],
)
def test_difference_refuses(truths: list[int], first: list[float], second: list[float], field: str) -> None:
    with pytest.raises(MetricsError, match=field):
        auc_difference(truths, first, second)


# Turck et al. 2010, 113 patients with aneurysmal subarachnoid haemorrhage: S100B in hundredths of a microgram per litre
# by outcome (G good, P poor) and WFNS grade. The expected numbers are those that the R package pROC publishes.
Patients = tuple[tuple[bool, ...], tuple[int, ...], tuple[float, ...]]
HUNDREDTHS: dict[str, dict[int, tuple[int, ...]]] = {
    "G": {
        1: (
            4,
            4,
            4,
            4,
            5,
            5,
            6,
            6,
            7,
            7,
            7,
            7,
            8,
            8,
            8,
            8,
            9,
            9,
            9,
            9,
            10,
            10,
            10,
            10,
            11,
            11,
            13,
            13,
            14,
            14,
            14,
            15,
            16,
            18,
            19,
            48,
            50,
        ),
        2: (
            4,
            7,
            8,
            8,
            9,
            9,
            10,
            10,
            10,
            11,
            11,
            13,
            14,
            15,
            15,
            15,
            16,
            17,
            19,
            43,
        ),
        3: (
            5,
            7,
            33,
        ),
        4: (
            16,
            17,
            28,
            32,
            34,
            38,
            45,
            47,
        ),
        5: (
            24,
            46,
            47,
            50,
        ),
    },
    "P": {
        1: (
            7,
            8,
        ),
        2: (
            7,
            7,
            9,
            9,
            10,
            10,
            11,
            14,
            25,
            30,
            41,
            58,
        ),
        3: (13,),
        4: (
            13,
            16,
            23,
            26,
            27,
            48,
            71,
            96,
        ),
        5: (
            3,
            12,
            22,
            32,
            33,
            35,
            44,
            44,
            49,
            52,
            56,
            70,
            71,
            74,
            77,
            82,
            86,
            207,
        ),
    },
}


@pytest.fixture(scope="module")
def patients() -> Patients:
    rows = [
        (outcome == "P", grade, s100b)
        for outcome, grades in HUNDREDTHS.items()
        for grade, values in grades.items()
        for s100b in values
    ]
    assert len(rows) == 113
    return tuple(row[0] for row in rows), tuple(row[1] for row in rows), tuple(row[2] for row in rows)


def test_aucs_and_variances_are_procs(patients: Patients) -> None:
    poor, wfns, s100b = patients
    assert Cutoffs.from_scores(poor, wfns).auc() == pytest.approx(0.823678861788618, rel=1e-14)
    assert auc_variance(Cutoffs.from_scores(poor, wfns)) == pytest.approx(0.00146991470882363, rel=1e-13)
    assert auc_variance(Cutoffs.from_scores(poor, s100b)) == pytest.approx(0.00266868245717244, rel=1e-13)


def test_the_paired_test_is_procs(patients: Patients) -> None:
    poor, wfns, s100b = patients
    found = auc_difference(poor, s100b, wfns)
    assert found.p_value == pytest.approx(0.0271757822291882, rel=1e-12)
    assert found.interval.low == pytest.approx(0.0104061769564846, rel=1e-11)
    assert found.interval.high == pytest.approx(0.174214419249478, rel=1e-12)
