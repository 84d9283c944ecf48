"""What a store in this process does beside answering: it ends silent runs, posts to webhooks and sweeps, by itself."""

import os
import random
import secrets
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import mlmd_server.housekeeping as housekeeping
import mlmd_server.rests as rests
import pytest
from mlmd_api.tenants import TenantStores
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import artifacts_pb2, registry_pb2
from mlmd_schemas.pb.v1 import runs_pb2 as runs
from mlmd_server.embedded import EmbeddedTransport, open_connection, open_embedded
from mlmd_server.reaper import reap_opened

from tests.services.receiver import Receiver, receiving
from tests.services.waiting import wait_for


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that takes what is posted."""
    with receiving() as server:
        yield server


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], EmbeddedTransport]]:
    """A function that opens a store whose house is kept all the time."""
    monkeypatch.setattr(housekeeping, "EVERY_SECONDS", 0.1)
    stores: list[EmbeddedTransport] = []

    def open_it() -> EmbeddedTransport:
        stores.append(open_embedded(str(tmp_path / "store")))
        return stores[-1]

    yield open_it
    for store in stores:
        store.close()


def keepers() -> set[threading.Thread]:
    """Return the threads that keep a house now; those of stores that other tests left may end at any moment."""
    return {thread for thread in threading.enumerate() if thread.name == "mlmd-housekeeping"}


def test_a_run_that_falls_silent_is_ended_while_the_store_is_open(opened: Callable[[], EmbeddedTransport]) -> None:
    store = opened()
    request = runs.StartRunRequest(experiment="e", step="s", token=secrets.token_hex(16), timeout_ms=1000)
    started = store.unary("/mlmd.v1.Runs/StartRun", request, runs.StartRunResponse).run
    asked = runs.GetRunRequest(execution_id=started.execution_id)

    def run() -> runs.Run:
        return store.unary("/mlmd.v1.Runs/GetRun", asked, runs.GetRunResponse).run

    wait_for(lambda: run().end_ms)
    assert (run().state, run().lost) == (runs.RUN_STATE_FAILED, True)


def test_an_upload_that_nobody_finished_is_swept(
    opened: Callable[[], EmbeddedTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLMD_SWEEP_GRACE_SECONDS", "0")
    monkeypatch.setenv("MLMD_SWEEP_EVERY_SECONDS", "1")
    store = opened()
    made = service.PutArtifactTypeRequest(artifact_type=pb.ArtifactType(name="Data"))
    mlmd = "/ml_metadata.MetadataStoreService"
    type_id = store.unary(f"{mlmd}/PutArtifactType", made, service.PutArtifactTypeResponse).type_id
    begin = artifacts_pb2.BeginUploadRequest(artifact=pb.Artifact(type_id=type_id).SerializeToString(), more_files=True)
    begun = store.unary("/mlmd.v1.ArtifactStore/BeginUpload", begin, artifacts_pb2.BeginUploadResponse)
    asked = service.GetArtifactsByIDRequest(artifact_ids=[begun.artifact_id])

    def state() -> int:
        answer = store.unary(f"{mlmd}/GetArtifactsByID", asked, service.GetArtifactsByIDResponse)
        return answer.artifacts[0].state

    wait_for(lambda: state() != pb.Artifact.PENDING)
    assert state() == pb.Artifact.ABANDONED


def test_a_program_that_ends_at_once_still_posts_what_it_moved(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLMD_WEBHOOK_PRIVATE_ADDRESSES", "true")
    store = open_embedded(str(tmp_path / "store"))
    registry = "/mlmd.v1.ModelRegistry"
    version = registry_pb2.CreateModelVersionRequest(model="fraud", uri="s3://b/m", create_model=True)
    store.unary(f"{registry}/CreateModelVersion", version, registry_pb2.CreateModelVersionResponse)
    hook = registry_pb2.CreateWebhookRequest(url=receiver.url, secret="s" * 16)
    store.unary(f"{registry}/CreateWebhook", hook, registry_pb2.CreateWebhookResponse)
    move = registry_pb2.MoveModelAliasRequest(model="fraud", alias="champion", version="1", reason="so")
    store.unary(f"{registry}/MoveModelAlias", move, registry_pb2.MoveModelAliasResponse)
    store.close()
    assert len(receiver.heard) == 1


def test_one_thread_keeps_the_house_and_ends_with_the_store(opened: Callable[[], EmbeddedTransport]) -> None:
    before = keepers()
    store = opened()
    (ours,) = keepers() - before
    store.close()
    assert ours not in keepers()


def test_what_the_program_draws_by_chance_stays_the_same(
    opened: Callable[[], EmbeddedTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing that a store does beside the program takes a number of its `random`, which it may have seeded."""
    rounds = threading.Semaphore(0)

    def reaped(stores: TenantStores) -> None:
        reap_opened(stores)
        rounds.release()

    monkeypatch.setattr(housekeeping, "reap_opened", reaped)
    store = opened()
    before = random.getstate()
    for _ in range(3):
        assert rounds.acquire(timeout=60)
    get_artifacts(store)
    assert random.getstate() == before


def test_a_store_that_nobody_has_any_more_is_left(tmp_path: Path) -> None:
    before = keepers()
    open_embedded(str(tmp_path / "store"))
    assert keepers() <= before, "nothing holds the transport, so it was released"


def test_a_drop_in_store_has_no_thread(tmp_path: Path) -> None:
    before = keepers()
    config = pb.ConnectionConfig(sqlite=pb.SqliteMetadataSourceConfig(filename_uri=str(tmp_path / "m.db")))
    store = open_connection(config)
    assert keepers() <= before
    store.close()


def test_a_fork_waits_until_the_house_is_at_rest(
    opened: Callable[[], EmbeddedTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    working, forking, over = threading.Event(), threading.Event(), threading.Event()
    halt = rests.Rests.halt

    def halt_noted(one: rests.Rests, seconds: float) -> bool:
        forking.set()
        return halt(one, seconds)

    def until_a_fork_waits(stores: TenantStores) -> None:
        forking.clear()
        working.set()
        wait_for(lambda: forking.is_set() or over.is_set())
        reap_opened(stores)
        working.clear()

    store = opened()
    monkeypatch.setattr(rests.Rests, "halt", halt_noted)
    monkeypatch.setattr(housekeeping, "reap_opened", until_a_fork_waits)
    for _ in range(3):
        assert working.wait(60)
        child = os.fork()
        if child == 0:
            rested = not working.is_set()
            get_artifacts(store)
            os._exit(0 if rested else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    over.set()


def get_artifacts(store: EmbeddedTransport) -> None:
    store.unary(
        "/ml_metadata.MetadataStoreService/GetArtifacts", service.GetArtifactsRequest(), service.GetArtifactsResponse
    )


def test_a_fork_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rests, "LONGEST_WAIT_SECONDS", 0.1)
    busy, begun, done = rests.Rests(), threading.Event(), threading.Event()

    def work() -> None:
        with busy.work():
            begun.set()
            done.wait(60)

    worker = threading.Thread(target=work)
    worker.start()
    assert begun.wait(60)
    child = os.fork()
    if child == 0:
        with busy.work():  # which nobody does here
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    done.set()
    worker.join()
    with busy.work():
        pass
