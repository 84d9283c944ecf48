"""How tests talk to a store: by RPC name and fields, with codes instead of exceptions where wanted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from google.protobuf.message import Message
from mlmd_lineage.methods import LINEAGE_METHODS
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.store import Store
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.errors import Code, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb

RPCS = {rpc.name: rpc for rpc in (*METADATA_METHODS, *LINEAGE_METHODS)}


class Calls:
    """Calls on one store."""

    def __init__(self, store: Store, caller: Caller = LOCAL) -> None:
        self.store = store
        self.caller = caller

    def __call__(self, method: str, request: Message | None = None, /, **fields: Any) -> Any:
        """Make a call; raises StoreError as the store does."""
        rpc = RPCS[method]
        return self.store.call(rpc, self.caller, request if request is not None else rpc.request(**fields))

    def code(self, method: str, request: Message | None = None, /, **fields: Any) -> Code:
        """Make a call and return its code."""
        try:
            self(method, request, **fields)
        except StoreError as error:
            return error.code if error.message else Code.UNKNOWN
        return Code.OK

    def message(self, method: str, request: Message | None = None, /, **fields: Any) -> str:
        """Make a call that must fail and return its message."""
        try:
            self(method, request, **fields)
        except StoreError as error:
            return error.message
        raise AssertionError(f"{method} did not fail")


def value(given: Any) -> pb.Value:
    """Return the Value for a Python value: bool, int, float, str, dict (a struct) or a message (packed as it is)."""
    made = pb.Value()
    if isinstance(given, bool):
        made.bool_value = given
    elif isinstance(given, int):
        made.int_value = given
    elif isinstance(given, float):
        made.double_value = given
    elif isinstance(given, str):
        made.string_value = given
    elif isinstance(given, dict):
        made.struct_value.SetInParent()
        made.struct_value.update(given)
    else:
        made.proto_value.CopyFrom(given)
    return made


def node(
    kind: type[Any], properties: dict[str, Any] | None = None, custom: dict[str, Any] | None = None, **fields: Any
) -> Any:
    """Return an Artifact, Execution or Context with properties given as Python values."""
    made = kind(**fields)
    for name, given in (properties or {}).items():
        made.properties[name].CopyFrom(value(given))
    for name, given in (custom or {}).items():
        made.custom_properties[name].CopyFrom(value(given))
    return made


@contextmanager
def counted(store: Store) -> Iterator[list[str]]:
    """Collect the statements that the store sends while the context is open, on connections that remember nothing."""
    statements: list[str] = []
    store.database.reader.dispose()
    store.database.watch = statements.append
    try:
        yield statements
    finally:
        store.database.watch = None
