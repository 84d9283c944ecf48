"""When two answers are the same: canonical answers, and the table of deliberate differences."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from mlmd_metadata_store.page_tokens import decode_token
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.differential.source import Call
from tests.reference.client import Answer

Order = pb.ListOperationOptions.OrderByField
_ALL_TYPES = ("GetArtifactTypes", "GetExecutionTypes", "GetContextTypes")
_TYPE_BY_NAME = ("GetArtifactType", "GetExecutionType", "GetContextType")
_TYPE_FIELDS = ("artifact_types", "execution_types", "context_types")


@dataclass(frozen=True)
class Difference:
    """A difference that is meant. `explains` says whether a pair of answers is a case of it."""

    name: str
    reason: str
    explains: Callable[[Call, Answer, Answer], bool]


def _unset_custom_value(call: Call, ours: Answer, theirs: Answer) -> bool:
    return theirs.crashed and ours.code is Code.INVALID_ARGUMENT


def _dangling_member(call: Call, ours: Answer, theirs: Answer) -> bool:
    named = call.method in ("GetArtifactsByContext", "GetExecutionsByContext")
    return named and theirs.code is Code.INTERNAL and "No results" in theirs.message and ours.code is Code.OK


DELIBERATE = (
    Difference(
        "a Value without a member among custom properties",
        "Google's process dies of it; ours answers INVALID_ARGUMENT.",
        _unset_custom_value,
    ),
    Difference(
        "an attribution to an artifact that is not there",
        "PutExecution may make one. Google's list of the context's artifacts then fails; ours leaves the hole out.",
        _dangling_member,
    ),
)


def explanation(call: Call, ours: Answer, theirs: Answer) -> str | None:
    """Return the name of the deliberate difference between two answers, None when there is none."""
    for difference in DELIBERATE:
        if difference.explains(call, ours, theirs):
            return difference.name
    return None


def canonical(call: Call, response: Any, *, mysql: bool) -> Any:
    """Return a response in a form that is equal for equal answers."""
    if response is None:
        return None
    made = type(response)()
    made.CopyFrom(response)
    if call.method in _ALL_TYPES:  # Google's leaves external ids out of lists of all types
        _forget_external_ids(made)
    if call.method in _TYPE_BY_NAME and mysql:  # and on MySQL out of the type that is asked for by name
        for _, message in made.ListFields():
            message.ClearField("external_id")
    if call.method.startswith("GetEvents"):
        _sort(made.events)
    elif call.method == "GetArtifactsByURI":
        _sort(made.artifacts)
    elif call.method == "GetLineageSubgraph":
        for field in made.lineage_subgraph.DESCRIPTOR.fields:
            _sort(getattr(made.lineage_subgraph, field.name))
        _forget_external_ids(made.lineage_subgraph)
    if getattr(made, "next_page_token", ""):
        made.next_page_token = _canonical_token(made.next_page_token)
    return made


def _canonical_token(text: str) -> str:
    """Return what a token says; without what ours say more in LAST_UPDATE_TIME, where Google's lose nodes."""
    token = decode_token(text)
    if token.set_options.order_by_field.field == Order.LAST_UPDATE_TIME:
        token.ClearField("id_offset")
        token.ClearField("listed_ids")
        return str(token)
    return text


def _forget_external_ids(holder: Any) -> None:
    for name in _TYPE_FIELDS:
        for message in getattr(holder, name, ()):
            message.ClearField("external_id")


def _sort(messages: Any) -> None:
    ordered = sorted(messages, key=_order)
    copies = [type(message).FromString(message.SerializeToString()) for message in ordered]
    del messages[:]
    messages.extend(copies)


def _order(message: Message) -> Any:
    number = getattr(message, "id", 0)
    return number, message.SerializeToString(deterministic=True)
