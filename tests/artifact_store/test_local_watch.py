"""Whether a folder answers: who is told, when it is looked at, and what goes on when it is back."""

import io
import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlmd_artifact_store import local_watch
from mlmd_artifact_store.external_folder import ExternalFolder
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.local_watch import Errand, FolderWatch, carried, look_into
from mlmd_schemas.errors import Cancelled, Unavailable

from tests.artifact_store.conformance.suite import put
from tests.services.waiting import wait_for

ROOT = Path("/the/folder")


class Looks:
    """Looks that do not come back while the folder is away; each look that began is one of `begun`."""

    def __init__(self, patience: Callable[[float], None]) -> None:
        self.begun: list[Path] = []
        self.back = threading.Event()
        self.back.set()
        self._patience = patience
        patience(3600)

    def go_away(self) -> None:
        """Let no look come back, and nobody wait for one."""
        self.back.clear()
        self._patience(0)

    def __call__(self, root: Path) -> None:
        self.begun.append(root)
        assert self.back.wait(60)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Looks]:
    """What folders are looked at with."""
    made = Looks(lambda seconds: monkeypatch.setattr(local_watch, "ANSWER_SECONDS", seconds))
    monkeypatch.setattr(local_watch, "look_into", made)
    monkeypatch.setattr(local_watch, "_PAUSE_SECONDS", 0.0)
    yield made
    made.back.set()


def silent(watch: FolderWatch, looks: Looks) -> None:
    """Let a folder be away, and somebody find out."""
    looks.go_away()
    with pytest.raises(Unavailable):
        watch.ask()
    wait_for(lambda: looks.begun)


def assert_given_up(errand: Errand[Any], result: Future[Any], looks: Looks, release: threading.Event) -> None:
    """An errand in a folder that is silent is given up, and broken off when the folder answers."""
    with pytest.raises(Unavailable, match="'/the/folder'"):
        errand.check()
    looks.back.set()
    release.set()
    with pytest.raises(Cancelled):
        result.result(60)
    assert not errand.folders


def is_entered(watch: FolderWatch) -> bool:
    """Whether the folder is let into."""
    try:
        with watch:
            return True
    except Unavailable:
        return False


def test_nobody_looks_at_a_folder_that_nobody_asks_about(looks: Looks) -> None:
    watch = FolderWatch(ROOT)
    with watch, watch:
        pass
    assert list(watch.along(iter("ab"))) == ["a", "b"]
    assert not looks.begun


def test_silence_is_told_with_its_folder_and_its_mend(looks: Looks, caplog: pytest.LogCaptureFixture) -> None:
    watch = FolderWatch(ROOT)
    looks.go_away()
    with pytest.raises(Unavailable, match=r"'/the/folder' has not answered for \d+ seconds.*look at its file server"):
        watch.ask()
    with pytest.raises(Unavailable, match="goes on by itself"), watch:
        pass
    with pytest.raises(Unavailable):
        next(watch.along(iter("a")))
    assert [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING] == [
        "the artifact folder '/the/folder' does not answer; calls that need it are refused"
    ]


def test_the_look_that_comes_back_lets_everybody_in_again(looks: Looks, caplog: pytest.LogCaptureFixture) -> None:
    watch = FolderWatch(ROOT)
    silent(watch, looks)
    looks.back.set()
    wait_for(lambda: is_entered(watch))
    assert caplog.records[-1].getMessage() == "the artifact folder '/the/folder' answers again"


def test_an_error_is_an_answer_too(monkeypatch: pytest.MonkeyPatch, looks: Looks) -> None:
    watch = FolderWatch(ROOT)

    def fail(root: Path) -> None:
        raise OSError(5, "Input/output error")

    silent(watch, looks)
    monkeypatch.setattr(local_watch, "look_into", fail)
    wait_for(lambda: is_entered(watch))


def test_a_look_that_takes_its_time_refuses_nobody(looks: Looks) -> None:
    watch = FolderWatch(ROOT)
    looks.back.clear()
    for _ in range(3):
        watch.ask()
    assert is_entered(watch)
    wait_for(lambda: looks.begun)
    assert len(looks.begun) == 1, "one look for all who ask"


