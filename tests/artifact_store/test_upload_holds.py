"""A file that is about to get its name, while another server tells the upload otherwise, commits it, or gives it up."""

import hashlib
import io
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlmd_artifact_store import artifacts as artifacts_module
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.handovers import take_in
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.proof import prove_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Aborted, FailedPrecondition, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.test_handovers import Handed
from tests.artifact_store.uploads import artifact, begin, upload_file
from tests.services.held_steps import outcome

CONTENTS = {"little": (b"the first", b"something"), "large": (b"the first" * 20_000, b"something" * 20_000)}


def handed(place: Path) -> Handed:
    """Return a file as it is handed over."""
    return Handed(place, place.stat().st_size, path="a")


class Gate:
    """Stops the first file that gets a name just before it has it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.there, self.go_on = threading.Event(), threading.Event()
        self._first = threading.Lock()
        self._replace = os.replace
        monkeypatch.setattr(os, "replace", self)

    def __call__(self, source: str | Path, target: str | Path) -> None:
        if os.path.basename(target) == "a" and self._first.acquire(blocking=False):
            self.there.set()
            assert self.go_on.wait(60)
        self._replace(source, target)

    def between(self, first: Callable[[], object], then: Callable[[], object]) -> list[object]:
        """Take a step and, when it is about to name its file, the other, until it is over or waits for the first."""
        with ThreadPoolExecutor(2) as pool:
            held = pool.submit(first)
            assert self.there.wait(60)
            beside = pool.submit(then)
            wait([beside], timeout=1)
            self.go_on.set()
            return [outcome(held), outcome(beside)]


@pytest.fixture
def requests(store: Store, tmp_path: Path) -> Requests:
    """Its bytes, in a folder."""
    return Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))


@pytest.fixture
def other(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """Another server on the same stores."""
    opened = Store.open(database_url)
    yield Requests(Artifacts(opened, LocalStore(tmp_path / "artifacts")))
    opened.close()


def declare(requests: Requests, artifact_id: int, content: bytes) -> None:
    request = v1.DeclareFilesRequest(artifact_id=artifact_id, files=[upload_file("a", content)])
    declare_files(requests, request, LOCAL)


def put(requests: Requests, artifact_id: int, content: bytes) -> None:
    requests.artifacts.put_file(artifact_id, "a", io.BytesIO(content))


def hand_over(requests: Requests, artifact_id: int, location: Path) -> None:
    """Do as a client does with the store in its own process: copy, then declare."""
    (found,) = take_in(requests.artifacts, artifact_id, [handed(location)])
    content = location.read_bytes()
    assert found.sha256 == hashlib.sha256(content).digest()
    md5s = [found.md5] if found.md5 else []
    request = v1.DeclareFilesRequest(artifact_id=artifact_id, files=[upload_file("a", content, md5s=md5s)])
    declare_files(requests, request, LOCAL)


@pytest.mark.parametrize("size", CONTENTS)
@pytest.mark.parametrize("way", ["sent", "handed over"])
def test_what_is_committed_is_not_overwritten(
    requests: Requests, other: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, way: str
) -> None:
    first, second = CONTENTS[size]
    (tmp_path / "first").write_bytes(first)
    (tmp_path / "second").write_bytes(second)
    artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
    declare(requests, artifact_id, first)

    def send_first() -> None:
        if way == "sent":
            put(requests, artifact_id, first)
        else:
            take_in(requests.artifacts, artifact_id, [handed(tmp_path / "first")])

    def send_second() -> None:
        if way == "sent":
            declare(other, artifact_id, second)
            put(other, artifact_id, second)
        else:
            hand_over(other, artifact_id, tmp_path / "second")

    def commit() -> None:
        send_second()
        other.artifacts.commit_upload(artifact_id)

    late, committed = Gate(monkeypatch).between(send_first, commit)
    assert late is None
    assert isinstance(committed, FailedPrecondition), committed
    assert "'a' has" in committed.message
    send_second()
    other.artifacts.commit_upload(artifact_id)
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == second
    with pytest.raises(FailedPrecondition, match="is committed and cannot change"):
        send_first()
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == second


@pytest.mark.parametrize("size", CONTENTS)
@pytest.mark.parametrize("ended_by", ["abort", "sweep"])
def test_nothing_is_left_of_what_is_given_up(
    requests: Requests, other: Requests, monkeypatch: pytest.MonkeyPatch, size: str, ended_by: str
) -> None:
    content, _ = CONTENTS[size]
    store = requests.artifacts.store
    artifact_id = requests.artifacts.begin_upload(begin(store, upload_file("a", content))).artifact_id
    ends: dict[str, Callable[[], object]] = {
        "abort": partial(other.artifacts.abort_upload, artifact_id),
        "sweep": partial(sweep, other.artifacts, -1),
    }
    late, _ = Gate(monkeypatch).between(partial(put, requests, artifact_id, content), ends[ended_by])
    assert late is None
    assert artifact(store, artifact_id).state == pb.Artifact.ABANDONED
    assert keys(requests.artifacts.blobs) == []
    with pytest.raises((FailedPrecondition, NotFound)):
        put(requests, artifact_id, content)
    assert keys(requests.artifacts.blobs) == []


def test_handing_over_breaks_off_a_commit_that_proves(
    requests: Requests, other: Requests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = CONTENTS["little"]
    (tmp_path / "first").write_bytes(first)
    (tmp_path / "second").write_bytes(second)
    artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
    hand_over(requests, artifact_id, tmp_path / "first")
    ending = requests.artifacts.holds.ending

    def late(artifact_id: int) -> AbstractContextManager[None]:
        take_in(other.artifacts, artifact_id, [handed(tmp_path / "second")])
        return ending(artifact_id)

    with monkeypatch.context() as patched:
        patched.setattr(requests.artifacts.holds, "ending", late)
        with pytest.raises(Aborted, match="told of other files while it was being committed"):
            requests.artifacts.commit_upload(artifact_id)
    with pytest.raises(FailedPrecondition, match="'a' has"):
        requests.artifacts.commit_upload(artifact_id)
    hand_over(other, artifact_id, tmp_path / "second")
    requests.artifacts.commit_upload(artifact_id)
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == second


@pytest.mark.parametrize("size", CONTENTS)
def test_a_commit_waits_for_who_names_a_file_again(
    requests: Requests, other: Requests, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    content, _ = CONTENTS[size]
    artifact_id = requests.artifacts.begin_upload(
        begin(requests.artifacts.store, upload_file("a", content))
    ).artifact_id
    put(requests, artifact_id, content)
    gate, again = Gate(monkeypatch), list[Future[None]]()

    def proven(*arguments: Any) -> Any:
        prove_files(*arguments)
        again.append(pool.submit(put, requests, artifact_id, content))
        assert gate.there.wait(60)

    monkeypatch.setattr(artifacts_module, "prove_files", proven)
    with ThreadPoolExecutor(2) as pool:
        committed = pool.submit(other.artifacts.commit_upload, artifact_id)
        assert gate.there.wait(60)
        wait([committed], timeout=1)
        was_first = committed.done()
        gate.go_on.set()
        assert committed.result(60).manifest.file_count == 1
        assert again[0].exception(60) is None
    assert not was_first
    assert b"".join(requests.artifacts.read(artifact_id, "a")) == content


def test_locks_go_with_their_uploads(requests: Requests, tmp_path: Path) -> None:
    locks, store = tmp_path / "artifacts" / ".mlmd" / "locks", requests.artifacts.store
    made = [requests.artifacts.begin_upload(begin(store, upload_file("a", b"a"))).artifact_id for _ in range(3)]
    for artifact_id in made:
        put(requests, artifact_id, b"a")
    assert sorted(path.name for path in locks.iterdir()) == [f"_.{artifact_id}" for artifact_id in made]
    requests.artifacts.commit_upload(made[0])
    requests.artifacts.abort_upload(made[1])
    with pytest.raises(FailedPrecondition):
        put(requests, made[0], b"a")
    with pytest.raises(NotFound):
        put(requests, 1 << 62, b"a")
    assert [path.name for path in locks.iterdir()] == [f"_.{made[2]}"]
    (locks / "_.17").touch()  # a process died with it
    for path in locks.iterdir():
        os.utime(path, (0, 0))
    with requests.artifacts.holds.naming(made[2]):
        sweep(requests.artifacts, 3600)
    assert [path.name for path in locks.iterdir()] == [f"_.{made[2]}"]
    sweep(requests.artifacts, 3600)
    assert list(locks.iterdir()) == []
    requests.artifacts.commit_upload(made[2])
