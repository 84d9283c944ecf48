"""A shadow refuses exactly the messages in which walking finds a string that is not UTF-8."""

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from mlmd_api.string_shadows import are_strings_utf8
from mlmd_api.utf8 import broken_strings
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import server_pb2

SHAPE = service.PutExecutionRequest.DESCRIPTOR


def _request(text: str, number: int, blob: bytes) -> service.PutExecutionRequest:
    """Return a request with strings at every kind of place, and numbers and bytes between them."""
    request = service.PutExecutionRequest(execution=mlmd.Execution(id=number, name=text))
    pair = request.artifact_event_pairs.add()
    pair.artifact.uri = text
    pair.artifact.properties[text].int_value = number
    pair.artifact.custom_properties["any"].proto_value.value = blob
    pair.artifact.custom_properties["struct"].struct_value["key"] = text
    pair.event.path.steps.add(key=text)
    pair.event.milliseconds_since_epoch = number
    request.contexts.add(type_id=number, name=text)
    return request


@given(st.text(), st.integers(0, 2**63 - 1), st.binary())
def test_what_is_utf8_is_not_refused(text: str, number: int, blob: bytes) -> None:
    assert are_strings_utf8(SHAPE, _request(text, number, blob).SerializeToString())


@given(st.data())
def test_what_is_refused_is_what_a_walk_finds(data: st.DataObject) -> None:
    body = bytearray(_request("text", 300, b"\xff\xfe").SerializeToString())
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        service.PutExecutionRequest.FromString(bytes(body))
    except DecodeError:
        return  # never asked: it holds no message
    assert are_strings_utf8(SHAPE, bytes(body)) == (not list(broken_strings(SHAPE, bytes(body))))


@pytest.mark.parametrize("place", range(9))
def test_a_broken_string_is_refused_wherever_it_is(place: int) -> None:
    parts = _request("@@mark@@", 300, b"\xff\xfe").SerializeToString().split(b"@@mark@@")
    assert len(parts) == 7, "place 6 and above break none"
    whole = [b"@@mark@@"] * (len(parts) - 1)
    if place < len(whole):
        whole[place] = b"@@\xffark@@"
    body = b"".join(part + mark for part, mark in zip(parts, [*whole, b""], strict=True))
    assert are_strings_utf8(SHAPE, body) == (place >= len(whole))


def test_a_message_without_strings_is_never_refused() -> None:
    assert are_strings_utf8(server_pb2.GetInfoRequest.DESCRIPTOR, b"\xfa\x7f\x02\xff\xfe")
