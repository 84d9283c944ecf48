"""Taking what was purged out of receipts: the stored answers of calls that told a node's facts.

What a purge takes from a node no replay of an earlier call may tell on. The answer stays, with its ids and numbers, so
that a call that was done is not done again; its texts about the node go.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue
from mlmd_schemas.pb.v1 import artifacts_pb2, registry_pb2, runs_pb2
from mlmd_schemas.tables.own import RECEIPT
from mlmd_schemas.tables.v10 import Kind

from mlmd_metadata_store.transaction import Transaction

_ABOUT: dict[str, dict[str, Kind]] = {
    "mlmd.v1.BeginUploadResponse": {"artifact_id": Kind.ARTIFACT},
    "mlmd.v1.Manifest": {"artifact_id": Kind.ARTIFACT},
    "mlmd.v1.Model": {"id": Kind.CONTEXT},
    "mlmd.v1.ModelVersion": {
        "id": Kind.CONTEXT,
        "artifact_id": Kind.ARTIFACT,
        "model_artifact_id": Kind.ARTIFACT,
    },
    "mlmd.v1.Deployment": {"id": Kind.CONTEXT, "execution_id": Kind.EXECUTION},
    "mlmd.v1.Run": {"execution_id": Kind.EXECUTION},
}
"""Messages that tell facts of nodes, and their fields that say of which; MLMD's own calls answer writes with ids."""
_STAYS = {"mlmd.v1.Run": ("experiment", "step", "subject")}
"""Texts of these that a purge leaves in the store, too."""
_KUBEFLOW = "/kubeflow."
_COLUMNS = ("idempotency_key", "method", "request_sha256", "response", "create_ms")
_AT_ONCE = 500


def _told(descriptor: Descriptor) -> bool:
    return any(field.message_type and field.message_type.full_name in _ABOUT for field in descriptor.fields)


def _answers() -> Iterator[tuple[str, type[Message]]]:
    """Yield the paths of calls whose answers tell facts, with the classes of these."""
    for module in (artifacts_pb2, registry_pb2, runs_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for method in service.methods:
                answer = method.output_type
                if answer.full_name in _ABOUT or _told(answer):
                    yield f"/{service.full_name}/{method.name}", message_factory.GetMessageClass(answer)


_ANSWERS = dict(_answers())
_TELLING = sa.select(*(RECEIPT.c[name] for name in _COLUMNS)).where(
    sa.or_(RECEIPT.c.method.in_(sorted(_ANSWERS)), RECEIPT.c.method.startswith(_KUBEFLOW))
)


def scrub_receipts(tx: Transaction, kind: Kind, ids: Sequence[int]) -> None:
    """Take the texts about these nodes out of the answers that are kept for repeats of calls."""
    gone = set(ids)
    scrubbed: list[Sequence[Any]] = []
    for rows in tx.row_chunks(_TELLING, None, _AT_ONCE):
        for key, method, digest, response, create_ms in rows:
            kept = _scrubbed(method, bytes(response), kind, gone)
            if kept is not None:
                scrubbed.append((key, method, digest, kept, create_ms))
    if scrubbed:
        tx.upsert(RECEIPT, _COLUMNS, scrubbed, _COLUMNS[:1])


def _scrubbed(method: str, response: bytes, kind: Kind, gone: set[int]) -> bytes | None:
    """Return an answer without its texts about nodes that are gone, None when it has none."""
    if method not in _ANSWERS:
        return _scrubbed_json(response, gone)
    answer = _ANSWERS[method].FromString(response)
    found = [part for part in _parts(answer) if _is_about(part, kind, gone)]
    for part in found:
        _clear_texts(part)
    return answer.SerializeToString() if found else None


def _parts(answer: Message) -> Iterator[Message]:
    yield answer
    for field, value in answer.ListFields():
        if field.message_type and field.message_type.full_name in _ABOUT:
            yield from value if isinstance(value, Sequence) else (value,)


def _is_about(part: Message, kind: Kind, gone: set[int]) -> bool:
    named = _ABOUT.get(part.DESCRIPTOR.full_name, {})
    return any(of is kind and getattr(part, field) in gone for field, of in named.items())


def _clear_texts(part: Message) -> None:
    """Clear what is no number and no state: texts, and what is made of texts."""
    stays = _STAYS.get(part.DESCRIPTOR.full_name, ())
    for field, _ in part.ListFields():
        if field.name not in stays and field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_MESSAGE):
            part.ClearField(field.name)


def _scrubbed_json(response: bytes, gone: set[int]) -> bytes | None:
    """Return an answer of Kubeflow's registry with the id alone, where that is the number of a node, of whatever kind.

    It is three digits of status and a document of JSON.
    """
    value = BytesValue.FromString(response).value
    told = json.loads(value[3:]).get("id", "")
    if told not in map(str, gone):
        return None
    return BytesValue(value=value[:3] + json.dumps({"id": told}).encode()).SerializeToString()
