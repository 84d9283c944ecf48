"""Whose the bytes of a root are: two databases on one root never touch each other's."""

import io
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from mlmd_artifact_store import ownership
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.calls import ARTIFACT_CALLS
from mlmd_artifact_store.deletions import Deletion
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.removal import carry_out
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.sweeping import sweep
from mlmd_metadata_store.identity import renew_identity
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.conformance.suite import keys
from tests.artifact_store.places import client_of
from tests.artifact_store.uploads import artifact, begin, send, upload_file
from tests.metadata_store.calls import Calls
from tests.services.ceph import S3Address
from tests.services.faulty_http import Fault, FaultyHttp

MEND = r"keeps the bytes of another store \(.*root of its own with --artifacts.*claim --take-over"
NO_MARK = r"/\.mlmd/owners/_ is no mark that names a store.*--artifacts-endpoint.*claim --take-over"
OpenStore = Callable[[str], Store]


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[OpenStore]:
    """Open databases by the names of their files."""
    opened: list[Store] = []

    def open_named(name: str) -> Store:
        opened.append(Store.open(f"sqlite:///{tmp_path / name}"))
        return opened[-1]

    yield open_named
    for store in opened:
        store.close()


def of(store: Store, blobs: BlobStore, tenant: str = "") -> Requests:
    """Return the artifact store of a database on a place for bytes."""
    return Requests(Artifacts(store, blobs, tenant))


def drop_mark(blobs: BlobStore) -> None:
    """Delete the mark of the default tenant, as somebody does who empties the place."""
    if isinstance(blobs, LocalStore):
        (blobs.root / ".mlmd" / "owners" / "_").unlink()
        return
    assert isinstance(blobs, S3Store)
    client_of(blobs).remove_object(blobs.settings.bucket, f"{blobs.prefix}.mlmd/owners/_")


def nodes(store: Store) -> int:
    """Return how many artifacts there are."""
    return len(Calls(store)("GetArtifacts").artifacts)


def test_a_second_database_is_refused_before_it_does_anything(open_store: OpenStore, blobs: BlobStore) -> None:
    first, second = of(open_store("a.db"), blobs), of(open_store("b.db"), blobs)
    made = upload(first, b"first")
    pending = first.artifacts.begin_upload(begin(first.artifacts.store, upload_file("f", b"sent"))).artifact_id
    send(first, pending, {"f": b"sent"})
    before = keys(blobs)
    calls = {call.name: partial(call.run, second, LOCAL) for call in ARTIFACT_CALLS}
    with pytest.raises(FailedPrecondition, match=MEND):
        upload(second, b"second")
    assert nodes(second.artifacts.store) == 0
    for change in (
        lambda: second.artifacts.put_file(pending, "f", io.BytesIO(b"other")),
        lambda: second.artifacts.commit_upload(pending),
        lambda: second.artifacts.abort_upload(pending),
        lambda: calls["BeginUpload"](v1.BeginUploadRequest()),
        lambda: calls["DeclareFiles"](v1.DeclareFilesRequest(artifact_id=pending, files=[upload_file("f", b"x")])),
        lambda: list(collect(second.artifacts, [made])),
        lambda: carry_out(second.artifacts, [Deletion(made, "_/system.Model/", 0)], LOCAL),
        lambda: Admin(second)("Purge", kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[made], include_bytes=True, digest=b"x"),
        lambda: sweep(second.artifacts, -1),
    ):
        with pytest.raises(FailedPrecondition, match=MEND):
            change()
    assert keys(blobs) == before
    first.artifacts.commit_upload(pending)
    assert b"".join(first.artifacts.read(pending, "f")) == b"sent"


def test_tenants_share_a_root_and_each_has_its_owner(open_store: OpenStore, blobs: BlobStore) -> None:
    for name, tenant in (("a.db", "a"), ("b.db", "b"), ("c.db", "")):
        upload(of(open_store(name), blobs, tenant), tenant.encode())
    with pytest.raises(FailedPrecondition, match=MEND):
        upload(of(open_store("b.db"), blobs, "a"))
    assert len(keys(blobs)) == 3


