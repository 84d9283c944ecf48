"""When two answers are the same: canonical answers, and the table of deliberate differences."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

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
    """A difference that is meant: narrowly recognised, taken out of both answers, or avoided by the requests."""

    name: str
    reason: str
    how: Literal["recognised", "taken out", "avoided"]
    explains: Callable[[Call, Answer, Answer], bool] = lambda call, ours, theirs: False
    """Whether a pair of answers is a case of it."""


def _died(call: Call, ours: Answer, theirs: Answer) -> bool:
    return theirs.crashed and ours.code is Code.INVALID_ARGUMENT and call.method.startswith("Put")


def _dangling_member(call: Call, ours: Answer, theirs: Answer) -> bool:
    named = call.method in ("GetArtifactsByContext", "GetExecutionsByContext")
    return named and theirs.code is Code.INTERNAL and "missing" in theirs.message and ours.code is Code.OK


def _untranslated(call: Call, ours: Answer, theirs: Answer) -> bool:
    refused = theirs.code is Code.INTERNAL and "Unknown data type" in theirs.message
    if call.method == "GetLineageSubgraph":  # ours goes on: the start is not there, or another filter is wrong
        return refused and ours.code in (Code.OK, Code.NOT_FOUND, Code.INVALID_ARGUMENT)
    return refused and call.method.startswith("Get") and ours.code is Code.OK


DELIBERATE = (
    Difference(
        "a Value without a member among custom properties",
        "Google's process dies of it; ours answers INVALID_ARGUMENT.",
        "recognised",
        _died,
    ),
    Difference(
        "a member of a context that is not there",
        "PutExecution may attribute an artifact that does not exist. Google's list of the context's artifacts then "
        "fails with INTERNAL; ours leaves the hole out.",
        "recognised",
        _dangling_member,
    ),
    Difference(
        "whole numbers beside others on MySQL",
        "Google's writes casts of its own dialect into the SQL (`INT64`), which MySQL does not know; ours compares.",
        "recognised",
        _untranslated,
    ),
    Difference(
        "the attribution of an empty pair",
        "Google's PutExecution attributes artifact -1 to the contexts; ours does not. The row is deleted.",
        "taken out",
    ),
    Difference(
        "external ids of types",
        "Google's leaves them out of the lists of all types, of lineage, and on MySQL of a type asked for by name.",
        "taken out",
    ),
    Difference(
        "order",
        "Google's orders events, the nodes of lineage and artifacts of several URIs by chance; ours by id.",
        "taken out",
    ),
    Difference(
        "types by external ids on MySQL",
        "Both leave the order to the database: that of the index, or by id where it reads the whole table.",
        "taken out",
    ),
    Difference(
        "an artifact that two URIs match",
        "On MySQL `u` and `u ` are equal. Google's then lists an artifact once for each of the URIs, ours once.",
        "taken out",
    ),
    Difference(
        "pages by LAST_UPDATE_TIME",
        "Google's repeat or loop where times are equal. First pages are compared; the walk over ours is compared with "
        "one large page of Google's. Our tokens carry an id more.",
        "taken out",
    ),
    Difference(
        "pages of more than 100",
        "Google's gives 101 nodes and no token. Sessions have fewer nodes.",
        "avoided",
    ),
    Difference(
        "batches of parents and children of contexts",
        "Google's binding does not wrap them. Ours are compared with its answers to single calls.",
        "recognised",
    ),
    Difference(
        "GetLineageGraph",
        "Google's server does not implement it.",
        "avoided",
    ),
    Difference(
        "doubles",
        "Google's cuts them to 6 decimals and refuses NaN and infinities; ours keeps them. Doubles here have 6.",
        "avoided",
    ),
    Difference(
        "strings that poison",
        "`mlmd-struct::`, `__MLMD_NULL__`, NUL, an Any without type: Google's cannot read them back, ours can.",
        "avoided",
    ),
    Difference(
        "a declared and a custom property of one name",
        "Google's damages one when the other changes. The names are different here, on MySQL too.",
        "avoided",
    ),
    Difference(
        "a type named twice in PutTypes",
        "Google's takes its external id away when the second does not repeat it. Here it is repeated.",
        "avoided",
    ),
    Difference(
        "types whose names MySQL takes for equal",
        "Google's changes only the first of `A` and `A `, with INVALID_ARGUMENT for the other; ours both.",
        "avoided",
    ),
    Difference(
        "integers beyond 32 bits on MySQL",
        "Google's refuses property values, and swallows events whose ids are beyond; ours keeps 64 bits.",
        "avoided",
    ),
    Difference(
        "filters",
        "docs/filter.md lists what ours takes and Google's refuses or misreads; such filters are not made here.",
        "avoided",
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
    elif call.method.endswith("TypesByExternalIds") and mysql:
        for field in made.DESCRIPTOR.fields:
            _sort(getattr(made, field.name))
    elif call.method == "GetArtifactsByURI":
        _sort(made.artifacts)
        if mysql:
            _once(made.artifacts)
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


def _once(messages: Any) -> None:
    copies = {message.id: type(message).FromString(message.SerializeToString()) for message in messages}
    del messages[:]
    messages.extend(copies.values())


def _order(message: Message) -> Any:
    number = getattr(message, "id", 0)
    return number, message.SerializeToString(deterministic=True)
