"""What a uri below an old root is below a new one."""

from pathlib import Path

import pytest
from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.relocated_uris import Relocation, relocation
from mlmd_schemas.errors import InvalidArgument

KEY = "_/system.Model/a%20b/7/folder é/100%.txt"


def between(old: str, new: str) -> Relocation:
    return relocation(old, new, "")


def test_a_prefix_is_exchanged() -> None:
    moved = between("s3://old/pre", "s3://new/")
    assert moved.moved("s3://old/pre/_/T/n/7/") == "s3://new/_/T/n/7/"
    assert moved.moved("s3://old/pre/_/T/n/7/a//b") == "s3://new/_/T/n/7/a//b"


@pytest.mark.parametrize(
    "uri",
    ["s3://old/prefix/x", "s3://old/pre", "s3://older/pre/x", "S3://old/pre/x", "gs://old/pre/x", "", "x", "/pre/"],
)
def test_what_is_not_below_stays(uri: str) -> None:
    assert between("s3://old/pre/", "s3://new/").moved(uri) is None


def test_a_folder_spells_its_keys_otherwise_than_a_bucket(tmp_path: Path) -> None:
    folder = LocalStore(tmp_path / "a b")
    root = f"{folder.uri()}/"
    up = between(str(tmp_path / "a b"), "s3://new/pre/")
    assert up.moved(folder.uri(KEY)) == f"s3://new/pre/{KEY}"
    assert up.key_of(folder.uri(KEY)) == KEY
    down = between("s3://new/pre", root)
    assert down.moved(f"s3://new/pre/{KEY}") == folder.uri(KEY)
    assert down.key_of(f"s3://new/pre/{KEY}") == KEY


@pytest.mark.parametrize("said", ["file:///srv/a%20b", "file:///srv/a%20b/", "/srv/a b", "file://localhost/srv/a%20b"])
def test_a_folder_may_be_said_in_every_way(said: str) -> None:
    assert between(said, "s3://new/").moved("file:///srv/a%20b/_/x") == "s3://new/_/x"


def test_kubeflows_scheme_stays_where_it_can() -> None:
    assert between("minio://old/", "s3://new/").moved("minio://old/x") == "minio://new/x"
    assert between("s3://old/", "file:///srv/").moved("minio://old/x") == "file:///srv/x"


def test_another_object_store_has_other_bytes_under_the_same_name() -> None:
    said = "s3://old/x?endpoint=http%3A%2F%2Fminio%3A9000&region=here&other=1"
    assert between("s3://old/", "s3://new/").moved(said) is None
    assert between("s3://old/", "s3://new/").moved(said, is_ours=True) == "s3://new/x?other=1"
    assert between("s3://older/", "s3://new/").moved(said, is_ours=True) is None
    assert between("s3://old?endpoint=http://MINIO:9000", "s3://new/").moved(said) == "s3://new/x?other=1"
    assert between("s3://old?endpoint=minio:9000", "s3://new/").moved("s3://old/x") == "s3://new/x"
    assert between("s3://old?endpoint=minio:9000", "s3://new/").key_of(said) == "x"


def test_a_place_may_keep_its_name() -> None:
    assert between("s3://same/pre", "s3://same/pre/").moved("s3://same/pre/x") == "s3://same/pre/x"


def test_what_was_moved_below_the_old_root_is_not_moved_again() -> None:
    inwards = between("s3://b", "s3://b/in/")
    assert inwards.moved("s3://b/_/x") == "s3://b/in/_/x"
    assert inwards.moved("s3://b/in/_/x") is None


def test_what_was_moved_out_of_a_folder_is_not_moved_again() -> None:
    outwards = between("s3://b/in", "s3://b/")
    assert outwards.moved("s3://b/in/_/x") == "s3://b/_/x"
    assert outwards.moved("s3://b/_/x") is None
    assert outwards.moved("s3://b/in/in/x") is None  # it would be below the old root again


@pytest.mark.parametrize(("old", "new"), [("s3://b", "s3://b/_/"), ("s3://b/_", "s3://b/"), ("s3://b", "s3://b/_/T/")])
def test_roots_within_one_another_where_a_tenants_folder_is(old: str, new: str) -> None:
    with pytest.raises(InvalidArgument, match=r"from: .* is within the other.*third place"):
        between(old, new)


@pytest.mark.parametrize("said", ["", "gs://bucket/x", "file://host/x", "s3:///x"])
def test_what_is_no_place(said: str) -> None:
    with pytest.raises(InvalidArgument, match=r"^from: "):
        between(said, "s3://new/")
