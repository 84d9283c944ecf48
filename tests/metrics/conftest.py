"""Real models on real data: what the tests compare with scikit-learn is what a classifier says on rows it never saw."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

datasets = pytest.importorskip("sklearn.datasets")

Near = Callable[[float, float], bool]
"""Says whether a derived figure is near the expected one."""


@dataclass(frozen=True)
class Scored:
    """Rows held back in training: their labels and the probabilities a model gives them."""

    y_true: npt.NDArray[np.int64]
    y_score: npt.NDArray[np.float64]
    names: tuple[str, ...]


def _scored(data: Any, columns: int | None = None) -> Scored:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import train_test_split
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test, train_labels, test_labels = train_test_split(
        data.data[:, :columns], data.target, test_size=0.5, random_state=7, stratify=data.target
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(train, train_labels)
    return Scored(test_labels, model.predict_proba(test), tuple(str(name) for name in data.target_names))


@pytest.fixture(scope="session")
def cancer() -> Scored:
    """Breast cancer (Wisconsin), two classes, 285 rows; four columns only, so that the model errs now and then."""
    return _scored(datasets.load_breast_cancer(), columns=4)


@pytest.fixture(scope="session")
def digits() -> Scored:
    """Handwritten digits, ten classes, 899 rows."""
    return _scored(datasets.load_digits())


def ulps(value: float, expected: float) -> float:
    """How many units in the last place the two are apart."""
    if value == expected or (math.isnan(value) and math.isnan(expected)):
        return 0.0
    return abs(value - expected) / math.ulp(max(abs(value), abs(expected)))


@pytest.fixture(scope="session")
def near() -> Near:
    """Whether a derived figure is within 4 ulp of the expected one."""

    def within(value: float, expected: float) -> bool:
        assert ulps(float(value), float(expected)) <= 4, f"{value!r} is not {expected!r}"
        return True

    return within