def test_a_mount_that_was_replaced_is_looked_at_anew(looks: Looks) -> None:
    watch = FolderWatch(ROOT)
    silent(watch, looks)
    lost, looks.back = looks.back, threading.Event()  # nobody lets the first look come back
    looks.back.set()
    wait_for(lambda: is_entered(watch))
    assert len(looks.begun) > 1
    lost.set()


def test_an_errand_knows_the_folder_that_it_is_in(looks: Looks) -> None:
    watch, entered, release = FolderWatch(ROOT), threading.Event(), threading.Event()

    def work() -> str:
        with watch:
            entered.set()
            assert release.wait(60)
        return "written"

    errand = Errand(work)
    errand.check()  # it has not begun, and is in no folder
    with ThreadPoolExecutor(1) as threads:
        result = threads.submit(errand.run)
        assert entered.wait(60)
        silent(watch, looks)
        assert_given_up(errand, result, looks, release)


def test_parts_of_an_errand_are_in_its_folders(looks: Looks) -> None:
    watch, entered, release = FolderWatch(ROOT), threading.Semaphore(0), threading.Event()

    def part(number: int) -> int:
        with watch:
            entered.release()
            assert release.wait(60)
        return number

    def work() -> list[int]:
        with ThreadPoolExecutor(2) as threads:
            return list(threads.map(carried(part), range(2)))

    errand = Errand(work)
    with ThreadPoolExecutor(1) as threads:
        result = threads.submit(errand.run)
        assert all(entered.acquire(timeout=60) for _ in range(2))
        assert errand.folders == [watch, watch]
        silent(watch, looks)
        assert_given_up(errand, result, looks, release)
    assert carried(part)(3) == 3, "what is no errand is no part of one"


def test_what_has_to_be_done_is_done_for_nobody_too(looks: Looks) -> None:
    watch, did = FolderWatch(ROOT), list[str]()

    def work() -> None:
        with watch.leaving():
            did.append("let go")

    silent(watch, looks)
    errand = Errand(work)
    errand.given_up = True
    errand.run()
    work()
    assert did == ["let go", "let go"]


def held(store: LocalStore) -> None:
    """Hold a lock for a moment."""
    with store.held("lock"):
        pass


@pytest.mark.parametrize("kind", [LocalStore, ExternalFolder])
def test_a_store_in_a_silent_folder_refuses_every_call(kind: type[LocalStore], tmp_path: Path, looks: Looks) -> None:
    put(LocalStore(tmp_path), "k/a", b"content")
    store = kind(tmp_path)
    chunks, listed = store.read("k/a"), store.list("k/")
    silent(store.watch, looks)
    calls: list[Callable[[], object]] = [
        lambda: next(chunks), lambda: next(listed), lambda: store.read("k/a"), lambda: next(store.list("k/")),
        lambda: store.stat("k/a"), store.make, store.check, lambda: store.put("k/b", io.BytesIO(b"b"), 1),
        lambda: store.delete(["k/a"]), lambda: store.copy("k/a", "k/c"), lambda: store.begin_parts("k/d"),
        lambda: store.put_part("k/d", "ab", 1, io.BytesIO(b"b"), 1), lambda: store.parts("k/d", "ab"),
        lambda: store.complete_parts("k/d", "ab", []), lambda: store.abort_parts("k/d", "ab"),
        lambda: store.tidy("", 0), lambda: held(store), lambda: store.settle("lock"),
        lambda: store.drop_lock("lock"), lambda: store.read_mark("mark"), lambda: store.make_mark("mark", b"content"),
        lambda: store.take_in([]),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(Unavailable, match="has not answered"):
            call()
    looks.back.set()
    wait_for(lambda: is_entered(store.watch))
    assert b"".join(LocalStore(tmp_path).read("k/a")) == b"content"


def test_a_lock_is_let_go_of_in_a_folder_that_fell_silent(tmp_path: Path, looks: Looks) -> None:
    store = LocalStore(tmp_path)
    with store.held("lock", alone=True):
        silent(store.watch, looks)
    looks.back.set()
    wait_for(lambda: is_entered(store.watch))
    with store.held("lock", alone=True):
        pass


def test_a_look_writes_nothing(tmp_path: Path) -> None:
    look_into(tmp_path)
    assert not list(tmp_path.iterdir())
    with pytest.raises(FileNotFoundError):
        look_into(tmp_path / "nowhere")
