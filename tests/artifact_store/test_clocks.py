"""Servers whose clocks are hours apart, on one database: what one of them writes down another judges rightly."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.calls import ARTIFACT_CALLS
from mlmd_artifact_store.claims import claims, remember_claim
from mlmd_artifact_store.deletions import noted_deletions
from mlmd_artifact_store.garbage_collection import plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.proof import Arrivals
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.sweeping import sweep
from mlmd_artifact_store.verification import verify
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.artifact_store.care import upload
from tests.artifact_store.uploads import FIVE, artifact, begin, send, upload_file
from tests.conftest import Clock

HOUR = 3600
YOUNG = Rules(newest=0, younger_than_seconds=HOUR)


@pytest.fixture
def requests(mariadb_url: str, blobs: BlobStore) -> Iterator[Requests]:
    """An artifact store that servers on several machines share."""
    store = Store.open(mariadb_url)
    yield Requests(Artifacts(store, blobs))
    store.close()


def test_an_upload_of_another_server_is_not_given_up(requests: Requests, ahead: Clock) -> None:
    with ahead(-2 * HOUR):
        old = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"old")))
    new = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"new")))
    send(requests, old.artifact_id, {"f": b"old"})
    for seconds in (0, 2 * HOUR):
        with ahead(seconds):
            assert sweep(requests.artifacts, HOUR).abandoned == []
    with ahead(2 * HOUR):
        send(requests, new.artifact_id, {"f": b"new"})
        requests.artifacts.commit_upload(old.artifact_id)
    requests.artifacts.commit_upload(new.artifact_id)
    for begun in (old, new):
        assert artifact(requests.artifacts.store, begun.artifact_id).state == pb.Artifact.LIVE
    with ahead(2 * HOUR):
        late = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"late")))
    assert sweep(requests.artifacts, -1).abandoned == [late.artifact_id], "its time is not two hours away"


def test_a_restore_of_another_server_is_not_given_up(requests: Requests, ahead: Clock) -> None:
    store = requests.artifacts.store
    calls = {call.name: call for call in ARTIFACT_CALLS}
    type_id = begin(store).artifact
    elsewhere = pb.Artifact.FromString(type_id)
    elsewhere.uri = "s3://elsewhere/17/"
    files = [upload_file("f", b"back", md5s=[])]
    asked = v1.RecordExternalRequest(artifact=elsewhere.SerializeToString(), files=files)
    made = calls["RecordExternal"].run(requests, LOCAL, asked).manifest.artifact_id  # type: ignore[attr-defined]
    with ahead(-2 * HOUR):
        requests.artifacts.begin_restore(made)
    assert sweep(requests.artifacts, HOUR).abandoned == []
    assert requests.artifacts.begin_restore(made).resumed


def test_parts_of_another_servers_upload_stay(requests: Requests, ahead: Clock) -> None:
    content = bytes(FIVE) + b"end"
    file = upload_file("f", content, part_size=FIVE)
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, file))
    send(requests, begun.artifact_id, {"f": content}, size=1)
    with ahead(2 * HOUR):
        assert sweep(requests.artifacts, HOUR).failure_count == 0
    requests.artifacts.commit_upload(begun.artifact_id)
    assert b"".join(requests.artifacts.read(begun.artifact_id, "f")) == content


def test_what_is_young_is_young_for_every_server(requests: Requests, ahead: Clock) -> None:
    with ahead(-2 * HOUR):
        behind = upload(requests, b"behind")
    right = upload(requests, b"right")
    for seconds in (0, 2 * HOUR):
        with ahead(seconds):
            assert plan(requests.artifacts, YOUNG).garbage == [], seconds
    with ahead(-2 * HOUR):
        again = begin(requests.artifacts.store, upload_file("f", b"right"), reuse=True)
        assert requests.artifacts.begin_upload(again).artifact_id == right
    assert plan(requests.artifacts, YOUNG).garbage == []
    assert plan(requests.artifacts, Rules(newest=0, younger_than_seconds=0)).garbage == [behind, right]


def test_late_bytes_are_waited_for_by_one_clock(requests: Requests, ahead: Clock) -> None:
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"late")))
    urls = requests.upload_page(v1.ListUploadUrlsRequest(artifact_id=begun.artifact_id), LOCAL)
    assert urls.urls
    with ahead(-5 * HOUR):
        requests.artifacts.abort_upload(begun.artifact_id)
    for seconds in (0, 5 * HOUR):
        with ahead(seconds):
            sweep(requests.artifacts, HOUR)
            noted = requests.artifacts.store.database.read(LOCAL, lambda tx: noted_deletions(tx, 0))
            assert [one.artifact_id for one in noted] == [begun.artifact_id], "a signed request can still store it"


def test_what_was_verified_is_so_for_every_server(requests: Requests, ahead: Clock) -> None:
    upload(requests, b"content")
    with ahead(-2 * HOUR):
        assert len(list(verify(requests.artifacts))) == 1
    with ahead(2 * HOUR):
        assert list(verify(requests.artifacts, again_after_seconds=HOUR)) == []


def test_what_a_commit_has_read_is_verified_for_every_server(
    requests: Requests, ahead: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = type(requests.artifacts.blobs).stat
    monkeypatch.setattr(
        type(requests.artifacts.blobs), "stat", lambda blobs, key: replace(seen(blobs, key), etag="odd")
    )
    monkeypatch.setattr(Arrivals, "as_declared", lambda there, file: False)
    for seconds in (-2 * HOUR, 2 * HOUR):
        with ahead(seconds):
            upload(requests, b"content")
    assert list(verify(requests.artifacts, again_after_seconds=HOUR)) == []
    with ahead(-2 * HOUR):
        assert list(verify(requests.artifacts, again_after_seconds=HOUR)) == []
    assert len(list(verify(requests.artifacts, again_after_seconds=-1))) == 2, "it was before now for every server"


def test_the_latest_place_is_the_latest_for_every_server(requests: Requests, ahead: Clock) -> None:
    def remember(uri: str) -> None:
        requests.artifacts.store.database.write(LOCAL, lambda tx: remember_claim(tx, uri))

    with ahead(2 * HOUR):
        remember("s3://first/")
    remember("s3://second/")
    with ahead(-2 * HOUR):
        remember("s3://third/")
    assert list(requests.artifacts.store.database.read(LOCAL, claims)) == ["s3://first/", "s3://second/", "s3://third/"]
