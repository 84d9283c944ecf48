"""Bodies of HTTP requests come as there is room for them."""

import asyncio
import json
import socket

import pytest
from mlmd_api.message_sizes import Limits
from mlmd_api.rest import bodies
from mlmd_api.rest.bodies import LITTLE_BYTES, Bodies, Room
from starlette.types import Message, Receive, Scope, Send

from tests.api.conftest import LIMIT_BYTES, MLMD, Served
from tests.services.waiting import wait_for

LARGE = 2 * LITTLE_BYTES


def test_first_come_first_served_and_one_however_large() -> None:
    async def serve() -> list[int]:
        room, order = Room(10), list[int]()
        first = await room.take(100)

        async def come(size: int) -> None:
            held = await room.take(size)
            order.append(size)
            await asyncio.sleep(0)
            room.give_back(held)

        others = [asyncio.create_task(come(size)) for size in (9, 8, 2, 1)]
        left = asyncio.create_task(come(7))
        await asyncio.sleep(0.01)
        assert order == []
        left.cancel()
        room.give_back(first)
        await asyncio.gather(*others)
        return order

    assert asyncio.run(serve()) == [9, 8, 2, 1]


def rooms_taken(headers: dict[str, str], pieces: list[bytes], limit: int) -> list[int]:
    """Return what room a request takes after each of its pieces, and when the answer began."""
    taken: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in pieces:
            await receive()
            taken.append(sum(held.size_bytes for held in app_bodies._room._held))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        taken.append(sum(held.size_bytes for held in app_bodies._room._held))

    app_bodies = Bodies(app, Limits(limit))
    coming = [*pieces]

    async def receive() -> Message:
        return {"type": "http.request", "body": coming.pop(0), "more_body": bool(coming)}

    async def send(message: Message) -> None:
        pass

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    asyncio.run(app_bodies({"type": "http", "method": "POST", "headers": raw}, receive, send))
    return taken


@pytest.mark.parametrize(
    ("headers", "pieces", "expected"),
    [
        ({"content-length": str(LARGE)}, [b"x" * LITTLE_BYTES, b"x" * LITTLE_BYTES], [0, LARGE, 0]),
        ({"content-length": "9" * 18}, [b"x" * LARGE], [LIMIT_BYTES, 0]),
        ({}, [b"x" * LARGE], [LIMIT_BYTES, 0]),
        ({"content-length": "3"}, [b"x" * 3], [0, 0]),
        ({"content-length": "100", "content-encoding": "gzip"}, [b"x" * 100], [103200, 0]),
    ],
    ids=["large", "a lie", "unsaid", "little", "compressed"],
)
def test_what_a_body_may_become_is_taken_until_the_answer(
    headers: dict[str, str], pieces: list[bytes], expected: list[int]
) -> None:
    assert rooms_taken(headers, pieces, LIMIT_BYTES) == expected


def request(size: int) -> tuple[bytes, bytes]:
    """Return head and body of a call with a body of so many bytes."""
    body = json.dumps({"artifact_type": {"name": "x"}}).encode().ljust(size)
    head = f"POST {MLMD}PutArtifactType HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {size}\r\n\r\n".encode(), body


def test_a_body_that_does_not_come_is_given_up_for_one_that_waits(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "WAITING_SECONDS", 0.2)
    asked, take = list[int](), Room.take

    async def taking(room: Room, size_bytes: int) -> object:
        asked.append(size_bytes)
        return await take(room, size_bytes)

    monkeypatch.setattr(Room, "take", taking)
    head, body = request(LIMIT_BYTES)
    address = ("127.0.0.1", served.doors.http_port)
    stopped = [socket.create_connection(address, timeout=60) for _ in range(2)]  # which is all that there is room for
    for one in stopped:
        one.sendall(head + body[: LITTLE_BYTES + 1])
    wait_for(lambda: asked == [LIMIT_BYTES] * 2)
    with socket.create_connection(address, timeout=60) as following:
        following.sendall(head + body)
        assert b" 200 OK" in following.recv(4096)
    answers = []
    for one in stopped:
        one.sendall(body[LITTLE_BYTES + 1 :])
        answers.append(one.recv(4096))
        one.close()
    assert any(b"429" in answer and b"resource_exhausted" in answer for answer in answers), answers
