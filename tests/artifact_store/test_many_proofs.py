"""Where a store's ETags say nothing of any file, no list of the files is held for that, and the deadline counts."""

import hashlib
import tracemalloc
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
from mlmd_artifact_store.blob_store import Blob
from mlmd_artifact_store.manifests import StoredFile
from mlmd_artifact_store.proof import READ_NOW, Others, prove_files
from mlmd_artifact_store.upload_rows import PendingFile
from mlmd_schemas import caller, set_aside
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import DeadlineExceeded

from tests.artifact_store.conformance.suite import md5

CONTENT = b"content"
SHA256 = hashlib.sha256(CONTENT).digest()


class Encrypted:
    """A store of files of the same content; its ETags are no MD5s."""

    def list(self, prefix: str, after: str = "") -> Iterator[Blob]:
        """List nothing."""
        return iter(())

    def stat(self, key: str) -> Blob:
        """Return what is there."""
        return Blob(key, len(CONTENT), f"etag of {key}", 0)

    def read(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Yield the content."""
        return iter((CONTENT,))


def pages(many: int) -> Iterator[list[PendingFile]]:
    """Yield pages of files that are declared truthfully."""
    for start in range(0, many, 50):
        yield [
            PendingFile(f"a picture, number {number:06}.jpeg", len(CONTENT), SHA256, (md5(CONTENT),), 0, "image/jpeg")
            for number in range(start, start + 50)
        ]


def test_ten_times_as_many_take_little_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "IN_MEMORY", 100)
    store: Any = Encrypted()

    def most(many: int) -> int:
        with Others() as others:
            tracemalloc.start()
            try:
                prove_files(store, "p/", pages(many), LOCAL, nullcontext, others)
                found = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            last = StoredFile(*list(others)[-1])
        path = f"a picture, number {many - 1:06}.jpeg"
        assert last == StoredFile(path, len(CONTENT), SHA256, READ_NOW, f"etag of p/{path}", "image/jpeg")
        return found

    most(200)  # what is imported then
    few, many = most(400), most(4_000)
    assert many - few < 60 * 3_600


class Clock:
    """The clock of deadlines, and a caller whose time is over when it strikes."""

    def __init__(self) -> None:
        self.caller = Caller(deadline=1.0)
        self._now = 0.0

    def monotonic(self) -> float:
        """Return what the clock shows."""
        return self._now

    def strike(self) -> None:
        """Let the deadline pass."""
        self._now = 2.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock by which callers are late."""
    made = Clock()
    monkeypatch.setattr(caller, "time", made)
    return made


def test_no_file_is_looked_at_when_the_caller_waits_no_more(clock: Clock) -> None:
    asked = list[str]()

    class Slow(Encrypted):
        def stat(self, key: str) -> Blob:
            asked.append(key)
            clock.strike()
            return super().stat(key)

    store: Any = Slow()
    (page,) = pages(50)
    with Others() as others, pytest.raises(DeadlineExceeded):
        prove_files(store, "p/", [page], clock.caller, nullcontext, others)
    assert 0 < len(asked) < len(page), "those that were under way"


def test_no_page_is_gone_through_when_the_caller_waits_no_more(clock: Clock) -> None:
    read = list[int]()

    def late() -> Iterator[list[PendingFile]]:
        for number in range(3):
            read.append(number)
            clock.strike()
            yield []

    store: Any = Encrypted()
    with Others() as others, pytest.raises(DeadlineExceeded):
        prove_files(store, "p/", late(), clock.caller, nullcontext, others)
    assert read == [0]
