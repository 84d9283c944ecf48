"""A server that is started while the place of its bytes is not there: the database remembers that there was one."""

import io
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.claims import claims
from mlmd_artifact_store.garbage_collection import collect
from mlmd_artifact_store.handovers import give_out
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.probing import probe
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_metadata_store.identity import renew_identity
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, NotFound, Unavailable
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2
from mlmd_schemas.tables.own import CLAIM

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.places import client_of, everything, gone
from tests.artifact_store.test_handovers import Handed
from tests.artifact_store.uploads import artifact, begin, send, upload_file

GONE = r"artifacts: (file|s3)://\S+ is no longer the place that it was: this store has its bytes there since \d{4}-.*"
GONE += r"mount or put back.*claim --take-over"
ELSEWHERE = r"artifacts: \S+ is new, and this store has its bytes at (file|s3)://.*--artifacts.*claim --take-over"
Start = Callable[..., Requests]


@pytest.fixture
def start(database_url: str, blobs: BlobStore) -> Iterator[Start]:
    """Start on a database and a place as another process does: with no memory but theirs."""
    opened: list[Store] = []

    def started(place: BlobStore = blobs, tenant: str = "") -> Requests:
        opened.append(Store.open(database_url))
        return Requests(Artifacts(opened[-1], place, tenant))

    yield started
    for store in opened:
        store.close()


def remembered(requests: Requests) -> list[str]:
    """Return the places that the database remembers."""
    return list(requests.artifacts.store.database.read(LOCAL, claims))


def forget(requests: Requests) -> None:
    """Make the database one that remembers nothing, as an earlier release left it."""
    requests.artifacts.store.database.write(LOCAL, lambda tx: tx.execute(sa.delete(CLAIM)))


def remove_marks(blobs: BlobStore) -> None:
    """Delete what the store has of its own, as a place of before marks has nothing."""
    if isinstance(blobs, LocalStore):
        shutil.rmtree(blobs.root / ".mlmd" / "owners")
        return
    assert isinstance(blobs, S3Store)
    for name in everything(blobs):
        if "/.mlmd/owners/" in name:
            client_of(blobs).remove_object(blobs.settings.bucket, name)


def elsewhere(blobs: BlobStore, tmp_path: Path) -> BlobStore:
    """Return another place of the same kind."""
    return LocalStore(tmp_path / "new") if isinstance(blobs, LocalStore) else S3Store(blobs.settings, "new/")  # type: ignore[attr-defined]


def test_a_start_without_the_place_writes_nothing(start: Start, blobs: BlobStore, tmp_path: Path) -> None:
    before = start()
    made = upload(before, b"kept")
    pending = before.artifacts.begin_upload(begin(before.artifacts.store, upload_file("f", b"sent"))).artifact_id
    deleted = upload(before, b"deleted")
    with gone(blobs):
        requests = start()
        artifacts = requests.artifacts
        changes: dict[str, Callable[[], Any]] = {
            "begin": lambda: upload(requests, b"lost"),
            "put": lambda: artifacts.put_file(pending, "f", io.BytesIO(b"sent")),
            "sign": lambda: send(requests, pending, {"f": b"sent"}),
            "commit": lambda: artifacts.commit_upload(pending),
            "abort": lambda: artifacts.abort_upload(pending),
            "collect": lambda: list(collect(artifacts, [deleted])),
            "sweep": lambda: sweep(artifacts, -1),
            "probe": lambda: probe(artifacts, write=True),
            "look": lambda: probe(artifacts, write=False),
            "purge": lambda: Admin(requests).purge(
                kind=admin_pb2.NODE_KIND_ARTIFACT, ids=[deleted], include_bytes=True
            ),
        }
        for change in changes.values():
            with pytest.raises(Unavailable, match=GONE):
                change()
        assert everything(blobs) == []
    assert artifact(before.artifacts.store, deleted).state == pb.Artifact.LIVE
    requests = start()
    send(requests, pending, {"f": b"sent"})
    requests.artifacts.commit_upload(pending)
    list(collect(requests.artifacts, [deleted]))
    assert b"".join(requests.artifacts.read(made, "f")) == b"kept"


