"""What is particular to a folder: what others find there, a full disk, files that others touched."""

import errno
import io
import os
import resource
import stat
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from urllib.request import urlopen

import pytest
from mlmd_artifact_store.blob_store import Part, etag_of_md5s
from mlmd_artifact_store.local import LocalStore
from mlmd_schemas.errors import FailedPrecondition, InvalidArgument, NotFound, ResourceExhausted

from tests.artifact_store.conformance.suite import content_of, keys, md5, put


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    """An empty store."""
    return LocalStore(tmp_path / "artifacts")


@contextmanager
def limited(size_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as a full disk would."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_share_may_sync_no_folders_set_no_times_and_link_nothing(
    store: LocalStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As SMB is mounted in Kubernetes: folders refuse fsync, files are all another user's."""
    sync = os.fsync

    def sync_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        sync(descriptor)

    def refuse(*names: object, **options: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fsync", sync_files)
    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(os, "link", refuse)
    put(store, "a/b", b"content")
    assert content_of(store, "a/b") == b"content"
    assert keys(store) == ["a/b"]


def test_files_are_found_under_their_names(store: LocalStore) -> None:
    put(store, "system.Model/fra ud/7/weights 100%.bin", b"weights")
    path = store.root / "system.Model" / "fra ud" / "7" / "weights 100%.bin"
    assert path.read_bytes() == b"weights"
    uri = store.uri("system.Model/fra ud/7/weights 100%.bin")
    assert uri.endswith("/system.Model/fra%20ud/7/weights%20100%25.bin")
    with urlopen(uri) as answer:
        assert answer.read() == b"weights"


def test_disk_full(store: LocalStore) -> None:
    put(store, "before", b"x")
    with limited(1_000_000), pytest.raises(ResourceExhausted, match=r"disk .* is full; make room"):
        put(store, "big", b"x" * 2_000_000)
    assert keys(store) == ["before"]
    assert list((store.root / ".mlmd" / "scratch").iterdir()) == []
    put(store, "big", b"x" * 2_000_000)


def test_what_is_noted_of_a_file_need_not_be_kept(store: LocalStore) -> None:
    content = bytes(200_000)
    path = store.root / "others" / "file"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (store.root / ".mlmd").mkdir()
    (store.root / ".mlmd" / "etags").write_text("in the way")
    assert store.stat("others/file").etag == md5(content).hex()
    assert [blob.etag for blob in store.list()] == [md5(content).hex()]


@pytest.mark.parametrize("garbled", ["", "7", "[1, 2]", "\0\0\0"])
def test_notes_that_are_garbled_are_made_anew(store: LocalStore, garbled: str) -> None:
    content = bytes(200_000)
    put(store, "k", content)
    (note,) = (path for path in (store.root / ".mlmd" / "etags").rglob("*") if path.is_file())
    note.write_text(garbled)
    assert store.stat("k").etag == md5(content).hex()


def test_a_folder_that_fails_is_told_in_our_words(store: LocalStore) -> None:
    upload = store.begin_parts("k")
    key = store.root / ".mlmd" / "parts" / upload / "key"
    key.unlink()
    key.mkdir()
    with pytest.raises(InvalidArgument, match="key: 'k' is a folder of other blobs"):
        store.abort_parts("k", upload)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises((FailedPrecondition, NotFound, InvalidArgument)):
        LocalStore(tmp_path / "file" / "artifacts").check()


def test_a_key_cannot_be_file_and_folder(store: LocalStore) -> None:
    put(store, "a/b", b"x")
    with pytest.raises(InvalidArgument, match="is a folder of other blobs"):
        put(store, "a", b"y")
    assert content_of(store, "a/b") == b"x"


def test_files_of_others_have_an_etag_too(store: LocalStore) -> None:
    put(store, "k", b"ours")
    (store.root / "k").write_bytes(b"changed by hand")
    (store.root / "new").write_bytes(b"put by hand")
    assert store.look("k").etag == store.look("new").etag == ""
    assert store.stat("k").etag == md5(b"changed by hand").hex()
    assert store.stat("new").etag == md5(b"put by hand").hex()
    assert keys(store) == ["k", "new"]


def test_links_out_of_the_folder_are_not_followed_when_listing(store: LocalStore) -> None:
    put(store, "a/k", b"x")
    os.symlink(store.root, store.root / "a" / "loop")
    assert keys(store)[0] == "a/k"
    assert len(keys(store)) == 1


def test_files_in_the_making_that_a_death_left_are_deleted_after_a_day(store: LocalStore) -> None:
    put(store, "k", b"v")
    scratch = store.root / ".mlmd" / "scratch"
    for name, age_seconds in (("fresh", 60), ("left", 2 * 86400)):
        (scratch / name).write_bytes(b"half")
        then = time.time() - age_seconds
        os.utime(scratch / name, (then, then))
    assert store.tidy("", int(time.time() * 1000)) == 1
    assert [path.name for path in scratch.iterdir()] == ["fresh"]


def test_what_is_deleted_while_it_is_listed_is_left_out(store: LocalStore) -> None:
    for name in ("a", "b", "c"):
        put(store, f"k/{name}", b"1")
    listed = store.list("k/")
    assert next(listed).key == "k/a"
    store.delete(["k/b"])
    assert [blob.key for blob in listed] == ["k/c"]


def test_writers_and_tidying_do_not_meet(store: LocalStore) -> None:
    with ThreadPoolExecutor(2) as pool:
        written = [pool.submit(put, store, f"k/{number}", b"1") for number in range(200)]
        while not all(one.done() for one in written):
            assert store.tidy("", int(time.time() * 1000)) == 0
    for one in written:
        one.result()
    assert len(keys(store)) == len(written)


def test_parts_whose_upload_has_lost_its_name_are_deleted_after_a_day(store: LocalStore) -> None:
    folders = {name: store.root / ".mlmd" / "parts" / store.begin_parts(name) for name in ("fresh", "left", "begun")}
    for name, age_seconds in (("fresh", 60), ("left", 2 * 86400)):
        (folders[name] / "key").unlink()
        then = time.time() - age_seconds
        os.utime(folders[name], (then, then))
    assert store.tidy("", int(time.time() * 1000) - 3_600_000) == 1
    assert [name for name, folder in folders.items() if folder.is_dir()] == ["fresh", "begun"]


def test_several_who_make_a_blob_of_its_parts_never_see_half_of_them(store: LocalStore) -> None:
    pieces = [bytes([number]) * 100 for number in range(40)]
    for number in range(50):
        key = f"k/{number}"
        upload = store.begin_parts(key)
        parts = [store.put_part(key, upload, n, io.BytesIO(piece), 100) for n, piece in enumerate(pieces, 1)]

        def make(key: str = key, upload: str = upload, parts: list[Part] = parts) -> str:
            try:
                return store.complete_parts(key, upload, parts).etag
            except NotFound:  # then it was made
                return store.stat(key).etag

        with ThreadPoolExecutor(4) as pool:
            etags = [one.result() for one in [pool.submit(make) for _ in range(4)]]
        assert set(etags) == {etag_of_md5s([md5(piece) for piece in pieces], in_parts=True)}
        assert content_of(store, key) == b"".join(pieces)


def test_deleting_leaves_no_empty_folders(store: LocalStore) -> None:
    put(store, "a/b/c/k", b"x")
    put(store, "a/l", b"x")
    store.delete(["a/b/c/k"])
    assert sorted(path.name for path in (store.root / "a").iterdir()) == ["l"]


def test_an_interrupted_write_has_no_name(store: LocalStore) -> None:
    class Killed(BaseException):
        pass

    class Source(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            raise Killed

    with pytest.raises(Killed):
        store.put("k", cast(BinaryIO, Source()), 10)
    assert keys(store) == []
