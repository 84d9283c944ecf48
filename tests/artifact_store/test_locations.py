"""Plain URIs, ours and Kubeflow's."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlmd_artifact_store.keys import check_key
from mlmd_artifact_store.locations import LONGEST_SEGMENT, Location, artifact_prefix, encoded_segment, parse_location
from mlmd_schemas.errors import InvalidArgument

SAFE = set(string.ascii_letters + string.digits + "-._~%")


@pytest.mark.parametrize(
    ("name", "segment"),
    [
        ("", "_"),
        ("_", "%5F"),
        (".", "%2E"),
        ("..", "%2E%2E"),
        (".mlmd", "%2Emlmd"),
        ("system.Model", "system.Model"),
        ("fraud/3", "fraud%2F3"),
        ("a b%20", "a%20b%2520"),
        ("模", "%E6%A8%A1"),
    ],
)
def test_segments(name: str, segment: str) -> None:
    assert encoded_segment(name) == segment


def test_long_names_are_cut_and_told_apart() -> None:
    one, other = encoded_segment("模" * 1000), encoded_segment("模" * 1001)
    assert one != other
    assert len(one) <= LONGEST_SEGMENT
    assert one.startswith("%E6%A8%A1%E6")


@given(st.lists(st.text(max_size=100), min_size=2, max_size=2, unique=True))
def test_names_give_safe_segments_of_their_own(names: list[str]) -> None:
    one, other = map(encoded_segment, names)
    assert one != other
    assert set(one) <= SAFE
    assert check_key(one) == one


def test_prefix_of_an_artifact() -> None:
    assert artifact_prefix("", "system.Model", "fraud", 17) == "_/system.Model/fraud/17/"
    assert artifact_prefix("vision/x", "T", "", 1) == "vision%2Fx/T/_/1/"


@pytest.mark.parametrize(
    ("uri", "location"),
    [
        ("s3://b/k/e y", Location("s3", "b", "k/e y")),
        ("S3://b/a%20b", Location("s3", "b", "a%20b")),
        ("s3://b", Location("s3", "b", "")),
        ("minio://mlpipeline/v2/artifacts/p/r/model", Location("s3", "mlpipeline", "v2/artifacts/p/r/model")),
        (
            "s3://b/p?region=eu-west-1&endpoint=minio:9000&disableSSL=true&s3ForcePathStyle=true",
            Location("s3", "b", "p", "eu-west-1", "minio:9000", False, True),
        ),
        ("s3://b/p?region=x&more=1", Location("s3", "b", "p", "x", others=(("more", "1"),))),
        ("file:///a/b%20c", Location("file", "", "/a/b c")),
        ("file://localhost/a", Location("file", "", "/a")),
    ],
)
def test_parses(uri: str, location: Location) -> None:
    assert parse_location(uri) == location


@pytest.mark.parametrize(
    "uri",
    ["", "b/k", "gs://b/k", "s3:///k", "file://host/a", "file:///a/../b", "file:///a%00", "file:///a?x=1",
     "s3://b/k?disableSSL=perhaps"],
)  # fmt: skip
def test_refuses(uri: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^uri: "):
        parse_location(uri)