def test_what_is_not_found_in_another_place_is_not_called_missing(
    start: Start, blobs: BlobStore, tmp_path: Path
) -> None:
    made = upload(start(), b"kept")
    handed = Handed(tmp_path / "target", 4, os.O_RDWR | os.O_CREAT)
    with gone(blobs):
        artifacts = start().artifacts
        reads: list[Callable[[], Any]] = [
            lambda: artifacts.read(made, "f"),
            lambda: artifacts.read_range(made, "f", 1, 2),
            lambda: list(verify(artifacts)),
        ]
        if isinstance(blobs, LocalStore):
            reads.append(lambda: give_out(artifacts, made, [handed]))
        for read in reads:
            with pytest.raises(Unavailable, match=GONE):
                read()
        (file,) = artifacts.files(made)[1]
        assert file.verified_ms == 0, "no verdict on what could not be looked for"
    blobs.delete([f"_/system.Model/_/{made}/f"])
    with pytest.raises(NotFound):
        artifacts.read(made, "f")
    assert [found.verdict for found in verify(artifacts)] == [Verdict.MISSING]


def test_an_empty_place_is_taken_on_purpose(start: Start, blobs: BlobStore) -> None:
    made = upload(start(), b"lost")
    with gone(blobs):
        requests = start()
        requests.artifacts.ownership.take_over()
        upload(requests, b"anew")
        assert b"".join(start().artifacts.read(upload(start(), b"later"), "f")) == b"later"
        with pytest.raises(NotFound):
            requests.artifacts.read(made, "f")


def test_a_place_that_is_claimed_and_empty_is_remembered_too(start: Start, blobs: BlobStore, tmp_path: Path) -> None:
    start().artifacts.ownership.check()
    with gone(blobs):
        with pytest.raises(Unavailable, match=GONE):
            upload(start(), b"hidden")
        other = start(elsewhere(blobs, tmp_path))
        made = upload(other, b"elsewhere")  # nothing is anywhere yet, and so nothing is left behind
        assert b"".join(other.artifacts.read(made, "f")) == b"elsewhere"


def test_a_new_place_while_the_bytes_are_elsewhere(start: Start, blobs: BlobStore, tmp_path: Path) -> None:
    old = upload(start(), b"old")
    place = elsewhere(blobs, tmp_path)
    requests = start(place)
    for refused in (
        lambda: upload(requests),
        lambda: sweep(requests.artifacts, 0),
        lambda: requests.artifacts.read(old, "f"),
    ):
        with pytest.raises(FailedPrecondition, match=ELSEWHERE) as told:
            refused()
        assert blobs.uri() in told.value.message
    requests.artifacts.ownership.take_over()
    new = upload(requests, b"new")
    assert artifact(requests.artifacts.store, old).uri.startswith(blobs.uri()), "the uri says where it stays"
    assert b"".join(start().artifacts.read(old, "f")) == b"old"
    assert b"".join(start(place).artifacts.read(new, "f")) == b"new"
    assert remembered(requests) == [blobs.uri(), place.uri()]


def test_a_place_that_moved_with_its_mark(start: Start, blobs: BlobStore, tmp_path: Path) -> None:
    made = upload(start(), b"moved")
    place = elsewhere(blobs, tmp_path)
    if isinstance(blobs, LocalStore) and isinstance(place, LocalStore):
        shutil.copytree(blobs.root, place.root)
    else:
        assert isinstance(blobs, S3Store)
        client, bucket = client_of(blobs), blobs.settings.bucket
        for name in everything(blobs):
            with client.get_object(bucket, name) as answer:
                content = answer.read()
            client.put_object(bucket, name.replace("pre/", "new/", 1), io.BytesIO(content), len(content))
    requests = start(place)
    assert b"".join(requests.artifacts.read(made, "f")) == b"moved"
    upload(requests)
    assert remembered(requests) == [blobs.uri(), place.uri()]


def test_a_database_of_before_learns_where_it_is(start: Start, blobs: BlobStore) -> None:
    requests = start()
    made = upload(requests, b"kept")
    forget(requests)
    probe(start().artifacts, write=False)
    assert remembered(requests) == [], "a look writes nothing"
    sweep(start().artifacts, 3600)
    assert remembered(requests) == [blobs.uri()]
    with gone(blobs), pytest.raises(Unavailable, match=GONE):
        upload(start(), b"hidden")
    assert b"".join(start().artifacts.read(made, "f")) == b"kept"


