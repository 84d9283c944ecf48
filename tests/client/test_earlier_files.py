"""Which files an earlier artifact may have is known in little memory, and only those are asked for."""

import hashlib
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_client.download import download
from mlmd_client.earlier_files import EarlierFiles
from mlmd_client.transport import Transport
from mlmd_client.upload import upload
from mlmd_schemas import set_aside, sorted_runs
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.places import artifact, read_files, write_files


def file(size_bytes: int, content: bytes = b"") -> v1.File:
    """Return a file of an artifact."""
    return v1.File(size_bytes=size_bytes, sha256=hashlib.sha256(content).digest())


@given(st.lists(st.integers(0, 50) | st.integers(0, (1 << 63) - 1)), st.lists(st.binary(max_size=1)))
def test_what_is_there_is_found_and_nothing_else(sizes: list[int], contents: list[bytes]) -> None:
    earlier = EarlierFiles([*map(file, sizes), *(file(0, content) for content in contents)])
    there = {*sizes, *([0] if contents else [])}
    assert [earlier.may_have_size(size) for size in (*sizes, *range(60))] == [
        size in there for size in (*sizes, *range(60))
    ]
    known = {*contents, *([b""] if sizes else [])}
    every = [b"", *(bytes([byte]) for byte in range(256))]
    assert {one for one in every if earlier.may_have(hashlib.sha256(one).digest())} == known


def test_a_file_takes_some_twenty_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorted_runs, "RUN", 500)
    monkeypatch.setattr(set_aside, "TOGETHER", 10)
    EarlierFiles(file(number) for number in range(1_000))  # what is imported then
    tracemalloc.start()
    try:
        kept = EarlierFiles(file(number, b"%d" % number) for number in range(20_000))
        now, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept.may_have_size(19_999)
    assert now < 25 * 20_000
    assert most < 90 * 20_000


@pytest.mark.parametrize("reuse", [False, True])
def test_what_changed_is_not_looked_for_in_an_earlier_artifact(
    store: Transport, reuse: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_files(tmp_path / "source", {"a": b"one", "b": b"two", "c": b"four"})
    first = upload(store, artifact(store), source)
    (source / "b").rename(source / "d")
    write_files(source, {"a": b"new", "c": b"five", "e": b"sixth"})
    asked: set[tuple[str, int]] = set()
    unary = store.unary

    def noted(path: str, request: Any, *given: Any, **named: Any) -> Any:
        if isinstance(request, v1.DeclareFilesRequest):
            asked.update((told.path, request.unchanged_from_artifact_id) for told in request.files)
        return unary(path, request, *given, **named)

    monkeypatch.setattr(store, "unary", noted)
    second = upload(store, artifact(store), source, unchanged_from=first.artifact_id, reuse=reuse)
    assert asked == {("a", 0), ("c", 0), ("d", first.artifact_id), ("e", 0)}
    download(store, second.artifact_id, tmp_path / "target")
    assert read_files(tmp_path / "target") == read_files(source)
