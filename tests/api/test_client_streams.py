"""Streams come message by message on both ways, end alike, and end when nobody reads on."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlmd_client.calls import Answers
from mlmd_client.transport import CallError, GrpcTransport, Transport
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_server.embedded import open_embedded

from tests.api.conftest import ODD, Served
from tests.services.waiting import wait_for


@pytest.fixture(params=["grpc", "embedded"])
def transport(request: pytest.FixtureRequest, served: Served, tmp_path: Path) -> Iterator[Transport]:
    """Each way to the methods that misbehave on purpose."""
    opened: Transport
    if request.param == "grpc":
        opened = GrpcTransport(f"127.0.0.1:{served.doors.grpc_port}")
    else:
        opened = embedded = open_embedded(str(tmp_path / "data"))
        embedded.parts.dispatcher = served.dispatcher
    yield opened
    opened.close()


def stream(transport: Transport, name: str, timeout_seconds: float | None = 30, **fields: Any) -> Answers[pb.Artifact]:
    request = pb.Artifact(**fields)
    return transport.stream(ODD + name, request, pb.Artifact, timeout_seconds=timeout_seconds)


def wait_until_over(served: Served) -> None:
    """Wait until the server has noted the end of the watch."""
    noted = re.compile(rb'mlmd_calls_total{code="\w+",method="test.v1.Odd/Watch"')
    wait_for(lambda: noted.search(served.measurements.page()))


def test_messages_come_in_order(transport: Transport) -> None:
    assert [message.id for message in stream(transport, "Count", id=100, uri="x")] == list(range(1, 101))
    assert list(stream(transport, "Count", id=0)) == []


def test_what_breaks_off_is_told_after_what_came(transport: Transport) -> None:
    messages = stream(transport, "BreakOff")
    first = next(messages)
    with pytest.raises(CallError) as caught:
        list(messages)
    assert first is not None
    assert caught.value.code in (Code.ABORTED, Code.INTERNAL)
    assert len(caught.value.request_id) == 16


def test_a_message_over_the_limit_ends_the_stream(transport: Transport) -> None:
    with pytest.raises(CallError) as caught:
        list(stream(transport, "FloodOnce"))
    assert caught.value.code == Code.RESOURCE_EXHAUSTED


def test_a_method_that_does_not_stream(transport: Transport) -> None:
    with pytest.raises(CallError) as caught:
        list(transport.stream("/no.such.Service/Method", pb.Artifact(), pb.Artifact))
    assert caught.value.code == Code.UNIMPLEMENTED


def test_who_stops_reading_ends_the_call(transport: Transport, served: Served) -> None:
    messages = stream(transport, "Watch")
    assert next(messages).uri == "first"
    messages.close()
    assert list(messages) == []
    wait_until_over(served)


def test_another_thread_ends_the_call(transport: Transport, served: Served) -> None:
    messages = stream(transport, "Watch", timeout_seconds=None)
    assert next(messages).uri == "first"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(list, messages)
        messages.close()
        assert waiting.result(60) == []
    wait_until_over(served)


def test_a_call_that_is_ended_before_it_is_read(transport: Transport) -> None:
    messages = stream(transport, "Count", id=100)
    messages.close()
    messages.close()
    assert list(messages) == []


def test_a_stream_ends_with_its_time(transport: Transport, served: Served) -> None:
    list(stream(transport, "Count"))  # it is connected, and what is asked now is heard long before its time is over
    with pytest.raises(CallError) as caught:
        list(stream(transport, "Watch", timeout_seconds=2))
    assert caught.value.code == Code.DEADLINE_EXCEEDED
    wait_until_over(served)


def test_closing_the_transport_ends_its_streams(transport: Transport, served: Served) -> None:
    messages = stream(transport, "Watch")
    assert next(messages).uri == "first"
    transport.close()
    with pytest.raises(CallError) as caught:
        list(messages)
    assert caught.value.code == Code.CANCELLED
    wait_until_over(served)


def test_a_closed_transport_opens_no_stream(transport: Transport) -> None:
    transport.close()
    with pytest.raises(CallError, match="is closed; open another"):
        list(stream(transport, "Count", id=1))
