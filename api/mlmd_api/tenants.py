"""Which database a tenant's facts are in."""

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, TypeVar

from google.protobuf.message import Message
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import PermissionDenied

if TYPE_CHECKING:
    from mlmd_metadata_store.rpc import Rpc, StreamRpc
    from mlmd_metadata_store.transaction import Transaction
    from mlmd_migrations import Condition

T = TypeVar("T")
DEFAULT_TENANT = ""
"""The tenant of everybody who has no other: the database given by `--database`."""


class StoreLike(Protocol):
    """What the wires need of a store; `mlmd_metadata_store.store.Store` is one."""

    store_uuid: str

    def pool_use(self) -> dict[str, tuple[int, int]]:
        """Return the connections in use and the most there can be, for each pool."""

    def call(self, rpc: "Rpc", caller: Caller, request: Message) -> Message:
        """Run one method in the store; raises StoreError."""

    def read(self, caller: Caller, body: "Callable[[Transaction], T]") -> T:
        """Run several reads on one snapshot; raises StoreError and what `body` raises."""

    def stream(self, rpc: "StreamRpc", caller: Caller, request: Message) -> Iterator[Message]:
        """Run one streaming method in the store; raises StoreError."""

    def ping(self) -> None:
        """Make one round trip to the database; raises Unavailable."""

    def condition(self) -> "Condition":
        """Compare the shape of the database with what is expected; raises StoreError."""

    def close(self) -> None:
        """Give the connections back."""


class TenantStores:
    """The stores of all tenants, each opened when its first caller comes.

    `urls` maps a tenant to its database. A tenant whose database is away does not keep the others from being served.
    """

    def __init__(self, urls: Mapping[str, str], open_store: Callable[[str], StoreLike]) -> None:
        self._urls = dict(urls)
        self._open_store = open_store
        self._stores: dict[str, StoreLike] = {}
        self._lock = threading.Lock()
        self._locks = {tenant: threading.Lock() for tenant in urls}

    @property
    def names(self) -> list[str]:
        """The tenants, sorted."""
        return sorted(self._urls)

    def of(self, tenant: str) -> StoreLike:
        """Return the tenant's store; raises PermissionDenied for an unknown tenant and what opening raises."""
        store = self._stores.get(tenant)
        return store if store is not None else self._opened(tenant)

    def _opened(self, tenant: str) -> StoreLike:
        lock = self._locks.get(tenant)
        if lock is None:
            shown = f"the tenant {tenant!r}" if tenant else "callers without a tenant"
            raise PermissionDenied(f"This server has no database for {shown}; its operator can add one to --tenants.")
        with lock:
            store = self._stores.get(tenant)
            if store is None:
                store = self._stores[tenant] = self._open_store(self._urls[tenant])
            return store

    def opened(self) -> list[StoreLike]:
        """Return the stores that are open now."""
        return list(self._stores.values())

    def ping(self) -> None:
        """Make a round trip to the default database, or to every opened one when there is no default."""
        if DEFAULT_TENANT in self._urls:
            self.of(DEFAULT_TENANT).ping()
            return
        for store in list(self._stores.values()):
            store.ping()

    def pool_use(self) -> dict[str, tuple[int, int]]:
        """Return the connections in use and the most there can be, for each pool, over all opened stores."""
        total: dict[str, tuple[int, int]] = {}
        for store in list(self._stores.values()):
            for pool, (in_use, size) in store.pool_use().items():
                before = total.get(pool, (0, 0))
                total[pool] = (before[0] + in_use, before[1] + size)
        return total

    def close(self) -> None:
        """Close every opened store; the tenants stay known."""
        with self._lock:
            stores, self._stores = list(self._stores.values()), {}
        for store in stores:
            store.close()
