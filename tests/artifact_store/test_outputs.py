"""An artifact and what made it become known in one transaction, once."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.calls import ARTIFACT_CALLS
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.uploads import artifact, begin, send, upload_file
from tests.metadata_store.calls import Calls

CONTENTS = {"model": b"weights"}
FILE = upload_file("model", CONTENTS["model"])


@pytest.fixture
def requests(store: Store, tmp_path: Path) -> Requests:
    """The artifact store of the default tenant, in a folder."""
    return Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))


@pytest.fixture
def made_by(store: Store) -> v1.MadeBy:
    """An execution and its context."""
    calls = Calls(store)
    kind = calls("PutExecutionType", execution_type=pb.ExecutionType(name="train")).type_id
    (execution,) = calls("PutExecutions", executions=[pb.Execution(type_id=kind)]).execution_ids
    kind = calls("PutContextType", context_type=pb.ContextType(name="experiment")).type_id
    (context,) = calls("PutContexts", contexts=[pb.Context(type_id=kind, name="churn")]).context_ids
    return v1.MadeBy(execution_id=execution, context_id=context, path_key="churn")


def sent(store: Store, requests: Requests, **fields: Any) -> int:
    """Begin an upload and send its file; return the artifact."""
    begun = requests.artifacts.begin_upload(begin(store, FILE, **fields))
    if not begun.reused:
        assert set(send(requests, begun.artifact_id, CONTENTS)) == {200}
    return begun.artifact_id


def told(store: Store, artifact_id: int) -> list[tuple[int, int, str]]:
    """Return execution, type and path of every event of an artifact."""
    events = Calls(store)("GetEventsByArtifactIDs", artifact_ids=[artifact_id]).events
    return [(event.execution_id, event.type, "/".join(step.key for step in event.path.steps)) for event in events]


def contexts(store: Store, artifact_id: int) -> list[str]:
    return [context.name for context in Calls(store)("GetContextsByArtifact", artifact_id=artifact_id).contexts]


def test_a_commit_says_what_made_the_artifact_once(store: Store, requests: Requests, made_by: v1.MadeBy) -> None:
    artifact_id = sent(store, requests)
    assert told(store, artifact_id) == []
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: commit(requests, artifact_id, made_by), range(4)))
    commit(requests, artifact_id, made_by)
    assert artifact(store, artifact_id).state == pb.Artifact.LIVE
    assert told(store, artifact_id) == [(made_by.execution_id, pb.Event.OUTPUT, "churn")]
    assert contexts(store, artifact_id) == ["churn"]


def test_what_is_there_already_becomes_an_output_of_who_made_it_again(
    store: Store, requests: Requests, made_by: v1.MadeBy
) -> None:
    first = sent(store, requests)
    commit(requests, first, None)
    assert told(store, first) == []
    again = sent(store, requests, reuse=True)
    assert again == first
    for _ in range(2):
        assert commit(requests, again, made_by).manifest.file_count == 1
    assert told(store, first) == [(made_by.execution_id, pb.Event.OUTPUT, "churn")]
    assert contexts(store, first) == ["churn"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"execution_id": 0}, "made_by.execution_id: 0 is no id"),
        ({"execution_id": 4711}, "made_by.execution_id: there is no execution with id 4711"),
        ({"context_id": 4711}, "made_by.context_id: there is no context with id 4711"),
    ],
)
def test_a_maker_that_is_not_there_leaves_the_upload_as_it_was(
    store: Store, requests: Requests, made_by: v1.MadeBy, wrong: dict[str, int], said: str
) -> None:
    artifact_id = sent(store, requests)
    asked = v1.MadeBy()
    asked.CopyFrom(made_by)
    for name, number in wrong.items():
        setattr(asked, name, number)
    with pytest.raises(InvalidArgument, match=said):
        commit(requests, artifact_id, asked)
    assert artifact(store, artifact_id).state == pb.Artifact.PENDING
    assert told(store, artifact_id) == []
    commit(requests, artifact_id, made_by)
    assert told(store, artifact_id) == [(made_by.execution_id, pb.Event.OUTPUT, "churn")]


def commit(requests: Requests, artifact_id: int, made_by: v1.MadeBy | None) -> v1.CommitUploadResponse:
    """Commit as the wires do."""
    (call,) = [call for call in ARTIFACT_CALLS if call.name == "CommitUpload"]
    answer = call.run(requests, LOCAL, v1.CommitUploadRequest(artifact_id=artifact_id, made_by=made_by))
    assert isinstance(answer, v1.CommitUploadResponse)
    return answer
