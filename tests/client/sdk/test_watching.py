"""A watch outlives what ends its stream: servers that are killed, places that are taken, proxies that give up."""

import logging
import queue
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from mlmd_client.calls import CallError
from mlmd_client.failures import Denied
from mlmd_client.grpc_transport import GrpcTransport
from mlmd_client.model_watch import Watch
from mlmd_client.service import Service
from mlmd_client.store import Store
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.pb.v1 import registry_pb2_grpc as services

from tests.client.sdk.conftest import OpenStore
from tests.conftest import StartServer
from tests.services.waiting import wait_for

PATIENCE_SECONDS = 120


def promote(store: Store, number: int) -> None:
    store.models["churn"][number].promote("champion")


def test_every_move_is_told_once_while_servers_are_killed(
    database_url: str, start_server: StartServer, open_store: OpenStore
) -> None:
    watched, other = start_server(database_url), start_server(database_url)
    store, elsewhere = open_store(f"grpc://{watched.target}"), open_store(f"grpc://{other.target}")
    for _ in range(2):
        store.models["churn"].register("s3://models/churn")
    told: queue.Queue[tuple[int | None, int]] = queue.Queue()
    watch = store.watch("models/churn", on="champion", call=lambda move: told.put((move["from"], move["to"])))
    assert watch.ready.wait(PATIENCE_SECONDS)
    promote(elsewhere, 1)
    assert told.get(timeout=PATIENCE_SECONDS) == (None, 1)
    for was, becomes in ((1, 2), (2, 1)):
        watched.kill()
        promote(elsewhere, becomes)
        promote(elsewhere, was)
        watched.start()
        promote(elsewhere, becomes)
        moves = [told.get(timeout=PATIENCE_SECONDS) for _ in range(3)]
        assert moves == [(was, becomes), (becomes, was), (was, becomes)]
    watch.stop()
    assert (watch.failure, told.qsize()) == (None, 0)


def test_a_watch_waits_for_a_place(
    sqlite_url: str, start_server: StartServer, open_store: OpenStore, caplog: pytest.LogCaptureFixture
) -> None:
    server = start_server(sqlite_url, options=("--streams", "1"))
    with server.channel() as channel:
        store = open_store(f"grpc://{server.target}")
        store.models["churn"].register("s3://models/churn")
        taken = services.ModelRegistryStub(channel).WatchModels(v1.WatchModelsRequest(models=["churn"]))
        next(taken)
        told: queue.Queue[int] = queue.Queue()
        watch = store.watch("models/churn", call=lambda move: told.put(move["to"]))
        assert not watch.ready.wait(3)
        assert "has 1 stream open" in caplog.text
        taken.cancel()
        assert watch.ready.wait(PATIENCE_SECONDS)
    promote(store, 1)
    assert told.get(timeout=PATIENCE_SECONDS) == 1
    watch.stop()


class GivesUp(services.ModelRegistryServicer):
    """What a proxy makes of a stream: an end by some code after the first answer; cursors are counted."""

    def __init__(self, code: str, answers: int = 1) -> None:
        self._code = grpc.StatusCode[code]
        self._answers = answers
        self.cursors: list[str] = []

    def WatchModels(self, request: v1.WatchModelsRequest, context: Any) -> Iterator[v1.WatchModelsResponse]:
        """Answer some times, and then give the stream up."""
        self.cursors.append(request.cursor)
        for _ in range(self._answers):
            yield v1.WatchModelsResponse(cursor=str(len(self.cursors)))
        context.abort(self._code, "The stream was given up.")


@pytest.fixture
def watch_of(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """A function that starts a watch of a server that gives streams up."""
    caplog.set_level(logging.CRITICAL, "mlmd")
    server, started = grpc.server(ThreadPoolExecutor(2)), []

    def watch(given: services.ModelRegistryServicer) -> Watch:
        services.add_ModelRegistryServicer_to_server(given, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        started.append(Service(GrpcTransport(f"127.0.0.1:{port}")))
        return Watch(started[0], ["churn"], print, "")

    yield watch
    server.stop(None)
    started[0].transport.close()


@pytest.mark.parametrize("code", ["INTERNAL", "CANCELLED", "DEADLINE_EXCEEDED", "UNAUTHENTICATED"])
def test_a_stream_that_is_given_up_ends_no_watch(watch_of: Any, code: str) -> None:
    proxy = GivesUp(code)
    watch = watch_of(proxy)
    wait_for(lambda: len(proxy.cursors) >= 3 or watch.failure)
    assert proxy.cursors[:3] == ["", "1", "2"]
    assert watch.failure is None
    watch.stop()


def test_a_request_that_would_be_refused_again_ends_it(watch_of: Any) -> None:
    proxy = GivesUp("UNAUTHENTICATED", answers=0)
    with pytest.raises(Denied, match="given up"):
        watch_of(proxy).wait(PATIENCE_SECONDS)
    assert proxy.cursors == [""]


class Silent(services.ModelRegistryServicer):
    """A server that says something once."""

    def __init__(self) -> None:
        self.gone = threading.Event()
        """Set when the client has left."""

    def WatchModels(self, request: v1.WatchModelsRequest, context: Any) -> Iterator[v1.WatchModelsResponse]:
        """Answer once, and wait until the client leaves."""
        context.add_callback(self.gone.set)
        yield v1.WatchModelsResponse(cursor="1")
        self.gone.wait(PATIENCE_SECONDS)


def test_stopping_it_ends_its_stream(watch_of: Any) -> None:
    server = Silent()
    watch = watch_of(server)
    assert watch.ready.wait(PATIENCE_SECONDS)
    watch.stop()
    assert server.gone.wait(PATIENCE_SECONDS / 2)
    watch.wait(PATIENCE_SECONDS)
    assert repr(watch) == "<Watch of churn, stopped>"


def test_a_store_that_is_closed_ends_it(store: Store) -> None:
    store.models["churn"].register("s3://models/churn")
    watch = store.watch("models/churn", call=print)
    assert watch.ready.wait(PATIENCE_SECONDS)
    store.close()
    with pytest.raises(CallError, match=r"(connection|store) .* is closed; open another\.") as caught:
        watch.wait(PATIENCE_SECONDS)
    assert caught.value.code is Code.CANCELLED
