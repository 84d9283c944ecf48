"""Calls over gRPC to a server process, spoken to the way `tests.metadata_store.calls.Calls` speaks to a store."""

from typing import Any

import grpc
from google.protobuf.message import Message
from mlmd_schemas.errors import Code

from tests.metadata_store.calls import RPCS
from tests.services.server import Server

SECONDS = 60.0


def code_of(error: grpc.RpcError) -> Code:
    """Return the code of a failed call."""
    return Code(error.code().value[0])


class Remote:
    """Calls on one server through a channel of its own."""

    def __init__(self, server: Server) -> None:
        self.channel = server.channel()

    def __call__(
        self,
        method: str,
        request: Message | None = None,
        /,
        *,
        key: str | None = None,
        timeout: float = SECONDS,
        **fields: Any,
    ) -> Any:
        """Make a call; raises grpc.RpcError."""
        rpc = RPCS[method]
        metadata = () if key is None else (("mlmd-idempotency-key", key),)
        body = (request if request is not None else rpc.request(**fields)).SerializeToString()
        return rpc.response.FromString(self.raw(rpc.path, body, metadata, timeout))

    def raw(self, path: str, body: bytes, metadata: Any = (), timeout: float = SECONDS) -> bytes:
        """Send bytes to a path and return the answer's; raises grpc.RpcError."""
        method = self.channel.unary_unary(path, None, None)
        return bytes(method(body, timeout=timeout, metadata=metadata))

    def code(self, method: str, request: Message | None = None, /, **fields: Any) -> Code:
        """Make a call and return its code."""
        try:
            self(method, request, **fields)
        except grpc.RpcError as error:
            return code_of(error)
        return Code.OK

    def close(self) -> None:
        """Close the channel."""
        self.channel.close()
