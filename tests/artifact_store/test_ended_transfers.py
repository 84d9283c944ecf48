"""Transfers that are under way when their artifact ends: a download meets a purge, a completion meets an abort."""

import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from mlmd_artifact_store import artifacts as artifacts_module
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.proof import prove_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.sweeping import sweep
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Aborted, DataLoss, FailedPrecondition, NotFound, StoreError, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.uploads import FIVE, artifact, begin, send, upload_file, upload_urls
from tests.services.ceph import S3Address
from tests.services.faulty_http import Fault, FaultyHttp, Request
from tests.services.held_steps import outcome, while_held

CONTENT = bytes(range(256)) * 20_000
LARGE, SECOND = b"1" * FIVE + b"end", b"something else"
ROUNDS = 4


@pytest.fixture
def slow(store: Store, proxy: FaultyHttp, s3: S3Address, bucket: str) -> Requests:
    """The server whose requests to the bucket stand still."""
    settings = S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key, busy_seconds=0.01)
    return Requests(Artifacts(store, S3Store(settings)))


@pytest.fixture
def other(database_url: str, s3: S3Address, bucket: str) -> Iterator[Requests]:
    """Another server on the same database and bucket."""
    opened = Store.open(database_url)
    settings = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
    yield Requests(Artifacts(opened, S3Store(settings)))
    opened.close()


def take_away(requests: Requests, artifact_id: int, how: str) -> None:
    if how == "gc":
        list(collect(requests.artifacts, [artifact_id]))
    else:
        Admin(requests).purge(kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[artifact_id], include_bytes=True)


def is_completion(request: Request) -> bool:
    return request.method == "POST" and "uploadId=" in request.target


def parted(requests: Requests, content: bytes = LARGE) -> int:
    """Begin an upload of a file in parts and send them."""
    file = upload_file("a", content, FIVE)
    artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, file)).artifact_id
    assert set(send(requests, artifact_id, {"a": content})) == {200}
    return artifact_id


def nothing_is_left(requests: Requests) -> bool:
    """Whether neither blobs nor parts are in the bucket."""
    return keys(requests.artifacts.blobs) == [] and requests.artifacts.blobs.tidy("", 10**14) == 0


class TestDownloads:
    """A download that runs when the bytes are taken away."""

    @pytest.mark.parametrize("how", ["gc", "purge"])
    def test_it_ends_whole_or_with_an_error(self, requests: Requests, blobs: BlobStore, how: str) -> None:
        artifact_id = upload(requests, CONTENT)
        stream = requests.artifacts.read(artifact_id, "f")
        read = [next(stream)]
        take_away(requests, artifact_id, how)
        assert keys(blobs) == []
        try:
            read += stream
        except (NotFound, Unavailable, DataLoss):
            assert CONTENT.startswith(b"".join(read))
        else:
            assert b"".join(read) == CONTENT
        with pytest.raises(NotFound):
            requests.artifacts.read(artifact_id, "f")
        with pytest.raises(NotFound):
            requests.artifacts.manifest(artifact_id)

    @pytest.mark.parametrize("how", ["gc", "purge"])
    def test_it_is_not_taken_up_again(self, slow: Requests, other: Requests, proxy: FaultyHttp, how: str) -> None:
        artifact_id = upload(slow, CONTENT)
        proxy.fault = lambda request: Fault.SHORT if "range" not in request.headers else Fault.HELD
        read: list[bytes] = []

        def download() -> None:
            read.extend(slow.artifacts.read(artifact_id, "f"))

        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(download)
            assert proxy.held.wait(60)
            take_away(other, artifact_id, how)
            proxy.calm()
            assert isinstance(outcome(under_way), NotFound)
        assert CONTENT.startswith(b"".join(read))
        assert len(b"".join(read)) < len(CONTENT)

    @pytest.mark.parametrize("how", ["gc", "purge"])
    def test_a_range_is_not_taken_up_in_another_blob(
        self, slow: Requests, other: Requests, proxy: FaultyHttp, how: str
    ) -> None:
        artifact_id = upload(slow, CONTENT)
        key = f"{slow.artifacts.manifest(artifact_id).key_prefix}f"
        proxy.plan(2, Fault.HELD, where=lambda request: request.method == "GET" and "range" in request.headers)
        plan = proxy.fault
        proxy.fault = lambda request: plan(request) or (Fault.SHORT if "range" in request.headers else None)

        def then() -> None:
            take_away(other, artifact_id, how)
            other.artifacts.blobs.put(key, io.BytesIO(CONTENT[::-1]), len(CONTENT))

        with ThreadPoolExecutor(1) as pool:
            under_way = pool.submit(lambda: b"".join(slow.artifacts.read_range(artifact_id, "f", 10, 1_000_000)))
            assert proxy.held.wait(60)
            then()
            proxy.calm()
            found = outcome(under_way)
        assert isinstance(found, Unavailable), found
        assert "was replaced while it was read" in found.message


