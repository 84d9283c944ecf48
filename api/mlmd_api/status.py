"""Errors as each wire says them: one table from the code to gRPC, HTTP and Connect.

| code | HTTP | Connect |
|---|---|---|
| CANCELLED | 499 | canceled |
| INVALID_ARGUMENT, FAILED_PRECONDITION, OUT_OF_RANGE | 400 | as the code |
| DEADLINE_EXCEEDED | 504 | deadline_exceeded |
| NOT_FOUND | 404 | not_found |
| ALREADY_EXISTS, ABORTED | 409 | as the code |
| PERMISSION_DENIED | 403 | permission_denied |
| RESOURCE_EXHAUSTED | 429 | resource_exhausted |
| UNIMPLEMENTED | 501 | unimplemented |
| UNAVAILABLE | 503 | unavailable |
| UNAUTHENTICATED | 401 | unauthenticated |
| UNKNOWN, INTERNAL, DATA_LOSS | 500 | as the code |
"""

from collections.abc import Mapping
from urllib.parse import quote

from mlmd_schemas.errors import Code, StoreError

LONGEST_MESSAGE_BYTES = 4096
"""Percent-encoded length of the longest message sent; gRPC clients refuse trailers over 8 KiB altogether."""

HTTP_STATUS: dict[Code, int] = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}
"""The HTTP status of each code, as the Connect protocol defines it."""

CONNECT_CODE: dict[Code, str] = {code: code.name.lower() for code in Code} | {Code.CANCELLED: "canceled"}
"""The name of each code in a Connect error."""

CALLERS_FAULT = frozenset(
    {
        Code.CANCELLED,
        Code.INVALID_ARGUMENT,
        Code.DEADLINE_EXCEEDED,
        Code.NOT_FOUND,
        Code.ALREADY_EXISTS,
        Code.PERMISSION_DENIED,
        Code.RESOURCE_EXHAUSTED,
        Code.FAILED_PRECONDITION,
        Code.ABORTED,
        Code.OUT_OF_RANGE,
        Code.UNIMPLEMENTED,
        Code.UNAUTHENTICATED,
    }
)
"""Codes that are ordinary answers; the others are worth an operator's look."""


def describe(error: BaseException, request_id: str) -> tuple[Code, str]:
    """Return the code and the sentence that the caller sees.

    What was not raised on purpose is INTERNAL with the request id and nothing else; its cause belongs to the log. So
    does that of a lack of memory, though the code is an ordinary one: the operator gave the server too little.
    """
    if isinstance(error, StoreError):
        return error.code, shortened(error.message)
    if isinstance(error, MemoryError):
        return Code.RESOURCE_EXHAUSTED, (
            f"The server has no memory left for this call (request id {request_id}); try again later, or send or ask "
            "for less at a time."
        )
    return Code.INTERNAL, f"internal error (request id {request_id})"


def facts_of(error: BaseException) -> Mapping[str, str]:
    """Return what a program may want to know of an error, by keys of metadata."""
    return error.facts if isinstance(error, StoreError) else {}


def shortened(message: str) -> str:
    """Return the message, cut so that it fits the trailers of every client, and valid as UTF-8."""
    message = message.encode("utf-8", "replace").decode("utf-8")
    if len(message) * 12 <= LONGEST_MESSAGE_BYTES or len(quote(message)) <= LONGEST_MESSAGE_BYTES:
        return message
    kept, length = [], 0
    for character in message:
        length += len(quote(character))
        if length > LONGEST_MESSAGE_BYTES - 16:
            break
        kept.append(character)
    return "".join(kept) + " …"
