"""What a call is: its name, its shapes, who may make it, and the function of a transaction that answers it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from google.protobuf.message import Message
from mlmd_schemas.caller import Role
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from mlmd_metadata_store.transaction import Transaction

MLMD_SERVICE = "ml_metadata.MetadataStoreService"

Body = Callable[[Transaction, Any], Any]
Glance = Callable[[Transaction, Any], None]


@dataclass(frozen=True, slots=True)
class Rpc:
    """One unary method of one service.

    `body` takes the transaction and the request and returns the response; it raises StoreError only. A body with
    `write` runs in a write transaction and may run more than once, so it must have no effect outside it. Before that
    `glance`, where there is one, may refuse the call from a snapshot, so that a call which is bound to fail waits for
    no other write and keeps none back; what it lets pass the body judges again. What is `kept` of an answer is stored
    for a repeat with the same idempotency key; by default all of it.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    role: Role
    write: bool
    body: Body
    glance: Glance | None = None
    kept: Callable[[Any], Message] | None = None

    @property
    def path(self) -> str:
        """Return the method's path on every wire, `/package.Service/Method`."""
        return f"/{self.service}/{self.name}"


@dataclass(frozen=True, slots=True)
class StreamRpc:
    """One method that reads one snapshot and answers with a stream.

    `body` takes the transaction and the request and yields the responses; it raises StoreError only.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    role: Role
    body: Callable[[Transaction, Any], Iterator[Any]]


@dataclass(frozen=True, slots=True)
class Service:
    """A service whose requests and responses are messages of one module, named after its methods."""

    name: str
    messages: ModuleType

    def reads(self, name: str, body: Body, role: Role = Role.READER) -> Rpc:
        """Return a method that reads."""
        return self._method(name, role, False, body, None)

    def writes(self, name: str, body: Body, role: Role = Role.WRITER, glance: Glance | None = None) -> Rpc:
        """Return a method that writes."""
        return self._method(name, role, True, body, glance)

    def _method(self, name: str, role: Role, write: bool, body: Body, glance: Glance | None) -> Rpc:
        request, response = (getattr(self.messages, f"{name}{end}") for end in ("Request", "Response"))
        return Rpc(self.name, name, request, response, role, write, body, glance)


_MLMD = Service(MLMD_SERVICE, service)
mlmd_read, mlmd_write = _MLMD.reads, _MLMD.writes
"""Return a method of MLMD's service that reads, or writes."""
