"""A store on each database, and calls of the registry by name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.rpc import Rpc
from mlmd_metadata_store.store import Store
from mlmd_model_registry.methods import REGISTRY_METHODS
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Code, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.artifact_store.care import Admin
from tests.metadata_store.calls import RPCS, node

ALL: dict[str, Rpc] = RPCS | {rpc.name: rpc for rpc in REGISTRY_METHODS}


class Registry:
    """Calls on one store as one caller."""

    def __init__(self, store: Store, caller: Caller = LOCAL) -> None:
        self.store = store
        self.caller = caller

    def __call__(self, method: str, request: Message | None = None, /, **fields: Any) -> Any:
        """Make a call; raises StoreError as the store does."""
        rpc = ALL[method]
        return self.store.call(rpc, self.caller, request if request is not None else rpc.request(**fields))

    def error(self, method: str, /, **fields: Any) -> StoreError:
        """Make a call that must fail and return its error."""
        with pytest.raises(StoreError) as raised:
            self(method, **fields)
        assert raised.value.message
        return raised.value

    def code(self, method: str, /, **fields: Any) -> Code:
        """Make a call that must fail and return its code."""
        return self.error(method, **fields).code

    def as_(self, subject: str) -> "Registry":
        """The same store for another caller."""
        return Registry(self.store, Caller(subject=subject))

    def run(self, uri: str, type_name: str = "system.Model", **custom: Any) -> int:
        """Record an execution that made an artifact with this uri; return the artifact's id."""
        artifact_type = self("PutArtifactType", artifact_type=pb.ArtifactType(name=type_name)).type_id
        trainer = self("PutExecutionType", execution_type=pb.ExecutionType(name="Trainer")).type_id
        made = node(pb.Artifact, {}, custom, type_id=artifact_type, uri=uri, state=pb.Artifact.LIVE)
        pair = {"artifact": made, "event": {"type": pb.Event.OUTPUT}}
        answer = self("PutExecution", execution={"type_id": trainer}, artifact_event_pairs=[pair])
        return int(answer.artifact_ids[0])

    def version(self, model: str = "fraud", **fields: Any) -> Any:
        """Make a version from a run's artifact of its own, or as the fields say."""
        if "artifact_id" not in fields and "uri" not in fields:
            fields["artifact_id"] = self.run(f"s3://models/{model}/{self._next()}")
        return self("CreateModelVersion", model=model, create_model=True, **fields).version

    def _next(self) -> int:
        return len(self("GetArtifacts").artifacts)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty store, on SQLite and on MariaDB."""
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def registry(store: Store) -> Registry:
    """Calls on the empty store: `registry("CreateModel", name="fraud")`."""
    return Registry(store)


@pytest.fixture
def requests(store: Store, tmp_path: Path) -> Requests:
    """An artifact store on the same facts, with its files in a folder."""
    return Requests(Artifacts(store, LocalStore(tmp_path / "artifacts")))


@pytest.fixture
def admin(requests: Requests) -> Admin:
    """Its administration."""
    return Admin(requests)
