"""Which connections the watch gives up, with real sockets in the place of a database's."""

import os
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from mlmd_metadata_store import mysql_watch
from mlmd_metadata_store.mysql_watch import Findings, Line, Thread, Watch

from tests.services.waiting import wait_for

PLACE = ("db", 3306, 1)
WORKS, IDLE = Thread(idle=False, seconds=100), Thread(idle=True, seconds=100)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def line_on(descriptor: int) -> Line:
    line = Line(descriptor, 7)
    line.place = PLACE
    line.asked = time.monotonic() - 10 * mysql_watch.PATIENCE_SECONDS
    return line


def is_ended(theirs: socket.socket) -> bool:
    theirs.setblocking(False)
    try:
        return theirs.recv(1) == b""
    except BlockingIOError:
        return False


def refuse() -> Findings | None:
    raise OSError("too many connections")


@pytest.mark.parametrize(
    ("probe", "ended", "unanswered"),
    [
        (lambda: None, True, True),
        (refuse, False, False),
        (lambda: Findings(PLACE, {7: WORKS}), False, False),
        (lambda: Findings(PLACE, {7: IDLE}), True, False),
        (lambda: Findings(PLACE, {7: Thread(idle=True, seconds=0)}), False, False),
        (lambda: Findings(PLACE, {8: WORKS}), True, False),
        (lambda: Findings(("other", 3306, 2), {8: WORKS}), False, False),
        (lambda: Findings(None, {8: WORKS}), False, False),
    ],
    ids=["silent", "refuses", "works", "idle", "idle-since-now", "unknown", "another-server", "a-proxy"],
)
def test_only_what_waits_for_nothing_is_given_up(
    pair: tuple[socket.socket, socket.socket], probe: Callable[[], Findings | None], ended: bool, unanswered: bool
) -> None:
    ours, theirs = pair
    line = line_on(ours.fileno())
    Watch(probe).look([line])
    assert (is_ended(theirs), line.unanswered) == (ended, unanswered)


def test_who_does_not_wait_for_long_is_not_asked_about(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    idle, fresh = line_on(ours.fileno()), line_on(ours.fileno())
    idle.asked, fresh.asked = 0.0, time.monotonic()
    asked: list[None] = []
    Watch(lambda: asked.append(None)).look([idle, fresh])
    assert not asked
    assert not is_ended(theirs)


def test_an_answer_that_came_meanwhile_saves_the_connection(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = pair
    line = line_on(ours.fileno())

    def probe() -> None:
        line.asked = time.monotonic()  # the next statement of the same connection

    Watch(probe).look([line])
    assert not is_ended(theirs)


def test_a_descriptor_that_is_another_file_s_now_is_left_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    first, second = socket.socketpair()
    line = line_on(first.fileno())
    number = first.fileno()
    first.close()
    second.close()
    os.dup2(pair[0].fileno(), number)
    try:
        Watch(lambda: None).look([line])
        assert not is_ended(pair[1])
    finally:
        os.close(number)
    Watch(lambda: None).look([line])  # and one that is nobody's


def test_a_look_that_fails_alike_again_and_again_is_told_once(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    looks = list[None]()

    def probe() -> Findings | None:
        looks.append(None)
        raise RuntimeError("the cause")

    monkeypatch.setattr(mysql_watch, "_LOOK_EVERY_SECONDS", 0.001)
    watch, line = Watch(probe), line_on(pair[0].fileno())
    watch.add(line)
    wait_for(lambda: len(looks) > 3)
    assert caplog.text.count("RuntimeError: the cause") == 1
    line.asked = 0.0
