"""transaction_options, which every call takes and no answer depends on (write contract, 5.1)."""

from typing import Any

from google.protobuf.message import Message
from mlmd_metadata_store.rpc import MLMD_SERVICE
from mlmd_schemas.errors import StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import RPCS, Calls

EXTENSION = b"\xc2\x3e\x01x"
"""Field 1000, the first that is left to extensions, with a text."""


def outcome(call: Calls, method: str, request: Message) -> object:
    try:
        return call(method, request)
    except StoreError as error:
        return error.code, error.message


def test_every_call_takes_them(call: Calls) -> None:
    methods = {name: rpc for name, rpc in RPCS.items() if rpc.service == MLMD_SERVICE}
    assert len(methods) == 52
    for name, rpc in methods.items():
        plain = rpc.request()
        given: Any = rpc.request(transaction_options=pb.TransactionOptions(tag="debug"))
        given.transaction_options.MergeFromString(EXTENSION)
        assert outcome(call, name, given) == outcome(call, name, plain), name


def test_they_change_no_write(call: Calls) -> None:
    options = pb.TransactionOptions(tag="debug")
    made = call("PutArtifactType", artifact_type={"name": "T"}, transaction_options=options).type_id
    assert call("PutArtifacts", artifacts=[{"type_id": made}], transaction_options=options).artifact_ids == [1]
    assert [a.id for a in call("GetArtifacts", transaction_options=options).artifacts] == [1]
