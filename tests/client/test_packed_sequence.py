"""What is packed comes back as it was, in its order and as often as it is asked for, and is small meanwhile."""

import json
import tracemalloc
from collections.abc import Iterable, Sequence

import pytest
from mlmd_client.packed_sequence import PACKED_TOGETHER, Packed


def packed(items: Iterable[str]) -> Packed[str]:
    """Pack texts."""
    return Packed(items, lambda block: json.dumps(block).encode(), json.loads)


@pytest.mark.parametrize("many", [0, 1, PACKED_TOGETHER, PACKED_TOGETHER + 1, 3 * PACKED_TOGETHER])
def test_it_comes_back_as_it_was_as_often_as_it_is_asked_for(many: int) -> None:
    given = [f"ü/{number}" for number in reversed(range(many))]
    kept = packed(iter(given))
    assert len(kept) == many
    assert list(kept) == given
    assert list(zip(kept, kept, strict=True)) == list(zip(given, given, strict=True)), "two walks at a time"


def test_items_are_asked_for_no_more_than_a_block_at_a_time() -> None:
    blocks: list[int] = []

    def pack(block: Sequence[str]) -> bytes:
        blocks.append(len(block))
        return json.dumps(block).encode()

    def given() -> Iterable[str]:
        for number in range(PACKED_TOGETHER + 7):
            assert len(blocks) == number // PACKED_TOGETHER
            yield str(number)

    Packed(given(), pack, json.loads)
    assert blocks == [PACKED_TOGETHER, 7]


def test_long_names_that_are_alike_take_a_few_bytes_each() -> None:
    tracemalloc.start()
    try:
        kept = packed(f"a/folder/with/a/long/name/image-{number:07}.jpeg" for number in range(20_000))
        assert tracemalloc.get_traced_memory()[0] < 15 * len(kept)
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        assert sum(1 for _ in kept) == len(kept)
        assert tracemalloc.get_traced_memory()[1] - before < 500_000, "no more than a block at a time"
    finally:
        tracemalloc.stop()
