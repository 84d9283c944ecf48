"""Choices that make up a session: Hypothesis draws them, so that a session that fails becomes a short one."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from google.protobuf.message import Message
from hypothesis import strategies as st

T = TypeVar("T")


class Call(NamedTuple):
    """One call of `ml_metadata.MetadataStoreService`."""

    method: str
    request: Message


class Source:
    """A source of choices; the first option of each is the simplest."""

    def __init__(self, below: Callable[[int], int]) -> None:
        """`below(n)` chooses a number from 0 to n - 1."""
        self.below = below
        self.largest = 4
        """Up to here there are probably nodes with every id."""

    @classmethod
    def of_draw(cls, draw: Callable[[st.SearchStrategy[int]], int]) -> "Source":
        """Return a source that Hypothesis feeds."""
        return cls(lambda limit: draw(_numbers(limit)))

    def chance(self, percent: int) -> bool:
        """Return True in so many of a hundred cases."""
        return self.below(100) >= 100 - percent

    def pick(self, options: Sequence[T]) -> T:
        """Return one of the options, each as likely as the others."""
        return options[self.below(len(options))]

    def weighted(self, options: Sequence[tuple[int, T]]) -> T:
        """Return one of the options, each as likely as its weight says."""
        place = self.below(sum(weight for weight, _ in options))
        for weight, option in options:
            place -= weight
            if place < 0:
                return option
        raise AssertionError("the weights are positive")

    def some(self, options: Sequence[T], most: int) -> list[T]:
        """Return up to `most` of the options, with repetitions."""
        return [self.pick(options) for _ in range(self.below(most + 1))]


_STRATEGIES: dict[int, st.SearchStrategy[int]] = {}


def _numbers(limit: int) -> st.SearchStrategy[int]:
    if limit not in _STRATEGIES:
        _STRATEGIES[limit] = st.integers(0, limit - 1)
    return _STRATEGIES[limit]
