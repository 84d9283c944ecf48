"""The artifact store when what it stands on breaks: the object store, the disk, its own process.

After each fault: a LIVE artifact reads back byte for byte, a PENDING one resumes or is swept, nothing is named that is
not there.
"""

import contextlib
import random
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from urllib.parse import unquote

import pytest
import urllib3
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.manifests import list_files
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, NotFound, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.uploads import FIVE, artifact, begin, send, upload_file
from tests.conftest import StartServer
from tests.metadata_store.calls import Calls
from tests.services.ceph import S3Address
from tests.services.faulty_http import Fault, FaultyHttp, Request
from tests.services.server import PROGRAMS, Server

CONTENTS = {"model.bin": random.Random(3).randbytes(FIVE + 1000), "notes/ü.txt": b"short", "empty": b""}
FILES = [upload_file(path, content, FIVE if len(content) > FIVE else 0) for path, content in CONTENTS.items()]
PATIENCE = 4
COMMITS = 12
"""More than one has requests."""


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Store]:
    """An empty store of facts."""
    opened = Store.open(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def proxy(s3: S3Address) -> Iterator[FaultyHttp]:
    """What stands between us and the run's S3 server."""
    with FaultyHttp(s3.port) as between:
        yield between


def over(proxy: FaultyHttp, s3: S3Address, bucket: str) -> S3Store:
    """Return the bucket as it is reached through the proxy."""
    told = S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key, busy_seconds=0.01)
    return S3Store(told, "p/")


def stubbornly(step: Callable[[], object]) -> object:
    """Do as clients do: try again what is told to be temporary."""
    for left in range(PATIENCE, -1, -1):
        try:
            return step()
        except (Unavailable, FailedPrecondition, urllib3.exceptions.HTTPError):
            if not left:
                raise
    raise AssertionError("unreachable")


def life(requests: Requests, contents: Mapping[str, bytes]) -> int:
    """Upload, commit, and read everything; each step again when it fails for a time."""
    artifacts = requests.artifacts
    artifact_id = artifacts.begin_upload(begin(artifacts.store, *FILES)).artifact_id

    def finish() -> None:
        statuses = send(requests, artifact_id, contents, only_missing=True)
        if set(statuses) - {200}:
            raise Unavailable(f"refused: {statuses}")
        artifacts.commit_upload(artifact_id)

    def read() -> None:
        for path, content in contents.items():
            assert b"".join(artifacts.read(artifact_id, path)) == content

    stubbornly(finish)
    stubbornly(read)
    return artifact_id


def sound(requests: Requests, contents: Mapping[str, bytes], after: int = 0) -> dict[int, int]:
    """Check that what is LIVE is whole and that nothing else is named, of the artifacts after one.

    Returns their states. Who checks after every fault what came with it, checks everything once more at the end.
    """
    artifacts, states = requests.artifacts, {}
    for found in Calls(artifacts.store)("GetArtifacts").artifacts:
        if found.id <= after:
            continue
        states[found.id] = found.state
        files = artifacts.store.database.read(LOCAL, partial(list_files, artifact_id=found.id, after="", size=1000))
        assert bool(files) == (found.state == pb.Artifact.LIVE)
        for file in files:
            assert b"".join(artifacts.read(found.id, file.path)) == contents[file.path]
    return states


