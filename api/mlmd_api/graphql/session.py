"""What the fields of one operation share: the caller, the store, and what was read so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from google.protobuf.message import Message
from mlmd_schemas.caller import Caller
from mlmd_schemas.errors import Unimplemented

from mlmd_api.dispatch import check_role
from mlmd_api.graphql.loading import Loading
from mlmd_api.methods import Method

if TYPE_CHECKING:
    from mlmd_artifact_store.requests import Requests
    from mlmd_metadata_store.rpc import Rpc
    from mlmd_metadata_store.transaction import Transaction

    from mlmd_api.tenants import StoreLike

T = TypeVar("T")


@dataclass(slots=True)
class Session:
    """One operation. Queries read on the snapshot of `tx`; without it each read has one of its own."""

    caller: Caller
    store: "StoreLike"
    methods: Mapping[str, Method]
    artifacts: "Callable[[], Requests] | None" = None
    tx: "Transaction | None" = None
    writes: int = 0
    """Fields of the operation that write."""
    loading: Loading = field(init=False)

    def __post_init__(self) -> None:
        self.loading = Loading(self)

    def read(self, body: Callable[..., T], *arguments: Any) -> T:
        """Run a function of a transaction that reads."""
        self.caller.check_deadline()
        if self.tx is not None:
            return body(self.tx, *arguments)
        return self.store.read(self.caller, lambda tx: body(tx, *arguments))

    def ask(self, rpc: "Rpc", request: Message) -> Any:
        """Answer a method of the store that reads."""
        return self.read(rpc.body, request)

    def write(self, path: str, request: Message, idempotency_key: str | None = None) -> Any:
        """Call a method that writes, and forget what was read before it."""
        method = self.methods.get(path)
        if method is None:
            raise Unimplemented(f"{path} is no method of this server; ask mlmd.v1.Server/GetInfo what it can do.")
        check_role(method, self.caller)
        caller = self.caller if idempotency_key is None else replace(self.caller, idempotency_key=idempotency_key)
        try:
            return method.run(caller, request)
        finally:
            self.loading.forget()
