"""What is purged is gone from the answers that are kept for repeats, and a repeat still tells what was done."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from google.protobuf.wrappers_pb2 import BytesValue
from mlmd_artifact_store.calls import ARTIFACT_CALLS
from mlmd_metadata_store.receipt_scrubbing import scrub_receipts
from mlmd_model_registry.kubeflow.calls import Request, unpacked_answer
from mlmd_model_registry.kubeflow.methods import KUBEFLOW_METHODS, service_of
from mlmd_schemas.caller import LOCAL, Caller
from mlmd_schemas.pb.v1 import admin_pb2 as v1
from mlmd_schemas.tables.own import RECEIPT
from mlmd_schemas.tables.v10 import Kind

from tests.artifact_store.care import Admin
from tests.artifact_store.uploads import begin, upload_file
from tests.model_registry.conftest import Registry

SECRET = "jane-doe"
BYTES = {call.name: call for call in ARTIFACT_CALLS}


def keyed(key: str) -> Caller:
    return dataclasses.replace(LOCAL, idempotency_key=key)


def kept(registry: Registry) -> bytes:
    """Return all answers that are kept."""
    rows: Any = registry.store.database.read(LOCAL, lambda tx: tx.rows(sa.select(RECEIPT.c.response)))
    return b"\n".join(bytes(row[0]) for row in rows)


def purge(admin: Admin, kind: v1.NodeKind, *ids: int) -> None:
    assert admin.purge(kind=kind, ids=ids).purged


def test_a_purge_keeps_no_names_for_its_repeat(registry: Registry, admin: Admin) -> None:
    made = registry.run(f"s3://b/{SECRET}")
    fields = {"kind": v1.NODE_KIND_ARTIFACT, "ids": [made]}
    digest = admin("Purge", **fields).digest
    asking = Admin(admin.requests, keyed("once"))
    first = asking("Purge", **fields, digest=digest, reason="r")
    assert [node.uri for node in first.nodes] == [f"s3://b/{SECRET}"]
    assert SECRET.encode() not in kept(registry)
    again = asking("Purge", **fields, digest=digest, reason="r")
    assert [(node.id, node.name, node.uri) for node in again.nodes] == [(made, "", "")]
    assert (again.purged, again.digest, again.node_count) == (True, first.digest, 1)


def test_what_was_answered_of_purged_versions_and_models_is_forgotten(registry: Registry, admin: Admin) -> None:
    made = registry.run(f"s3://b/{SECRET}")
    asking = Registry(registry.store, keyed("model"))
    model = {"name": SECRET, "description": f"of {SECRET}"}
    asking("CreateModel", **model)
    registry("CreateModel", name="other")
    version = {"model": SECRET, "name": "v", "artifact_id": made, "description": SECRET, "tags": {"who": SECRET}}
    asking = Registry(registry.store, keyed("version"))
    first = asking("CreateModelVersion", **version).version
    assert first.tags["who"] == SECRET
    registry("ArchiveModelVersion", model=SECRET, version="v")
    purge(admin, v1.NODE_KIND_CONTEXT, first.id)
    again = asking("CreateModelVersion", **version).version
    assert (again.id, again.artifact_id, again.number) == (first.id, made, first.number)
    assert not again.uri
    assert SECRET not in str(again)
    assert SECRET in str(Registry(registry.store, keyed("model"))("CreateModel", **model)), "the model is not purged"


def test_uploads_and_runs(registry: Registry, admin: Admin) -> None:
    store = registry.store
    asked = begin(store, upload_file("f", b"x"), name=SECRET)
    begin_upload: Callable[..., Any] = BYTES["BeginUpload"].run
    begun = begin_upload(admin.requests, keyed("upload"), asked)
    assert SECRET in begun.uri
    admin.requests.artifacts.abort_upload(begun.artifact_id)
    purge(admin, v1.NODE_KIND_ARTIFACT, begun.artifact_id)
    again = begin_upload(admin.requests, keyed("upload"), asked)
    assert (again.artifact_id, again.uri, again.files_to_send) == (begun.artifact_id, "", 1)
    started = registry("StartRun", experiment="churn", step="train", token="0" * 32)
    finish = {"token": started.token, "state": 3, "reason": SECRET}
    asking = Registry(store, keyed("finish"))
    assert asking("FinishRun", **finish).run.reason == SECRET
    purge(admin, v1.NODE_KIND_EXECUTION, started.run.execution_id)
    ended = asking("FinishRun", **finish).run
    assert (ended.reason, ended.experiment, ended.number, ended.state) == ("", "churn", 1, 3)
    assert SECRET.encode() not in kept(registry)


def test_answers_of_others_stay(registry: Registry, admin: Admin) -> None:
    asking = Registry(registry.store, keyed("model"))
    first = asking("CreateModel", name="fraud", description="d").model
    registry.store.database.write(LOCAL, lambda tx: scrub_receipts(tx, Kind.ARTIFACT, [first.id]))
    registry.store.database.write(LOCAL, lambda tx: scrub_receipts(tx, Kind.CONTEXT, [first.id + 1]))
    assert asking("CreateModel", name="fraud", description="d").model == first


def test_kubeflows_registry(registry: Registry, admin: Admin) -> None:
    rpc = next(rpc for rpc in KUBEFLOW_METHODS if rpc.path == f"/{service_of('v1alpha3')}/createRegisteredModel")
    asked = BytesValue(value=Request("v1alpha3", "", {}, json.dumps({"name": SECRET})).packed())
    status, document = unpacked_answer(registry.store.call(rpc, keyed("rest"), asked).value)
    other = BytesValue(value=Request("v1alpha3", "", {}, json.dumps({"name": "other"})).packed())
    stays = registry.store.call(rpc, keyed("other"), other)
    model = json.loads(document)["id"]
    registry.store.database.write(LOCAL, lambda tx: scrub_receipts(tx, Kind.CONTEXT, [int(model)]))
    assert unpacked_answer(registry.store.call(rpc, keyed("rest"), asked).value) == (
        status,
        b'{"id": "%s"}' % model.encode(),
    )
    assert registry.store.call(rpc, keyed("other"), other) == stays
