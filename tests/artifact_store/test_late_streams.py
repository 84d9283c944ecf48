"""A file that comes so slowly that its upload is told otherwise, or committed, before the last of its bytes came."""

import io
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Aborted, FailedPrecondition, InvalidArgument
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.uploads import begin, upload_file
from tests.metadata_store.calls import counted

LITTLE, LARGE = 1, 10_000
"""How often the content is repeated: what is little is looked at once, when all of it came."""
COMMITTED = (FailedPrecondition, "is committed and cannot change")
OTHER_BYTES = (InvalidArgument, "md5: the bytes that came")
TOLD_OTHERWISE = (Aborted, "was told otherwise")


class Slow(io.BytesIO):
    """A stream whose bytes come when they are let go."""

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self.asked, self.let_go = threading.Event(), threading.Event()

    def read(self, size: int | None = -1) -> bytes:
        self.asked.set()
        assert self.let_go.wait(60)
        return super().read(size)


class Unended(Slow):
    """A stream whose bytes come at once, and whose end is let go."""

    def read(self, size: int | None = -1) -> bytes:
        return io.BytesIO.read(self, size) or super().read(size)


@pytest.fixture
def requests(store: Store, tmp_path: Path) -> Requests:
    """Its bytes, in a folder."""
    return Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))


def declare(requests: Requests, artifact_id: int, content: bytes) -> None:
    declare_files(requests, v1.DeclareFilesRequest(artifact_id=artifact_id, files=[upload_file("a", content)]), LOCAL)


@pytest.mark.parametrize("stream", [Slow, Unended])
@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("times", [LITTLE, LARGE])
def test_a_file_is_not_replaced_by_one_that_was_told_before(
    store: Store, requests: Requests, committed: bool, stream: type[Slow], times: int
) -> None:
    first, second = b"the first" * times, b"something" * times
    artifacts, slow = requests.artifacts, stream(first)
    artifact_id = artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    declare(requests, artifact_id, first)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(artifacts.put_file, artifact_id, "a", cast("BinaryIO", slow))
        assert slow.asked.wait(60)
        declare(requests, artifact_id, second)
        artifacts.put_file(artifact_id, "a", io.BytesIO(second))
        if committed:
            artifacts.commit_upload(artifact_id)
        slow.let_go.set()
        told = TOLD_OTHERWISE if stream is Unended and times == LARGE else OTHER_BYTES
        error, said = COMMITTED if committed else told
        with pytest.raises(error, match=said):
            late.result()
    if not committed:
        assert artifacts.commit_upload(artifact_id).manifest.file_count == 1
    assert b"".join(artifacts.read(artifact_id, "a")) == second


@pytest.mark.parametrize("times", [LITTLE, LARGE])
def test_bytes_are_those_declared_by_their_sha256_alone(store: Store, requests: Requests, times: int) -> None:
    content, other = b"the first" * times, b"something" * times
    artifacts = requests.artifacts
    artifact_id = artifacts.begin_upload(begin(store, more_files=True)).artifact_id
    files = [upload_file("a", content, md5s=[])]
    declare_files(requests, v1.DeclareFilesRequest(artifact_id=artifact_id, files=files), LOCAL)
    with pytest.raises(InvalidArgument, match="sha256: the bytes that came have the SHA-256"):
        artifacts.put_file(artifact_id, "a", io.BytesIO(other))
    artifacts.put_file(artifact_id, "a", io.BytesIO(content))
    artifacts.commit_upload(artifact_id)
    assert b"".join(artifacts.read(artifact_id, "a")) == content


@pytest.mark.parametrize("times", [LITTLE, LARGE])
def test_a_file_costs_a_statement_and_one_more_when_it_comes_slowly(
    store: Store, requests: Requests, times: int
) -> None:
    artifacts, content = requests.artifacts, b"the first" * times
    artifact_id = artifacts.begin_upload(begin(store, upload_file("a", content))).artifact_id
    artifacts.put_file(artifact_id, "a", io.BytesIO(content))
    with counted(store) as statements:
        artifacts.put_file(artifact_id, "a", io.BytesIO(content))
    assert len([one for one in statements if one.startswith("SELECT")]) == len(statements)
    assert len(statements) == (1 if times == LITTLE else 2)
