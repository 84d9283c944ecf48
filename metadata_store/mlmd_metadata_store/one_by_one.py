"""The items of a request taken one by one, so that an error says which of them it is about."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mlmd_schemas.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound, OutOfRange, StoreError

T = TypeVar("T")
R = TypeVar("R")
_OF_AN_ITEM = (InvalidArgument, NotFound, AlreadyExists, FailedPrecondition, OutOfRange)


def one_by_one(noun: str, items: Sequence[T], put: Callable[[T], R]) -> list[R]:
    """Put each item by itself, and return what came of each; raises what `put` raises."""
    done: list[R] = []
    try:
        for item in items:
            done.append(put(item))
    except StoreError as error:
        _say_which(error, noun, len(done), len(items))
        raise
    return done


def _say_which(error: StoreError, noun: str, index: int, count: int) -> None:
    """Say at the end of an error's message which of `count` items it is about; nothing where there is one alone.

    At its end, because MLMD's clients know some errors by their first words.
    """
    if count > 1 and isinstance(error, _OF_AN_ITEM):
        error.message = f"{error.message} That is {noun} {index + 1} of {count} of the request."
