"""The loop that runs an operation, and the loaders that fetch when everybody waits."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from mlmd_api.graphql.loading import Loading


class Shelf:
    """What batches read from, and the keys of each reading."""

    def __init__(self) -> None:
        self.readings: list[list[Any]] = []


def squares(shelf: Shelf, keys: Sequence[int], plus: int = 0) -> Mapping[int, int]:
    """Find the squares of even keys."""
    shelf.readings.append(list(keys))
    return {key: key * key + plus for key in keys if key % 2 == 0}


def broken(shelf: Shelf, keys: Sequence[int]) -> Mapping[int, int]:
    """Find nothing, loudly."""
    raise LookupError("nothing here")


def test_keys_of_one_level_are_read_together_however_deep_their_fields() -> None:
    shelf = Shelf()
    loading = Loading(shelf)

    async def deep(levels: int, key: int) -> Any:
        if levels:
            return (await asyncio.gather(deep(levels - 1, key)))[0]
        return await loading.load(squares, key)

    async def main() -> Any:
        first = await asyncio.gather(*(deep(levels, 2 * levels) for levels in range(9)))
        second = await asyncio.gather(*(deep(levels, 100 + levels % 2) for levels in range(9)))
        return first, second

    assert loading.run(main()) == ([4 * n * n for n in range(9)], [10000, None] * 4 + [10000])
    assert shelf.readings == [[2 * n for n in range(9)], [100, 101]]


def test_a_key_is_read_once_and_again_after_a_write() -> None:
    shelf = Shelf()
    loading = Loading(shelf)

    async def main() -> None:
        assert await loading.load(squares, 2) == await loading.load(squares, 2) == 4
        assert await loading.load(squares, 2, 1) == 5
        loading.forget()
        assert await loading.load_all(squares, [2, 3, 4]) == [4, 16]

    loading.run(main())
    assert shelf.readings == [[2], [2], [2, 3, 4]]


def test_everybody_who_waits_hears_the_error() -> None:
    loading = Loading(Shelf())

    async def main() -> list[Any]:
        return await asyncio.gather(*(loading.load(broken, key) for key in range(3)), return_exceptions=True)

    assert [str(error) for error in loading.run(main())] == ["nothing here"] * 3


def test_what_is_left_behind_is_ended_quietly() -> None:
    loading = Loading(Shelf())
    seen: list[str] = []

    async def waits() -> None:
        try:
            await loading.load(squares, 2)
        finally:
            seen.append("ended")

    async def main() -> None:
        task = asyncio.ensure_future(waits())
        await asyncio.sleep(0)
        assert not task.done()
        raise ValueError("over")

    with pytest.raises(ValueError, match="over"):
        loading.run(main())
    assert seen == ["ended"]


def test_waiting_for_what_nobody_brings_is_an_error() -> None:
    loading = Loading(Shelf())

    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(RuntimeError, match="nothing is to be fetched"):
        loading.run(main())
