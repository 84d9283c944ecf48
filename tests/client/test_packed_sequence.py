"""What is packed comes back as it was, in its order and as often as it is asked for, and is small meanwhile."""

import gc
import hashlib
import json
import os
import tempfile
import tracemalloc
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from mlmd_client import packed_sequence
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


def digests(many: int) -> Iterator[str]:
    """Yield texts of which little is left out when they are packed."""
    return (hashlib.sha256(b"%d" % number).hexdigest() for number in range(many))


def test_what_is_more_than_some_megabytes_is_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_sequence, "IN_MEMORY_BYTES", 40_000)
    before = len(os.listdir("/proc/self/fd"))
    tracemalloc.start()
    try:
        kept = packed(digests(20_000))
        assert tracemalloc.get_traced_memory()[0] < 10 * len(kept), "of the 33 that one has"
    finally:
        tracemalloc.stop()
    assert list(zip(kept, kept, strict=True)) == [(one, one) for one in digests(20_000)]
    assert len(os.listdir("/proc/self/fd")) == before + 1
    del kept
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) == before, "the file is given up with it"


def test_where_no_file_can_be_made_all_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed_sequence, "IN_MEMORY_BYTES", 40_000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
    assert list(packed(digests(5_000))) == list(digests(5_000))
