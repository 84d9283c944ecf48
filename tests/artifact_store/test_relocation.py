"""Which uris follow bytes that were copied to below another root, on every kind of place; killed in the middle, too."""

import io
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.claims import claims
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.relocated_uris import relocation
from mlmd_artifact_store.relocation import NOTHING, Rewritten, check_no_uploads, finish, newest_artifact, rewrite
from mlmd_artifact_store.requests import Requests
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.verification import Verdict, verify
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.artifact_store.care import Admin, alias, upload
from tests.artifact_store.relocated import (
    SEVERAL,
    copy,
    crowd,
    lacking,
    left,
    looked_for,
    moved_to,
    put,
    rewritten,
    several,
)
from tests.artifact_store.test_ownership import drop_mark
from tests.artifact_store.uploads import artifact, begin, send, upload_file
from tests.metadata_store.calls import Calls, counted
from tests.services.ceph import S3Address

KINDS = ["folder to folder", "folder to bucket", "bucket to bucket", "bucket to folder"]
Places = tuple[BlobStore, BlobStore]


@pytest.fixture(params=KINDS)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Places:
    """An old and a new place; those in a bucket are prefixes of it."""

    def opened(kind: str, name: str) -> BlobStore:
        if kind == "folder":
            return LocalStore(tmp_path / name)
        s3: S3Address = request.getfixturevalue("s3")
        bucket: str = request.getfixturevalue("bucket")
        return S3Store(S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key), f"{name}/")

    old, _, new = str(request.param).split()
    return opened(old, "old place"), opened(new, "new")


def by_uri(store: Store, uri: str) -> list[int]:
    """Return the artifacts with a uri, as MLMD finds them."""
    return [one.id for one in Calls(store)("GetArtifactsByURI", uris=[uri]).artifacts]


def test_uris_follow_what_was_copied(store: Store, places: Places) -> None:
    old, new = Requests(Artifacts(store, places[0])), places[1]
    upload(old, b"content")
    many = several(old)
    manifest = old.artifacts.manifest(many)
    inside = places[0].uri(f"{manifest.key_prefix}folder é/100%.txt")
    copied, part, elsewhere = put(store, manifest.root_uri), put(store, inside), put(store, "s3://others/x")
    copy(places[0], new)
    requests, move = moved_to(old, new)
    assert lacking(looked_for(requests, move)) == lacking(looked_for(requests, move, read=True)) == []
    before = artifact(store, many)
    assert left(requests, move) == rewritten(requests, move) == Rewritten(4, 2)
    after, root = artifact(store, many), new.uri(manifest.key_prefix)
    assert requests.artifacts.manifest(many).root_uri == artifact(store, many).uri == root
    assert artifact(store, part).uri == new.uri(f"{manifest.key_prefix}folder é/100%.txt")
    assert artifact(store, elsewhere).uri == "s3://others/x"
    assert (by_uri(store, root), by_uri(store, manifest.root_uri)) == ([many, copied], [])
    assert after.last_update_time_since_epoch >= before.last_update_time_since_epoch
    after.uri, after.last_update_time_since_epoch = before.uri, before.last_update_time_since_epoch
    assert after == before
    assert left(requests, move) == rewritten(requests, move) == NOTHING
    assert [finding.verdict for finding in verify(requests.artifacts)] == [Verdict.SAME] * 5
    assert all(b"".join(requests.artifacts.read(many, path)) == content for path, content in SEVERAL.items())


def test_uploads_go_on_at_the_new_place_and_the_old_one_is_forgotten(
    store: Store, places: Places, caplog: pytest.LogCaptureFixture
) -> None:
    old, new = Requests(Artifacts(store, places[0])), places[1]
    upload(old, collection="m")
    alias(old, "m", "champion", 1)
    garbage = upload(old, b"garbage")
    copy(places[0], new)
    requests, move = moved_to(old, new)
    assert not caplog.messages
    requests.artifacts.ownership.check(fresh=True)
    (told,) = caplog.messages
    assert f"`mlmd-server relocate --from {places[0].uri()}` lets the uris follow" in told
    assert rewritten(requests, move) == Rewritten(2, 2)
    finish(requests.artifacts, move, LOCAL)
    assert list(store.database.read(LOCAL, claims)) == [new.uri()]
    drop_mark(places[0])
    with pytest.raises(FailedPrecondition, match="is new, and this store has its bytes at "):
        upload(Requests(Artifacts(store, places[0])))
    assert artifact(store, upload(requests, b"more")).uri.startswith(move.new)
    names = put(store, artifact(store, garbage).uri)
    assert garbage in Admin(requests).garbage()
    Admin(requests)("PinArtifact", artifact_id=names)
    assert garbage not in Admin(requests).garbage(), "what is kept names it by its uri"


