"""What only gRPC has: health, reflection, streams with a place of their own, ports, channel arguments."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Generator, Iterator
from itertools import islice
from typing import Any, cast

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from mlmd_api.grpc import server as grpc_server
from mlmd_api.grpc.health import Health
from mlmd_api.grpc.server import GrpcServer, GrpcSettings
from mlmd_api.grpc.streams import StreamPlaces
from mlmd_api.rest.server import listen
from mlmd_schemas.errors import Code, InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.api.conftest import MLMD, ODD, Served
from tests.api.wires import Doors, say
from tests.services.ports import free_port
from tests.services.waiting import wait_for

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture(params=["core", "grpcio"])
def engine(request: pytest.FixtureRequest) -> str:
    """Each of those who may take calls from gRPC core."""
    return str(request.param)


def open_channel(doors: Doors) -> grpc.Channel:
    """Return a channel to the server."""
    return grpc.insecure_channel(f"127.0.0.1:{doors.grpc_port}", options=[("grpc.enable_http_proxy", 0)])


@pytest.mark.parametrize("name", ["", "ml_metadata.MetadataStoreService", "mlmd.v1.Server"])
def test_health_is_told_for_each_service(served: Served, name: str) -> None:
    with open_channel(served.doors) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name), timeout=60)
    assert answer.status == SERVING


def test_health_does_not_know_what_is_not_there(served: Served) -> None:
    with open_channel(served.doors) as channel, pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service="no.such"), timeout=60)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_who_watches_health_hears_of_the_end_while_a_call_finishes(served: Served) -> None:
    with open_channel(served.doors) as channel:
        watch = iter(health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(), timeout=30))
        assert next(watch).status == SERVING
        running = channel.unary_unary(f"{ODD}Wait", None, None).future(b"", timeout=30)
        assert served.odd.entered.wait(60)
        ended = served.grpc.stop(20)
        assert next(watch).status == NOT_SERVING
        assert not ended.is_set()
        served.odd.release.set()
        assert mlmd.Artifact.FromString(running.result()).uri == "waited"
        watch.cancel()
        assert ended.wait(60)


class Listening:
    """A call whose caller stays."""

    def add_callback(self, callback: Callable[[], None]) -> bool:
        return True


def test_who_begins_to_watch_while_the_server_ends_hears_of_it() -> None:
    health, heard = Health(), []

    def send(answer: Any) -> None:
        heard.append(None if answer is None else answer.status)
        if len(heard) == 1:  # the server ends before the watcher has all of this
            ending.start()
            while health._status("") == SERVING:
                time.sleep(0.001)

    ending = threading.Thread(target=health.end)
    health.Watch(health_pb2.HealthCheckRequest(), Listening(), send)
    ending.join()
    assert heard == [SERVING, NOT_SERVING, None]


def test_idle_watchers_hold_no_thread_of_the_calls(serve: Callable[..., Served]) -> None:
    served = serve(threads=2)
    with open_channel(served.doors) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watches = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=60) for _ in range(50)]
        for watch in watches:
            next(watch)
        assert say("grpc", served.doors, f"{ODD}Note", mlmd.Artifact(), timeout=60).code == Code.OK
        for watch in watches:
            watch.cancel()


def _reflect(channel: grpc.Channel, requests: Iterator[Any]) -> Any:
    return reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(requests, timeout=30)


def test_reflection_lists_the_services_and_their_files(served: Served) -> None:
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="ml_metadata.MetadataStoreService"),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="mlmd.v1.Server"),
    ]
    with open_channel(served.doors) as channel:
        listed, *files = _reflect(channel, iter(asked))
    names = {service.name for service in listed.list_services_response.service}
    assert {"ml_metadata.MetadataStoreService", "mlmd.v1.Server", "grpc.health.v1.Health"} <= names
    assert [bool(file.file_descriptor_response.file_descriptor_proto) for file in files] == [True, True]


def test_streams_have_places_of_their_own_and_no_more(serve: Callable[..., Served]) -> None:
    served = serve(threads=1, streams=2)
    end = threading.Event()

    def slowly() -> Iterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        end.wait(30)

    with open_channel(served.doors) as channel:
        open_streams = [_reflect(channel, slowly()) for _ in range(2)]
        for stream in open_streams:
            next(stream)
        with pytest.raises(grpc.RpcError) as caught:
            next(_reflect(channel, slowly()))
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "2 streams" in (caught.value.details() or "")
        assert say("grpc", served.doors, f"{ODD}Note", mlmd.Artifact(), timeout=60).code == Code.OK
        end.set()
        for stream in open_streams:
            assert list(stream) == []

        def is_let_in() -> bool:
            try:
                return bool(next(_reflect(channel, iter([reflection_pb2.ServerReflectionRequest(list_services="")]))))
            except grpc.RpcError:
                return False

        wait_for(is_let_in)


def test_a_place_is_given_back_when_a_stream_fails() -> None:
    places = StreamPlaces(1)

    def failing(request: object, context: object) -> Iterator[object]:
        yield request
        raise RuntimeError("broken off")

    for _ in range(3):
        with pytest.raises(RuntimeError, match="broken off"):
            list(places.bounded(failing)(1, cast(grpc.ServicerContext, None)))


def test_a_taken_port_is_told(served: Served) -> None:
    with pytest.raises(InvalidArgument, match=r"^grpc-port: cannot listen on 127.0.0.1:"):
        GrpcServer(served.dispatcher, GrpcSettings(port=served.doors.grpc_port))
    with pytest.raises(InvalidArgument, match=r"^http-port: cannot listen on 127.0.0.1:"):
        listen("127.0.0.1", served.doors.http_port, shared=False)


def test_a_request_far_over_the_limit_does_not_end_the_connection(served: Served) -> None:
    with open_channel(served.doors) as channel:
        call = channel.unary_unary(f"{ODD}Note", None, None)
        with pytest.raises(grpc.RpcError) as caught:
            call(b"x" * 5_000_000, timeout=30)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert call(b"", timeout=30) == b""


def test_a_call_whose_caller_left_before_it_began_never_runs(serve: Callable[..., Served]) -> None:
    served = serve(threads=1)
    with open_channel(served.doors) as channel:
        busy = channel.unary_unary(f"{ODD}Wait", None, None).future(b"", timeout=30)
        assert served.odd.entered.wait(60)
        queued: Any = channel.unary_unary(f"{ODD}Note", None, None).future(b"", timeout=30)
        health = health_pb2_grpc.HealthStub(channel)
        health.Check(health_pb2.HealthCheckRequest(), timeout=60)  # the server has heard what was said before it
        queued.cancel()
        for _ in range(50):  # it has heard that too at the first, and the thread that notes it is another one
            health.Check(health_pb2.HealthCheckRequest(), timeout=60)
        served.odd.release.set()
        assert busy.result()
        assert say("grpc", served.doors, f"{ODD}Note", b"").code == Code.OK
    assert len(served.odd.callers) == 1


def test_large_metadata_passes(served: Served) -> None:
    metadata = {"cookie": "c" * 32_000}
    assert say("grpc", served.doors, f"{MLMD}GetArtifactTypes", b"", metadata).code == Code.OK


def test_channel_arguments_win_over_ours(served: Served) -> None:
    arguments = (("grpc.max_receive_message_length", 1000), ("unknown.argument", "text"))
    server = GrpcServer(served.dispatcher, GrpcSettings(port=free_port(), channel_arguments=arguments))
    server.start()
    doors = Doors(server.port, 0)
    assert say("grpc", doors, f"{ODD}Note", mlmd.Artifact(uri="x" * 500)).code == Code.OK
    assert say("grpc", doors, f"{ODD}Note", mlmd.Artifact(uri="x" * 5000)).code == Code.RESOURCE_EXHAUSTED
    server.stop(1).wait()


def test_a_client_that_asks_whether_we_are_there_keeps_its_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grpc_server, "PING_MILLISECONDS", 20)
    server = GrpcServer(served.dispatcher, GrpcSettings(port=free_port()))
    server.start()
    with contextlib.closing(_pinged(server.port, number=6, seconds_between=0.1)) as answers:
        assert list(islice(answers, 6)) == ["PING"] * 6
    server.stop(1).wait()


def test_who_asks_without_a_pause_is_shown_out(served: Served) -> None:
    answers = list(_pinged(served.doors.grpc_port, number=100, seconds_between=0))  # which end with the connection
    assert answers.count("PING") < 100


_PING, _GOAWAY = 6, 7


def _pinged(port: int, number: int, seconds_between: float) -> Generator[str]:
    """Say nothing but HTTP/2 pings; yield the pings that are answered and the farewell, until the server hangs up."""
    names = {_PING: "PING", _GOAWAY: "GOAWAY"}
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection, connection.makefile("rb") as said:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, b""))
        with contextlib.suppress(ConnectionError):
            for count in range(number):
                time.sleep(seconds_between)
                connection.sendall(_frame(_PING, struct.pack(">Q", count)))
            while head := said.read(9):
                said.read(int.from_bytes(head[:3]))
                if head[3] in names:
                    yield names[head[3]]


def _frame(kind: int, content: bytes) -> bytes:
    return len(content).to_bytes(3) + bytes([kind, 0]) + bytes(4) + content
