"""Uploads and restores side by side: what is done to one of them leaves every row of the others as it was."""

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_artifact_store.commit import seal
from mlmd_artifact_store.declaring import declare_files
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from mlmd_schemas.tables.imports import RESTORE
from mlmd_schemas.tables.own import DELETION, FILE, MANIFEST, PIN, UPLOAD, UPLOAD_FILE, VERSION
from mlmd_schemas.tables.v10 import ARTIFACT

from tests.artifact_store.care import Admin, upload
from tests.artifact_store.test_restoring import CONTENTS, recorded
from tests.artifact_store.uploads import FIVE, artifact, begin, send, upload_file

TABLES = (UPLOAD, UPLOAD_FILE, RESTORE, MANIFEST, FILE, PIN, VERSION, DELETION, ARTIFACT)
SENT = {"in parts": b"of one part", "little": b"little"}


def tell(requests: Requests, artifact_id: int, *files: v1.UploadFile, unchanged_from: int = 0) -> None:
    request = v1.DeclareFilesRequest(
        artifact_id=artifact_id, files=files, unchanged_from_artifact_id=unchanged_from, only_missing=True
    )
    declare_files(requests, request, LOCAL)


def under_way(requests: Requests, source: int = 0) -> int:
    """Begin an upload, tell and send its files; those of `source` are copied."""
    started = begin(requests.artifacts.store, more_files=True, collection="m")
    artifact_id = requests.artifacts.begin_upload(started).artifact_id
    tell(requests, artifact_id, upload_file("in parts", SENT["in parts"], FIVE), upload_file("little", SENT["little"]))
    if source:
        tell(requests, artifact_id, upload_file("f", b"source"), unchanged_from=source)
    assert set(send(requests, artifact_id, SENT, only_missing=True)) == {200}
    return artifact_id


def sealed(requests: Requests, artifact_id: int) -> int:
    requests.artifacts.store.database.write(LOCAL, lambda tx: seal(tx, artifact_id, marks_copies=False))
    return artifact_id


def coming_back(requests: Requests, artifact_id: int) -> int:
    """Begin a restore, tell and send its files."""
    requests.artifacts.begin_restore(artifact_id)
    tell(requests, artifact_id, *(upload_file(path, content) for path, content in CONTENTS.items()))
    assert set(send(requests, artifact_id, CONTENTS)) == {200}
    return artifact_id


def elsewhere(requests: Requests, number: int) -> int:
    """Record files that are elsewhere; the artifact is as an import leaves it whose bytes did not come along."""
    artifact_id = recorded(requests, f"s3://elsewhere/{number}/", f"m{number}")
    store = requests.artifacts.store
    store.database.write(
        LOCAL,
        lambda tx: tx.execute(
            sa.update(ARTIFACT).where(ARTIFACT.c.id == artifact_id).values(state=pb.Artifact.PENDING)
        ),
    )
    return artifact_id


class Street:
    """Two of each kind, side by side."""

    def __init__(self, requests: Requests) -> None:
        self.requests = requests
        self.source = upload(requests, b"source")
        make: dict[str, Callable[[int], int]] = {
            "an upload": lambda number: under_way(requests),
            "a sealed upload": lambda number: sealed(requests, under_way(requests)),
            "an upload that copies": lambda number: under_way(requests, self.source),
            "files elsewhere": lambda number: elsewhere(requests, number),
            "a restore": lambda number: coming_back(requests, elsewhere(requests, number)),
        }
        self.made = {kind: [made(2 * place), made(2 * place + 1)] for place, (kind, made) in enumerate(make.items())}
        Admin(requests)("PinArtifact", artifact_id=self.source)

    def rows(self, but: int) -> dict[str, list[Any]]:
        """Return all rows of all artifacts but one."""
        return {table.name: _rows(self.requests.artifacts.store, table, but) for table in TABLES}


def _rows(store: Store, table: sa.Table, but: int) -> list[Any]:
    owner = table.c.id if table is ARTIFACT else table.c.artifact_id
    statement = sa.select(*table.c).where(owner != sa.bindparam("but"))
    return sorted(map(tuple, store.database.read(LOCAL, lambda tx: tx.rows(statement, {"but": but}))), key=repr)


def tell_more(requests: Requests, artifact_id: int) -> None:
    tell(requests, artifact_id, upload_file("more", b"more"))
    tell(requests, artifact_id, upload_file("little", b"other!"))


def commit(requests: Requests, artifact_id: int) -> None:
    requests.artifacts.commit_upload(artifact_id)


def give_up(requests: Requests, artifact_id: int) -> None:
    requests.artifacts.abort_upload(artifact_id)


@pytest.mark.parametrize(
    ("kind", "step", "state"),
    [
        ("an upload", tell_more, pb.Artifact.PENDING),
        ("an upload", sealed, pb.Artifact.PENDING),
        ("an upload", commit, pb.Artifact.LIVE),
        ("an upload", give_up, pb.Artifact.ABANDONED),
        ("a sealed upload", tell_more, pb.Artifact.PENDING),
        ("a sealed upload", commit, pb.Artifact.LIVE),
        ("a sealed upload", give_up, pb.Artifact.ABANDONED),
        ("an upload that copies", commit, pb.Artifact.LIVE),
        ("an upload that copies", give_up, pb.Artifact.ABANDONED),
        ("files elsewhere", coming_back, pb.Artifact.PENDING),
        ("a restore", commit, pb.Artifact.LIVE),
        ("a restore", give_up, pb.Artifact.PENDING),
    ],
)
def test_neighbours_stay_as_they_are(
    requests: Requests, kind: str, step: Callable[[Requests, int], object], state: int
) -> None:
    street = Street(requests)
    first, second = street.made[kind]
    before = street.rows(but=first)
    step(requests, first)
    assert street.rows(but=first) == before
    assert artifact(requests.artifacts.store, first).state == state
    if kind != "files elsewhere":
        commit(requests, second)
        found = artifact(requests.artifacts.store, second)
        assert (found.state, found.uri) == (pb.Artifact.LIVE, requests.artifacts.manifest(second).root_uri)
        assert not requests.artifacts.manifest(second).is_external


def test_a_restore_says_whose_it_is(requests: Requests) -> None:
    ours, theirs = (coming_back(requests, elsewhere(requests, number)) for number in range(2))
    plain = under_way(requests)
    give_up(requests, ours)
    give_up(requests, plain)
    commit(requests, theirs)
    states = [artifact(requests.artifacts.store, one).state for one in (ours, plain, theirs)]
    assert states == [pb.Artifact.PENDING, pb.Artifact.ABANDONED, pb.Artifact.LIVE]
    assert [requests.artifacts.manifest(one).is_external for one in (ours, theirs)] == [True, False]
