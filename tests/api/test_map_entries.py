"""Entries of maps with a field that nobody knows count as they do in C++: the last of a key is the one."""

import pytest
from google.protobuf.message import Message
from mlmd_api.codec import BinaryCodec
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

PROPERTIES, CUSTOM = 4, 5
"""The maps of an artifact."""
UNKNOWN_FIELD = b"\xa2\x06\x01a"
"""Field 100, of two bytes."""


def field(number: int, content: bytes) -> bytes:
    """Return a field with up to 127 bytes in it."""
    return bytes((number << 3 | 2, len(content))) + content


def entry(key: bytes, number: int, stray: bytes = b"") -> bytes:
    """Return an entry whose value is that number, and behind it what nobody knows."""
    return field(1, key) + field(2, pb.Value(int_value=number).SerializeToString()) + stray


def read(kind: type[Message], body: bytes) -> Message:
    return BinaryCodec().read(kind, body)


def numbers_of(*entries: bytes, number: int = CUSTOM) -> dict[str, int]:
    """Return what a new artifact with these entries, in that order, has in that map."""
    body = field(1, b"".join(field(number, one) for one in entries))
    request = read(service.PutArtifactsRequest, body)
    assert isinstance(request, service.PutArtifactsRequest)
    (artifact,) = request.artifacts
    values = artifact.properties if number == PROPERTIES else artifact.custom_properties
    return {key: value.int_value for key, value in values.items()}


@pytest.mark.parametrize("number", [PROPERTIES, CUSTOM])
@pytest.mark.parametrize("strays", ["", "1", "2", "12"])
def test_the_last_of_two_entries_of_a_key_counts(strays: str, number: int) -> None:
    first, second = (UNKNOWN_FIELD if which in strays else b"" for which in "12")
    assert numbers_of(entry(b"x", 1, first), entry(b"x", 2, second), number=number) == {"x": 2}


def test_entries_of_other_keys_stay() -> None:
    assert numbers_of(entry(b"x", 1), entry(b"y", 2, UNKNOWN_FIELD), entry(b"z", 3)) == {"x": 1, "y": 2, "z": 3}


def test_the_last_type_of_a_property_counts_and_an_unknown_one_does_not() -> None:
    kinds = (b"\x10\x01" + UNKNOWN_FIELD, b"\x10\x03", b"\x10\x4d" + UNKNOWN_FIELD)
    body = field(1, b"".join(field(3, field(1, b"i") + kind) for kind in kinds))
    request = read(service.PutArtifactTypeRequest, body)
    assert isinstance(request, service.PutArtifactTypeRequest)
    assert dict(request.artifact_type.properties) == {"i": pb.STRING}


def test_entries_in_the_values_of_a_map_are_there() -> None:
    """A dict whose property is a dict whose property comes with a field that nobody knows, before another."""
    none, every = b"\x2a\x00", b"\x32\x00"
    inner = field(1, field(1, b"j") + field(2, none) + UNKNOWN_FIELD) + field(1, field(1, b"j") + field(2, every))
    struct = field(8, field(1, field(1, b"k") + field(2, field(8, inner))))
    request = read(service.PutExecutionTypeRequest, field(1, field(4, struct)))
    assert isinstance(request, service.PutExecutionTypeRequest)
    properties = request.execution_type.input_type.dict.properties
    assert list(properties) == ["k"]
    assert {key: value.WhichOneof("kind") for key, value in properties["k"].dict.properties.items()} == {"j": "any"}