def test_an_upload_under_way_is_not_passed_over(store: Store, tmp_path: Path) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    pending = old.artifacts.begin_upload(begin(store, upload_file("f", b"x"), name="given up")).artifact_id
    copy(old.artifacts.blobs, LocalStore(tmp_path / "new"))
    requests, move = moved_to(old, LocalStore(tmp_path / "new"))
    sentence = rf"1 upload to file://\S*/old/ has not ended, first that of artifact {pending}, begun by '.*sweep"
    with pytest.raises(FailedPrecondition, match=sentence):
        check_no_uploads(requests.artifacts, move, LOCAL)
    check_no_uploads(requests.artifacts, relocation(str(tmp_path / "other"), move.new, ""), LOCAL)
    requests.artifacts.abort_upload(pending)
    check_no_uploads(requests.artifacts, move, LOCAL)
    assert rewritten(requests, move) == Rewritten(1, 0)
    again = requests.artifacts.begin_upload(begin(store, upload_file("f", b"x"), name="given up")).artifact_id
    assert again != pending, "the name of what was given up is free at the new place as it was at the old"


def test_an_upload_ends_at_the_new_place_and_is_relocated_then(store: Store, places: Places) -> None:
    old, new = Requests(Artifacts(store, places[0])), places[1]
    sent, waits = (
        old.artifacts.begin_upload(begin(store, upload_file("f", content))).artifact_id for content in (b"a", b"bb")
    )
    send(old, sent, {"f": b"a"})
    copy(places[0], new)
    requests, move = moved_to(old, new)
    send(requests, waits, {"f": b"bb"})
    for one in (sent, waits):
        with pytest.raises(FailedPrecondition, match="not ended"):
            check_no_uploads(requests.artifacts, move, LOCAL)
        requests.artifacts.commit_upload(one)
    check_no_uploads(requests.artifacts, move, LOCAL)
    assert [one.verdict for one in looked_for(requests, move, read=True)] == [Verdict.SAME] * 2
    assert rewritten(requests, move) == Rewritten(2, 2)
    assert [artifact(store, one).uri.startswith(move.new) for one in (sent, waits)] == [True, True]


def test_what_was_deleted_follows(store: Store, tmp_path: Path) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    gone = upload(old)
    Admin(old).garbage(dry_run=False)
    requests, move = moved_to(old, LocalStore(tmp_path / "new"))
    assert looked_for(requests, move) == []
    assert rewritten(requests, move) == Rewritten(1, 0)
    found = artifact(store, gone)
    assert (found.state, found.uri) == (pb.Artifact.DELETED, f"{move.new}_/system.Model/_/{gone}/")


def test_a_place_may_keep_its_name(store: Store, tmp_path: Path) -> None:
    """A bucket that is in another object store now: it is proven, and nothing is there to rewrite."""
    requests = Requests(Artifacts(store, LocalStore(tmp_path / "same")))
    made = upload(requests)
    requests, move = moved_to(requests, LocalStore(tmp_path / "same"))
    assert [one.artifact_id for one in looked_for(requests, move)] == [made]
    assert left(requests, move) == rewritten(requests, move) == NOTHING
    finish(requests.artifacts, move, LOCAL)
    assert store.database.read(LOCAL, claims)


def test_what_comes_after_the_proof_is_not_rewritten(store: Store, tmp_path: Path) -> None:
    old = Requests(Artifacts(store, LocalStore(tmp_path / "old")))
    upload(old)
    requests, move = moved_to(old, LocalStore(tmp_path / "new"))
    newest = newest_artifact(requests.artifacts, LOCAL)
    late = upload(old)
    done = sum(rewrite(requests.artifacts, move, newest, LOCAL), NOTHING)
    assert (done, left(requests, move)) == (Rewritten(1, 1), Rewritten(1, 1))
    assert artifact(store, late).uri.startswith(move.old)


def test_text_as_google_keeps_it(mariadb_url: str, tmp_path: Path) -> None:
    store = Store.open(mariadb_url, StoreOptions(google_text=True))
    names = put(store, "s3://old/ä/é\u20ac🤖")
    requests, move = moved_to(
        Requests(Artifacts(store, LocalStore(tmp_path))), LocalStore(tmp_path / "ü"), "s3://old/ä"
    )
    assert rewritten(requests, move) == Rewritten(1, 0)
    assert artifact(store, names).uri == LocalStore(tmp_path / "ü").uri("é\u20ac🤖")
    store.close()