def test_a_database_that_was_moved_or_restored_finds_its_bytes(
    open_store: OpenStore, blobs: BlobStore, tmp_path: Path
) -> None:
    store = open_store("a.db")
    made = upload(of(store, blobs), b"kept")
    store.close()
    shutil.copy(tmp_path / "a.db", tmp_path / "moved.db")
    moved = of(open_store("moved.db"), blobs)
    assert b"".join(moved.artifacts.read(made, "f")) == b"kept"
    upload(moved, b"more")
    copy = open_store("a.db")
    copy.database.write(LOCAL, renew_identity)
    copy.close()
    copied = of(open_store("a.db"), blobs)
    assert b"".join(copied.artifacts.read(made, "f")) == b"kept"
    with pytest.raises(FailedPrecondition, match=MEND):
        list(collect(copied.artifacts, [made]))
    assert artifact(copied.artifacts.store, made).state == pb.Artifact.LIVE
    assert len(keys(blobs)) == 2


def test_a_root_from_before_becomes_that_of_the_first_who_writes(open_store: OpenStore, blobs: BlobStore) -> None:
    requests = of(open_store("a.db"), blobs)
    sweep(requests.artifacts, 0)
    assert requests.artifacts.ownership.owner() is None, "what has nothing to do claims nothing"
    blobs.put("_/system.Model/_/7/f", io.BytesIO(b"old"), 3)
    upload(requests)
    owner = requests.artifacts.ownership.owner()
    assert owner is not None
    assert owner.store_uuid == requests.artifacts.store.store_uuid
    assert len(keys(blobs)) == 2


def test_a_place_that_was_taken_over(open_store: OpenStore, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = of(open_store("a.db"), blobs), of(open_store("b.db"), blobs)
    made = upload(first, b"first")
    second.artifacts.ownership.take_over()
    with pytest.raises(FailedPrecondition, match=MEND):
        list(collect(first.artifacts, [made]))  # looks again whatever it knew
    mine = second.artifacts.begin_upload(begin(second.artifacts.store, upload_file("f", b"second"))).artifact_id
    assert mine == made  # whose bytes lie where these go: a bucket replaces them only when asked again
    for _ in range(2):
        send(second, mine, {"f": b"second"}, only_missing=True)
    second.artifacts.commit_upload(mine)
    monkeypatch.setattr(ownership, "HOLDS_SECONDS", 0.0)
    first.artifacts.ownership.take_over()
    upload(first)
    second.artifacts.ownership.take_over()
    with pytest.raises(FailedPrecondition, match=MEND):
        upload(first)


@pytest.mark.parametrize("deleter", ["gc", "purge", "sweep"])
def test_who_deletes_looks_at_the_mark_first_whatever_was_seen_before(
    open_store: OpenStore, blobs: BlobStore, deleter: str
) -> None:
    first, second = of(open_store("a.db"), blobs), of(open_store("b.db"), blobs)
    made = upload(first, b"first")
    pending = first.artifacts.begin_upload(begin(first.artifacts.store, upload_file("f", b"x"))).artifact_id
    second.artifacts.ownership.take_over()
    fields = {"kind": admin_pb2.NODE_KIND_ARTIFACT, "ids": [made], "include_bytes": True}
    deletes: dict[str, Callable[[], object]] = {
        "gc": lambda: list(collect(first.artifacts, [made])),
        "purge": lambda: Admin(first).purge(**fields),
        "sweep": lambda: sweep(first.artifacts, -3600),
    }
    with pytest.raises(FailedPrecondition, match=MEND):
        deletes[deleter]()
    assert first.artifacts.manifest(made).file_count == 1
    assert artifact(first.artifacts.store, pending).state == pb.Artifact.PENDING


def test_a_sweep_claims_nothing(open_store: OpenStore, blobs: BlobStore) -> None:
    artifacts = of(open_store("a.db"), blobs).artifacts
    sweep(artifacts, 0)
    assert artifacts.ownership.owner() is None


@pytest.mark.parametrize("mark", [b"?", b"[]", b'{"store_uuid": "x"}', b"\xff"])
def test_a_mark_that_says_nothing_is_nobodys_to_write_over(open_store: OpenStore, tmp_path: Path, mark: bytes) -> None:
    blobs = LocalStore(tmp_path / "artifacts")
    blobs.make_mark("owners/_", mark)
    requests = of(open_store("a.db"), blobs)
    with pytest.raises(FailedPrecondition, match=NO_MARK):
        upload(requests)
    requests.artifacts.ownership.take_over()
    upload(requests)


def test_many_servers_start_at_the_same_moment(open_store: OpenStore, blobs: BlobStore) -> None:
    stores = [open_store(f"{number}.db") for number in range(4)]
    gate = threading.Barrier(12)

    def start(number: int) -> str | None:
        requests = of(stores[number % 4], blobs)
        gate.wait()
        try:
            requests.artifacts.ownership.check()
        except FailedPrecondition:
            return None
        return requests.artifacts.store.store_uuid

    with ThreadPoolExecutor(12) as pool:
        owners = [owner for owner in pool.map(start, range(12)) if owner is not None]
    assert len(set(owners)) == 1
    assert len(owners) == 3, "all servers of the one database, and none of the others"


def test_a_place_that_went_away_is_missed(
    open_store: OpenStore, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ownership, "HOLDS_SECONDS", 0.0)
    requests = of(open_store("a.db"), blobs)
    made = upload(requests, b"kept")
    mark = blobs.read_mark("owners/_")
    pending = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"sent"))).artifact_id
    before = nodes(requests.artifacts.store), keys(blobs)
    drop_mark(blobs)
    for change in (
        lambda: upload(requests, b"lost"),
        lambda: requests.artifacts.put_file(pending, "f", io.BytesIO(b"sent")),
        lambda: list(collect(requests.artifacts, [made])),
        lambda: sweep(requests.artifacts, -1),
    ):
        with pytest.raises(Unavailable, match=r"mark of this store is gone.*mount or put back.*claim --take-over"):
            change()
    assert (nodes(requests.artifacts.store), keys(blobs)) == before
    assert b"".join(requests.artifacts.read(made, "f")) == b"kept"
    blobs.make_mark("owners/_", mark)
    send(requests, pending, {"f": b"sent"})
    requests.artifacts.commit_upload(pending)


