"""What every blob store does alike; a back end's tests inherit this class and give it a `store`."""

import contextlib
import hashlib
import io
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, cast

import pytest
from mlmd_artifact_store.blob_store import SMALLEST_PART_BYTES, BlobStore, Part, etag_of_md5s
from mlmd_schemas.errors import InvalidArgument, NotFound

ODD = [
    "plain.txt",
    "a b",
    " leading and trailing ",
    "a+b",
    "100%",
    "%2F",
    "%2e%2e",
    "a?b=c&d",
    "hash#tag",
    "semi;colon",
    "at@sign:colon",
    "quote'and\"double",
    "<xml>&amp;",
    "[brackets]{braces}",
    "~tilde",
    "star*",
    "pipe|",
    "caret^",
    "back`tick",
    "dollar$HOME",
    "comma,equals=",
    "-dash",
    ".hidden",
    "..dots",
    "dots..",
    "...",
    "a.",
    "ünïcödé",
    "e\u0301 decomposed",
    "数据/模型.bin",
    "emoji 🤖/👩‍👩‍👧",
    "עברית",
    "\u200bzero width",
    "\u00a0no-break",
    "\u2028line separator",
    "a/b/c/d/e/f",
    "x" * 255,
    "/".join(["long"] * 100),
    "é" * 127,
    "\U0010fffd",
    "con",
    "NUL.txt",
]


def md5(content: bytes) -> bytes:
    """Return the MD5 of some bytes."""
    return hashlib.md5(content).digest()


def put(store: BlobStore, key: str, content: bytes) -> None:
    """Store bytes."""
    store.put(key, io.BytesIO(content), len(content), md5(content))


def content_of(store: BlobStore, key: str, start: int = 0, length: int | None = None) -> bytes:
    """Read bytes."""
    return b"".join(store.read(key, start, length))


def keys(store: BlobStore, prefix: str = "", after: str = "") -> list[str]:
    """List keys."""
    return [blob.key for blob in store.list(prefix, after)]


class Trickle(io.RawIOBase):
    """A source that gives a few bytes at a time."""

    def __init__(self, content: bytes, step: int) -> None:
        self._content, self._step = io.BytesIO(content), step

    def read(self, size: int = -1) -> bytes:
        """Give at most a step."""
        return self._content.read(self._step if size < 0 else min(size, self._step))


