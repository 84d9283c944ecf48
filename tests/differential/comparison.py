"""A session asked of both servers, call by call: the same code, the same answer, the same rows, the same times."""

import itertools
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format
from google.protobuf.message import Message
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.differential.answers import canonical, explanation
from tests.differential.sides import Side, close_gaps, differing_tables, set_times, share_gaps
from tests.differential.source import Call
from tests.reference.client import Answer

FIRST_TIME = 1001
"""Each write gets a time of its own; the nodes of one write have the same, so that orders by time have ties."""


class Different(AssertionError):
    """The servers differ."""


class Comparison:
    """Two empty stores, asked the same."""

    def __init__(self, ours: Side, google: Side, *, mysql: bool, counts: Counter[tuple[str, str]]) -> None:
        self.ours, self.google, self.mysql, self.counts = ours, google, mysql, counts
        self._times = itertools.count(FIRST_TIME)
        self._told: list[str] = []

    def run(self, calls: Sequence[Any]) -> None:
        """Make the calls; raises Different at the first answer that is not the same, telling the whole session."""
        for call in calls:
            resolved = call if isinstance(call, Call) else call.resolve(self.google)
            if resolved is None:
                continue
            if isinstance(resolved, Call):
                self.one(resolved)
            else:
                resolved.follow(self)

    def one(self, call: Call) -> tuple[Answer, Answer]:
        """Make one call on both sides and compare all there is."""
        self._told.append(told(call))
        if call.method.startswith("Put"):
            return self._write(call)
        theirs = _composed(self.google, call) or self.google.call(*call)
        ours = self.ours.call(*call)
        self._compare(call, ours, theirs)
        return ours, theirs

    def _write(self, call: Call) -> tuple[Answer, Answer]:
        time.sleep(0.001)  # a time that changes must be another one
        ours = self.ours.call(*call)
        if self.mysql:
            share_gaps(self.ours, self.google)
        theirs = self.google.call(*call)
        self._compare(call, ours, theirs)
        # Google's attributes the -1 of an empty pair to every context of the call; ours does not (contract, S10).
        self.google.database.rows("DELETE FROM Attribution WHERE artifact_id = -1")
        now = next(self._times)
        for side in (self.ours, self.google):
            set_times(side, now)
            if self.mysql:
                close_gaps(side)
        for table, rows, others in differing_tables(self.ours, self.google):
            self._fail(call, f"rows of {table}", rows, others)
        return ours, theirs

    def _compare(self, call: Call, ours: Answer, theirs: Answer) -> None:
        name = explanation(call, ours, theirs)
        self.counts[call.method, name or (theirs.code.name if theirs.code is not None else "crash")] += 1
        if name is not None:
            return
        if ours.code is not theirs.code:
            self._fail(call, "codes", f"{ours.code!r} {ours.message}", f"{theirs.code!r} {theirs.message}")
        mine = canonical(call, ours.response, mysql=self.mysql)
        other = canonical(call, theirs.response, mysql=self.mysql)
        if mine != other:
            self._fail(call, "answers", mine, other)

    def same(self, call: Call, what: str, ours: Any, theirs: Any) -> None:
        """Raise Different unless they are equal."""
        if ours != theirs:
            self._fail(call, what, ours, theirs)

    def _fail(self, call: Call, what: str, ours: Any, theirs: Any) -> None:
        session = "\n".join(self._told)
        raise Different(f"{session}\n--- {what} differ at {call.method}\nours:     {ours}\nGoogle's: {theirs}")


def _composed(google: Side, call: Call) -> Answer | None:
    """Return what Google's core would say to a batch that its binding does not wrap, from single calls."""
    if not call.method.endswith("ContextsByContexts"):
        return None
    request: Any = call.request
    if not request.context_ids:
        return Answer(Code.INVALID_ARGUMENT, None, "")
    single = call.method.removesuffix("s")
    field = "parent_contexts" if "Parent" in call.method else "children_contexts"
    response = getattr(service, f"{call.method}Response")()
    for context_id in request.context_ids:
        answer = google.call(single, getattr(service, f"{single}Request")(context_id=context_id))
        if answer.response.contexts:
            entry = getattr(response.contexts[context_id], field)
            del entry[:]
            entry.extend(answer.response.contexts)
    return Answer(Code.OK, response, "")


def told(call: Call) -> str:
    """Return a call as text."""
    return f"{call.method} {{ {text(call.request)} }}"


def text(message: Message) -> str:
    """Return a message as text on one line."""
    return text_format.MessageToString(message, as_one_line=True, as_utf8=True, print_unknown_fields=True)
