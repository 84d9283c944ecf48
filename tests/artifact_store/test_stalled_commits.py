"""A commit that stands still between its steps, while another server goes on with the same upload and commits it."""

import io
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import pytest
from mlmd_artifact_store import artifacts as artifacts_module
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.proof import prove_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Aborted, FailedPrecondition, InvalidArgument
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import upload
from tests.artifact_store.test_restoring import CONTENTS, recorded
from tests.artifact_store.test_restoring import declare as declare_restored
from tests.artifact_store.uploads import FIVE, begin, send, upload_file
from tests.services.ceph import S3Address
from tests.services.faulty_http import FaultyHttp
from tests.services.held_steps import outcome, while_held

FIRST, SECOND = b"the first", b"something"
LARGE = b"1" * FIVE + b"end"
REFUSALS = (Aborted, FailedPrecondition)


def declare(
    requests: Requests, artifact_id: int, content: bytes, part_size: int = 0, unchanged_from: int = 0
) -> list[v1.UploadUrl]:
    file = upload_file("a", content, part_size)
    request = v1.DeclareFilesRequest(
        artifact_id=artifact_id, files=[file], only_missing=True, unchanged_from_artifact_id=unchanged_from
    )
    return list(declare_files(requests, request, LOCAL).urls)


def uploaded(requests: Requests, artifact_id: int, content: bytes, part_size: int = 0) -> int:
    """Tell and send a file, and commit it."""
    declare(requests, artifact_id, content, part_size)
    assert set(send(requests, artifact_id, {"a": content}, only_missing=True)) <= {200}
    requests.artifacts.commit_upload(artifact_id)
    return artifact_id


def after_the_proof(monkeypatch: pytest.MonkeyPatch, late: Callable[[], None]) -> None:
    """Let something happen when the next commit has proven everything, and has committed nothing."""
    first = threading.Lock()

    def prove(*arguments: Any) -> Any:
        is_first = first.acquire(blocking=False)
        prove_files(*arguments)
        if is_first:
            late()

    monkeypatch.setattr(artifacts_module, "prove_files", prove)


