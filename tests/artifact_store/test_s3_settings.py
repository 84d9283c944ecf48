"""What is said of an object store, and is not so: told by its cause before or when it is first asked."""

from pathlib import Path

import pytest
from mlmd_artifact_store.opening import ReachOptions, open_blobs, open_place
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings, completed
from mlmd_schemas.errors import InvalidArgument, Unavailable


def test_authorities_that_are_none_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    for path, why in (
        (tmp_path / "ca.pem", "certificates in PEM"),
        (tmp_path, "is no file"),
        (tmp_path / "x", "is no file"),
    ):
        with pytest.raises(InvalidArgument, match=rf"{path.name}' .*{why}"):
            completed(S3Settings("bucket", "https://h", ca_file=str(path)), {})


def test_keys_in_an_address_are_refused_and_not_shown() -> None:
    address = "http://user:s3cret@host:9000"
    for settings in (S3Settings("bucket", address), S3Settings("bucket", "http://host", public_endpoint=address)):
        with pytest.raises(InvalidArgument, match="AWS_SECRET_ACCESS_KEY") as refused:
            completed(settings, {})
        assert "s3cret" not in refused.value.message


def test_a_misspelt_query_is_refused_and_one_of_others_is_not() -> None:
    for name, meant in (
        ("endpont", "endpoint"),
        ("disable_ssl", "disableSSL"),
        ("s3forcepathstyle", "s3ForcePathStyle"),
    ):
        with pytest.raises(InvalidArgument, match=f"'{name}' in the query of s3://bucket .*did you mean '{meant}'"):
            open_blobs(f"s3://bucket/prefix?{name}=x", ReachOptions("http://h"))
    assert open_blobs("s3://bucket?awssdk=v2&profile=p&region=r", ReachOptions("http://h")).uri() == "s3://bucket/"


@pytest.mark.parametrize(
    ("query", "asked", "host"),
    [("", None, ""), ("", False, "bucket.minio.example"), ("", True, ""), ("?s3ForcePathStyle=true", False, ""),
     ("?s3ForcePathStyle=false", True, "bucket.minio.example")],
)  # fmt: skip
def test_where_a_bucket_is_named_can_be_said_outside_its_uri(query: str, asked: bool | None, host: str) -> None:
    store = open_blobs(f"s3://bucket/prefix{query}", ReachOptions("http://minio.example:9000", path_style=asked))
    assert isinstance(store, S3Store)
    assert store.settings.virtual_host == host


@pytest.mark.parametrize(("path_style", "told"), [(False, "'bucket.nowhere.invalid', by which .*s3ForcePathStyle=true"),
                                                  (True, "http://nowhere.invalid is not known; check")])  # fmt: skip
def test_a_host_that_is_not_known_is_told_as_it_is_asked_for(path_style: bool, told: str) -> None:
    settings = S3Settings(
        "bucket", "http://nowhere.invalid", "r", "key", "secret", path_style=path_style, busy_seconds=0
    )
    with pytest.raises(Unavailable, match=told):
        S3Store(settings).check()


def test_a_prefix_that_leaves_no_room_is_refused_at_the_start() -> None:
    longest = "/".join(["ü" * 120, "y" * 239])
    assert open_place(f"s3://bucket/{longest}/", ReachOptions("http://h")).uri() == f"s3://bucket/{longest}/"
    with pytest.raises(InvalidArgument, match="prefix in the bucket has 481 bytes of UTF-8, and more than 480 leave"):
        open_place(f"s3://bucket/{longest}z", ReachOptions("http://h"))
    assert open_blobs(f"s3://bucket/{longest}z", ReachOptions("http://h")).uri() == f"s3://bucket/{longest}z/"
