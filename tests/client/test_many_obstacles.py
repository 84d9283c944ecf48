"""Very many files in the way of a download are found in little memory."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_client import obstacles
from mlmd_client.download_target import DownloadTarget
from mlmd_client.obstacles import clear
from mlmd_client.transfer_errors import UnfitFiles
from mlmd_schemas import set_aside, sorted_runs
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

MINE, THEIRS = (hashlib.sha256(content).digest() for content in (b"mine", b"theirs"))
PATHS = st.lists(st.sampled_from(["a", "a-b", "a/b", "a0", "é", "\U0001f600", "\uffe0"]), unique=True).map(
    lambda paths: sorted(paths, key=str.encode)
)


@given(PATHS, PATHS, st.sets(st.sampled_from(["a", "a/b", "é"])))
def test_what_another_version_has_is_found_by_walking_along(way: list[str], has: list[str], changed: set[str]) -> None:
    found = obstacles._matched(
        [(path, 4, MINE) for path in way],
        iter([v1.File(path=path, sha256=THEIRS if path in changed else MINE) for path in has]),
    )
    assert [(path, is_there) for (path, _, _), is_there in found] == [
        (path, path in has and path not in changed) for path in way
    ]
    assert not any(is_there for _, is_there in obstacles._matched([("a", 0, b"")], iter([v1.File(path="a")])))


class Calls:
    """Artifact 1 has other bytes than what is there, artifact 2 the same."""

    transport: Any = None

    def __init__(self, many: int) -> None:
        self._many = many

    def files(self, artifact_id: int, prefix: str = "", *, page_size: int = 0) -> Iterator[v1.File]:
        """Yield files by path."""
        for number in range(self._many):
            path = f"a picture of something, number {number:06}.jpeg"
            yield v1.File(path=path, size_bytes=4, sha256=MINE if artifact_id == 2 else THEIRS)


@pytest.mark.parametrize("others", [(), (2,)])
def test_ten_times_as_many_take_little_more_memory(
    others: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(set_aside, "IN_MEMORY", 100)
    monkeypatch.setattr(set_aside, "TOGETHER", 10)
    monkeypatch.setattr(sorted_runs, "RUN", 200)
    monkeypatch.setattr(obstacles, "_other_versions", lambda service, artifact_id: iter(others))

    def most(many: int) -> int:
        for file in Calls(many).files(1):
            (tmp_path / file.path).write_bytes(b"mine")
        target, calls = DownloadTarget(tmp_path), Calls(many)
        tracemalloc.start()
        try:
            with nullcontext() if others else pytest.raises(UnfitFiles, match=f"and {many - 3:,} more files"):
                clear(calls, 1, "", target)  # type: ignore[arg-type]
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    most(400)  # what is imported then
    few, many = most(400), min(most(4_000), most(4_000))
    assert many - few < 100 * 3_600
