"""A small store with lineage for the tests of care: what is kept, what is deleted."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from google.protobuf.message import Message
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.care_calls import CARE_CALLS
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.requests import Requests
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import admin_pb2 as v1

from tests.artifact_store.uploads import begin, send, upload_file
from tests.metadata_store.calls import Calls, node

CALLS = {call.name: call for call in CARE_CALLS}
SAID = {"plain": "a name", "struct": {"a": [1]}, "odd": float("nan"), "number": 7}
KEEP_NOTHING = v1.KeepRules(newest=0, younger_than_seconds=0)


@contextmanager
def opened(database_url: str, folder: Path) -> Iterator[Requests]:
    """Open the artifact store of a database and of the folder `artifacts` in this one."""
    store = Store.open(database_url)
    yield Requests(Artifacts(store, LocalStore(folder / "artifacts")))
    store.close()


class Admin:
    """Calls of `mlmd.v1.Admin` on an artifact store."""

    def __init__(self, requests: Requests, caller: Caller = LOCAL) -> None:
        self.requests = requests
        self.caller = caller

    def __call__(self, method: str, **fields: Any) -> Any:
        """Make a call; raises StoreError as the store does."""
        call = CALLS[method]
        request: Message = call.request(**fields)
        return call.run(self.requests, self.caller, request)

    def purge(self, **fields: Any) -> Any:
        """Look, then confirm."""
        looked = self("Purge", **fields)
        return self("Purge", reason="asked for", digest=looked.digest, **fields)

    def garbage(self, rules: v1.KeepRules = KEEP_NOTHING, *, dry_run: bool = True, **fields: Any) -> list[int]:
        """Return what is garbage, or was until now."""
        answer = self("CollectGarbage", rules=rules, dry_run=dry_run, **fields)
        return [one.artifact_id for one in answer.garbage]

    def why(self, artifact_id: int, rules: v1.KeepRules = KEEP_NOTHING) -> Any:
        """Return why an artifact is kept."""
        return self("ExplainKept", artifact_id=artifact_id, rules=rules)


def upload(requests: Requests, content: bytes = b"content", collection: str = "", **fields: Any) -> int:
    """Upload one file `f` and return the artifact's id."""
    request = begin(requests.artifacts.store, upload_file("f", content), collection=collection, **fields)
    begun = requests.artifacts.begin_upload(request)
    assert send(requests, begun.artifact_id, {"f": content}) == [200]
    requests.artifacts.commit_upload(begun.artifact_id)
    return begun.artifact_id


def execution(
    requests: Requests, inputs: Iterable[int], outputs: Iterable[int], state: Any = pb.Execution.COMPLETE
) -> int:
    """Make an execution between artifacts."""
    call = Calls(requests.artifacts.store)
    type_id = call("PutExecutionType", execution_type=pb.ExecutionType(name="Train")).type_id
    made = pb.Execution(type_id=type_id, last_known_state=state)
    (execution_id,) = call("PutExecutions", executions=[made]).execution_ids
    events = [
        pb.Event(artifact_id=artifact_id, execution_id=execution_id, type=kind)
        for kind, ids in ((pb.Event.INPUT, inputs), (pb.Event.OUTPUT, outputs))
        for artifact_id in ids
    ]
    call("PutEvents", events=events)
    return int(execution_id)


def alias(requests: Requests, collection: str, name: str, number: int) -> None:
    """Point an alias at a version."""
    move = {"type_name": "system.Model", "name": collection, "alias": name, "number": number}
    Calls(requests.artifacts.store)("MoveAlias", **move)


def talkative(call: Calls, noun: str, name: str, **fields: Any) -> int:
    """Make a node that says much about itself."""
    kind = getattr(pb, noun)
    made_type = getattr(pb, f"{noun}Type")(name=f"Say{noun}")
    type_of = call(f"Put{noun}Type", **{f"{noun.lower()}_type": made_type}).type_id
    said = node(kind, custom=SAID, type_id=type_of, name=name, external_id=f"{name}-outside", **fields)
    (made,) = getattr(call(f"Put{noun}s", **{f"{noun.lower()}s": [said]}), f"{noun.lower()}_ids")
    return int(made)
