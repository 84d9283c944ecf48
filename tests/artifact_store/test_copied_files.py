"""Files that are copied from an earlier artifact: what lies at either end already is looked at, and not believed."""

import io
from collections.abc import Iterator

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.manifests import files_like
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, NotFound
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import upload
from tests.artifact_store.uploads import begin, send, upload_file

CONTENT, OTHER, LONGER = b"what is copied", b"of this length", b"what is longer than that"


@pytest.fixture
def requests(sqlite_url: str, blobs: BlobStore) -> Iterator[Requests]:
    """Artifacts in a folder and in a bucket."""
    store = Store.open(sqlite_url)
    yield Requests(Artifacts(store, blobs))
    store.close()


def put(requests: Requests, artifact_id: int, path: str, content: bytes) -> None:
    """Put bytes where a file of an artifact is, past its upload."""
    artifacts = requests.artifacts
    prefix = "/".join(("_", "system.Model", "_", str(artifact_id)))
    artifacts.blobs.put(f"{prefix}/{path}", io.BytesIO(content), len(content))


def copier(requests: Requests, source: int) -> int:
    """Begin an upload of a file that is copied."""
    file = upload_file("g", CONTENT)
    request = begin(requests.artifacts.store, file, unchanged_from_artifact_id=source)
    begun = requests.artifacts.begin_upload(request)
    assert begun.files_to_send == 0
    return begun.artifact_id


@pytest.mark.parametrize("there", [OTHER, LONGER, b""])
def test_what_lies_where_a_copy_goes_is_replaced(requests: Requests, there: bytes) -> None:
    copy = copier(requests, upload(requests, CONTENT))
    put(requests, copy, "g", there)
    requests.artifacts.commit_upload(copy)
    assert b"".join(requests.artifacts.read(copy, "g")) == CONTENT


@pytest.mark.parametrize("there", [OTHER, LONGER, b""])
def test_a_source_that_others_changed_is_not_copied(requests: Requests, there: bytes) -> None:
    source = upload(requests, CONTENT)
    copy = copier(requests, source)
    put(requests, source, "f", there)
    with pytest.raises(FailedPrecondition, match="'g' was to be copied from an earlier artifact whose file is gone"):
        requests.artifacts.commit_upload(copy)


def test_a_copy_that_was_made_before_is_found(requests: Requests) -> None:
    source = upload(requests, CONTENT)
    copy = copier(requests, source)
    put(requests, copy, "g", CONTENT)
    requests.artifacts.blobs.delete([f"{requests.artifacts.manifest(source).key_prefix}f"])
    requests.artifacts.commit_upload(copy)
    assert b"".join(requests.artifacts.read(copy, "g")) == CONTENT


def test_that_an_earlier_artifact_has_no_files_is_told_by_its_field(requests: Requests) -> None:
    with pytest.raises(NotFound, match=r"^unchanged_from_artifact_id: artifact 999 has no manifest"):
        copier(requests, 999)


def test_of_files_that_are_alike_one_is_read_wherever_it_is(requests: Requests) -> None:
    alike = [upload_file(f"a{number:03}", CONTENT) for number in range(50)]
    other = upload_file("b", OTHER)
    source = upload_all(requests, {**{file.path: CONTENT for file in alike}, "b": OTHER}, *alike, other)

    def found(*wanted: tuple[str, bytes]) -> list[str]:
        database = requests.artifacts.store.database
        return sorted(file.path for file in database.read(LOCAL, lambda tx: files_like(tx, source, wanted)))

    assert found(("a007", other.sha256), ("new", alike[0].sha256)) == ["a000", "b"]
    assert found(("a007", alike[0].sha256), ("new", alike[0].sha256)) == ["a007"], "what is at its path needs no search"
    assert found(("a007", bytes(32)), ("new", b"")) == []


def upload_all(requests: Requests, contents: dict[str, bytes], *files: v1.UploadFile) -> int:
    """Upload files as an artifact."""
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, *files))
    send(requests, begun.artifact_id, contents)
    requests.artifacts.commit_upload(begun.artifact_id)
    return begun.artifact_id
