"""Streams have a place of their own: however many are open, unary calls are answered."""

import contextlib
import queue
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from mlmd_schemas.errors import Code
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.pb.v1.registry_pb2_grpc import ModelRegistryStub

from tests.conftest import StartServer
from tests.faults.remote import Remote
from tests.services.server import Server
from tests.services.waiting import wait_for

ROOT = Path(__file__).resolve().parents[2]
PLACES = 40
FAR_MORE = 500


MODEL = "watched"


class Watcher:
    """A stream that is open and says nothing."""

    def __init__(self, channel: grpc.Channel) -> None:
        request = v1.WatchModelsRequest(models=[MODEL])
        self.answers = ModelRegistryStub(channel).WatchModels(request, timeout=120)

    def hear(self) -> Code:
        """Wait for where the model's aliases point; return the code when the stream was refused."""
        try:
            next(self.answers)
        except grpc.RpcError as error:
            return Code(error.code().value[0])
        return Code.OK

    def leave(self) -> None:
        """End the stream."""
        self.answers.cancel()


def watchable(server: Server) -> Server:
    """Return a server with the model that is watched."""
    with server.channel() as channel:
        ModelRegistryStub(channel).CreateModel(v1.CreateModelRequest(name=MODEL))
    return server


@pytest.fixture
def server(start_server: StartServer, sqlite_url: str) -> Server:
    """A server with few threads and few places for streams, whose end waits for calls for longer than a test lasts."""
    options = ("--threads", "8", "--streams", str(PLACES), "--log-level", "warning", "--drain-seconds", "3600")
    return watchable(start_server(sqlite_url, options=options))


@pytest.fixture
def watchers(server: Server) -> Iterator[list[Watcher]]:
    """As many idle streams as there are places."""
    with ExitStack() as opened:
        channels = [opened.enter_context(server.channel()) for _ in range(4)]
        made = [Watcher(channels[number % 4]) for number in range(PLACES)]
        assert {watcher.hear() for watcher in made} == {Code.OK}
        yield made
        for watcher in made:
            watcher.leave()


def test_unary_calls_are_answered_while_every_place_is_taken(server: Server, watchers: list[Watcher]) -> None:
    remotes = [Remote(server) for _ in range(4)]
    with ThreadPoolExecutor(32) as pool:
        codes = list(pool.map(lambda n: remotes[n % 4].code("GetArtifactTypes", timeout=20), range(200)))
    assert set(codes) == {Code.OK}
    assert server.serving(), "health is a unary call"
    for remote in remotes:
        remote.close()


def test_further_streams_are_refused_and_places_come_back(server: Server, watchers: list[Watcher]) -> None:
    with server.channel() as channel:
        further = [Watcher(channel) for _ in range(FAR_MORE - PLACES)]
        with ThreadPoolExecutor(16) as pool:
            codes = set(pool.map(Watcher.hear, further))
        assert codes == {Code.RESOURCE_EXHAUSTED}
        with pytest.raises(grpc.RpcError) as refused:
            next(further[0].answers)
        assert f"{PLACES} streams" in (refused.value.details() or "")
        assert Remote(server).code("GetArtifactTypes", timeout=20) is Code.OK
        watchers[0].leave()
        let_in(channel).leave()


def test_reflection_has_places_of_its_own(server: Server, watchers: list[Watcher]) -> None:
    """Anybody may ask it without a token, and what is asked may be as large as a message may."""
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    with server.channel() as channel, ExitStack() as open_ones:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)

        def ask() -> None:
            said: queue.Queue[object] = queue.Queue()
            said.put(question)
            answers = stub.ServerReflectionInfo(iter(said.get, None), timeout=60)
            open_ones.callback(answers.cancel)
            open_ones.callback(said.put, None)
            next(answers)

        for _ in range(4):
            ask()
        with pytest.raises(grpc.RpcError, match="4 streams"):
            ask()


def test_a_watcher_that_vanishes_frees_its_place(server: Server, watchers: list[Watcher]) -> None:
    for watcher in watchers:
        watcher.answers.cancel()
    with server.channel() as channel:
        let_in(channel).leave()


def let_in(channel: grpc.Channel) -> Watcher:
    """Wait until there is a place for one more stream; return it."""

    def try_it() -> Watcher | None:
        late = Watcher(channel)
        return late if late.hear() is Code.OK else None

    found = wait_for(try_it)
    assert found is not None
    return found


def test_500_idle_streams_take_no_thread_from_unary_calls(start_server: StartServer, sqlite_url: str) -> None:
    options = ("--threads", "8", "--streams", str(FAR_MORE), "--log-level", "warning")
    server = watchable(start_server(sqlite_url, options=options))
    with ExitStack() as opened:
        remotes = [opened.enter_context(contextlib.closing(Remote(server))) for _ in range(4)]
        channels = [opened.enter_context(server.channel()) for _ in range(4)]
        watchers = [Watcher(channels[number % 4]) for number in range(FAR_MORE)]
        assert {watcher.hear() for watcher in watchers} == {Code.OK}
        with ThreadPoolExecutor(32) as pool:
            codes = list(pool.map(lambda n: remotes[n % 4].code("GetArtifactTypes", timeout=60), range(400)))
        assert set(codes) == {Code.OK}
        assert all(watcher.answers.is_active() for watcher in watchers), "they were idle, and not gone"
        for watcher in watchers:
            watcher.leave()


@contextlib.contextmanager
def coming_and_going(server: Server, folder: Path) -> Iterator[Callable[[], list[str]]]:
    """Run `tests.faults.watchers` beside; yields what tells each round that was watched so far."""
    said = folder / "watchers"
    with said.open("wb") as out:
        churning = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.watchers", server.target], stdout=out, cwd=ROOT
        )
        try:
            yield lambda: said.read_text().splitlines()
            assert churning.poll() is None, "they went on to the end"
        finally:
            churning.kill()
            churning.wait()


def test_watchers_that_come_and_go_do_not_stop_the_server(server: Server, tmp_path: Path) -> None:
    """Watches of health end in every state that they can be in, while calls are made and until the server ends."""
    with coming_and_going(server, tmp_path) as rounds, contextlib.closing(Remote(server)) as remote:
        wait_for(lambda: len(rounds()) > 10)
        for _ in range(30):
            assert remote.code("GetArtifactTypes", timeout=60) is Code.OK
            assert server.serving()
            time.sleep(0.05)
        so_far = len(rounds())
        wait_for(lambda: len(rounds()) > so_far + 10)
        assert server.stop() == 0
    seen = {word for line in rounds() for word in line.split()}
    assert seen in ({"SERVING"}, {"SERVING", "NOT_SERVING"})


def test_the_end_does_not_wait_for_watchers(server: Server) -> None:
    with ExitStack() as opened:
        channels = [opened.enter_context(server.channel()) for _ in range(4)]
        watches = [
            health_pb2_grpc.HealthStub(channels[number % 4]).Watch(health_pb2.HealthCheckRequest(), timeout=60)
            for number in range(200)
        ]
        assert {next(watch).status for watch in watches} == {health_pb2.HealthCheckResponse.SERVING}
        assert server.stop() == 0
        assert {next(watch).status for watch in watches} == {health_pb2.HealthCheckResponse.NOT_SERVING}
