"""The log: one line a call, for people or as JSON.

INTERNAL, UNAVAILABLE and DATA_LOSS are errors and carry their cause; everything else is information.
"""

import json
import logging
import time
import traceback
from collections.abc import Iterator
from typing import Any

from mlmd_schemas.errors import Code, StoreError, Unavailable

from mlmd_api.call import Call
from mlmd_api.callers import Identity
from mlmd_api.status import CALLERS_FAULT
from mlmd_api.streaming import Answer, Ending

_CALLS = logging.getLogger("mlmd.calls")
_LONGEST_PATH = 200


class Journal:
    """Writes a line for each call to the logger `mlmd.calls`."""

    def note(
        self,
        call: Call,
        identity: Identity,
        answer: Answer,
        seconds: float,
        error: Exception | None,
        moved: tuple[int, int] | None = None,
    ) -> None:
        """Write one line; the cause of what was not raised on purpose goes with it.

        `moved` is how many bytes came and went where the wire moved them itself.
        """
        is_ordinary = answer.code in CALLERS_FAULT and not isinstance(error, MemoryError)
        is_well = answer.code is Code.OK or is_ordinary or isinstance(error, Ending)
        level = logging.INFO if is_well else logging.ERROR
        if not _CALLS.isEnabledFor(level):
            return
        fields: dict[str, Any] = {
            "request_id": answer.request_id,
            "wire": call.wire,
            "method": _shown(call.path),
            "code": answer.code.name,
            "ms": round(seconds * 1000, 3),
            "subject": identity.subject,
            "tenant": identity.tenant,
            "peer": call.peer,
            "request_bytes": moved[0] if moved else len(call.body),
            "response_bytes": moved[1] if moved else len(answer.body),
        }
        if answer.message:
            fields["message"] = answer.message
        if error is not None and level == logging.ERROR:
            fields["cause"] = cause(error)
        _CALLS.log(level, "call", extra={"fields": fields})


def _shown(path: str) -> str:
    """Return a path as a log may hold it: whoever calls chooses it, line breaks and length too."""
    path = path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"
    return path if path.isprintable() else ascii(path)


def cause(error: BaseException) -> str:
    """Return what an operator needs to find the fault: the traceback, or one line of what others said.

    An error of ours that hides what is behind it is a caller's slip that MLMD's contract calls INTERNAL, as a name that
    is taken: its sentence tells all.

    What is UNAVAILABLE is no fault of the code, and fails with every call for as long as it is away: where in the code
    each of them met it would only fill the disk.
    """
    if isinstance(error, Unavailable):
        return " <- ".join(_words(error))
    behind = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if isinstance(error, StoreError) and behind is None:
        return error.message
    return "".join(traceback.format_exception(error))


def _words(error: BaseException | None) -> Iterator[str]:
    """Yield what an error says and what is behind it, the same words once."""
    said = set()
    while error is not None:
        words = " ".join("".join(traceback.format_exception_only(error)).split())
        if words not in said:
            yield words
        said.add(words)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record with its fields, if it has any."""
        line: dict[str, Any] = {"time": _time(record.created), "level": record.levelname.lower()}
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        if fields is None:
            line |= {"logger": record.name, "message": record.getMessage()}
        else:
            line |= fields
        if record.exc_info:
            line["cause"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class HumanFormatter(logging.Formatter):
    """One readable line, and the cause of an error below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Render the record with its fields, if it has any."""
        start = f"{_time(record.created)} {record.levelname:<7}"
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        if fields is None:
            line = f"{start} {record.name}: {record.getMessage()}"
            return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line
        return f"{start} {_human(fields)}"


def _human(fields: dict[str, Any]) -> str:
    who = f"{fields['subject']}@{fields['tenant']}" if fields["tenant"] else fields["subject"] or "-"
    line = (
        f"{fields['request_id']} {fields['wire']} {fields['method']} {fields['code']} {fields['ms']:.1f}ms "
        f"{who} {fields['peer'] or '-'} {fields['request_bytes']}B->{fields['response_bytes']}B"
    )
    if "message" in fields:
        line += f" {fields['message']!r}"
    return f"{line}\n{fields['cause']}" if "cause" in fields else line


def _time(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
