"""Resolving: everything a deployer needs in one answer, from a cache that is never stale after a move."""

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.opening import open_blobs
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_model_registry import registry as registries
from mlmd_model_registry import resolve_cache
from mlmd_model_registry.registry import announce_changes
from mlmd_model_registry.resolution import digest_of
from mlmd_model_registry.resolve_cache import ResolveCache
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code, NotFound, StoreError, Unavailable
from mlmd_schemas.pb.v1 import artifacts_pb2
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.tables.own import FILE

from tests.artifact_store.uploads import upload_file
from tests.model_registry.conftest import Registry
from tests.services.clocks import wait_beyond


class Resolver:
    """A registry on a store, with a folder for the bytes."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.artifacts = Artifacts(announce_changes(store), open_blobs(str(folder)))
        self.registry = registries.Registry(store, Requests(self.artifacts, "http://files"))

    def __call__(self, uri: str, **fields: Any) -> v1.ResolveModelResponse:
        return self.registry.resolve(v1.ResolveModelRequest(uri=uri, **fields), LOCAL)

    def code(self, uri: str, **fields: Any) -> Code:
        with pytest.raises(StoreError) as refused:
            self(uri, **fields)
        assert refused.value.message
        return refused.value.code


@pytest.fixture
def resolve(store: Store, tmp_path: Path) -> Resolver:
    """Resolving on the store of `registry`."""
    return Resolver(store, tmp_path / "bytes")


def uploaded(registry: Registry, resolver: Resolver, contents: dict[str, bytes]) -> int:
    """Upload files of an artifact and return its id."""
    from io import BytesIO

    type_id = registry("PutArtifactType", artifact_type={"name": "system.Model"}).type_id
    from mlmd_schemas.pb import metadata_store_pb2 as pb

    request = artifacts_pb2.BeginUploadRequest(
        artifact=pb.Artifact(type_id=type_id).SerializeToString(),
        files=[upload_file(path, content) for path, content in contents.items()],
    )
    begun = resolver.artifacts.begin_upload(request)
    for path, content in contents.items():
        resolver.artifacts.put_file(begun.artifact_id, path, BytesIO(content))
    resolver.artifacts.commit_upload(begun.artifact_id)
    return begun.artifact_id


def test_everything_in_one_answer(registry: Registry, resolve: Resolver) -> None:
    artifact = uploaded(registry, resolve, {"a/weights.bin": b"w" * 10, "config.json": b"{}"})
    registry("LogScalars", owner={"artifact_id": artifact}, scalars={"auc": 0.93})
    made = registry.version(artifact_id=artifact, format={"name": "onnx"}, signature='{"inputs": 1}', author="ana")
    registry("MoveModelAlias", model="fraud", alias="champion", version="1")
    answer = resolve("models:/fraud@champion")
    assert (answer.model, answer.number, answer.version, answer.artifact_id) == ("fraud", 1, "1", artifact)
    assert (answer.version_id, answer.model_id, answer.uri) == (made.id, made.model_id, made.uri)
    assert (answer.format.name, answer.signature, answer.author) == ("onnx", '{"inputs": 1}', "ana")
    assert (list(answer.aliases), dict(answer.metrics)) == (["champion"], {"auc": 0.93})
    assert [(file.path, file.size_bytes, len(file.sha256)) for file in answer.files] == [
        ("a/weights.bin", 10, 32),
        ("config.json", 2, 32),
    ]
    assert (answer.file_count, answer.size_bytes, len(answer.files_digest)) == (2, 12, 32)
    assert not any(file.url for file in answer.files)
    bare = v1.ResolveModelResponse()
    bare.CopyFrom(answer)
    bare.ClearField("digest")
    assert answer.digest == digest_of(bare)
    signed = resolve("models:/fraud/1", with_requests=True)
    assert [file.url for file in signed.files] == [
        f"http://files/artifacts/{artifact}/files/{path}" for path in ("a/weights.bin", "config.json")
    ]
    assert signed.digest == answer.digest, "links are no part of it"
    assert resolve("model-registry://fraud/1") == resolve("models:/fraud") == answer


def test_a_version_whose_artifact_mlmd_wiped_is_resolved_and_made(registry: Registry, resolve: Resolver) -> None:
    from mlmd_schemas.pb import metadata_store_service_pb2 as service

    first = uploaded(registry, resolve, {"weights.bin": b"w" * 10})
    registry.version(artifact_id=first)
    before = resolve("models:/fraud/1")
    second = uploaded(registry, resolve, {"weights.bin": b"v" * 10})
    kind = registry("PutExecutionType", execution_type={"name": "Train"}).type_id
    pairs = [
        service.PutExecutionRequest.ArtifactAndEvent(artifact={"id": made}, event={"type": "INPUT"})
        for made in (first, second)
    ]
    registry("PutExecution", execution={"type_id": kind}, artifact_event_pairs=pairs)
    assert {node.uri for node in registry("GetArtifactsByID", artifact_ids=[first, second]).artifacts} == {""}
    after = resolve("models:/fraud/1")
    assert (after.uri, after.root_uri, after.files) == (before.uri, before.root_uri, before.files)
    made = registry.version(artifact_id=second)
    answer = resolve("models:/fraud/2")
    assert answer.uri == made.uri == answer.root_uri == resolve.artifacts.manifest(second).root_uri
    assert answer.artifact_id == second


def test_the_digest_changes_with_what_is_said(registry: Registry, resolve: Resolver) -> None:
    registry.version()
    before = resolve("models:/fraud/1").digest
    registry("UpdateModelVersion", model="fraud", version="1", format={"name": "tf"})
    assert resolve("models:/fraud/1").digest != before


def test_names_with_slashes_and_unicode(registry: Registry, resolve: Resolver) -> None:
    registry.version("team/模型", name="v/1@x")
    registry("MoveModelAlias", model="team/模型", alias="prod/eü:1", version="v/1@x")
    for uri in ("models:/team%2F模型/v%2F1%40x", "models:/team%2F%E6%A8%A1%E5%9E%8B@prod%2Fe%C3%BC%3A1"):
        assert resolve(uri).version == "v/1@x"


def test_what_cannot_be_resolved(registry: Registry, resolve: Resolver) -> None:
    from mlmd_schemas.pb import metadata_store_pb2 as pb

    made = registry.version()
    assert resolve.code("models:/nope@champion") is Code.NOT_FOUND
    assert resolve.code("models:/fraud@champion") is Code.NOT_FOUND
    assert resolve.code("models:/fraud/2") is Code.NOT_FOUND
    assert resolve.code("fraud") is Code.INVALID_ARGUMENT
    assert resolve.code("models:/fraud/1", as_of="0") is Code.INVALID_ARGUMENT
    assert resolve.code("models:/fraud@champion", as_of="2026-05-03") is Code.INVALID_ARGUMENT
    registry("CreateModel", name="empty")
    assert resolve.code("models:/empty") is Code.NOT_FOUND
    registry("PutArtifacts", artifacts=[pb.Artifact(id=made.artifact_id, uri=made.uri, state=pb.Artifact.DELETED)])
    assert resolve.code("models:/fraud/1") is Code.FAILED_PRECONDITION


def test_a_version_whose_files_were_found_damaged(registry: Registry, resolve: Resolver) -> None:
    artifact = uploaded(registry, resolve, {"weights": b"w"})
    registry.version(artifact_id=artifact)

    def damage(tx: Transaction) -> None:
        tx.execute(FILE.update().values(verified_ms=-1))

    registry.store.database.write(LOCAL, damage)
    assert resolve.code("models:/fraud/1") is Code.DATA_LOSS


def test_as_of_a_past_moment(registry: Registry, resolve: Resolver) -> None:
    for _ in range(2):
        registry.version()
    first = registry("MoveModelAlias", model="fraud", alias="champion", version="1").move.move_ms
    wait_beyond(first)
    second = registry("MoveModelAlias", model="fraud", alias="champion", version="2").move.move_ms
    asked = {then: resolve("models:/fraud@champion", as_of=str(then)).number for then in (first, second - 1, second)}
    assert asked == {first: 1, second - 1: 1, second: 2}
    assert resolve.code("models:/fraud@champion", as_of=str(first - 1)) is Code.NOT_FOUND
    assert resolve("models:/fraud", as_of="2100-01-01T00:00:00Z").number == 2
    newest = registry("GetModelVersion", model="fraud", version="2").version.create_ms
    assert resolve("models:/fraud", as_of=str(newest)).number == 2, "at the very moment it was there"
    assert resolve.code("models:/fraud", as_of="1980-01-01T00:00:00+05:30") is Code.NOT_FOUND


def test_an_archived_version_says_so(registry: Registry, resolve: Resolver) -> None:
    for _ in range(2):
        registry.version()
    registry("ArchiveModelVersion", model="fraud", version="2")
    assert resolve("models:/fraud/2").state == v1.MODEL_STATE_ARCHIVED
    assert resolve("models:/fraud").number == 1
    assert resolve("models:/fraud/latest").number == 1
    registry("ArchiveModel", model="fraud")
    assert resolve("models:/fraud/1").state == v1.MODEL_STATE_ARCHIVED


def test_the_cache_is_never_stale_after_a_move(registry: Registry, resolve: Resolver) -> None:
    for _ in range(2):
        registry.version()
    registry("MoveModelAlias", model="fraud", alias="champion", version="1")
    ended = threading.Event()

    def keep_it_warm() -> None:
        while not ended.wait(0.002):  # a loop without rest would keep the moves from their turn
            resolve("models:/fraud@champion")

    threads = [threading.Thread(target=keep_it_warm) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for turn in range(40):
            wanted = turn % 2 + 1
            registry("MoveModelAlias", model="fraud", alias="champion", version=str(wanted))
            assert resolve("models:/fraud@champion").number == wanted
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def test_a_warm_answer_asks_the_database_nothing(
    registry: Registry, resolve: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.metadata_store.calls import counted

    monkeypatch.setattr(resolve_cache, "time", SimpleNamespace(monotonic=lambda: 1000.0))  # as warm as it was made
    registry.version()
    with counted(registry.store) as statements:
        first = resolve("models:/fraud/1")
        cold = len(statements)
        for _ in range(10):
            assert resolve("models:/fraud/1") is first
    assert cold == len(statements) > 0


def test_what_another_server_changed_is_seen_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    clock = [1000.0]
    monkeypatch.setattr(resolve_cache, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def make() -> v1.ResolveModelResponse:
        made.append(1)
        return v1.ResolveModelResponse(number=len(made))

    cache = ResolveCache(fresh_seconds=5)
    key = ("models:/fraud", "", False)
    assert cache.get(key, make).response.number == 1
    assert cache.get(key, make).response.number == 1
    clock[0] += 6
    assert cache.peek(key) is None
    assert cache.get(key, make).response.number == 2


def test_answers_that_count_no_longer_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(resolve_cache, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    cache = ResolveCache(fresh_seconds=2)
    for moment in range(1000):
        cache.get(("models:/fraud@champion", str(moment), False), v1.ResolveModelResponse)
        clock[0] += 0.5
    assert len(cache._kept) <= 6


def test_one_thread_makes_what_many_ask_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolve_cache, "_PATIENCE_SECONDS", 60.0)
    cache = ResolveCache(fresh_seconds=60)
    key = ("models:/fraud", "", False)
    made: list[int] = []
    asked, goes_on = threading.Event(), threading.Event()

    def make() -> v1.ResolveModelResponse:
        made.append(1)
        asked.set()
        assert goes_on.wait(30)
        return v1.ResolveModelResponse(number=len(made))

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(cache.get, key, make)]
        assert asked.wait(30)
        answers += [pool.submit(cache.get, key, make) for _ in range(7)]
        goes_on.set()
        assert {answer.result(60).response.number for answer in answers} == {1}
    assert len(made) == 1


def test_an_answer_that_fails_is_made_by_each_who_asks() -> None:
    cache = ResolveCache()

    def make() -> v1.ResolveModelResponse:
        raise NotFound("model: there is none.")

    with ThreadPoolExecutor(8) as pool:
        answers = [pool.submit(cache.get, ("models:/none", "", False), make) for _ in range(16)]
        assert {type(answer.exception(60)) for answer in answers} == {NotFound}


def test_an_answer_is_made_anew_by_one_while_the_others_have_the_old_one() -> None:
    cache = ResolveCache(fresh_seconds=20)
    key = ("models:/fraud", "", False)
    first = cache.get(key, lambda: v1.ResolveModelResponse(number=1))
    assert cache.peek(key) is first
    first.renewed_from = 0  # as if it were old
    assert cache.peek(key) is None, "who asks now goes and makes it"

    def make() -> v1.ResolveModelResponse:
        assert cache.peek(key) is first
        assert cache.get(key, lambda: v1.ResolveModelResponse(number=3)) is first
        return v1.ResolveModelResponse(number=2)

    assert cache.get(key, make).response.number == 2
    assert cache.peek(key) is not first


def test_a_database_that_is_away_for_a_moment_is_not_noticed_while_the_answer_counts() -> None:
    cache = ResolveCache(fresh_seconds=20)
    key = ("models:/fraud", "", False)
    first = cache.get(key, lambda: v1.ResolveModelResponse(number=1))

    def away() -> v1.ResolveModelResponse:
        raise Unavailable("The database is away.")

    first.renewed_from = 0
    assert cache.get(key, away) is first
    first.until = 0
    with pytest.raises(Unavailable):
        cache.get(key, away)