class TestCompletions:
    """A commit that makes a file of its parts when its upload is given up."""

    def test_a_completion_that_comes_after_the_abort(self, slow: Requests, other: Requests, proxy: FaultyHttp) -> None:
        artifact_id = parted(slow)
        late = while_held(
            proxy,
            is_completion,
            lambda: slow.artifacts.commit_upload(artifact_id),
            lambda: other.artifacts.abort_upload(artifact_id),
        )
        assert isinstance(late, (FailedPrecondition, NotFound)), late
        assert nothing_is_left(other)
        assert artifact(other.artifacts.store, artifact_id).state == pb.Artifact.ABANDONED

    @pytest.mark.parametrize("step", ["DELETE", "POST"])
    def test_a_commit_that_comes_within_an_abort(
        self, slow: Requests, other: Requests, proxy: FaultyHttp, step: str
    ) -> None:
        artifact_id = parted(slow)
        upload, file = slow.artifacts.pending(artifact_id, "a")
        if step == "POST":  # the parts are a blob already, which is deleted
            blobs = slow.artifacts.blobs
            key = f"{upload.key_prefix}a"
            blobs.complete_parts(key, file.parts_name, blobs.parts(key, file.parts_name))

        def commit() -> None:
            with pytest.raises(FailedPrecondition, match="was aborted"):
                other.artifacts.commit_upload(artifact_id)

        aborted = while_held(
            proxy,
            lambda request: request.method == step,
            lambda: slow.artifacts.abort_upload(artifact_id),
            commit,
        )
        assert aborted is True
        assert nothing_is_left(other)
        assert artifact(other.artifacts.store, artifact_id).state == pb.Artifact.ABANDONED

    def test_an_abort_between_the_proof_and_the_commit(
        self, slow: Requests, other: Requests, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        artifact_id = parted(slow)

        def prove(*arguments: Any) -> Any:
            prove_files(*arguments)
            assert keys(other.artifacts.blobs) != []
            assert other.artifacts.abort_upload(artifact_id)

        monkeypatch.setattr(artifacts_module, "prove_files", prove)
        with pytest.raises((FailedPrecondition, NotFound)):
            slow.artifacts.commit_upload(artifact_id)
        assert nothing_is_left(other)
        assert artifact(other.artifacts.store, artifact_id).state == pb.Artifact.ABANDONED

    def test_a_copy_that_comes_after_the_abort_is_swept(
        self, slow: Requests, other: Requests, proxy: FaultyHttp
    ) -> None:
        source = upload(slow, CONTENT)
        file = upload_file("a", CONTENT)
        copier = slow.artifacts.begin_upload(
            begin(slow.artifacts.store, file, unchanged_from_artifact_id=source)
        ).artifact_id
        late = while_held(
            proxy,
            lambda request: "x-amz-copy-source" in request.headers,
            lambda: slow.artifacts.commit_upload(copier),
            lambda: other.artifacts.abort_upload(copier),
        )
        assert isinstance(late, (FailedPrecondition, NotFound)), late
        assert artifact(other.artifacts.store, copier).state == pb.Artifact.ABANDONED
        assert len(keys(other.artifacts.blobs)) == 2
        sweep(other.artifacts, 3600)
        assert [key.rpartition("/")[2] for key in keys(other.artifacts.blobs)] == ["f"]
        assert b"".join(other.artifacts.read(source, "f")) == CONTENT

    def test_they_come_at_the_same_moment(self, slow: Requests, other: Requests) -> None:
        for _ in range(ROUNDS):
            artifact_id = parted(slow)
            gate = threading.Barrier(2)

            def commit(artifact_id: int = artifact_id, gate: threading.Barrier = gate) -> object:
                gate.wait()
                return slow.artifacts.commit_upload(artifact_id)

            def abort(artifact_id: int = artifact_id, gate: threading.Barrier = gate) -> object:
                gate.wait()
                return other.artifacts.abort_upload(artifact_id)

            with ThreadPoolExecutor(2) as pool:
                committing, aborting = pool.submit(commit), pool.submit(abort)
                committed, aborted = outcome(committing), outcome(aborting)
            state = artifact(other.artifacts.store, artifact_id).state
            if aborted is True:
                assert isinstance(committed, (FailedPrecondition, NotFound)), committed
                assert state == pb.Artifact.ABANDONED
            else:
                assert isinstance(aborted, FailedPrecondition), aborted
                assert not isinstance(committed, BaseException), committed
                assert state == pb.Artifact.LIVE
                assert b"".join(other.artifacts.read(artifact_id, "a")) == LARGE
                take_away(other, artifact_id, "gc")
        sweep(other.artifacts, -1)
        assert nothing_is_left(other)

    def test_another_file_is_told_at_the_moment_of_a_completion(self, slow: Requests, other: Requests) -> None:
        for _ in range(ROUNDS):
            artifact_id = slow.artifacts.begin_upload(begin(slow.artifacts.store, more_files=True)).artifact_id
            self._declare(slow, artifact_id, upload_file("a", LARGE, FIVE))
            assert set(send(slow, artifact_id, {"a": LARGE})) == {200}
            gate = threading.Barrier(2)

            def commit(artifact_id: int = artifact_id, gate: threading.Barrier = gate) -> object:
                gate.wait()
                return slow.artifacts.commit_upload(artifact_id)

            def tell(artifact_id: int = artifact_id, gate: threading.Barrier = gate) -> object:
                gate.wait()
                self._declare(other, artifact_id, upload_file("a", SECOND))
                return None

            with ThreadPoolExecutor(2) as pool:
                committing, telling = pool.submit(commit), pool.submit(tell)
                committed, told = outcome(committing), outcome(telling)
            if told is None:
                assert isinstance(committed, StoreError), committed
                assert set(send(other, artifact_id, {"a": SECOND}, only_missing=True)) == {200}
                other.artifacts.commit_upload(artifact_id)
            else:
                assert isinstance(told, (FailedPrecondition, Aborted)), told
                assert not isinstance(committed, BaseException), committed
            expected = SECOND if told is None else LARGE
            assert b"".join(other.artifacts.read(artifact_id, "a")) == expected

    def _declare(self, requests: Requests, artifact_id: int, file: v1.UploadFile) -> None:
        declare_files(requests, v1.DeclareFilesRequest(artifact_id=artifact_id, files=[file], unsigned=True), LOCAL)


class TestBeginnings:
    """A file in parts that two servers begin at the same moment, or whose upload ends meanwhile."""

    def _begun(self, requests: Requests) -> int:
        file = upload_file("a", LARGE, FIVE)
        return requests.artifacts.begin_upload(begin(requests.artifacts.store, file)).artifact_id

    def test_of_two_beginnings_one_counts(self, slow: Requests, other: Requests, proxy: FaultyHttp) -> None:
        artifact_id = self._begun(slow)
        sent = []
        late = while_held(
            proxy,
            lambda request: request.method == "POST" and "uploads=" in request.target,
            lambda: upload_urls(slow, artifact_id),
            lambda: sent.append(send(other, artifact_id, {"a": LARGE})),
        )
        assert sent == [[200, 200]]
        assert isinstance(late, list), late
        (name,) = {parse_qs(urlsplit(url.request.url).query)["uploadId"][0] for url in late}
        _, file = other.artifacts.pending(artifact_id, "a")
        assert name == file.parts_name
        other.artifacts.commit_upload(artifact_id)
        assert b"".join(other.artifacts.read(artifact_id, "a")) == LARGE
        assert other.artifacts.blobs.tidy("", 10**14) == 0

    def test_what_is_begun_after_the_end_is_given_up(self, slow: Requests, other: Requests, proxy: FaultyHttp) -> None:
        artifact_id = self._begun(slow)
        late = while_held(
            proxy,
            lambda request: request.method == "POST" and "uploads=" in request.target,
            lambda: upload_urls(slow, artifact_id),
            lambda: other.artifacts.abort_upload(artifact_id),
        )
        assert isinstance(late, (FailedPrecondition, NotFound)), late
        assert nothing_is_left(other)
