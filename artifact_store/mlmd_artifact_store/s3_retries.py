"""Attempts at a request that broke off, without a word about its address.

The query of an address may be as good as a key: a signed one lets whoever reads it make the request, and a role's holds
the token that it is asked with. urllib3 warns of each attempt that broke off with the whole address, and tells it again
when it gives up. Why it gave up is said by our own error.
"""

import logging
from types import TracebackType
from typing import Self

import urllib3
from urllib3.connectionpool import ConnectionPool


class Retries(urllib3.Retry):
    """What urllib3 asks how often to try, by which it names no query."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Count an attempt; what it raises when there have been enough names the path alone."""
        return super().increment(method, (url or "").partition("?")[0], response, error, _pool, _stacktrace)


def _is_of_others(record: logging.LogRecord) -> bool:
    """Whether a record is none of a request of ours that is tried again."""
    return not any(isinstance(argument, Retries) for argument in record.args or ())


logging.getLogger("urllib3.connectionpool").addFilter(_is_of_others)
