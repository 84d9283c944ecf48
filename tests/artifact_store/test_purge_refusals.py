"""What forbids a purge, and that it is what was looked at."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.clock import now_ms
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.registry import MODEL_VERSION

from tests.artifact_store.care import Admin, alias, opened, talkative, upload
from tests.artifact_store.uploads import artifact, begin, upload_file
from tests.metadata_store.calls import Calls
from tests.services.clocks import wait_beyond

ARTIFACT = v1.NODE_KIND_ARTIFACT
EXECUTION = v1.NODE_KIND_EXECUTION
CONTEXT = v1.NODE_KIND_CONTEXT


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    with opened(database_url, tmp_path) as requests:
        yield requests


def test_what_was_looked_at_is_what_goes(admin: Admin, call: Calls) -> None:
    one, other = talkative(call, "Artifact", "one"), talkative(call, "Artifact", "other")
    digest = admin("Purge", kind=ARTIFACT, ids=[one]).digest
    for asked in ({"ids": [other]}, {"ids": [one, other]}, {"ids": [one], "include_bytes": True}):
        with pytest.raises(FailedPrecondition, match="digest"):
            admin("Purge", kind=ARTIFACT, digest=digest, reason="r", **asked)
    changed = pb.Artifact(id=one, type_id=artifact(call.store, one).type_id, uri="elsewhere")
    call("PutArtifacts", artifacts=[changed])
    with pytest.raises(FailedPrecondition, match="before a change"):
        admin("Purge", kind=ARTIFACT, ids=[one], digest=digest, reason="r")
    assert artifact(call.store, one).uri == "elsewhere"
    with pytest.raises(InvalidArgument, match="reason"):
        admin("Purge", kind=ARTIFACT, ids=[one], digest=admin("Purge", kind=ARTIFACT, ids=[one]).digest)
    assert not admin("ListTombstones").tombstones


def test_bad_requests(admin: Admin) -> None:
    for asked, error in (
        ({"ids": [1]}, InvalidArgument),
        ({"kind": ARTIFACT}, InvalidArgument),
        ({"kind": ARTIFACT, "ids": [1], "filter_query": "id = 1"}, InvalidArgument),
        ({"kind": ARTIFACT, "filter_query": "nonsense ="}, InvalidArgument),
        ({"kind": EXECUTION, "ids": [1], "include_bytes": True}, InvalidArgument),
        ({"kind": ARTIFACT, "ids": range(1, 10_002)}, InvalidArgument),
        ({"kind": ARTIFACT, "ids": range(1, 10_001)}, NotFound),
        ({"kind": ARTIFACT, "ids": [99]}, NotFound),
        ({"kind": CONTEXT, "filter_query": "name = 'nobody'"}, NotFound),
    ):
        with pytest.raises(error):
            admin("Purge", **asked)


@pytest.mark.parametrize("name", ["fraud", "a b/%ü"])
def test_purge_takes_what_came_late_to_an_upload_that_was_given_up(sqlite_url: str, tmp_path: Path, name: str) -> None:
    requests = Requests(Artifacts(Store.open(sqlite_url), LocalStore(tmp_path / "a folder")))
    begun = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"late"), name=name))
    requests.artifacts.abort_upload(begun.artifact_id)
    folder = Path(unquote(urlsplit(begun.uri).path))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "f").write_bytes(b"late")
    Admin(requests).purge(kind=ARTIFACT, ids=[begun.artifact_id], include_bytes=True)
    assert not (folder / "f").exists()


def test_what_forbids_it(admin: Admin, requests: Requests, call: Calls) -> None:
    upload(requests, collection="fraud")
    model = upload(requests, b"second", collection="fraud")
    alias(requests, "fraud", "production", 2)
    admin("PinArtifact", artifact_id=model, reason="audit")
    looked = admin("Purge", kind=ARTIFACT, ids=[model], include_bytes=True)
    assert [obstacle.split()[1] for obstacle in looked.obstacles] == ["alias", str(model)]
    with pytest.raises(
        FailedPrecondition, match=r"'production' of .*first\. \(and 1 more obstacles\) Nothing was purged"
    ):
        admin.purge(kind=ARTIFACT, ids=[model])
    alias(requests, "fraud", "production", 1)
    with pytest.raises(FailedPrecondition, match=r"is pinned by 'local'; unpin it\. Nothing was purged"):
        admin.purge(kind=ARTIFACT, ids=[model])
    admin("UnpinArtifact", artifact_id=model)
    admin.purge(kind=ARTIFACT, ids=[model], include_bytes=True)
    with pytest.raises(FailedPrecondition, match="deleted"):
        alias(requests, "fraud", "production", 2)
    with pytest.raises(FailedPrecondition, match="deleted"):
        admin("PinArtifact", artifact_id=model)
    begun = requests.artifacts.begin_upload(begin(call.store, upload_file("f", b"x")))
    with pytest.raises(FailedPrecondition, match="upload"):
        admin.purge(kind=ARTIFACT, ids=[begun.artifact_id])
    (collection,) = call("GetContextsByArtifact", artifact_id=model).contexts
    with pytest.raises(FailedPrecondition, match="collection"):
        admin.purge(kind=CONTEXT, ids=[collection.id])


def test_an_alias_forbids_it_for_a_registered_models_version_too(admin: Admin, requests: Requests, call: Calls) -> None:
    model = upload(requests, collection="fraud")
    (collection,) = call("GetContextsByArtifact", artifact_id=model).contexts
    version = talkative(call, "Context", f"{collection.id}:one")
    columns = ("version_id", "model_id", "number", "model_artifact_id", "subject", "create_ms")
    row = (version, collection.id, 1, model, "", 0)
    call.store.database.write(LOCAL, lambda tx: tx.insert(MODEL_VERSION, columns, [row]))
    alias(requests, "fraud", "production", 1)
    with pytest.raises(FailedPrecondition, match=f"'production' of system.Model/fraud points at context {version}"):
        admin.purge(kind=CONTEXT, ids=[version])
    move = {"type_name": "system.Model", "name": "fraud", "alias": "production", "number": 0}
    call("MoveAlias", **move)
    assert admin.purge(kind=CONTEXT, ids=[version]).purged


def test_a_repeat_under_the_same_key_gets_the_same_answer_without_what_was_purged(requests: Requests) -> None:
    model = upload(requests)
    keyed = Admin(requests, dataclasses.replace(LOCAL, idempotency_key="once"))
    fields = {"kind": ARTIFACT, "ids": [model], "include_bytes": True}
    digest = Admin(requests)("Purge", **fields).digest
    first = keyed("Purge", **fields, digest=digest, reason="r")
    assert first.purged
    first.nodes[0].ClearField("uri")
    assert keyed("Purge", **fields, digest=digest, reason="r") == first
    with pytest.raises(FailedPrecondition):
        Admin(requests)("Purge", **fields, digest=digest, reason="r")


def test_what_was_reused_since_the_look_is_not_purged(admin: Admin, requests: Requests) -> None:
    made = upload(requests, b"content")
    fields = {"kind": ARTIFACT, "ids": [made], "include_bytes": True}
    digest = admin("Purge", **fields).digest
    wait_beyond(now_ms())
    again = requests.artifacts.begin_upload(begin(requests.artifacts.store, upload_file("f", b"content"), reuse=True))
    assert again.reused
    with pytest.raises(FailedPrecondition, match="before a change"):
        admin("Purge", **fields, digest=digest, reason="r")


def test_an_upload_that_copies_forbids_a_purge_of_the_bytes_alone(admin: Admin, requests: Requests) -> None:
    made, store = upload(requests, b"content"), requests.artifacts.store
    copier = requests.artifacts.begin_upload(
        begin(store, upload_file("g", b"content"), unchanged_from_artifact_id=made)
    ).artifact_id
    (obstacle,) = admin("Purge", kind=ARTIFACT, ids=[made], include_bytes=True).obstacles
    assert obstacle == (f"The upload of artifact {copier} copies files from artifact {made}; commit or abort it first.")
    assert not admin("Purge", kind=ARTIFACT, ids=[made]).obstacles


def test_a_reason_without_a_digest_is_looked_at_too(admin: Admin, call: Calls) -> None:
    made = talkative(call, "Artifact", "one")
    with pytest.raises(InvalidArgument, match="reason"):
        admin("Purge", kind=ARTIFACT, ids=[made], reason="x" * 65_536)


@pytest.mark.parametrize("end", ["", "/f", "?region=eu"])
def test_files_that_something_kept_names_are_not_purged(admin: Admin, requests: Requests, end: str) -> None:
    made = upload(requests)
    uri = artifact(requests.artifacts.store, made).uri.rstrip("/") + end
    version = pb.Artifact(uri=uri).SerializeToString()
    add = Calls(requests.artifacts.store)
    named = add("AddVersion", type_name="system.Model", name="fraud", artifact=version).version.artifact_id
    fields = {"kind": ARTIFACT, "ids": [made]}
    alias(requests, "fraud", "champion", 1)
    admin("PinArtifact", artifact_id=named)
    assert list(admin("Purge", **fields, include_bytes=True).obstacles) == [
        f"The uri of artifact {named}, which {keeps}, is where the files of artifact {made} are; {mend} first."
        for keeps, mend in (
            ("the alias 'champion' of system.Model/fraud points at", "move or remove the alias"),
            ("'local' has pinned", "unpin it"),
        )
    ]
    with pytest.raises(FailedPrecondition, match="Nothing was purged"):
        admin.purge(**fields, include_bytes=True)
    assert b"".join(requests.artifacts.read(made, "f")) == b"content"
    assert not admin("Purge", **fields).obstacles, "the files stay"
    alias(requests, "fraud", "champion", 0)
    admin("UnpinArtifact", artifact_id=named)
    assert admin.purge(**fields, include_bytes=True).purged