def test_a_folder_that_is_moved_away_is_missed_at_once(open_store: OpenStore, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    requests = of(open_store("a.db"), LocalStore(root))
    made = upload(requests, b"kept")
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(Unavailable, match="mark of this store is gone"):
        upload(requests, b"lost")
    shutil.rmtree(root, ignore_errors=True)
    (tmp_path / "elsewhere").rename(root)
    upload(requests, b"more")
    assert b"".join(requests.artifacts.read(made, "f")) == b"kept"


def test_another_place_is_taken_over_while_the_server_runs(open_store: OpenStore, tmp_path: Path) -> None:
    root = tmp_path / "artifacts"
    requests = of(open_store("a.db"), LocalStore(root))
    upload(requests)
    root.rename(tmp_path / "elsewhere")
    other = of(requests.artifacts.store, LocalStore(root))
    other.artifacts.ownership.take_over()
    upload(requests, b"anew")


def test_reading_needs_no_mark(open_store: OpenStore, tmp_path: Path) -> None:
    made = upload(of(open_store("a.db"), LocalStore(tmp_path / "artifacts")), b"content")
    shutil.rmtree(tmp_path / "artifacts" / ".mlmd" / "owners")
    reader = of(open_store("a.db"), LocalStore(tmp_path / "artifacts"))
    assert b"".join(reader.artifacts.read(made, "f")) == b"content"
    assert [file.path for file in reader.artifacts.files(made)[1]] == ["f"]
    assert reader.artifacts.ownership.owner() is None


def test_a_store_without_conditions(open_store: OpenStore, s3: S3Address, bucket: str) -> None:
    with FaultyHttp(s3.port) as proxy:
        blobs = S3Store(S3Settings(bucket, proxy.url, "us-east-1", s3.access_key, s3.secret_key))
        proxy.plan(1, Fault.UNKNOWN, where=lambda request: request.method == "PUT")
        first = of(open_store("a.db"), blobs)
        upload(first)
    again = S3Store(S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key))
    with pytest.raises(FailedPrecondition, match=MEND):
        upload(of(open_store("b.db"), again))


def test_a_look_that_claims_nothing_leaves_a_place_nobodys(open_store: OpenStore, tmp_path: Path) -> None:
    blobs = LocalStore(tmp_path / "artifacts")
    ours, theirs = (ownership.Ownership(blobs, "", open_store(name)) for name in ("ours.db", "theirs.db"))
    ours.check(claim=False)
    ours.look()
    assert ours.owner() is None
    theirs.check()
    looks: list[Callable[[], None]] = [partial(ours.check, claim=False), ours.check, ours.look]
    for refused in looks:
        with pytest.raises(FailedPrecondition, match=MEND):
            refused()
