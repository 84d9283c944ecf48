"""What can be called, as every wire sees it: a path, two shapes, the least role and one function."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from google.protobuf.message import Message
from mlmd_schemas.caller import Caller, Role

from mlmd_api.tenants import TenantStores

if TYPE_CHECKING:
    from mlmd_metadata_store.rpc import Rpc, StreamRpc


@dataclass(frozen=True, slots=True)
class Method:
    """One unary method of one service.

    `role` is the least role that may call it; None means that nobody needs to say who they are. A request of more than
    `largest_bytes` (0: the server's own limit) is refused before it is read, with what to do `instead`. One that
    `needs_bytes` of artifacts may wait for the place that keeps them.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    role: Role | None
    run: Callable[[Caller, Any], Message]
    largest_bytes: int = 0
    instead: str = ""
    needs_bytes: bool = False

    @property
    def path(self) -> str:
        """Return the method's path on every wire, `/package.Service/Method`."""
        return f"/{self.service}/{self.name}"

    @property
    def writes(self) -> bool:
        """Tell whether a call of it may wait for locks of the database."""
        return self.role in (Role.WRITER, Role.ADMIN)


@dataclass(frozen=True, slots=True)
class StreamMethod:
    """One method that takes a request and answers with a stream of messages.

    `run` is consumed in a thread of its own, as fast as the caller reads. It ends the stream by returning, and has to
    return soon after `caller.gone` is set; what it raises ends the stream with that error.
    """

    service: str
    name: str
    request: type[Message]
    response: type[Message]
    role: Role | None
    run: Callable[[Caller, Any], Iterator[Message]]

    @property
    def path(self) -> str:
        """Return the method's path on every wire, `/package.Service/Method`."""
        return f"/{self.service}/{self.name}"


def store_streams(rpcs: Iterable["StreamRpc"], stores: TenantStores) -> list[StreamMethod]:
    """Return the streaming methods of the store, each run on the database of its caller's tenant."""
    return [
        StreamMethod(rpc.service, rpc.name, rpc.request, rpc.response, rpc.role, partial(_from_store, stores, rpc))
        for rpc in rpcs
    ]


def _from_store(stores: TenantStores, rpc: "StreamRpc", caller: Caller, request: Message) -> Iterator[Message]:
    return stores.of(caller.tenant).stream(rpc, caller, request)


class _HasPath(Protocol):
    @property
    def path(self) -> str: ...


M = TypeVar("M", bound=_HasPath)


def store_methods(rpcs: Iterable["Rpc"], stores: TenantStores) -> list[Method]:
    """Return the methods of the store, each run on the database of its caller's tenant."""
    return [
        Method(rpc.service, rpc.name, rpc.request, rpc.response, rpc.role, partial(_in_store, stores, rpc))
        for rpc in rpcs
    ]


def _in_store(stores: TenantStores, rpc: "Rpc", caller: Caller, request: Message) -> Message:
    return stores.of(caller.tenant).call(rpc, caller, request)


def by_path(methods: Iterable[M]) -> Mapping[str, M]:
    """Return the methods by their path; raises ValueError when two share one."""
    table: dict[str, M] = {}
    for method in methods:
        if method.path in table:
            raise ValueError(f"two methods are called {method.path}")
        table[method.path] = method
    return table
