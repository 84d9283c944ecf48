"""What is said of files that have not arrived, whatever else has."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import FailedPrecondition

from tests.artifact_store.uploads import begin, send, upload_file

SAME = b"of all"


@pytest.fixture
def requests(tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store in a folder, with its facts in SQLite."""
    store = Store.open(f"sqlite:///{tmp_path}/facts.db")
    yield Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))
    store.close()


def begun(requests: Requests, paths: str, missing: str) -> int:
    """Begin an upload of files of one content, and send those that are not missing."""
    files = [upload_file(path, SAME) for path in paths]
    artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, *files)).artifact_id
    for path in set(paths) - set(missing):
        requests.artifacts.put_file(artifact_id, path, io.BytesIO(SAME))
    return artifact_id


@pytest.mark.parametrize("missing", ["a", "b", "c", "ab", "bc", "ac", "abc"])
def test_a_file_is_not_there_because_one_of_its_content_is(requests: Requests, missing: str) -> None:
    artifact_id = begun(requests, "abc", missing)
    with pytest.raises(FailedPrecondition) as refused:
        requests.artifacts.commit_upload(artifact_id)
    verb = "is" if len(missing) == 1 else "are"
    said = "; ".join(f"{path!r} has not arrived" for path in missing)
    assert refused.value.message.startswith(f"{len(missing)} of 3 files {verb} not as declared: {said}. Send them")
    assert send(requests, artifact_id, dict.fromkeys("abc", SAME), only_missing=True) == [200] * len(missing)
    assert requests.artifacts.commit_upload(artifact_id).manifest.file_count == 3


@pytest.mark.parametrize(("missing", "more"), [("bcdef", ""), ("abcdef", "; and 1 more"), ("abcdefgh", "; and 3 more")])
def test_of_many_that_are_missing_some_are_named(requests: Requests, missing: str, more: str) -> None:
    artifact_id = begun(requests, "abcdefghi", missing)
    with pytest.raises(FailedPrecondition) as refused:
        requests.artifacts.commit_upload(artifact_id)
    named = "; ".join(f"{path!r} has not arrived" for path in missing[:5])
    said = f"{len(missing)} of 9 files are not as declared: {named}{more}. Send them again"
    assert refused.value.message.startswith(said)
