"""64 clients move one alias at once: nothing is lost, doubled or told out of order, though servers are killed.

A hundred moves each; a thousand with MLMD_SOAK=1 (`make soak`).
"""

import os

import grpc
import pytest
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.pb.v1.registry_pb2_grpc import ModelRegistryStub

from tests.conftest import StartServer
from tests.model_registry.contenders import ALIAS, MODEL, Contenders, Tally, Watcher
from tests.services.server import NO_PROXY, Server
from tests.services.waiting import wait_for

SOAK = bool(os.environ.get("MLMD_SOAK"))
CLIENTS = 64
LEAST = 1_000 if SOAK else 100
"""Moves that succeed before it ends."""
LONGEST_SECONDS = 500.0 if SOAK else 200.0
"""How long they are waited for."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def stub_of(server: Server) -> ModelRegistryStub:
    return ModelRegistryStub(grpc.insecure_channel(server.target, options=[NO_PROXY]))


def lay(server: Server) -> None:
    """Make the model and the four versions that the alias goes round."""
    stub = stub_of(server)
    for number in range(4):
        request = v1.CreateModelVersionRequest(model=MODEL, create_model=True, uri=f"s3://b/{number}")
        stub.CreateModelVersion(request)


def history(server: Server) -> list[v1.ModelAliasMove]:
    """Return every move, the first first."""
    stub, moves, token = stub_of(server), [], ""
    while True:
        request = v1.ListModelAliasMovesRequest(model=MODEL, alias=ALIAS, page_size=100, page_token=token)
        page = stub.ListModelAliasMoves(request)
        moves += list(page.moves)
        token = page.next_page_token
        if not token:
            moves.reverse()
            return moves


def versions(server: Server) -> list[int]:
    stub, numbers, token = stub_of(server), [], ""
    while True:
        page = stub.ListModelVersions(v1.ListModelVersionsRequest(model=MODEL, page_size=100, page_token=token))
        numbers += [version.number for version in page.versions]
        token = page.next_page_token
        if not token:
            return sorted(numbers)


def contend(contenders: Contenders, half_way: "list[Server]") -> Tally:
    """Let the clients work; kill these servers in the middle, each for a moment."""

    def moved(least: int) -> None:
        wait_for(lambda: len(contenders.tally.moved) >= least, LONGEST_SECONDS, lambda: len(contenders.tally.moved))

    contenders.start()
    for turn, server in enumerate(half_way, 1):
        moved(turn * LEAST // (len(half_way) + 1))
        server.kill()
        server.start()
    moved(LEAST)
    return contenders.end()


def check(server: Server, tally: Tally, watchers: list[Watcher]) -> None:
    assert tally.odd == []
    moves = list(history(server))
    assert len(moves) == len(tally.moved) >= LEAST, "as many successful compare-and-sets as history rows"
    assert [move.sequence for move in moves] == list(range(1, len(moves) + 1))
    assert [move.from_number for move in moves] == [0, *(move.to_number for move in moves[:-1])]
    by_sequence = sorted(tally.moved, key=lambda move: move.sequence)
    assert by_sequence == moves, "what each client was told is what the history says"
    assert versions(server) == list(range(1, 5 + len(tally.made)))
    assert sorted(tally.made) == list(range(5, 5 + len(tally.made)))
    for watcher in watchers:
        heard = watcher.end(lambda one: len(one.heard) >= len(moves))
        assert heard == moves, "every watcher hears every move once and in order"


@pytest.mark.parametrize("database", ["sqlite", "mariadb"])
def test_one_server(request: pytest.FixtureRequest, start_server: StartServer, database: str) -> None:
    server = start_server(request.getfixturevalue(f"{database}_url"))
    lay(server)
    watchers = [Watcher(server.target) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
        assert watcher.ready.wait(30)
    tally = contend(Contenders([server.target], CLIENTS), [])
    check(server, tally, watchers)


def test_two_servers_on_one_database_killed_in_between(start_server: StartServer, mariadb_url: str) -> None:
    servers = [start_server(mariadb_url) for _ in range(2)]
    lay(servers[0])
    watchers = [Watcher(server.target) for server in servers]
    for watcher in watchers:
        watcher.start()
        assert watcher.ready.wait(30)
    tally = contend(Contenders([server.target for server in servers], CLIENTS), servers)
    check(servers[0], tally, watchers)
    assert all(watcher.broken for watcher in watchers), "both servers were killed under their watchers"
