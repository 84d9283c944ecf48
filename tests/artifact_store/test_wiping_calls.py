"""Calls of MLMD that replace an artifact and so wipe its uri and state: its bytes stay its own, and stay pinned."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.manifests import list_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.artifact_store.care import Admin, alias, upload
from tests.artifact_store.uploads import artifact, begin, send, type_id, upload_file
from tests.metadata_store.calls import Calls

NOTHING = Rules(newest=0, younger_than_seconds=0)
Wipe = Callable[[int], None]


@pytest.fixture
def artifacts(store: Store, tmp_path: Path) -> Artifacts:
    """An empty artifact store, on SQLite and on MariaDB."""
    return Artifacts(store, LocalStore(tmp_path / "artifacts"))


@pytest.fixture
def requests(artifacts: Artifacts) -> Requests:
    """Its signed requests."""
    return Requests(artifacts)


@pytest.fixture(params=["PutArtifacts", "PutExecution", "PutLineageSubgraph"])
def wipe(request: pytest.FixtureRequest, store: Store) -> Wipe:
    """A function that puts an artifact with nothing but its id, by each call that can."""
    call = Calls(store)
    kind = call("PutExecutionType", execution_type=pb.ExecutionType(name="Train")).type_id

    def put(artifact_id: int) -> None:
        bare = pb.Artifact(id=artifact_id)
        made = pb.Execution(type_id=kind, last_known_state=pb.Execution.COMPLETE)
        if request.param == "PutArtifacts":
            bare.type_id = type_id(store)
            call("PutArtifacts", artifacts=[bare])
        elif request.param == "PutExecution":
            pair = service.PutExecutionRequest.ArtifactAndEvent(artifact=bare, event=pb.Event(type=pb.Event.INPUT))
            call("PutExecution", execution=made, artifact_event_pairs=[pair])
        else:
            edge = service.PutLineageSubgraphRequest.EventEdge(
                execution_index=0, artifact_index=0, event=pb.Event(type=pb.Event.INPUT)
            )
            bare.type_id = type_id(store)
            call("PutLineageSubgraph", executions=[made], artifacts=[bare], event_edges=[edge])
        found = artifact(store, artifact_id)
        assert (found.uri, found.HasField("state")) == ("", False), "the call wipes, as Google's does"

    return put


def whole(artifacts: Artifacts, artifact_id: int, path: str = "f") -> bytes:
    return b"".join(artifacts.read(artifact_id, path))


def test_what_is_wiped_is_read_listed_and_verified(requests: Requests, artifacts: Artifacts, wipe: Wipe) -> None:
    made = upload(requests, b"content")
    before = artifacts.manifest(made)
    wipe(made)
    assert artifacts.manifest(made) == before
    assert [file.path for file in artifacts.files(made)[1]] == ["f"]
    assert [(found.artifact_id, found.verdict) for found in verify(artifacts)] == [(made, Verdict.SAME)]
    assert whole(artifacts, made) == b"content"
    assert artifacts.commit_upload(made).manifest == before.message()


def test_what_is_wiped_is_kept_for_the_same_reasons(requests: Requests, artifacts: Artifacts, wipe: Wipe) -> None:
    admin = Admin(requests)
    pinned, aliased, nobodys = upload(requests, b"1"), upload(requests, b"2", "fraud"), upload(requests, b"3")
    admin("PinArtifact", artifact_id=pinned)
    alias(requests, "fraud", "champion", 1)
    for made in (pinned, aliased, nobodys):
        wipe(made)
    assert plan(artifacts, NOTHING).garbage == [nobodys]
    assert admin.garbage() == [nobodys]
    assert plan(artifacts, Rules(newest=0)).garbage == [], "an artifact that was wiped is as young as it was"
    sweep(artifacts, -1)
    list(collect(artifacts, plan(artifacts, NOTHING).garbage))
    assert (whole(artifacts, pinned), whole(artifacts, aliased)) == (b"1", b"2")
    assert artifact(artifacts.store, nobodys).state == pb.Artifact.DELETED


def test_what_is_wiped_is_found_by_its_content(requests: Requests, artifacts: Artifacts, wipe: Wipe) -> None:
    store, file = artifacts.store, upload_file("f", b"content")
    made = upload(requests, b"content", name="one")
    uri = artifacts.manifest(made).root_uri
    wipe(made)
    assert artifact(store, made).name == "one"
    again = artifacts.begin_upload(begin(store, file, name="one", reuse=True))
    assert (again.reused, again.artifact_id, again.uri) == (True, made, uri)
    later = begin(store, upload_file("g", b"content"), name="two", unchanged_from_artifact_id=made)
    copied = artifacts.begin_upload(later)
    assert copied.files_to_send == 0
    artifacts.commit_upload(copied.artifact_id)
    assert whole(artifacts, copied.artifact_id, "g") == b"content"


def test_an_upload_whose_artifact_is_wiped_goes_on(requests: Requests, artifacts: Artifacts, wipe: Wipe) -> None:
    store = artifacts.store
    begun = artifacts.begin_upload(begin(store, upload_file("f", b"content")))
    wipe(begun.artifact_id)
    assert plan(artifacts, NOTHING).garbage == []
    assert send(requests, begun.artifact_id, {"f": b"content"}) == [200]
    artifacts.commit_upload(begun.artifact_id)
    found = artifact(store, begun.artifact_id)
    assert (found.uri, found.state) == (begun.uri, pb.Artifact.LIVE)
    assert len(store.database.read(LOCAL, lambda tx: list_files(tx, begun.artifact_id, "", 10))) == 1
