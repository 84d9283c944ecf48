"""A server process under bad input: what it answers has to be a sentence, and afterwards it has to work."""

import itertools
import re
from typing import Any

import grpc
from google.protobuf.message import Message
from mlmd_schemas.errors import Code

from tests.api.wires import Doors
from tests.faults.remote import Remote, code_of
from tests.faults.writes import Ground
from tests.metadata_store.calls import RPCS
from tests.services.server import Server

LIMIT = 20_000_000
MLMD = "/ml_metadata.MetadataStoreService/"
UNSAID = re.compile(
    r"sqlite3|sqlalchemy|mysqldb|mysqlclient|traceback|\bselect .+ from\b|\binsert into\b|\bupdate .+ set\b|File \"",
    re.IGNORECASE,
)
COUNTER = itertools.count(1)


class Target:
    """A server process, its database, and a client."""

    def __init__(self, server: Server, url: str) -> None:
        self.server, self.url = server, url
        self.remote = Remote(server)
        self.ground = Ground(self.remote)
        self.doors = Doors(server.grpc_port, server.http_port)

    @property
    def is_sqlite(self) -> bool:
        """Tell whether the database is SQLite."""
        return self.url.startswith("sqlite")

    def refused(self, method: str, request: Message | bytes, **options: Any) -> tuple[Code, str]:
        """Make a call that must fail over gRPC; return code and message."""
        code, message = self.outcome(method, request, **options)
        assert code is not Code.OK
        return code, message

    def outcome(self, method: str, request: Message | bytes, **options: Any) -> tuple[Code, str]:
        """Make a call over gRPC; return its code, and its message, which is checked to be a sentence."""
        body = request if isinstance(request, bytes) else request.SerializeToString()
        path = RPCS[method].path if method in RPCS else method
        try:
            self.remote.raw(path, body, **options)
        except grpc.RpcError as error:
            message = error.details() or ""
            check_sentence(message)
            return code_of(error), message
        return Code.OK, ""

    def works(self) -> None:
        """Check that the process is the one that was started and does its work."""
        assert self.server.process is not None
        assert self.server.process.poll() is None
        name = f"good-{next(COUNTER)}"
        artifact = self.ground.new_artifact(name)
        (artifact_id,) = self.remote("PutArtifacts", artifacts=[artifact]).artifact_ids
        (found,) = self.remote("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
        assert (found.name, found.properties["label"]) == (name, artifact.properties["label"])


def check_sentence(message: str) -> None:
    """Check that a message is written for people and gives no inside away."""
    assert len(message) > 15, message
    assert "internal error" not in message, "nobody foresaw this"
    assert UNSAID.search(message) is None, message
