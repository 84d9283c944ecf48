"""Where keys are found, and that a server outlives them."""

import dataclasses
import os
from pathlib import Path

import pytest
from mlmd_artifact_store import s3_credentials
from mlmd_artifact_store.s3 import S3Store
from mlmd_artifact_store.s3_settings import S3Settings
from mlmd_schemas.errors import FailedPrecondition

from tests.artifact_store.conformance.suite import content_of, put
from tests.services.ceph import S3Address

KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")
ROLES = (
    "AWS_PROFILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)


@pytest.fixture(autouse=True)
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without keys; files are looked at whenever keys are asked for."""
    for name in (*KEYS, *ROLES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(s3_credentials, "_LOOK_SECONDS", 0.0)


@pytest.fixture
def settings(s3: S3Address, bucket: str) -> S3Settings:
    """The settings of an empty bucket, without keys."""
    return S3Settings(bucket, s3.endpoint, "us-east-1")


def write(file: Path, *, access_key: str, secret_key: str, profile: str = "default") -> None:
    """Replace a credentials file as whoever renews keys does."""
    file.parent.mkdir(exist_ok=True)
    fresh = file.with_suffix(".new")
    fresh.write_text(f"[{profile}]\naws_access_key_id = {access_key}\naws_secret_access_key = {secret_key}\n")
    fresh.replace(file)


def works(store: S3Store) -> bool:
    """Whether a blob comes back, through minio-py and by a request that was signed."""
    put(store, "k", b"x")
    return content_of(store, "k") == b"x" and [blob.key for blob in store.list()] == ["k"]


@pytest.mark.parametrize(("name", "secret"), [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
                                              ("MINIO_ACCESS_KEY", "MINIO_SECRET_KEY")])  # fmt: skip
def test_keys_of_the_environment(
    s3: S3Address, settings: S3Settings, monkeypatch: pytest.MonkeyPatch, name: str, secret: str
) -> None:
    monkeypatch.setenv(name, s3.access_key)
    monkeypatch.setenv(secret, s3.secret_key)
    assert works(S3Store(settings))


@pytest.mark.parametrize(
    ("name", "lacking"),
    [("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
     ("MINIO_SECRET_KEY", "MINIO_ACCESS_KEY")],
)  # fmt: skip
def test_half_a_pair_of_keys_is_named(
    settings: S3Settings, monkeypatch: pytest.MonkeyPatch, name: str, lacking: str
) -> None:
    monkeypatch.setenv(name, "half")
    with pytest.raises(FailedPrecondition, match=rf"no credentials .*\({name} is set and {lacking} is not, "):
        S3Store(settings).check()


def test_a_file_is_read_again_when_it_is_replaced(
    s3: S3Address, settings: S3Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / ".aws" / "credentials"
    store = S3Store(settings)
    with pytest.raises(FailedPrecondition, match=r"no credentials .*\.aws/credentials is not there"):
        store.check()
    write(file, access_key="revoked", secret_key="since")
    with pytest.raises(FailedPrecondition, match="does not accept the access key"):
        store.check()
    write(file, access_key=s3.access_key, secret_key=s3.secret_key)
    assert works(store)
    file.write_text("[default]\naws_access")  # whoever writes it is not done
    assert works(store)
    file.write_text("[default]\n")
    assert works(store)
    assert [record.getMessage() for record in caplog.records if "before are used on" in record.getMessage()]
    file.unlink()
    assert works(store)


def test_a_file_and_a_profile_of_ones_own(
    s3: S3Address, settings: S3Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secrets" / "s3"
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "models")
    write(file, access_key=s3.access_key, secret_key=s3.secret_key, profile="models")
    assert works(S3Store(settings))
    monkeypatch.setenv("AWS_PROFILE", "data")
    with pytest.raises(FailedPrecondition, match="s3 has no keys of the profile 'data'"):
        S3Store(settings).check()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"aws_access_key_id = x\n", "is no file of AWS's credentials"),
        (b"\xff\xfe\x00", "has no keys"),
        (b"", "has no keys"),
    ],
)
def test_a_file_that_is_none(settings: S3Settings, tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_bytes(content)
    with pytest.raises(FailedPrecondition, match=reason):
        S3Store(settings).check()


def test_a_folder_in_the_files_place(settings: S3Settings, tmp_path: Path) -> None:
    (tmp_path / ".aws" / "credentials").mkdir(parents=True)
    with pytest.raises(FailedPrecondition, match="cannot be read: Is a directory"):
        S3Store(settings).check()


def test_the_keys_of_the_settings_win(s3: S3Address, settings: S3Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setitem(os.environ, "AWS_SECRET_ACCESS_KEY", "nothing")
    assert works(S3Store(dataclasses.replace(settings, access_key=s3.access_key, secret_key=s3.secret_key)))