class TestInAFolder:
    """Two servers on one folder."""

    @pytest.fixture
    def requests(self, store: Store, tmp_path: Path) -> Requests:
        """The server whose commit stands still."""
        return Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))

    @pytest.fixture
    def other(self, database_url: str, tmp_path: Path) -> Iterator[Requests]:
        """The server that goes on."""
        opened = Store.open(database_url)
        yield Requests(Artifacts(opened, LocalStore(tmp_path / "artifacts")))
        opened.close()

    @pytest.mark.parametrize("before", ["before the bytes", "before the name"])
    @pytest.mark.parametrize("made", ["copied", "of parts"])
    def test_what_is_committed_is_not_overwritten(
        self, requests: Requests, other: Requests, monkeypatch: pytest.MonkeyPatch, before: str, made: str
    ) -> None:
        there, go_on, first = threading.Event(), threading.Event(), threading.Lock()
        artifact_id = self._sent(requests, made)
        step: Callable[..., Any] = shutil.copyfileobj if before == "before the bytes" else os.replace

        def held(*arguments: Any, **named: Any) -> Any:
            ours = before == "before the bytes" or os.path.basename(str(arguments[1])) == "a"
            if ours and first.acquire(blocking=False):
                there.set()
                assert go_on.wait(60)
            return step(*arguments, **named)

        monkeypatch.setattr(*((shutil, "copyfileobj") if before == "before the bytes" else (os, "replace")), held)
        with ThreadPoolExecutor(2) as pool:
            stalled = pool.submit(requests.artifacts.commit_upload, artifact_id)
            assert there.wait(60)
            beside = pool.submit(uploaded, other, artifact_id, SECOND)
            wait([beside], timeout=1)
            go_on.set()
            late, committed = outcome(stalled), outcome(beside)
        if isinstance(committed, BaseException):
            assert isinstance(committed, FailedPrecondition), committed
            assert isinstance(late, Aborted), late
            uploaded(other, artifact_id, SECOND)
        else:
            assert not isinstance(late, BaseException) or isinstance(late, REFUSALS), late
        assert b"".join(requests.artifacts.read(artifact_id, "a")) == SECOND

    def _sent(self, requests: Requests, made: str) -> int:
        source = upload(requests, FIRST)
        artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
        if made == "copied":
            declare(requests, artifact_id, FIRST, unchanged_from=source)
        else:
            declare(requests, artifact_id, LARGE, FIVE)
            send(requests, artifact_id, {"a": LARGE})
        return artifact_id

    def test_a_copy_that_comes_late_replaces_nothing_that_was_told_meanwhile(
        self, requests: Requests, other: Requests, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        artifact_id, first, copy = self._sent(requests, "copied"), threading.Lock(), shutil.copyfileobj

        def late(*arguments: Any, **named: Any) -> None:
            if first.acquire(blocking=False):
                declare(other, artifact_id, SECOND)
                other.artifacts.put_file(artifact_id, "a", io.BytesIO(SECOND))
            copy(*arguments, **named)

        monkeypatch.setattr(shutil, "copyfileobj", late)
        with pytest.raises(Aborted, match="told of other files"):
            requests.artifacts.commit_upload(artifact_id)
        other.artifacts.commit_upload(artifact_id)
        assert b"".join(requests.artifacts.read(artifact_id, "a")) == SECOND

    def test_a_seal_on_the_same_files_is_another_seal(
        self, requests: Requests, other: Requests, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
        declare(requests, artifact_id, FIRST)
        send(requests, artifact_id, {"a": FIRST})

        def late() -> None:
            declare(other, artifact_id, SECOND)
            other.artifacts.put_file(artifact_id, "a", io.BytesIO(SECOND))
            declare(other, artifact_id, FIRST)
            with pytest.raises(FailedPrecondition, match="'a' has"):
                other.artifacts.commit_upload(artifact_id)

        after_the_proof(monkeypatch, late)
        with pytest.raises(Aborted, match="told of other files while it was being committed"):
            requests.artifacts.commit_upload(artifact_id)
        uploaded(requests, artifact_id, FIRST)
        assert b"".join(requests.artifacts.read(artifact_id, "a")) == FIRST

    def test_a_restore_that_is_given_up_meanwhile_is_not_committed(
        self, requests: Requests, other: Requests, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        artifact_id = recorded(requests)
        requests.artifacts.begin_restore(artifact_id)
        declare_restored(requests, artifact_id, *(upload_file(path, content) for path, content in CONTENTS.items()))
        send(requests, artifact_id, CONTENTS)

        def late() -> None:
            other.artifacts.abort_upload(artifact_id)

        after_the_proof(monkeypatch, late)
        for _ in range(2):
            with pytest.raises(FailedPrecondition, match="whose files are elsewhere; begin a restore"):
                requests.artifacts.commit_upload(artifact_id)
        assert requests.artifacts.manifest(artifact_id).is_external


class TestInABucket:
    """Two servers on one bucket; between the first of them and the bucket is a proxy that holds a request."""

    @pytest.fixture
    def requests(self, store: Store, proxy: FaultyHttp, s3: S3Address, bucket: str) -> Requests:
        """The server whose requests stand still."""
        settings = S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key)
        return Requests(Artifacts(store, S3Store(settings)))

    @pytest.fixture
    def other(self, database_url: str, s3: S3Address, bucket: str) -> Iterator[Requests]:
        """The server that goes on."""
        opened = Store.open(database_url)
        settings = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
        yield Requests(Artifacts(opened, S3Store(settings)))
        opened.close()

    def test_what_is_being_copied_cannot_be_told_otherwise(
        self, requests: Requests, other: Requests, proxy: FaultyHttp
    ) -> None:
        source = upload(requests, FIRST)
        store = requests.artifacts.store
        artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
        declare(requests, artifact_id, FIRST, unchanged_from=source)
        anew = []

        def go_on() -> None:
            with pytest.raises(InvalidArgument, match="a commit has begun to copy it"):
                uploaded(other, artifact_id, SECOND)
            assert declare(other, artifact_id, FIRST) == []
            begun = other.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
            anew.append(uploaded(other, begun, SECOND))
            other.artifacts.commit_upload(artifact_id)

        late = while_held(
            proxy,
            lambda request: "x-amz-copy-source" in request.headers,
            lambda: requests.artifacts.commit_upload(artifact_id),
            go_on,
        )
        assert late == other.artifacts.commit_upload(artifact_id)
        assert b"".join(other.artifacts.read(artifact_id, "a")) == FIRST
        assert b"".join(other.artifacts.read(anew[0], "a")) == SECOND

    def test_a_copy_may_be_told_otherwise_before_a_commit(self, requests: Requests) -> None:
        source = upload(requests, FIRST)
        artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
        declare(requests, artifact_id, FIRST, unchanged_from=source)
        uploaded(requests, artifact_id, SECOND)
        assert b"".join(requests.artifacts.read(artifact_id, "a")) == SECOND

    def test_what_made_another_file_ends_before_this_one_is_told(
        self, requests: Requests, other: Requests, proxy: FaultyHttp, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = requests.artifacts.store
        artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
        declare(requests, artifact_id, LARGE, FIVE)
        assert set(send(requests, artifact_id, {"a": LARGE})) == {200}

        def dies(key: str, upload: str) -> None:
            raise KeyboardInterrupt

        def go_on() -> None:
            with monkeypatch.context() as patched:
                patched.setattr(other.artifacts.blobs, "abort_parts", dies)
                with pytest.raises(KeyboardInterrupt):
                    declare(other, artifact_id, SECOND)
            uploaded(other, artifact_id, SECOND)

        late = while_held(
            proxy,
            lambda request: request.method == "POST" and "uploadId=" in request.target,
            lambda: requests.artifacts.commit_upload(artifact_id),
            go_on,
        )
        assert not isinstance(late, BaseException) or isinstance(late, REFUSALS), late
        assert b"".join(other.artifacts.read(artifact_id, "a")) == SECOND

    def test_a_file_that_passes_through_the_server_replaces_nothing(
        self, requests: Requests, other: Requests, proxy: FaultyHttp
    ) -> None:
        artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
        declare(requests, artifact_id, FIRST)

        def go_on() -> None:
            uploaded(other, artifact_id, SECOND)

        late = while_held(
            proxy,
            lambda request: request.method == "PUT" and request.target.partition("?")[0].endswith("/a"),
            lambda: requests.artifacts.put_file(artifact_id, "a", io.BytesIO(FIRST)),
            go_on,
        )
        assert isinstance(late, Aborted), late
        assert "other bytes" in late.message
        assert b"".join(other.artifacts.read(artifact_id, "a")) == SECOND

    def test_a_file_that_is_sent_as_a_part_from_now_on_is_not_committed_as_it_was_proven(
        self, requests: Requests, other: Requests, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = requests.artifacts.store
        artifact_id = requests.artifacts.begin_upload(begin(store, more_files=True)).artifact_id
        declare(requests, artifact_id, FIRST)
        assert send(requests, artifact_id, {"a": FIRST}) == [200]
        upload_there, _ = requests.artifacts.pending(artifact_id, "a")

        def replaced() -> None:
            other.artifacts.blobs.put(f"{upload_there.key_prefix}a", io.BytesIO(SECOND), len(SECOND))
            assert send(other, artifact_id, {"a": FIRST}, only_missing=True) == [200]

        after_the_proof(monkeypatch, replaced)
        with pytest.raises(Aborted, match="commit it again"):
            requests.artifacts.commit_upload(artifact_id)
        requests.artifacts.commit_upload(artifact_id)
        assert b"".join(other.artifacts.read(artifact_id, "a")) == FIRST

    def test_the_same_file_again_is_as_good_as_stored(self, requests: Requests) -> None:
        artifact_id = requests.artifacts.begin_upload(begin(requests.artifacts.store, more_files=True)).artifact_id
        declare(requests, artifact_id, FIRST)
        first, again = (requests.artifacts.put_file(artifact_id, "a", io.BytesIO(FIRST)) for _ in range(2))
        assert (again.size_bytes, again.etag) == (first.size_bytes, first.etag)
        requests.artifacts.commit_upload(artifact_id)
