"""Artifacts that many keep, fetch, collect, purge and pin at once, on two servers; servers and users are killed.

What was acknowledged and not deleted is there, byte for byte; what is named is there, and what is there is named.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.blob_store import BlobStore
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.manifests import list_files
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_artifact_store.sweeping import sweep
from mlmd_client import Store
from mlmd_metadata_store.store import Store as Facts
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2, admin_pb2_grpc

from tests.artifact_store.conformance.suite import keys
from tests.faults.artifact_users import digests
from tests.metadata_store.calls import Calls
from tests.services.ceph import S3Address
from tests.services.server import Server

ROOT = Path(__file__).resolve().parents[2]
LONG = os.environ.get("MLMD_SOAK", "") not in ("", "0")
SECONDS = 120.0 if LONG else 4.0
LONGEST_SECONDS = SECONDS + 120.0
FEWEST = {"kept": 20, "fetched": 3, "collected": 3, "verified": 1, "purging": 1}
"""What is done by then, on a busy machine a while later."""
GRACE_SECONDS = 10
"""Longer than an upload takes here; one that does not end by then may be given up."""
ROLES = ("keep", "keep", "fetch", "care", "pin")
KILLED = 2
"""So many of them are killed now and then, as are the servers."""
MEANT = {"FAILED_PRECONDITION", "NOT_FOUND", "UNAVAILABLE", "ABORTED"}
MEANT |= {"NotFound", "Refused", "Unreachable", "UnavailableError"}
"""Refusals of what somebody else has deleted or is at work on, and of a server that was killed."""


class Crowd:
    """The users, as processes."""

    def __init__(self, servers: list[Server], folder: Path) -> None:
        """Start them."""
        self._servers = ",".join(server.target for server in servers)
        self.folder = folder
        self.users = [self._start(number) for number in range(len(ROLES))]

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        words = [sys.executable, "-m", "tests.faults.artifact_users", ROLES[number], str(number)]
        folders = {f"MLMD_{name.upper()}": str(self.folder / name) for name in ("cache", "journal", "state_home")}
        with (self.folder / "users.err").open("ab") as errors:
            return subprocess.Popen(
                [*words, self._servers, str(self.folder)],
                stdin=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env=os.environ | folders,
            )

    def replace(self, number: int) -> None:
        """Kill one and start another in its place."""
        self.users[number].kill()
        self.users[number].communicate()
        self.users[number] = self._start(number)

    def end(self) -> None:
        """Let all end their work."""
        for user in self.users:
            assert user.stdin is not None
            user.stdin.close()
        codes = [user.wait(120) for user in self.users]
        assert codes == [0] * len(ROLES), (self.folder / "users.err").read_text()

    def kill(self) -> None:
        """Kill all that are left."""
        for user in self.users:
            user.kill()
            user.wait()

    def notes(self) -> Iterator[dict[str, Any]]:
        """Yield what they wrote down; the last line of one that was killed may be half a line."""
        for path in self.folder.glob("notes-*"):
            for line in path.read_text().splitlines(keepends=True):
                if line.endswith("\n"):
                    yield json.loads(line)

    def has_done_enough(self) -> bool:
        """Whether everything was done a few times."""
        counts = Counter(note["what"] for note in self.notes())
        return all(counts[what] >= fewest for what, fewest in FEWEST.items())


def bustle(servers: list[Server], folder: Path) -> list[dict[str, Any]]:
    """Let them work while servers and users are killed; return what the users wrote down."""
    draw = random.Random(1)
    crowd = Crowd(servers, folder)
    began = time.monotonic()
    try:
        while time.monotonic() < began + (SECONDS if crowd.has_done_enough() else LONGEST_SECONDS):
            time.sleep(draw.uniform(0.5, 2))
            crowd.replace(draw.randrange(KILLED))
            time.sleep(draw.uniform(0.5, 2))
            server = draw.choice(servers)
            server.kill()
            server.start()
        crowd.end()
    finally:
        crowd.kill()
    return list(crowd.notes())


def check_what_was_told(notes: list[dict[str, Any]]) -> dict[int, dict[str, str]]:
    """Check the notes; return the files of what was kept or fetched."""
    refused = [note for note in notes if note["what"] == "refused" and note["how"] not in MEANT]
    assert not refused, refused[:5]
    assert not [note for note in notes if note["what"] == "verified" and note["findings"]]
    counts = Counter(note["what"] for note in notes)
    assert all(counts[what] >= fewest for what, fewest in FEWEST.items()), counts
    told: dict[int, dict[str, str]] = {}
    for note in notes:
        if note["what"] in ("kept", "fetched"):
            assert told.setdefault(note["id"], note["digests"]) == note["digests"]
    return told


def tombstones(server: Server) -> dict[int, str]:
    """Return why artifacts were deleted, by their ids."""
    found: dict[int, str] = {}
    with server.channel() as channel:
        request = admin_pb2.ListTombstonesRequest(kind=admin_pb2.NODE_KIND_ARTIFACT, page_size=1000)
        while True:
            answer = admin_pb2_grpc.AdminStub(channel).ListTombstones(request)
            found |= {one.id: one.reason for one in answer.tombstones}
            request.page_token = answer.next_page_token
            if not request.page_token:
                return found


def check_what_is_there(server: Server, told: dict[int, dict[str, str]], folder: Path) -> None:
    """Check that all that is LIVE can be fetched, and that what was kept is LIVE or was deleted by a user."""
    live, deleted = {}, tombstones(server)
    with Store(f"grpc://{server.target}") as store:
        for artifact in store.raw.get_artifacts():
            if artifact.state == pb.Artifact.LIVE:
                store.fetch(store.version(artifact.id), folder / str(artifact.id))
                live[artifact.id] = digests(folder / str(artifact.id))
    assert set(deleted.values()) <= {"old", "asked for"}
    assert not set(live) & set(deleted)
    left = {one: files for one, files in told.items() if one not in deleted}
    assert {one: live.get(one) for one in left} == left


def check_names(artifacts: Artifacts, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sweep, at a time when nothing can come late any more, and check that just what is named is there."""
    monkeypatch.setattr(Transaction, "agreed_ms", lambda tx: 10**13)
    assert sweep(artifacts, -1).failures == []
    named = set()
    for found in Calls(artifacts.store)("GetArtifacts").artifacts:
        files = artifacts.store.database.read(LOCAL, partial(list_files, artifact_id=found.id, after="", size=1000))
        if files:
            prefix = artifacts.manifest(found.id).key_prefix
            named |= {f"{prefix}{file.path}" for file in files}
    assert set(keys(artifacts.blobs)) == named


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, BlobStore, tuple[str, ...], dict[str, str]]:
    """A database and a place for bytes: its URL, the place, and a server's options and environment for it."""
    if request.param == "folder":
        folder = tmp_path / "artifacts"
        return request.getfixturevalue("sqlite_url"), LocalStore(folder), ("--artifacts", str(folder)), {}
    s3: S3Address = request.getfixturevalue("s3")
    bucket: str = request.getfixturevalue("bucket")
    settings = S3Settings(bucket, s3.endpoint, "us-east-1", s3.access_key, s3.secret_key)
    told = {"artifacts": f"s3://{bucket}/p", "artifacts-endpoint": s3.endpoint, "artifacts-region": "us-east-1"}
    options = tuple(word for name, value in told.items() for word in (f"--{name}", value))
    environment = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
    return request.getfixturevalue("mariadb_url"), S3Store(settings, "p/"), options, environment


def test_nothing_is_lost_and_nothing_left_over(
    place: tuple[str, BlobStore, tuple[str, ...], dict[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database, blobs, options, environment = place
    options += ("--sweep-every-seconds", "1", "--sweep-grace-seconds", str(GRACE_SECONDS))
    folders = (tmp_path / "one", tmp_path / "other")
    servers = [Server(database, folder, http=True, options=options, environment=environment) for folder in folders]
    try:
        for server in servers:
            server.start()
        told = check_what_was_told(bustle(servers, tmp_path))
        check_what_is_there(servers[0], told, tmp_path / "fetched")
        for server in servers:
            server.stop()
            assert "Traceback" not in server.output()
    finally:
        for server in servers:
            server.kill()
    facts = Facts.open(database)
    check_names(Artifacts(facts, blobs), monkeypatch)
    facts.close()
