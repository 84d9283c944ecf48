"""The reference answers, dies of what it is known to die of, and comes back."""

from typing import Any

import pytest
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.reference.client import Reference
from tests.reference.databases import run_statements

pytestmark = pytest.mark.reference


def artifacts_with(reference: Reference, **changes: Any) -> service.PutArtifactsRequest:
    """Return a request with one artifact of the fixture's type Model."""
    request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Model"))
    type_id = reference.put("PutArtifactType", request).type_id
    return service.PutArtifactsRequest(artifacts=[mlmd.Artifact(type_id=type_id, **changes)])


def test_a_call_is_answered_with_a_response_or_a_message(any_reference: Reference) -> None:
    reference = any_reference
    made = reference.call("PutArtifacts", artifacts_with(reference, name="first"))
    again = reference.call("PutArtifacts", artifacts_with(reference, name="first"))
    assert made.code is Code.OK
    assert list(made.response.artifact_ids) == [1]
    assert again.code is Code.ALREADY_EXISTS
    assert "first" in again.message


def test_an_abort_is_an_answer_and_the_database_stays(any_reference: Reference) -> None:
    reference = any_reference
    reference.put("PutArtifacts", artifacts_with(reference, name="kept"))
    deadly = artifacts_with(reference, name="deadly")
    deadly.artifacts[0].custom_properties["unset"].Clear()
    answer = reference.call("PutArtifacts", deadly)
    assert answer.crashed
    assert "-6" in answer.message
    stored = reference.put("GetArtifacts", service.GetArtifactsRequest()).artifacts
    assert [artifact.name for artifact in stored] == ["kept"]


def test_a_reset_forgets_everything(any_reference: Reference) -> None:
    reference = any_reference
    reference.put("PutArtifacts", artifacts_with(reference, name="gone"))
    reference.reset()
    assert not reference.put("GetArtifacts", service.GetArtifactsRequest()).artifacts


def test_bytes_that_are_no_request_are_refused(reference: Reference) -> None:
    code, message = reference.call_bytes("PutArtifacts", b"\xff\xff\xff")
    assert code is Code.INVALID_ARGUMENT
    assert message == b"Could not parse proto"


def test_a_large_request_and_its_response_come_through(reference: Reference) -> None:
    reference.put("PutArtifacts", artifacts_with(reference, uri="x" * 8_000_000))
    stored = reference.put("GetArtifacts", service.GetArtifactsRequest()).artifacts
    assert len(stored[0].uri) == 8_000_000


def test_what_the_binding_does_not_wrap_is_unimplemented(reference: Reference) -> None:
    answer = reference.call("GetParentContextsByContexts", service.GetParentContextsByContextsRequest())
    assert answer.code is Code.UNIMPLEMENTED


def test_a_database_that_cannot_be_opened_is_an_answer(reference: Reference) -> None:
    run_statements(reference.config, ["UPDATE MLMDEnv SET schema_version = 99"])
    answer = reference.open(reference.config)
    assert answer.code is Code.UNKNOWN
    assert "99" in answer.message


def test_the_fixture_has_the_ids_and_times_of_the_recordings(any_reference: Reference) -> None:
    made = any_reference.build_fixture()
    assert (made.artifacts, made.executions, made.contexts) == ([*range(1, 9)], [*range(1, 5)], [*range(1, 5)])
    assert made.types["Dataset"] == 10
    stored = any_reference.put("GetArtifacts", service.GetArtifactsRequest()).artifacts
    assert [a.last_update_time_since_epoch for a in stored] == [2000, 1990, 1990, 1980, 1980, 1970, 1970, 1960]
    assert set(stored[2].custom_properties) == {"my param", "a.b", "a+b", "UPPER"}
