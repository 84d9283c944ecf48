"""Strings that are not UTF-8 are found whatever surrounds them, and nothing else is."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlmd_api.codec import BINARY
from mlmd_api.utf8 import MOST_FIELDS, broken_strings
from mlmd_schemas.errors import InvalidArgument
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import collections_pb2

MARK = "@@mark@@"


def _request(text: str, number: int, blob: bytes) -> service.PutArtifactsRequest:
    request = service.PutArtifactsRequest(artifacts=[mlmd.Artifact(id=number), mlmd.Artifact(uri=text)])
    artifact = request.artifacts[0]
    artifact.custom_properties["text"].string_value = text
    artifact.custom_properties["any"].proto_value.value = blob
    artifact.custom_properties["struct"].struct_value["key"] = text
    return request


@given(st.text(), st.integers(0, 2**63 - 1), st.binary())
def test_what_is_utf8_passes_unchanged(text: str, number: int, blob: bytes) -> None:
    request = _request(text, number, blob)
    assert BINARY.read(service.PutArtifactsRequest, request.SerializeToString()) == request


@given(
    st.binary(min_size=8, max_size=8).filter(lambda data: data.decode("utf-8", "replace").encode() != data),
    st.integers(0, 2**63 - 1),
    st.sampled_from(
        ["artifacts[0].uri", "artifacts[0].properties['k'].value.string_value", "artifacts[0].properties[]"]
    ),
)
def test_what_is_not_is_named(broken: bytes, number: int, place: str) -> None:
    artifact = mlmd.Artifact(id=number)
    if place.endswith("uri"):
        artifact.uri = MARK
    elif place.endswith("[]"):
        artifact.properties[MARK].int_value = 1
    else:
        artifact.properties["k"].string_value = MARK
    body = service.PutArtifactsRequest(artifacts=[artifact]).SerializeToString().replace(MARK.encode(), broken)
    with pytest.raises(InvalidArgument, match="not valid UTF-8") as caught:
        BINARY.read(service.PutArtifactsRequest, body)
    assert caught.value.message.startswith(place.removesuffix("[]"))


def test_bytes_fields_may_hold_anything() -> None:
    request = collections_pb2.AddVersionRequest(type_name="T", name="n", artifact=b"\xff\xfe\x80")
    assert BINARY.read(collections_pb2.AddVersionRequest, request.SerializeToString()) == request


def test_proto3_names_the_field_too() -> None:
    body = (
        collections_pb2.AddVersionRequest(type_name="T", name="good").SerializeToString().replace(b"good", b"\xffood")
    )
    with pytest.raises(InvalidArgument, match=r"^name: "):
        BINARY.read(collections_pb2.AddVersionRequest, body)


def test_a_backslash_and_digits_are_no_broken_string() -> None:
    artifact = mlmd.Artifact(id=300, uri="\\377 \\\\200 é")
    assert BINARY.read(mlmd.Artifact, artifact.SerializeToString()) == artifact


def test_unknown_fields_may_hold_anything() -> None:
    body = b"\xfa\x7f\x02\xff\xfe"
    assert BINARY.read(mlmd.Artifact, body).SerializeToString() == body


@pytest.mark.parametrize(
    "before",
    [b"\xfd\x7f" + b"\x1a\x01\xfe\x00", b"\xf9\x7f" + b"\x1a\x01\xfe\x00" * 2, b"\xfb\x7f\x1a\x01\xfe\xfc\x7f"],
    ids=["four bytes", "eight bytes", "a group"],
)
def test_a_broken_string_behind_fields_of_every_width_is_named(before: bytes) -> None:
    """What stands in an unknown field looks like a string and is none."""
    assert BINARY.read(mlmd.Artifact, before).SerializeToString() == before
    with pytest.raises(InvalidArgument, match=r"^uri: "):
        BINARY.read(mlmd.Artifact, before + b"\x1a\x01\xff")
    assert list(broken_strings(mlmd.Artifact.DESCRIPTOR, before + b"\x1a\x01\xff")) == ["uri"]


def test_a_string_whose_last_character_goes_on_in_the_next_field_is_named() -> None:
    """All the bytes together are UTF-8: C3 ends the string, and A8 begins the key of an unknown field."""
    body = b"\x12\x02l\xc3" + b"\xa8\x12\x01"
    assert body.decode() == "\x12\x02l\u00e8\x12\x01"
    with pytest.raises(InvalidArgument, match=r"^uris\[0\]: the string is not valid UTF-8"):
        BINARY.read(service.GetArtifactsByURIRequest, body)


STRINGS = st.sampled_from([b"", b"a", b"\xc3", b"\xa8", b"\xc3\xa8", b"a\xe2", b"\x82\xac", b"\xff"])


@given(st.lists(st.one_of(STRINGS, st.integers(16, 24)), max_size=6))
@settings(max_examples=600)
def test_a_string_is_refused_for_what_is_in_it(parts: list[bytes | int]) -> None:
    """A number is an unknown field, whose key has bytes that may seem to end a character."""
    body = b""
    for part in parts:
        if isinstance(part, bytes):
            body += bytes((2 << 3 | 2, len(part))) + part
        else:
            body += bytes((part << 3 & 127 | 128, part >> 4, 1))
    strings = [part for part in parts if isinstance(part, bytes)]
    broken = [place for place, string in enumerate(strings) if string.decode(errors="replace").encode() != string]
    if not broken:
        read: Any = BINARY.read(service.GetArtifactsByURIRequest, body)
        assert read.uris == [string.decode() for string in strings]
        return
    with pytest.raises(InvalidArgument, match=rf"^uris\[{broken[0]}\]: the string is not valid UTF-8"):
        BINARY.read(service.GetArtifactsByURIRequest, body)


def test_corrupt_bytes_hold_no_strings() -> None:
    assert list(broken_strings(mlmd.Artifact.DESCRIPTOR, b"\x1a\x7f")) == []
    with pytest.raises(InvalidArgument, match=r"^request: "):
        BINARY.read(mlmd.Artifact, b"\x1a\x7f")


def test_a_broken_string_behind_very_many_fields_is_told_without_its_name() -> None:
    """Looking for it takes Python seconds for each megabyte, and everybody else waits meanwhile."""
    body = b"\xf8\x7f\x01" * (MOST_FIELDS + 1) + b"\x1a\x01\xff"
    with pytest.raises(InvalidArgument, match=rf"^request: a string behind its first {MOST_FIELDS:,} fields is not"):
        BINARY.read(mlmd.Artifact, body)
    with pytest.raises(InvalidArgument, match=r"^request: 9000000 bytes came, and no "):
        BINARY.read(mlmd.Artifact, b"\0" * 9_000_000)


def test_messages_inside_each_other_are_looked_into_without_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"\x1a\x04\xff" + b"abc"
    seen: list[object] = []
    monkeypatch.setattr("mlmd_api.utf8.is_utf8", lambda data: seen.append(data))
    list(broken_strings(service.PutArtifactsRequest.DESCRIPTOR, b"\x0a" + bytes([len(body)]) + body))
    assert [type(data) for data in seen] == [memoryview]
