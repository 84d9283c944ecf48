"""What is kept since garbage was decided keeps what it was made from, too, in whatever batch that is."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmd_artifact_store import garbage_collection
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.requests import Requests
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.artifact_store.care import Admin, alias, execution, opened, upload
from tests.artifact_store.test_named_places import naming
from tests.artifact_store.uploads import artifact
from tests.metadata_store.calls import Calls, counted


@pytest.fixture
def requests(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB, of which each artifact is deleted by itself."""
    monkeypatch.setattr(garbage_collection, "BATCH", 1)
    with opened(database_url, tmp_path) as requests:
        yield requests


def chain(requests: Requests) -> list[int]:
    """Make a model of data that were made of raw data; return the three, and something else."""
    raw, data = upload(requests, b"raw"), upload(requests, b"data")
    model = upload(requests, b"model", collection="m")
    execution(requests, [raw], [data])
    execution(requests, [data], [model])
    return [raw, data, model, upload(requests, b"loose")]


@pytest.mark.parametrize("keeper", ["alias", "pin", "use", "name", "resumed"])
def test_what_is_kept_since_keeps_its_origins(admin: Admin, requests: Requests, keeper: str) -> None:
    *made, loose = chain(requests)
    raw, data, model = made
    if keeper == "name":
        named = naming(requests, artifact(requests.artifacts.store, model).uri)
    if keeper == "resumed":
        user = execution(requests, [model], [])
    chosen = plan(requests.artifacts, Rules(0, 0))
    assert chosen.garbage == [*made, loose]
    if keeper == "alias":
        alias(requests, "m", "champion", 1)
    elif keeper == "pin":
        admin("PinArtifact", artifact_id=model)
    elif keeper == "name":
        admin("PinArtifact", artifact_id=named)
    elif keeper == "resumed":
        call = Calls(requests.artifacts.store)
        (again,) = call("GetExecutionsByID", execution_ids=[user]).executions
        again.last_known_state = pb.Execution.RUNNING
        call("PutExecutions", executions=[again])
    else:
        execution(requests, [model], [])
    batches = list(collect(requests.artifacts, chosen.garbage, seen=chosen.keeping))
    assert [one.artifact_id for batch in batches for one in batch] == [loose]
    for one, content in ((raw, b"raw"), (data, b"data"), (model, b"model")):
        assert b"".join(requests.artifacts.read(one, "f")) == content


def test_without_origins_they_go(admin: Admin, requests: Requests) -> None:
    raw, data, model, loose = chain(requests)
    chosen = plan(requests.artifacts, Rules(0, 0, origins=False))
    admin("PinArtifact", artifact_id=model)
    batches = list(collect(requests.artifacts, chosen.garbage, seen=chosen.keeping))
    assert [one.artifact_id for batch in batches for one in batch] == [raw, data, loose]


def test_what_is_kept_meanwhile_is_kept_from_the_next_batch_on(admin: Admin, requests: Requests) -> None:
    raw, data, model, loose = chain(requests)
    chosen = plan(requests.artifacts, Rules(0, 0))
    batches = collect(requests.artifacts, chosen.garbage, seen=chosen.keeping)
    assert [one.artifact_id for one in next(batches)] == [raw]
    admin("PinArtifact", artifact_id=model)
    assert [one.artifact_id for batch in batches for one in batch] == [loose]
    assert b"".join(requests.artifacts.read(data, "f")) == b"data"


def test_what_was_seen_once_is_not_walked_again(admin: Admin, requests: Requests) -> None:
    *_, model, _ = chain(requests)
    loose = [upload(requests, b"%d" % number) for number in range(4)]
    chosen = plan(requests.artifacts, Rules(0, 0))
    admin("PinArtifact", artifact_id=model)
    counts = []
    for one in loose:
        with counted(requests.artifacts.store) as statements:
            assert len(list(collect(requests.artifacts, [one], seen=chosen.keeping))) == 1
        counts.append(len(statements))
    assert counts[1:] == [counts[1]] * 3
    assert counts[1] < counts[0]
