"""A name that stands twice in a JSON object is found, in a time that grows as the object does."""

import json
from collections.abc import Iterator

import pytest
from mlmd_schemas.json_names import names_once


class Counted(str):
    """A name that counts how often it is compared or looked up."""

    seen = 0

    def __hash__(self) -> int:
        Counted.seen += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Counted.seen += 1
        return super().__eq__(other)


def pairs(count: int) -> Iterator[tuple[str, int]]:
    """Yield so many names of which the last stands twice."""
    yield from ((Counted(f"n{number}"), number) for number in range(count))
    yield Counted(f"n{count - 1}"), 0


def test_each_name_is_looked_at_a_few_times() -> None:
    Counted.seen = 0
    with pytest.raises(ValueError, match="'n9999' stands twice in one object; leave one out"):
        names_once(list(pairs(10_000)))
    assert Counted.seen < 100_000


def test_what_stands_once_is_read() -> None:
    assert json.loads('{"a": {"a": 1}, "b": [{"a": 2}]}', object_pairs_hook=names_once) == {
        "a": {"a": 1},
        "b": [{"a": 2}],
    }