def nothing_is_left_over(requests: Requests, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep, at a time when nothing can come late any more, and check that every blob has a name."""
    artifacts = requests.artifacts
    monkeypatch.setattr(Transaction, "agreed_ms", lambda tx: 10**13)
    sweep(artifacts, -1)
    named = set()
    for found in Calls(artifacts.store)("GetArtifacts").artifacts:
        files = artifacts.store.database.read(LOCAL, partial(list_files, artifact_id=found.id, after="", size=1000))
        for file in files:
            named.add(f"{artifacts.manifest(found.id).key_prefix}{file.path}")
    assert set(keys(artifacts.blobs)) == named


@pytest.mark.parametrize(
    "fault",
    [Fault.REFUSED, Fault.LOST, Fault.SHORT, Fault.INTERNAL, Fault.SLOW_DOWN],
    ids=lambda fault: fault.name,
)
def test_any_request_may_go_wrong(
    fault: Fault, store: Store, proxy: FaultyHttp, s3: S3Address, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = Requests(Artifacts(store, over(proxy, s3, bucket)))
    checked = life(requests, CONTENTS)
    count = len(proxy.requests)
    assert count >= 10
    for at in range(1, count + 1):
        proxy.calm()
        # minio-py and we try again several times; a fault that lasts has to reach the caller and do no harm either
        proxy.plan(at, fault, times=random.Random(at).choice((1, 2, 6)))
        with contextlib.suppress(Unavailable, FailedPrecondition, urllib3.exceptions.HTTPError):
            life(requests, CONTENTS)
        proxy.calm()
        checked = max(checked, *sound(requests, CONTENTS, after=checked))
    states = sound(requests, CONTENTS)
    assert len(states) > count
    assert list(states.values()).count(pb.Artifact.LIVE) > count // 2
    nothing_is_left_over(requests, monkeypatch)


@pytest.mark.parametrize("fault", [Fault.REFUSED, Fault.LOST, Fault.SLOW_DOWN], ids=lambda fault: fault.name)
def test_deletions_may_go_wrong(
    fault: Fault, store: Store, proxy: FaultyHttp, s3: S3Address, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = Requests(Artifacts(store, over(proxy, s3, bucket)))
    artifacts, admin = requests.artifacts, Admin(requests)
    made = [upload(requests, b"content") for _ in range(6)]

    def ail(first: int = 2) -> None:
        proxy.plan(first, fault, times=100)  # after the look whether the place is this store's own

    ail()
    with pytest.raises(Unavailable):
        list(collect(artifacts, plan(artifacts, Rules(0, 0)).garbage[:2]))
    proxy.calm()
    looked = admin("Purge", kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[made[2]], include_bytes=True)
    ail(3)  # and after the look whether older versions can be found
    with pytest.raises(Unavailable):
        admin(
            "Purge",
            kind=admin_pb2.NODE_KIND_ARTIFACT,
            ids=[made[2]],
            include_bytes=True,
            digest=looked.digest,
            reason="r",
        )
    pending = artifacts.begin_upload(begin(store, *FILES)).artifact_id
    ail()
    with pytest.raises(Unavailable):
        artifacts.abort_upload(pending)
    ail()
    with pytest.raises(Unavailable):
        sweep(artifacts, -1)
    proxy.calm()
    states = sound(requests, {"f": b"content"})
    assert [states[one] for one in made] == [pb.Artifact.DELETED] * 3 + [pb.Artifact.LIVE] * 3
    assert states[pending] == pb.Artifact.ABANDONED
    nothing_is_left_over(requests, monkeypatch)
    assert len(keys(artifacts.blobs)) == 3


def test_verification_takes_an_ill_store_for_no_verdict(
    store: Store, proxy: FaultyHttp, s3: S3Address, bucket: str
) -> None:
    requests = Requests(Artifacts(store, over(proxy, s3, bucket)))
    made = upload(requests, b"content")
    for fault in (Fault.REFUSED, Fault.SHORT, Fault.SLOW_DOWN, Fault.INTERNAL):
        proxy.plan(1, fault, times=100)
        with pytest.raises(Unavailable):
            list(verify(requests.artifacts))
        proxy.calm()
        assert not artifact(store, made).custom_properties
    assert [found.verdict for found in verify(requests.artifacts)] == [Verdict.SAME]


def test_the_server_is_killed_at_any_request_of_a_commit(
    sqlite_url: str, start_server: StartServer, proxy: FaultyHttp, s3: S3Address, bucket: str, store: Store
) -> None:
    """Of many commits under way each waits at another of its requests when the server is killed."""
    credentials = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    where = ("--artifacts", f"s3://{bucket}/p", "--artifacts-endpoint", proxy.url)
    server = start_server(sqlite_url, http=True, options=where, environment=credentials)
    requests = Requests(Artifacts(store, over(proxy, s3, bucket)))
    made = [requests.artifacts.begin_upload(begin(store, *FILES)).artifact_id for _ in range(COMMITS)]
    for artifact_id in made:
        assert set(send(requests, artifact_id, CONTENTS)) == {200}
    holding = HeldCommits(made)
    proxy.calm()
    proxy.fault = holding
    askings = {artifact_id: ask_to_commit(server, artifact_id) for artifact_id in made}
    while not all(one in holding.held or asking.poll() is not None for one, asking in askings.items()):
        time.sleep(0.02)
    held = sorted(holding.held)
    server.kill()
    proxy.calm()
    for asking in askings.values():
        asking.wait(60)
    assert made[: len(held)] == held, "a commit that has no such request ended"
    assert 5 <= len(held) < COMMITS
    server.start()
    states = sound(requests, CONTENTS)
    assert {one for one in made if states[one] == pb.Artifact.PENDING} == set(held)
    assert {one for one in made if states[one] == pb.Artifact.LIVE} == set(made) - set(held)
    for artifact_id in held:
        assert ask_to_commit(server, artifact_id).wait(60) == 0
    assert set(sound(requests, CONTENTS).values()) == {pb.Artifact.LIVE}


class HeldCommits:
    """Holds the first request of the first artifact's commit, the second of the second's, and so on."""

    def __init__(self, artifact_ids: list[int]) -> None:
        self.held: set[int] = set()
        self._places = {one: place for place, one in enumerate(artifact_ids, 1)}
        self._counts = dict.fromkeys(artifact_ids, 0)
        self._lock = threading.Lock()

    def __call__(self, request: Request) -> Fault | None:
        found = re.search(r"system\.Model/_/(\d+)/", unquote(request.target))
        if found is None:  # whose the place is
            return None
        artifact_id = int(found[1])
        with self._lock:
            self._counts[artifact_id] += 1
            if self._counts[artifact_id] != self._places[artifact_id]:
                return None
            self.held.add(artifact_id)
        return Fault.HELD


def ask_to_commit(server: Server, artifact_id: int) -> subprocess.Popen[bytes]:
    """Begin to ask a server for a commit; the exit status is 0 when it is done."""
    url = f"{server.http_url}/mlmd.v1.ArtifactStore/CommitUpload"
    body = f'{{"artifactId": "{artifact_id}"}}'
    command = ["curl", "-sf", "-H", "content-type: application/json", "--data", body, url]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL)


def killed_after(command: list[str], folder: Path, seconds: float) -> int:
    """Run a command, kill it after so long; return its exit status."""
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        return process.wait()


def test_gc_is_killed_again_and_again(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = Store.open(database_url)
    requests = Requests(Artifacts(facts, LocalStore(tmp_path / "bytes")))
    made = [upload(requests, b"%d" % number) for number in range(60)]
    Admin(requests)("PinArtifact", artifact_id=made[0])
    command = [str(PROGRAMS / "mlmd-server"), "gc", "--database", database_url, "--artifacts", "bytes"]
    command += ["--keep-younger-than", "0"]
    began = time.monotonic()
    assert killed_after([*command, "--dry-run"], tmp_path, 120) == 0
    whole = time.monotonic() - began
    statuses = []
    for share in (0, *(0.6 + 0.08 * attempt for attempt in range(20)), 100):  # first at once, in the end not at all
        statuses.append(killed_after(command, tmp_path, whole * share))
        for artifact_id in made:  # whole, or without a manifest
            if artifact(facts, artifact_id).state == pb.Artifact.LIVE:
                number = made.index(artifact_id)
                assert b"".join(requests.artifacts.read(artifact_id, "f")) == b"%d" % number
            else:
                with pytest.raises(NotFound):
                    requests.artifacts.manifest(artifact_id)
        if statuses[-1] == 0:
            break
    assert statuses[0] == -signal.SIGKILL
    assert statuses[-1] == 0
    nothing_is_left_over(requests, monkeypatch)
    assert [artifact(facts, one).state for one in made] == [pb.Artifact.LIVE] + [pb.Artifact.DELETED] * 59
    facts.close()


def test_the_process_dies_between_facts_and_bytes(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dying(LocalStore):
        """A folder whose process dies at the first deletion."""

        def delete(self, keys: object) -> None:
            raise KeyboardInterrupt

    whole: BlobStore = LocalStore(tmp_path / "bytes")
    requests = Requests(Artifacts(store, whole))
    dying = Requests(Artifacts(store, Dying(tmp_path / "bytes")))
    collected, purged, aborted = upload(requests, b"1"), upload(requests, b"2"), upload(requests, b"3")
    pending = requests.artifacts.begin_upload(begin(store, upload_file("f", b"4"))).artifact_id
    send(requests, pending, {"f": b"4"})
    with pytest.raises(KeyboardInterrupt):
        list(collect(dying.artifacts, [collected]))
    with pytest.raises(KeyboardInterrupt):
        Admin(dying).purge(kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[purged], include_bytes=True)
    with pytest.raises(KeyboardInterrupt):
        dying.artifacts.abort_upload(pending)
    assert len(keys(whole)) == 4
    assert sound(requests, {"f": b"3"}) == {
        collected: pb.Artifact.DELETED, purged: pb.Artifact.DELETED, aborted: pb.Artifact.LIVE,
        pending: pb.Artifact.ABANDONED,
    }  # fmt: skip
    nothing_is_left_over(requests, monkeypatch)
    assert len(keys(whole)) == 1
