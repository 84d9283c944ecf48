"""The body of a request that stops coming: it ends by the caller's deadline, or when patience does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest
from mlmd_api.rest import request_body
from mlmd_api.rest.request_body import LEAST_BYTES_A_SECOND, PATIENCE_SECONDS, Pace, RequestBody
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import DeadlineExceeded

PIECES = (b"first, ", b"", b"second")


async def coming() -> AsyncIterator[bytes]:
    """Yield a body."""
    for piece in PIECES:
        yield piece


async def stopping() -> AsyncIterator[bytes]:
    """Yield a piece, and then nothing any more."""
    yield PIECES[0]
    await asyncio.Event().wait()


def caller(seconds: float | None = None) -> Caller:
    """Return one who waits so long."""
    return Caller("somebody", "request", deadline=None if seconds is None else time.monotonic() + seconds)


def ended(stream: Callable[[], AsyncIterator[bytes]], who: Caller, filled: int) -> bytes:
    """Return what a thread reads of a body of which so much was waited for before."""

    async def served() -> bytes:
        body = RequestBody(asyncio.get_running_loop(), stream(), who)
        await body.fill(filled)
        return await asyncio.to_thread(lambda: b"".join(iter(body.read, b"")))

    return asyncio.run(served())


@pytest.mark.parametrize("filled", [0, 3, 8, 100])
def test_all_of_a_body_is_read(filled: int) -> None:
    assert ended(coming, caller(), filled) == b"".join(PIECES)


@pytest.mark.parametrize("filled", [0, 100])
def test_a_body_that_stops_ends_when_patience_does(filled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "PATIENCE_SECONDS", 0.5)
    with pytest.raises(DeadlineExceeded, match=r"nothing more of it came for 0\.5 seconds; send the file again"):
        ended(stopping, caller(), filled)


@pytest.mark.parametrize("filled", [0, 100])
def test_a_body_that_stops_ends_with_the_deadline(filled: int) -> None:
    with pytest.raises(DeadlineExceeded, match="deadline of the call passed"):
        ended(stopping, caller(0.5), filled)


async def dripping() -> AsyncIterator[bytes]:
    """Yield a byte now and then, for ever."""
    while True:
        yield b"x"
        await asyncio.sleep(0.02)  # which is the slowness that is tested


@pytest.mark.parametrize("filled", [0, 1 << 20])
def test_a_body_that_drips_ends(filled: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "PATIENCE_SECONDS", 0.5)
    with pytest.raises(DeadlineExceeded, match=r"less than 1024 bytes a second, for more than 0\.5 seconds; send the"):
        ended(dripping, caller(), filled)


def test_who_sends_slowly_and_honestly_may_go_on_for_days() -> None:
    pace = Pace()
    for _ in range(100_000):
        pace.came(LEAST_BYTES_A_SECOND, 1.0)
        assert pace.patience_seconds == PATIENCE_SECONDS


def test_who_sends_a_byte_a_second_is_waited_for_no_longer_than_who_sends_nothing() -> None:
    pace, seconds = Pace(), 0
    while pace.patience_seconds > 1.0:
        pace.came(1, 1.0)
        seconds += 1
    assert PATIENCE_SECONDS - 1 <= seconds <= PATIENCE_SECONDS + 1
    pace.came(10_000_000, 1.0)
    assert pace.patience_seconds == PATIENCE_SECONDS
