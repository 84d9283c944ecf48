"""Texts that are longer than their column: in a call of ours the caller's error, by the name of the field."""

from collections.abc import Iterator
from typing import Any

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import node
from tests.model_registry.conftest import Registry

LONG_NAME, LONG_TEXT = "n" * 4_001, "t" * 70_000


@pytest.fixture(params=[False, True], ids=["utf8mb4", "google-text"])
def bounded(request: pytest.FixtureRequest, mariadb_url: str) -> Iterator[Registry]:
    """Calls on a database whose columns have an end."""
    store = Store.open(mariadb_url, StoreOptions(google_text=request.param))
    registry = Registry(store)
    registry("CreateModel", name="fraud")
    registry("PutArtifactType", artifact_type=pb.ArtifactType(name="A"))
    yield registry
    store.close()


def _artifact(**fields: Any) -> bytes:
    made: bytes = node(pb.Artifact, **fields).SerializeToString()
    return made


def _execution(**fields: Any) -> bytes:
    made: bytes = node(pb.Execution, **fields).SerializeToString()
    return made


CALLS = [
    ("CreateModel", "external_id", {"name": "m", "external_id": LONG_NAME}),
    ("CreateModelVersion", "external_id", {"model": "fraud", "uri": "s3://b/m", "external_id": LONG_NAME}),
    ("AddVersion", "external_id", {"type_name": "A", "name": "c", "artifact": _artifact(external_id=LONG_NAME)}),
    ("AddVersion", "uri", {"type_name": "A", "name": "c", "artifact": _artifact(uri=LONG_TEXT)}),
    ("AddVersion", "custom_properties", {"type_name": "A", "name": "c", "artifact": _artifact(custom={LONG_NAME: 1})}),
    ("StartRun", "external_id", {"experiment": "e", "step": "s", "execution": _execution(external_id=LONG_NAME)}),
]


@pytest.mark.parametrize(("method", "field", "fields"), CALLS, ids=[f"{call[0]}-{call[1]}" for call in CALLS])
def test_what_does_not_fit_is_the_callers_error(
    bounded: Registry, method: str, field: str, fields: dict[str, Any]
) -> None:
    token = {"token": "t" * 20} if method == "StartRun" else {}
    refused = bounded.error(method, **fields, **token)
    assert refused.code is Code.INVALID_ARGUMENT
    assert refused.message.startswith(field)
    assert "255" in refused.message or "65535" in refused.message


def test_in_a_call_of_mlmds_it_is_as_the_contract_has_it(bounded: Registry) -> None:
    type_id = bounded("GetArtifactType", type_name="A").artifact_type.id
    put = {"artifacts": [pb.Artifact(type_id=type_id, external_id=LONG_NAME)]}
    assert bounded.code("PutArtifacts", **put) is Code.INTERNAL
