"""Clients whose machines vanished without a word: what they held is free again, and who only says nothing is left."""

import ctypes
import socket
import struct
from collections.abc import Callable
from typing import Any

import grpc
import pytest
from mlmd_api.grpc import server as grpc_server
from mlmd_api.rest import server as http_server
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as mlmd

from tests.api.conftest import ODD, Served
from tests.api.wires import say
from tests.services.proxy import Proxy
from tests.services.waiting import wait_for

_PING_BYTES = 9 + 8
_ATTACH_FILTER = 26


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask clients soon whether they are there."""
    monkeypatch.setattr(grpc_server, "SILENCE_MILLISECONDS", 100)
    monkeypatch.setattr(grpc_server, "ANSWER_MILLISECONDS", 500)
    monkeypatch.setattr(http_server, "SILENCE_SECONDS", 1)
    monkeypatch.setattr(http_server, "_PROBE_EVERY_SECONDS", 1)
    monkeypatch.setattr(http_server, "_PROBES", 1)


def _through(proxy: Proxy) -> grpc.Channel:
    options = [("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)]
    return grpc.insecure_channel(f"127.0.0.1:{proxy.port}", options=options)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("engine", ["core", "grpcio"])
def test_a_watcher_that_vanished_loses_its_place(serve: Callable[..., Served]) -> None:
    served = serve(streams=1)
    with Proxy(served.doors.grpc_port) as proxy, _through(proxy) as channel:
        watch: Any = channel.unary_stream(f"{ODD}Watch", None, None)(b"", timeout=120)
        assert next(watch)
        assert say("grpc", served.doors, f"{ODD}Count", mlmd.Artifact(id=1)).code == Code.RESOURCE_EXHAUSTED
        proxy.frozen = True
        assert served.odd.release.wait(60), "the watch goes on for nobody"
        wait_for(lambda: say("grpc", served.doors, f"{ODD}Count", mlmd.Artifact(id=1)).code == Code.OK)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("engine", ["core", "grpcio"])
def test_a_watcher_that_says_nothing_and_is_there_is_left_alone(serve: Callable[..., Served]) -> None:
    served = serve(streams=1)
    with Proxy(served.doors.grpc_port) as proxy, _through(proxy) as channel:
        watch: Any = channel.unary_stream(f"{ODD}Watch", None, None)(b"", timeout=120)
        assert next(watch)
        heard = proxy.bytes_to_client
        wait_for(lambda: proxy.bytes_to_client >= heard + 20 * _PING_BYTES)
        assert not served.odd.release.is_set()
        assert watch.is_active()
        watch.cancel()


def _deafen(connection: socket.socket) -> None:
    """Let the kernel drop all that comes for a connection, and acknowledge nothing, as one that is gone."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0))  # BPF's `return 0`: none of the packet
    connection.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, struct.pack("HxxxxxxP", 1, ctypes.addressof(program)))


@pytest.mark.usefixtures("impatient")
def test_a_watcher_over_http_that_vanished_loses_its_place(serve: Callable[..., Served]) -> None:
    served = serve(streams=1)
    with socket.create_connection(("127.0.0.1", served.http.port), 60) as client:
        asked = b"content-type: application/connect+proto\r\ncontent-length: 5\r\n\r\n" + bytes(5)
        client.sendall(f"POST {ODD}Watch HTTP/1.1\r\nhost: x\r\n".encode() + asked)
        while b"first" not in client.recv(65536):
            pass
        _deafen(client)
        assert served.odd.release.wait(60), "the watch goes on for nobody"


def test_who_reads_slowly_over_http_is_not_taken_for_one_that_vanished() -> None:
    with http_server.listen("127.0.0.1", 0, shared=False) as listener:
        listener.listen()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == http_server.SILENCE_SECONDS
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
