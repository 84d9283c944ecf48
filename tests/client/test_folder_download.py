"""How many batches of little files are copied out of a folder at a time."""

from collections.abc import Callable
from typing import Any, cast

import pytest
from mlmd_client import folder_download
from mlmd_client.folder_download import FolderFetching
from mlmd_client.progress import Meter
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

BATCH, LITTLE = 32, 64 * 1024
"""Files of a batch, and the bytes that they have on average at most when they are little."""


class Later:
    """A crew and its stop: does the oldest piece of its work when somebody who waits looks whether it has stopped."""

    def __init__(self, *, stopped: bool) -> None:
        self.works: list[Callable[[], None]] = []
        self.submitted = self.looks = 0
        self._stopped = stopped

    def submit(self, work: Callable[[], None]) -> None:
        """Take a piece of work."""
        self.works.append(work)
        self.submitted += 1

    def is_set(self) -> bool:
        """Be looked at."""
        self.looks += 1
        if not self._stopped:
            self.works.pop(0)()
        return self._stopped


@pytest.fixture(autouse=True)
def _copying(monkeypatch: pytest.MonkeyPatch) -> None:
    """Copy nothing, and look often."""
    monkeypatch.setattr(FolderFetching, "_copy", lambda fetching, files: None)
    monkeypatch.setattr(folder_download, "_LOOK_SECONDS", 0.001)


def submit(crew: Any, batches: int, batch_bytes: int) -> None:
    """Have batches copied of so many bytes each."""
    nothing = cast("Any", None)
    fetching = FolderFetching(nothing, 1, nothing, Meter(None), crew)
    for _ in range(batches):
        for _ in range(BATCH - 1):
            fetching.submit(crew, v1.File(path="a", size_bytes=batch_bytes // BATCH))
        fetching.submit(crew, v1.File(path="a", size_bytes=batch_bytes // BATCH + batch_bytes % BATCH))
    fetching.flush(crew)  # nothing is left


@pytest.mark.parametrize(
    ("batches", "batch_bytes", "waits"),
    [(2, 0, 0), (3, 0, 1), (5, BATCH * LITTLE, 3), (5, BATCH * LITTLE + 1, 0)],
)
def test_two_batches_of_little_files_are_copied_at_a_time(batches: int, batch_bytes: int, waits: int) -> None:
    crew = Later(stopped=False)
    submit(crew, batches, batch_bytes)
    assert (crew.looks, crew.submitted) == (waits, batches)


def test_what_has_stopped_is_not_waited_for() -> None:
    crew = Later(stopped=True)
    submit(crew, 5, 0)
    assert (crew.looks, crew.submitted) == (3, 5)