def test_a_database_of_before_misses_its_files(start: Start, blobs: BlobStore) -> None:
    requests = start()
    made = [upload(requests, b"kept") for _ in range(10)]
    forget(requests)
    with gone(blobs):
        changes: list[Callable[[], Any]] = [
            lambda: upload(start(), b"hidden"),
            lambda: sweep(start().artifacts, 3600),
            lambda: probe(start().artifacts, write=False),
            lambda: start().artifacts.ownership.check(fresh=True),
            lambda: start().artifacts.read(made[0], "f"),
        ]
        for change in changes:
            with pytest.raises(Unavailable, match=r"of the 8 looked for none is .*_/1/f.*mount or put"):
                change()
        assert everything(blobs) == []
    assert remembered(requests) == []
    assert b"".join(start().artifacts.read(made[0], "f")) == b"kept"
    upload(start(), b"later")
    assert remembered(requests) == [blobs.uri()]


def test_a_database_of_before_takes_an_empty_place_on_purpose(start: Start, blobs: BlobStore) -> None:
    requests = start()
    made = upload(requests, b"kept")
    forget(requests)
    with gone(blobs):
        artifacts = start().artifacts
        artifacts.ownership.take_over()
        upload(start(), b"anew")
        with pytest.raises(NotFound):
            artifacts.read(made, "f")
        assert [found.verdict for found in verify(artifacts)] == [Verdict.MISSING, Verdict.SAME]
    assert remembered(requests) == [blobs.uri()]


def test_a_root_of_before_marks_is_claimed_by_the_files_that_are_there(start: Start, blobs: BlobStore) -> None:
    requests = start()
    made = [upload(requests, b"kept") for _ in range(10)]
    for forgotten in (made[:9], made[:0]):
        forget(requests)
        blobs.delete([f"_/system.Model/_/{artifact_id}/f" for artifact_id in forgotten])
        remove_marks(blobs)
        upload(start(), b"later")
        assert remembered(requests) == [blobs.uri()]
    assert b"".join(start().artifacts.read(made[9], "f")) == b"kept"


def test_a_database_of_before_that_has_no_files_there_begins_in_an_empty_place(
    start: Start, blobs: BlobStore, tmp_path: Path
) -> None:
    before = start(elsewhere(blobs, tmp_path))
    upload(before, b"elsewhere")
    forget(before)
    requests = start()
    list(collect(requests.artifacts, [upload(requests, b"deleted")]))
    forget(before)
    with gone(blobs):
        upload(start(), b"anew")
    assert remembered(before) == [blobs.uri()]


def test_a_copy_that_became_another_store_begins_anew(start: Start, blobs: BlobStore, tmp_path: Path) -> None:
    requests = start()
    upload(requests, b"the original's")
    requests.artifacts.store.database.write(LOCAL, renew_identity)
    with pytest.raises(FailedPrecondition, match="keeps the bytes of another store"):
        upload(start())
    upload(start(elsewhere(blobs, tmp_path)), b"the copy's")


def test_who_begins_at_the_same_moment(start: Start, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = start(), start()
    look = blobs.read_mark

    def slow(name: str) -> bytes:
        monkeypatch.setattr(blobs, "read_mark", look)
        found = look(name)
        first.artifacts.ownership.check()  # between the look of the second and what it does about it
        return found

    monkeypatch.setattr(blobs, "read_mark", slow)
    second.artifacts.ownership.check()
    assert remembered(first) == [blobs.uri()]


def test_tenants_of_one_root_are_missed_each(start: Start, blobs: BlobStore, tmp_path: Path) -> None:
    other = Store.open(f"sqlite:///{tmp_path / 'other.db'}")
    requests = Requests(Artifacts(other, blobs, "b"))
    upload(requests)
    upload(start(tenant="a"))
    with gone(blobs):
        with pytest.raises(Unavailable, match=GONE):
            upload(start(tenant="a"))
        start(tenant="a").artifacts.ownership.take_over()
        with pytest.raises(Unavailable, match=GONE):
            upload(Requests(Artifacts(other, blobs, "b")))
    other.close()


def test_a_memory_that_cannot_be_written_claims_nothing_silently(
    start: Start, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = start()
    database = requests.artifacts.store.database
    with monkeypatch.context() as patched:

        def full(*_: Any, **__: Any) -> None:
            raise Unavailable("The disk of the database is full.")

        patched.setattr(type(database), "write", full)
        with pytest.raises(Unavailable, match="full"):
            requests.artifacts.ownership.check()
    requests.artifacts.ownership.check()
    assert remembered(requests) == [blobs.uri()], "it is written by the next look, although the mark was there"
