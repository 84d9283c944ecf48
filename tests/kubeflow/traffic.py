"""The recorded calls of two Kubeflow Pipelines runs, and what can be made of them."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.rpc import Rpc
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.api.wires import Doors, Outcome, say

RECORDING = Path(__file__).resolve().parent.parent / "data" / "kfp_trace.json"
RPCS: dict[str, Rpc] = {rpc.name: rpc for rpc in METADATA_METHODS}
TIMES = ("create_time_since_epoch", "last_update_time_since_epoch", "milliseconds_since_epoch")


@dataclass(frozen=True)
class Step:
    """One recorded call: who made it, what was asked, what the reference answered."""

    number: int
    who: str
    method: str
    request: Message
    code: Code
    response: Message

    def answered(self, outcome: Outcome) -> Message:
        """Return the response of an outcome, which must have the recorded code."""
        assert outcome.code is self.code, f"{self.number} {self.method}: {outcome}"
        return type(self.response).FromString(outcome.body)


def recording() -> list[Step]:
    """Return every call of the recording, in order."""
    return [_step(number, entry) for number, entry in enumerate(json.loads(RECORDING.read_text()))]


def _step(number: int, entry: dict[str, Any]) -> Step:
    rpc = RPCS[entry["method"]]
    request = json_format.ParseDict(entry["request"], rpc.request())
    response = json_format.ParseDict(entry.get("response", {}), rpc.response())
    return Step(number, entry["who"], entry["method"], request, Code[entry["status"]], response)


def without_times(message: Message) -> Message:
    """Return a copy in which every time of the server's clock is 0 where it was set, with events in order."""
    copy = type(message)()
    copy.CopyFrom(message)
    _clear(copy)
    return copy


def _clear(message: Message) -> None:
    for field, value in message.ListFields():
        if field.name in TIMES:
            setattr(message, field.name, 0)
        elif field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        elif isinstance(value, Message):
            _clear(value)
        else:
            for member in value:
                _clear(member)


class Kubeflow:
    """A client that speaks as Kubeflow does, over one wire."""

    def __init__(self, doors: Doors, wire: str) -> None:
        self.doors = doors
        self.wire = wire

    def try_(self, method: str, request: Message | None = None, **fields: Any) -> Outcome:
        """Make a call and return its outcome."""
        rpc = RPCS[method]
        return say(self.wire, self.doors, rpc.path, request if request is not None else rpc.request(**fields))

    def __call__(self, method: str, request: Message | None = None, **fields: Any) -> Any:
        """Make a call that must succeed and return its response."""
        outcome = self.try_(method, request, **fields)
        assert outcome.code is Code.OK, f"{method}: {outcome}"
        return RPCS[method].response.FromString(outcome.body)

    def context(self, type_name: str, name: str) -> pb.Context:
        """Get or create a context, the way each driver does it, whatever the other drivers do at the moment."""
        found = self("GetContextByTypeAndName", type_name=type_name, context_name=name)
        if not found.HasField("context"):
            type_id = self("PutContextType", context_type={"name": type_name}).type_id
            made = self.try_("PutContexts", contexts=[{"type_id": type_id, "name": name}])
            assert made.code in (Code.OK, Code.ALREADY_EXISTS), made
            found = self("GetContextByTypeAndName", type_name=type_name, context_name=name)
        context: pb.Context = found.context
        return context

    def execution(self, type_name: str, contexts: list[pb.Context], state: int, **fields: Any) -> int:
        """Create an execution in its contexts and return its id."""
        type_id = self("PutExecutionType", execution_type={"name": type_name}).type_id
        execution = {"type_id": type_id, "last_known_state": state, **fields}
        return int(self("PutExecution", execution=execution, contexts=contexts).execution_id)
