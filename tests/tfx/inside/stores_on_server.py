"""A plugin of pytest for TFX's own tests: each store that they open is a tenant of a running server.

They open databases in memory and SQLite files; here Google's client is told the server's address instead, and sends a
token with each call. The environment says where: `MLMD_SERVER_PORT`, and `MLMD_TENANTS`, how many tenants there are
(`tenant-0`, `tenant-1`, …, each with a token of the same name).
"""

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import grpc
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2

PORT, TENANTS = int(os.environ["MLMD_SERVER_PORT"]), int(os.environ["MLMD_TENANTS"])
IN_MEMORY = ("", ":memory:")

open_store = metadata_store.MetadataStore.__init__
open_channel = grpc.insecure_channel
tokens: Iterator[str] = (f"tenant-{number}" for number in range(TENANTS))
files: dict[str, str] = {}
"""The token that stands for a SQLite file."""


class Details(NamedTuple):
    """What an interceptor hands on of a call."""

    method: str
    timeout: float | None
    metadata: list[tuple[str, str]]
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class Token(grpc.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]  # it is generic in its stubs alone
    """Sends a token with each call."""

    def __init__(self, token: str) -> None:
        """Take the token that is sent."""
        self._token = token

    def intercept_unary_unary(self, continuation: Callable[..., Any], client_call_details: Any, request: Any) -> Any:
        """Add the token to what the caller sends."""
        asked = client_call_details
        sent = [*(asked.metadata or []), ("authorization", f"Bearer {self._token}")]
        return continuation(Details(asked.method, asked.timeout, sent, asked.credentials, None, None), request)


def _token_of(config: metadata_store_pb2.ConnectionConfig) -> str:
    if config.WhichOneof("config") == "sqlite" and config.sqlite.filename_uri not in IN_MEMORY:
        if config.sqlite.filename_uri not in files:
            files[config.sqlite.filename_uri] = next(tokens)
        return files[config.sqlite.filename_uri]
    return next(tokens)


def _open(store: Any, config: Any, *arguments: Any, **named: Any) -> None:
    token = _token_of(config)
    grpc.insecure_channel = lambda *a, **n: grpc.intercept_channel(open_channel(*a, **n), Token(token))
    try:
        open_store(
            store, metadata_store_pb2.MetadataStoreClientConfig(host="127.0.0.1", port=PORT), *arguments, **named
        )
    finally:
        grpc.insecure_channel = open_channel


metadata_store.MetadataStore.__init__ = _open
