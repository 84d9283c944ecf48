"""Long lists wait for each other, while everything else goes on."""

import threading
from collections.abc import Callable, Iterator

import grpc
import pytest
from mlmd_api.dispatch import Dispatcher
from mlmd_api.long_lists import AT_ONCE, Turn, Turns
from mlmd_metadata_store import node_pages
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb import metadata_store_service_pb2_grpc as service_grpc

from tests.api.conftest import Served

NODES, LONG = 6, 5
Stub = service_grpc.MetadataStoreServiceStub


@pytest.fixture
def served(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> Served:
    """A server with six artifacts, to which five are a long list."""
    monkeypatch.setattr(node_pages, "_NODES_AT_ONCE", LONG)
    return serve()


@pytest.fixture
def stub(served: Served) -> Iterator[Stub]:
    """A client of it."""
    with grpc.insecure_channel(f"127.0.0.1:{served.doors.grpc_port}") as channel:
        stub = Stub(channel)
        kind = stub.PutArtifactType(service.PutArtifactTypeRequest(artifact_type={"name": "Any"})).type_id
        stub.PutArtifacts(service.PutArtifactsRequest(artifacts=[{"type_id": kind}] * NODES))
        yield stub


def turns_of_others(dispatcher: Dispatcher) -> list[Turn]:
    """Take all turns, as so many long lists would."""
    turns = [dispatcher.turns.turn() for _ in range(AT_ONCE)]
    for turn in turns:
        turn.take(0)
    return turns


def test_a_long_list_waits_for_its_turn_and_nothing_else_does(served: Served, stub: Stub) -> None:
    others = turns_of_others(served.dispatcher)
    waiting = stub.GetArtifacts.future(service.GetArtifactsRequest())
    with pytest.raises(grpc.RpcError) as refused:
        stub.GetArtifacts(service.GetArtifactsRequest(), timeout=0.3)
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(stub.GetArtifacts(service.GetArtifactsRequest(options={"max_result_size": NODES})).artifacts) == NODES
    assert len(stub.GetArtifactTypes(service.GetArtifactTypesRequest()).artifact_types) == 1, "a short list"
    assert not waiting.done()
    others[0].leave()
    assert len(waiting.result(timeout=60).artifacts) == NODES


def test_a_turn_is_given_back_whatever_becomes_of_the_answer(
    served: Served, stub: Stub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def out_of_memory(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(served.dispatcher, "_written", out_of_memory)
        for _ in range(AT_ONCE + 1):
            with pytest.raises(grpc.RpcError) as refused:
                stub.GetArtifacts(service.GetArtifactsRequest(), timeout=60)
            assert refused.value.code() is not grpc.StatusCode.DEADLINE_EXCEEDED
    assert len(stub.GetArtifacts(service.GetArtifactsRequest(), timeout=60).artifacts) == NODES


def test_a_turn_is_one_however_often_it_is_taken_and_left() -> None:
    turns = Turns(1)
    first, second = turns.turn(), turns.turn()
    first.take(None)
    first.take(None)
    second.take(0)
    second.leave()  # it has none to give back
    third = turns.turn()
    thread = threading.Thread(target=third.take, args=(None,))
    thread.start()
    assert thread.is_alive()
    first.leave()
    first.leave()
    thread.join(60)
    assert not thread.is_alive()
    second.take(0)
    assert not second._taken
