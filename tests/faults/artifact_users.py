"""Somebody who works with artifacts of several servers, as a process that may be killed at any moment.

`python -m tests.faults.artifact_users ROLE SEED SERVERS FOLDER` works until its standard input ends, and writes a line
of JSON for each thing that a server acknowledged or refused to a file of its own in FOLDER.
"""

import contextlib
import hashlib
import json
import os
import random
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
from mlmd_client import Store
from mlmd_client.calls import CallError
from mlmd_client.metadata_store.errors import StatusError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as admin
from mlmd_schemas.pb.v1 import admin_pb2_grpc

NAMES = ("churn", "fraud", "prices")
TYPES = ("system.Model", "system.Dataset")
ALIASES = ("a", "b")
SIZES = (0, 10, 10, 5_000, 300_000, 6_000_000)
"""The largest goes up in two parts."""
NEWEST = 200
PATIENCE_SECONDS = 60


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of each file by its path."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class User:
    """One of them, at work on one server at a time."""

    def __init__(self, role: str, seed: str, folder: Path) -> None:
        """Take what tells it from others."""
        name = f"{role}-{seed}-{os.getpid()}"
        self.draw = random.Random(name)
        self.folder = folder / f"work-{name}"
        self.folder.mkdir()
        self.steps = 0
        self._notes = (folder / f"notes-{name}.jsonl").open("a", buffering=1)

    def note(self, what: str, **facts: Any) -> None:
        """Write down what was told."""
        self._notes.write(json.dumps({"what": what, **facts}) + "\n")

    @contextlib.contextmanager
    def noting_refusals(self, doing: str) -> Iterator[None]:
        """Write down a refusal and go on."""
        try:
            yield
        except grpc.RpcError as error:
            self.note("refused", doing=doing, how=error.code().name, why=error.details())
        except (CallError, StatusError) as error:
            self.note("refused", doing=doing, how=type(error).__name__, why=str(error))

    def new_folder(self) -> Path:
        """Return the path of a folder that is not there."""
        self.steps += 1
        return self.folder / str(self.steps)

    def files(self) -> Path:
        """Make files to keep; some are like those of others, so that versions are reused."""
        folder = self.new_folder()
        folder.mkdir()
        draw = random.Random(self.draw.choice((1, 2))) if self.draw.random() < 0.3 else self.draw
        for number in range(draw.choice((1, 1, 2, 5))):
            (folder / f"f{number}").write_bytes(draw.randbytes(draw.choice(SIZES)))
        return folder

    def keep(self, store: Store, care: admin_pb2_grpc.AdminStub) -> None:
        """Keep files as a version, and let an alias point at some."""
        files = self.files()
        kept = pb.Artifact(type=self.draw.choice(TYPES))
        version = store.keep(kept, self.draw.choice(NAMES), files, reuse=self.draw.random() < 0.5)
        self.note("kept", id=version.id, digests=digests(files))
        if self.draw.random() < 0.3:
            version.set_alias(self.draw.choice(ALIASES))

    def fetch(self, store: Store, care: admin_pb2_grpc.AdminStub) -> None:
        """Fetch what an alias points at, or the newest version."""
        name = self.draw.choice(NAMES) + self.draw.choice(("@a", "@b", ""))
        version = store.version(name, type=self.draw.choice(TYPES))
        folder = self.new_folder()
        store.fetch(version, folder)
        self.note("fetched", id=version.id, digests=digests(folder))

    def care(self, store: Store, care: admin_pb2_grpc.AdminStub) -> None:
        """Collect garbage, sweep, verify, or purge one."""
        patience = {"timeout": PATIENCE_SECONDS}
        todo = self.draw.random()
        if todo < 0.5:
            rules = admin.KeepRules(newest=self.draw.choice((1, 2, 3)), younger_than_seconds=0)
            answer = care.CollectGarbage(admin.CollectGarbageRequest(rules=rules, reason="old"), **patience)
            self.note("collected", ids=[one.artifact_id for one in answer.garbage])
        elif todo < 0.7:
            care.Sweep(admin.SweepRequest(), **patience)
        elif ids := [artifact.id for artifact in store.raw.get_artifacts()]:
            if todo < 0.85:
                answer = care.VerifyArtifacts(admin.VerifyArtifactsRequest(artifact_ids=ids[-NEWEST:]), **patience)
                self.note("verified", findings=[str(one) for one in answer.findings])
            else:
                request = admin.PurgeRequest(kind=admin.NODE_KIND_ARTIFACT, ids=[self.draw.choice(ids)])
                request.include_bytes = True
                request.digest = care.Purge(request, **patience).digest
                request.reason = "asked for"
                self.note("purging", ids=list(request.ids))
                care.Purge(request, **patience)
        time.sleep(self.draw.random() * 0.3)

    def pin(self, store: Store, care: admin_pb2_grpc.AdminStub) -> None:
        """Pin one, and mostly give it free again."""
        if ids := [artifact.id for artifact in store.raw.get_artifacts()]:
            chosen = self.draw.choice(ids)
            care.PinArtifact(admin.PinArtifactRequest(artifact_id=chosen, reason="used"), timeout=PATIENCE_SECONDS)
            if self.draw.random() < 0.7:
                care.UnpinArtifact(admin.UnpinArtifactRequest(artifact_id=chosen), timeout=PATIENCE_SECONDS)
        time.sleep(self.draw.random() * 0.3)


def main(role: str, seed: str, servers: str, folder: Path) -> None:
    """Work until standard input ends, on another server every few steps."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    user = User(role, seed, folder)
    step: Callable[[Store, admin_pb2_grpc.AdminStub], None] = getattr(user, role)
    while not ended.is_set():
        server = user.draw.choice(servers.split(","))
        with (
            user.noting_refusals("open"),
            Store(f"grpc://{server}") as store,
            grpc.insecure_channel(server) as channel,
        ):
            care = admin_pb2_grpc.AdminStub(channel)
            for _ in range(user.draw.randint(3, 20)):
                if not ended.is_set():
                    with user.noting_refusals(role):
                        step(store, care)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], Path(sys.argv[4]))
