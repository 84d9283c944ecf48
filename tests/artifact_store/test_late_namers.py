"""Artifacts that name the files of garbage by their uri after it was decided, before it is deleted."""

from functools import partial
from pathlib import Path

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.named_places import namers
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL

from tests.artifact_store.care import Admin, execution, upload
from tests.artifact_store.test_named_places import naming
from tests.artifact_store.uploads import artifact
from tests.metadata_store.calls import Calls, counted

ENDS = ("", "/f?versionId=1", "?region=eu", "/é~/f")


def spelled(requests: Requests, held: int, end: str) -> list[str]:
    """Return the uris that name the files of an artifact, in every scheme."""
    folder = artifact(requests.artifacts.store, held).uri.rstrip("/")
    return [f"{said}{end}" for said in {folder, folder.replace("s3://", "minio://")}]


def renamed(requests: Requests, artifact_id: int, uri: str) -> None:
    """Give an artifact that is there another uri."""
    changed = artifact(requests.artifacts.store, artifact_id)
    changed.uri = uri
    Calls(requests.artifacts.store)("PutArtifacts", artifacts=[changed])


@pytest.mark.parametrize("end", ENDS)
def test_what_is_named_after_it_was_decided_stays(requests: Requests, end: str) -> None:
    held, loose = upload(requests, b"named"), upload(requests, b"loose")
    for uri in spelled(requests, held, end):
        chosen = plan(requests.artifacts, Rules(0, 0))
        assert chosen.garbage == [held, loose]
        named = naming(requests, uri)
        deleted = [
            one.artifact_id for batch in collect(requests.artifacts, [held], seen=chosen.keeping) for one in batch
        ]
        assert deleted == []
        assert b"".join(requests.artifacts.read(held, "f")) == b"named"
        assert plan(requests.artifacts, Rules(0, 0)).garbage == [held, loose], "nothing keeps what names it"
        renamed(requests, named, "s3://elsewhere/")
    chosen = plan(requests.artifacts, Rules(0, 0))
    assert [len(batch) for batch in collect(requests.artifacts, chosen.garbage, seen=chosen.keeping)] == [2]


@pytest.mark.parametrize("end", ENDS)
def test_what_something_kept_or_used_names_since_stays(admin: Admin, requests: Requests, end: str) -> None:
    held = upload(requests, b"named")
    for uri in spelled(requests, held, end):
        pinned, used = naming(requests, "s3://elsewhere/"), naming(requests, "s3://elsewhere/")
        for changed in (pinned, used):
            admin("PinArtifact", artifact_id=pinned)
            chosen = plan(requests.artifacts, Rules(0, 0))
            renamed(requests, changed, uri)
            if changed == used:
                admin("UnpinArtifact", artifact_id=pinned)
                execution(requests, [used], [])
            assert list(collect(requests.artifacts, chosen.garbage, seen=chosen.keeping)) == [[]]
            renamed(requests, changed, "s3://elsewhere/")


def test_what_has_files_of_its_own_keeps_no_others(admin: Admin, requests: Requests) -> None:
    held, other = upload(requests, b"named"), upload(requests, b"other")
    renamed(requests, other, spelled(requests, held, "/f")[0])
    admin("PinArtifact", artifact_id=other)
    chosen = plan(requests.artifacts, Rules(0, 0))
    assert chosen.garbage == [held]
    assert [len(batch) for batch in collect(requests.artifacts, [held], seen=chosen.keeping)] == [1]


def test_folders_are_told_from_their_neighbours(requests: Requests) -> None:
    held = [upload(requests, b"%d" % number) for number in range(3)]
    roots = {one: artifact(requests.artifacts.store, one).uri for one in held}
    first = roots[held[0]].rstrip("/")
    for beside in (f"{first}0/", f"{first}", first[:-1], f"{first}~1/f", f"{first}@", f"{first}.f"):
        naming(requests, beside)
    read = requests.artifacts.store.database.read
    named = read(LOCAL, lambda tx: namers(tx, roots))
    assert list(named.values()) == [held[0]]


def test_no_more_statements_than_folders_ask_for(requests: Requests) -> None:
    read = requests.artifacts.store.database.read
    counts = []
    for count in (1, 100, 1000):
        roots = {one: f"s3://bucket/_/system.Model/_/{one}/" for one in range(1, count + 1)}
        with counted(requests.artifacts.store) as statements:
            assert read(LOCAL, partial(namers, root_uris=roots)) == {}
        counts.append(sum("Artifact" in statement for statement in statements))
    assert counts == [2, 2, 11]


def test_text_as_google_keeps_it_is_found(mariadb_url: str, tmp_path: Path) -> None:
    store = Store.open(mariadb_url, StoreOptions(google_text=True))
    requests = Requests(Artifacts(store, LocalStore(tmp_path / "ä ö")))
    held = upload(requests)
    naming(requests, artifact(store, held).uri + "é/ü")
    roots = {held: artifact(store, held).uri}
    assert list(store.database.read(LOCAL, lambda tx: namers(tx, roots)).values()) == [held]
    store.close()
