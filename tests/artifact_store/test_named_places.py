"""Artifacts that name the files of another by their uri: what keeps them keeps the files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from mlmd_artifact_store.garbage_collection import collect, plan
from mlmd_artifact_store.keep_rules import Rules
from mlmd_artifact_store.requests import Requests
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from tests.artifact_store.care import Admin, execution, opened, upload
from tests.artifact_store.uploads import artifact, type_id
from tests.metadata_store.calls import Calls


@pytest.fixture
def requests(database_url: str, tmp_path: Path) -> Iterator[Requests]:
    """An empty artifact store, on SQLite and on MariaDB."""
    with opened(database_url, tmp_path) as requests:
        yield requests


def naming(requests: Requests, uri: str) -> int:
    """Make an artifact that has nothing but a uri, as an importer does."""
    made = pb.Artifact(type_id=type_id(requests.artifacts.store), uri=uri, state=pb.Artifact.LIVE)
    (artifact_id,) = Calls(requests.artifacts.store)("PutArtifacts", artifacts=[made]).artifact_ids
    return int(artifact_id)


@pytest.mark.parametrize("end", ["/", "", "/f", "/f?versionId=1"])
def test_what_keeps_the_one_that_names_files_keeps_them(admin: Admin, requests: Requests, end: str) -> None:
    held, other = upload(requests, b"named"), upload(requests, b"other")
    uri = artifact(requests.artifacts.store, held).uri
    named = naming(requests, uri.rstrip("/") + end)
    assert admin.garbage() == [held, other]
    admin("PinArtifact", artifact_id=named, reason="audit")
    assert admin.garbage() == [other]
    (reason,) = admin.why(held, v1.KeepRules(newest=0, younger_than_seconds=0, without_origins=True)).reasons
    assert reason.text == f"the uri of artifact {named} is where its files are, which is kept: local pinned it: audit"
    assert (reason.rule, list(reason.path)) == (v1.KeptReason.RULE_ORIGIN, [held, named])
    assert admin.garbage(dry_run=False) == [other]


def test_what_was_imported_into_what_is_kept_is_kept_with_what_it_was_made_from(
    admin: Admin, requests: Requests
) -> None:
    raw, data, model = (upload(requests, content) for content in (b"raw", b"data", b"model"))
    execution(requests, [raw], [data])
    execution(requests, [naming(requests, artifact(requests.artifacts.store, data).uri)], [model])
    assert admin.garbage() == [raw, data, model]
    admin("PinArtifact", artifact_id=model)
    assert admin.garbage() == []
    assert admin.garbage(v1.KeepRules(newest=0, younger_than_seconds=0, without_origins=True)) == [raw, data]


def test_a_uri_beside_the_folder_names_nothing(admin: Admin, requests: Requests) -> None:
    held = upload(requests, b"named")
    uri = artifact(requests.artifacts.store, held).uri.rstrip("/")
    for other in (f"{uri}0/", f"s3://elsewhere/{held}/", uri.rpartition("/")[0], f"s3://long/{'1' * 5000}/"):
        admin("PinArtifact", artifact_id=naming(requests, other))
    assert admin.garbage() == [held]


def test_what_is_named_by_what_is_kept_a_moment_later_stays(admin: Admin, requests: Requests) -> None:
    pinned, used, loose = (upload(requests, content) for content in (b"pinned", b"used", b"loose"))
    copies = [naming(requests, artifact(requests.artifacts.store, held).uri) for held in (pinned, used, loose)]
    chosen = plan(requests.artifacts, Rules(0, 0))
    assert chosen.garbage == [pinned, used, loose]
    admin("PinArtifact", artifact_id=copies[0])
    execution(requests, [copies[1]], [], pb.Execution.RUNNING)
    batches = list(collect(requests.artifacts, chosen.garbage, seen=chosen.keeping))
    assert [one.artifact_id for batch in batches for one in batch] == [loose]