class Broken(io.RawIOBase):
    """A source that fails after some bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        """Give bytes, then fail."""
        chunk = self._content.read(size)
        if not chunk:
            raise RuntimeError("the source broke")
        return chunk


class BlobStoreSuite:
    """The tests. A subclass defines the fixture `store`: an empty store."""

    @pytest.fixture
    def store(self) -> Iterator[BlobStore]:
        """Return an empty store."""
        raise NotImplementedError

    @pytest.mark.parametrize("size", [0, 1, 17, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3_000_000])
    def test_bytes_come_back(self, store: BlobStore, size: int) -> None:
        content = bytes(range(256)) * (size // 256 + 1)
        content = content[:size]
        blob = store.put("a/b", io.BytesIO(content), size, md5(content))
        assert (blob.key, blob.size_bytes, blob.etag) == ("a/b", size, md5(content).hex())
        assert content_of(store, "a/b") == content
        found = store.stat("a/b")
        looked = store.look("a/b")
        assert (looked.key, looked.size_bytes) == ("a/b", found.size_bytes)
        assert looked.etag in (found.etag, "")
        assert (found.key, found.size_bytes, found.etag) == ("a/b", size, md5(content).hex())
        assert abs(found.modified_ms - blob.modified_ms) < 60_000

    @pytest.mark.parametrize("key", ODD)
    def test_odd_keys_come_back(self, store: BlobStore, key: str) -> None:
        put(store, key, key.encode())
        assert content_of(store, key) == key.encode()
        assert store.stat(key).size_bytes == len(key.encode())
        assert keys(store) == [key]
        store.copy(key, "copy of it")
        assert content_of(store, "copy of it") == key.encode()
        store.delete([key])
        assert keys(store) == ["copy of it"]

    def test_odd_keys_do_not_meet(self, store: BlobStore) -> None:
        for key in ODD:
            put(store, f"d/{key}", key.encode())
        assert keys(store, "d/") == sorted((f"d/{key}" for key in ODD), key=str.encode)
        assert all(content_of(store, f"d/{key}") == key.encode() for key in ODD)

    @pytest.mark.parametrize(
        "key",
        ["", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/./b", "a\0b", "a\nb", "a\\b", "x" * 256, "\ud800",
         "a/" * 600 + "a", "\uffff", "é" * 128, ".mlmd/etags", "\x7f", "\x85"],
    )  # fmt: skip
    def test_impossible_keys_are_refused(self, store: BlobStore, key: str) -> None:
        with pytest.raises(InvalidArgument, match="key: "):
            store.put(key, io.BytesIO(b"x"), 1)
        with pytest.raises(InvalidArgument):
            store.read(key)
        with pytest.raises(InvalidArgument):
            store.stat(key)
        with pytest.raises(InvalidArgument):
            store.delete([key])
        assert keys(store) == []

    @pytest.mark.parametrize(
        ("start", "length"),
        [(0, None), (0, 1), (3, 4), (9, 1), (9, 100), (5, None), (10, None), (99, 5), (0, 0), (4, 0)],
    )
    def test_ranges(self, store: BlobStore, start: int, length: int | None) -> None:
        put(store, "k", b"0123456789")
        end = None if length is None else start + length
        assert content_of(store, "k", start, length) == b"0123456789"[start:end]

    def test_range_of_an_empty_blob(self, store: BlobStore) -> None:
        put(store, "k", b"")
        assert content_of(store, "k", 0, 5) == content_of(store, "k", 5) == b""

    def test_what_is_not_there(self, store: BlobStore) -> None:
        put(store, "a/b", b"x")
        for key in ("nothing", "a/c", "b"):
            with pytest.raises(NotFound, match=key):
                store.stat(key)
            with pytest.raises(NotFound, match=key):
                store.look(key)
            with pytest.raises(NotFound, match=key):
                store.read(key)
            with pytest.raises(NotFound, match=key):
                store.read(key, 3, 0)
            with pytest.raises(NotFound, match=key):
                store.copy(key, "target")
        with pytest.raises(NotFound):
            store.stat("a")
        store.delete(["nothing", "a/c"])
        assert keys(store) == ["a/b"]

    def test_put_replaces(self, store: BlobStore) -> None:
        put(store, "k", b"first and longer")
        put(store, "k", b"second")
        assert content_of(store, "k") == b"second"
        assert store.stat("k").etag == md5(b"second").hex()

    def test_wrong_md5_is_refused_and_leaves_what_was_there(self, store: BlobStore) -> None:
        put(store, "k", b"before")
        with pytest.raises(InvalidArgument, match="md5"):
            store.put("k", io.BytesIO(b"other"), 5, md5(b"another"))
        assert content_of(store, "k") == b"before"

    @pytest.mark.parametrize("size", [0, 4, 6, 100])
    def test_wrong_size_is_refused_and_leaves_nothing(self, store: BlobStore, size: int) -> None:
        with pytest.raises(InvalidArgument, match="size_bytes"):
            store.put("k", io.BytesIO(b"12345"), size)
        assert keys(store) == []

    def test_a_source_that_breaks_leaves_nothing(self, store: BlobStore) -> None:
        with pytest.raises(RuntimeError, match="the source broke"):
            store.put("k", cast(BinaryIO, Broken(b"x" * 3_000_000)), 4_000_000)
        assert keys(store) == []

    def test_a_source_that_trickles(self, store: BlobStore) -> None:
        source = cast(BinaryIO, Trickle(b"x" * 10_000, 999))
        store.put("k", source, 10_000, md5(b"x" * 10_000))
        assert content_of(store, "k") == b"x" * 10_000

    def test_without_md5(self, store: BlobStore) -> None:
        assert store.put("k", io.BytesIO(b"abc"), 3).etag == md5(b"abc").hex()

    def test_lists_by_prefix_in_the_order_of_bytes(self, store: BlobStore) -> None:
        names = ["a", "a-b", "a.b", "a0", "b/a", "b/a.x", "b/a/x", "b/é", "c/1", "ab/c"]
        names.remove("b/a")
        for name in names:
            put(store, name, b"x")
        ordered = sorted(names, key=str.encode)
        assert keys(store) == ordered
        assert keys(store, "b/") == [name for name in ordered if name.startswith("b/")]
        assert keys(store, "b/a") == ["b/a.x", "b/a/x"]
        assert keys(store, after="a.b") == [name for name in ordered if name > "a.b"]
        assert keys(store, "b/", "b/a.x") == ["b/a/x", "b/é"]
        assert keys(store, "nothing/") == []

    def test_lists_more_than_a_page(self, store: BlobStore) -> None:
        names = [f"many/{number:04}" for number in range(1100)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: put(store, name, b"x"), names))
        assert keys(store, "many/") == names
        store.delete(names[:1050])
        assert keys(store) == names[1050:]

    def test_copies(self, store: BlobStore) -> None:
        put(store, "a", b"content")
        blob = store.copy("a", "deep/er/b")
        assert (blob.key, blob.size_bytes, blob.etag) == ("deep/er/b", 7, md5(b"content").hex())
        store.delete(["a"])
        assert content_of(store, "deep/er/b") == b"content"

    def test_reader_keeps_what_it_opened_or_says_so(self, store: BlobStore) -> None:
        put(store, "k", b"1" * 100)
        stream = store.read("k")
        put(store, "k", b"2" * 100)
        assert set(b"".join(stream)) in ({ord("1")}, {ord("2")})

    def test_parts(self, store: BlobStore) -> None:
        pieces = [b"1" * SMALLEST_PART_BYTES, b"2" * SMALLEST_PART_BYTES, b"end"]
        upload = store.begin_parts("big", "application/x-thing")
        order = [2, 3, 1]
        made = {n: store.put_part("big", upload, n, io.BytesIO(pieces[n - 1]), len(pieces[n - 1]), md5(pieces[n - 1]))
                for n in order}  # fmt: skip
        expected = [Part(n, md5(pieces[n - 1]).hex(), len(pieces[n - 1])) for n in (1, 2, 3)]
        assert [made[n] for n in (1, 2, 3)] == expected == list(store.parts("big", upload))
        assert keys(store) == []
        blob = store.complete_parts("big", upload, expected)
        assert blob.etag == etag_of_md5s([md5(piece) for piece in pieces], in_parts=True) == store.stat("big").etag
        assert blob.size_bytes == 2 * SMALLEST_PART_BYTES + 3
        assert content_of(store, "big", SMALLEST_PART_BYTES - 1, 2) == b"12"
        assert content_of(store, "big") == b"".join(pieces)

    def test_parts_of_some_numbers(self, store: BlobStore) -> None:
        upload, numbers = store.begin_parts("k"), [1, 2, 3, 5, 9, 10_000]
        for number in numbers:
            store.put_part("k", upload, number, io.BytesIO(b"x"), 1, md5(b"x"))
        for first, last in ((1, 1), (1, 3), (2, 4), (4, 4), (4, 8), (5, 5), (6, 10_000), (9, 9_999), (10_000, 10_000)):
            found = [part.number for part in store.parts("k", upload, first, last)]
            assert found == [number for number in numbers if first <= number <= last]
        assert [part.number for part in store.parts("k", upload)] == numbers

    def test_part_is_replaced(self, store: BlobStore) -> None:
        upload = store.begin_parts("k")
        store.put_part("k", upload, 1, io.BytesIO(b"old"), 3, md5(b"old"))
        part = store.put_part("k", upload, 1, io.BytesIO(b"newer"), 5, md5(b"newer"))
        assert list(store.parts("k", upload)) == [part]
        store.complete_parts("k", upload, [part])
        assert content_of(store, "k") == b"newer"

    def test_wrong_parts(self, store: BlobStore) -> None:
        upload = store.begin_parts("k")
        with pytest.raises(InvalidArgument, match="md5"):
            store.put_part("k", upload, 1, io.BytesIO(b"abc"), 3, md5(b"abd"))
        part = store.put_part("k", upload, 1, io.BytesIO(b"abc"), 3, md5(b"abc"))
        with pytest.raises(InvalidArgument, match="part"):
            store.complete_parts("k", upload, [Part(1, md5(b"other").hex(), 3)])
        with pytest.raises(InvalidArgument, match="part"):
            store.complete_parts("k", upload, [part, Part(2, md5(b"x").hex(), 1)])
        assert keys(store) == []

    def test_parts_given_up(self, store: BlobStore) -> None:
        upload = store.begin_parts("k")
        part = store.put_part("k", upload, 1, io.BytesIO(b"abc"), 3, md5(b"abc"))
        store.abort_parts("k", upload)
        store.abort_parts("k", upload)
        with pytest.raises(NotFound, match="upload"):
            store.parts("k", upload)
        with pytest.raises(NotFound, match="upload"):
            store.put_part("k", upload, 1, io.BytesIO(b"abc"), 3, md5(b"abc"))
        with pytest.raises(NotFound, match="upload"):
            store.complete_parts("k", upload, [part])
        assert keys(store) == []

    def test_what_was_begun_long_ago_is_given_up(self, store: BlobStore) -> None:
        begun = {key: store.begin_parts(key) for key in ("t/a/ü &<1>", "t/b", "u/c")}
        for key, upload in begun.items():
            store.put_part(key, upload, 1, io.BytesIO(b"abc"), 3, md5(b"abc"))
        put(store, "t/kept", b"x")
        assert store.tidy("t/", int(time.time() * 1000) - 3_600_000) == 0
        assert store.tidy("t/", int(time.time() * 1000) + 3_600_000) == 2
        for key, there in (("t/a/ü &<1>", False), ("t/b", False), ("u/c", True)):
            with contextlib.nullcontext() if there else pytest.raises(NotFound):
                assert len(store.parts(key, begun[key])) == 1
        assert keys(store) == ["t/kept"]

    def test_many_writers_of_one_key_leave_one_whole_blob(self, store: BlobStore) -> None:
        contents = [bytes([number]) * 200_000 for number in range(8)]
        gate = threading.Barrier(8)

        def write(content: bytes) -> None:
            gate.wait()
            put(store, "folder/k", content)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(write, contents))
        assert content_of(store, "folder/k") in contents
        assert store.stat("folder/k").etag == md5(content_of(store, "folder/k")).hex()

    def test_a_mark_is_set_once_and_is_no_blob(self, store: BlobStore) -> None:
        assert store.read_mark("owners/%2E") == b""
        assert store.make_mark("owners/%2E", b"first") == b"first"
        assert store.make_mark("owners/%2E", b"second") == b"first"
        assert store.read_mark("owners/_") == b""
        assert store.make_mark("owners/%2E", b"third", replace=True) == b"third"
        assert store.read_mark("owners/%2E") == b"third"
        store.tidy("", int(time.time() * 1000) + 3_600_000)
        assert store.read_mark("owners/%2E") == b"third"
        assert keys(store) == []

    def test_of_many_who_set_a_mark_one_wins(self, store: BlobStore) -> None:
        contents = [b"%d" % number for number in range(12)]
        gate = threading.Barrier(12)

        def mark(content: bytes) -> bytes:
            gate.wait()
            return store.make_mark("owners/_", content)

        with ThreadPoolExecutor(12) as pool:
            found = set(pool.map(mark, contents))
        assert found == {store.read_mark("owners/_")}
        assert found <= set(contents)

    def test_check(self, store: BlobStore) -> None:
        store.check()
        assert keys(store) == []

    def test_uri_of_a_prefix_is_that_of_its_keys(self, store: BlobStore) -> None:
        assert store.uri("a/b/") + "c" == store.uri("a/b/c")