KILLED = """
import os, signal, sys
from pathlib import Path
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.relocated_uris import relocation
from mlmd_artifact_store.relocation import newest_artifact, rewrite
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL

artifacts = Artifacts(Store.open(sys.argv[1]), LocalStore(Path(sys.argv[2])))
move = relocation("s3://old", artifacts.place.root, "")
for done in rewrite(artifacts, move, newest_artifact(artifacts, LOCAL), LOCAL):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_in_the_middle(database_url: str, tmp_path: Path) -> None:
    new = LocalStore(tmp_path / "new")
    store = Store.open(database_url)
    crowd(store, "s3://old/", 900)
    names = put(store, "minio://old/_/system.Model/_/1/f?endpoint=minio%3A9000")
    Admin(Requests(Artifacts(store, new)))("PinArtifact", artifact_id=names)
    for one in (1, 500, 501, 900):
        new.put(f"_/system.Model/_/{one}/f", io.BytesIO(b"x"), 1)
    killed = subprocess.run([sys.executable, "-c", KILLED, database_url, str(new.root)], check=False)
    assert killed.returncode == -signal.SIGKILL
    requests, move = moved_to(Requests(Artifacts(store, new)), new, "s3://old")
    assert left(requests, move) == Rewritten(400, 400), "an artifact goes with its manifest"
    assert artifact(store, names).uri.startswith(move.new), "and with who names its files"
    assert 1 not in Admin(requests).garbage()
    for one in (1, 500, 501, 900):
        assert b"".join(requests.artifacts.read_range(one, "f", 0, 1)) == b"x"
    assert len(looked_for(requests, move)) == 400
    assert rewritten(requests, move) == Rewritten(400, 400)
    uris = {one: artifact(store, one).uri for one in (1, 500, 501, 900)}
    assert uris == {one: new.uri(f"_/system.Model/_/{one}/") for one in uris}
    store.close()


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_server.cli import make_parser
from mlmd_server.findings import Output
from mlmd_server.relocating import relocate

url, root, last = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
store, count = Store.open(url), 0

def note(statement):
    global count
    count += 1
    if count == last:
        os.kill(os.getpid(), signal.SIGKILL)

store.database.watch = note
arguments = make_parser().parse_args(["relocate", "--from", "s3://old"])
sys.exit(relocate(Requests(Artifacts(store, LocalStore(root))), LOCAL, arguments, Output(True, "")))
"""


@pytest.mark.slow
def test_killed_before_any_statement_it_goes_on(database_url: str, tmp_path: Path) -> None:
    """Each time it comes further, and at no moment are an artifact, its manifest and what names its files apart."""
    new, count = LocalStore(tmp_path / "new"), 1100
    with closing(Store.open(database_url)) as store:
        crowd(store, "s3://old/", count)
        names = put(store, f"s3://old/_/system.Model/_/{count}/f")
        for one in range(1, count + 1):
            path = new.root / "_" / "system.Model" / "_" / str(one) / "f"
            path.parent.mkdir(parents=True)
            path.write_bytes(b"x")
        requests, move = moved_to(Requests(Artifacts(store, new)), new, "s3://old")
        seen = {left(requests, move)}
        for last in range(1, 200, 7):
            words = [sys.executable, "-c", KILLED_AT, database_url, str(new.root), str(last)]
            ended = subprocess.run(words, check=False, capture_output=True, text=True)
            assert ended.returncode in (0, -signal.SIGKILL), ended.stderr
            uris = {one: artifact(store, one).uri for one in (1, 500, 501, count, names)}
            roots = {one: requests.artifacts.manifest(one).root_uri for one in uris if one != names}
            assert roots == {one: uri for one, uri in uris.items() if one != names}
            assert uris[names] == f"{uris[count]}f"
            seen.add(left(requests, move))
            if not ended.returncode:
                break
        assert ended.returncode == 0
        assert left(requests, move) == NOTHING
        assert len(seen) > 2, "it was killed in the middle"
        assert list(store.database.read(LOCAL, claims)) == [new.uri()]


def test_statements_are_few(store: Store, tmp_path: Path) -> None:
    crowd(store, "s3://old/", 1600)
    put(store, "s3://old/_/system.Model/_/1600/f")
    requests, move = moved_to(
        Requests(Artifacts(store, LocalStore(tmp_path))), LocalStore(tmp_path / "new"), "s3://old"
    )
    with counted(store) as statements:
        assert left(requests, move) == Rewritten(1601, 1600)
    assert not any("FOR UPDATE" in statement for statement in statements), "who only asks locks nothing"
    with counted(store) as statements:
        assert rewritten(requests, move) == Rewritten(1601, 1600)
    changes = [statement for statement in statements if statement.startswith("UPDATE")]
    assert len(changes) == 8
    assert len(statements) < 80, statements


def test_what_names_files_by_another_endpoint_goes_with_them(store: Store, tmp_path: Path) -> None:
    """So Kubeflow's registry writes uris; what nothing keeps would else be garbage."""
    crowd(store, "s3://old/", 2)
    said = "?endpoint=http%3A%2F%2Fminio%3A9000&defaultRegion=here"
    names, alien = put(store, f"s3://old/_/system.Model/_/2{said}"), put(store, f"s3://old/_/system.Model/_/3{said}")
    requests, move = moved_to(
        Requests(Artifacts(store, LocalStore(tmp_path))), LocalStore(tmp_path / "new"), "s3://old"
    )
    assert left(requests, move) == rewritten(requests, move) == Rewritten(3, 2)
    assert artifact(store, names).uri == f"{move.new}_/system.Model/_/2?defaultRegion=here"
    assert artifact(store, alien).uri == f"s3://old/_/system.Model/_/3{said}"
