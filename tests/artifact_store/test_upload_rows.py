"""The rows of uploads under way: each statement touches one upload, or one file of it, and none of its neighbours."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_artifact_store import upload_rows
from mlmd_artifact_store.blob_store import LARGEST_PART_BYTES, Part
from mlmd_artifact_store.commit import seal
from mlmd_artifact_store.upload_rows import (
    PendingFile,
    Upload,
    UploadState,
    copied_by,
    drop_upload,
    every_file,
    files_after,
    find_upload,
    in_one_part,
    insert_upload,
    mark_copies,
    name_parts,
    parts_names,
    pending_file,
    pending_page,
    put_files,
    seal_upload,
    set_state,
    some_files,
    unseal_upload,
    upload_and_file,
)
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import CHUNK, Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import FailedPrecondition
from mlmd_schemas.tables.own import UPLOAD

from tests.artifact_store.conformance.suite import md5
from tests.services.memory import most

OURS, THEIRS = 7, 8
SHA256 = bytes(range(32))
PATHS = ["+", "a", "a!", "a/b", "b", "\u00e9", "\U0001f600"]
"""By their bytes."""


def upload(artifact_id: int, state: UploadState = UploadState.PENDING) -> Upload:
    """Return an upload with something in each of its fields."""
    root = f"s3://bucket/{artifact_id}/"
    return Upload(artifact_id, state, root, f"_/T/_/{artifact_id}/", 3, 4, b"digest", "fraud", "ann", 5)


def sent(path: str, **fields: Any) -> PendingFile:
    """Return a file that is sent whole, as it is read back."""
    file = PendingFile(path, 10, SHA256, (md5(path.encode()),), 0, "text/plain")
    return replace(file, **{"source_etag": file.etag, **fields})


def in_parts(path: str, parts_name: str = "") -> PendingFile:
    """Return a file in two parts, as it is read back."""
    file = PendingFile(path, 9, SHA256, (md5(b"1"), md5(b"2")), 5, "", parts_name)
    return replace(file, source_etag=file.etag)


def copied(path: str, source: int = 3, parts_name: str = "") -> PendingFile:
    """Return a file that is copied from another artifact."""
    return replace(sent(path), source_key=f"_/T/_/{source}/f", source_etag="theirs", parts_name=parts_name)


class Rows:
    """The rows of a store, each call in a transaction of its own."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __call__(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """Call a function of the module."""

        def body(tx: Transaction) -> Any:
            found = function(tx, *arguments, **named)
            return list(found) if function is every_file else found

        return self.store.database.write(LOCAL, body)

    def state(self, artifact_id: int) -> tuple[Upload | None, list[PendingFile]]:
        """Return all that is kept of an upload."""
        return self(find_upload, artifact_id), self(every_file, artifact_id)


@pytest.fixture
def rows(store: Store) -> Rows:
    """Two uploads, each with a file of every kind."""
    found = Rows(store)
    files = [copied("copied"), copied("marked", 4, "copying"), in_parts("named", "N"), in_parts("parts"), sent("sent")]
    for artifact_id in (OURS, THEIRS):
        found(insert_upload, upload(artifact_id), files)
    return found


CHANGES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "put": (put_files, ([sent("sent", size_bytes=11), sent("new")],)),
    "seal": (seal_upload, (b"other", 30, 40)),
    "unseal": (unseal_upload, ()),
    "mark": (mark_copies, ()),
    "state": (set_state, (UploadState.ABORTED,)),
    "name": (name_parts, ("parts", "", "M")),
    "drop": (drop_upload, ()),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_touches_one_upload(rows: Rows, change: str) -> None:
    ours, theirs = rows.state(OURS), rows.state(THEIRS)
    function, arguments = CHANGES[change]
    rows(function, OURS, *arguments)
    assert rows.state(OURS) != ours
    assert rows.state(THEIRS) == theirs


def test_nothing_is_left_of_what_is_dropped(rows: Rows) -> None:
    rows(drop_upload, OURS)
    assert rows.state(OURS) == (None, [])


def test_a_state_is_kept_as_the_number_that_databases_have(rows: Rows) -> None:
    rows(set_state, THEIRS, UploadState.ABORTED)
    states = sa.select(UPLOAD.c.artifact_id, UPLOAD.c.state)
    assert rows(lambda tx: dict(tx.rows(states))) == {OURS: 1, THEIRS: 2}


def test_what_was_inserted_is_found(rows: Rows) -> None:
    assert rows(find_upload, OURS) == upload(OURS)
    assert rows(find_upload, OURS, locked=True) == upload(OURS)
    assert rows(find_upload, 9) is None
    names = {file.path: file for file in rows(every_file, OURS)}
    assert names["named"] == in_parts("named", "N")
    assert names["marked"] == copied("marked", 4, "copying")
    assert names["sent"] == sent("sent")
    rows(insert_upload, upload(9, UploadState.ABORTED))
    assert rows.state(9) == (upload(9, UploadState.ABORTED), [])


def test_files_are_put_in_the_place_of_those_of_the_same_paths(rows: Rows) -> None:
    before = {file.path: file for file in rows(every_file, OURS)}
    anew = [sent("named", size_bytes=11, sha256=b"", media_type="a/b"), sent("new")]
    rows(put_files, OURS, anew)
    assert {file.path: file for file in rows(every_file, OURS)} == before | {file.path: file for file in anew}


def test_files_without_digests_have_none(rows: Rows) -> None:
    untold = replace(in_parts("untold"), sha256=b"", md5s=(), source_etag="")
    rows(put_files, OURS, [untold])
    assert rows(pending_file, OURS, "untold") == untold


def test_a_seal_is_taken_off_once(rows: Rows) -> None:
    rows(seal_upload, OURS, b"told", 30, 40)
    sealed = rows(find_upload, OURS)
    assert sealed == replace(upload(OURS), digest=b"told", file_count=30, size_bytes=40)
    for _ in range(2):
        rows(unseal_upload, OURS)
        assert rows(find_upload, OURS) == replace(sealed, digest=b"", file_count=0, size_bytes=0, create_ms=6)
    rows(seal_upload, OURS, b"told", 30, 40)
    anew = rows(find_upload, OURS)
    assert (anew.key_prefix, anew.digest) == (sealed.key_prefix, sealed.digest)
    assert anew.seal != sealed.seal


@pytest.mark.parametrize("change", [{"key_prefix": "other/"}, {"digest": b"other"}, {"create_ms": 6}])
def test_a_seal_tells_states_apart(change: dict[str, Any]) -> None:
    assert replace(upload(OURS), **change).seal != upload(OURS).seal
    assert replace(upload(OURS), subject="bo").seal == upload(OURS).seal


def test_pages_follow_the_bytes_of_paths(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_rows, "CHUNK", 2)
    rows(insert_upload, upload(9), [sent(path) for path in reversed(PATHS)])
    assert [file.path for file in rows(every_file, 9)] == PATHS
    assert [file.path for file in rows(files_after, 9, "", 9)] == PATHS
    assert [file.path for file in rows(files_after, 9, "a!", 2)] == PATHS[3:5]
    assert rows(files_after, 9, PATHS[-1], 9) == []
    assert [file.path for file in rows(pending_page, 9, "", 9)] == PATHS
    assert [file.path for file in rows(pending_page, 9, "a!", 2)] == PATHS[2:4]


def test_what_is_copied_is_not_to_be_sent(rows: Rows) -> None:
    assert [file.path for file in rows(pending_page, OURS, "", 9)] == ["named", "parts", "sent"]


def test_some_files_are_those_that_are_asked_for(rows: Rows) -> None:
    rows(insert_upload, upload(9), [sent("alone")])
    assert rows(some_files, OURS, ["sent", "copied", "alone", "absent"]) == {
        "sent": sent("sent"),
        "copied": copied("copied"),
    }
    assert rows(some_files, OURS, []) == {}


def test_one_file_and_its_upload(rows: Rows) -> None:
    rows(insert_upload, upload(9), [sent("alone")])
    assert rows(pending_file, OURS, "parts") == in_parts("parts")
    assert rows(upload_and_file, OURS, "parts") == (upload(OURS), in_parts("parts"))
    for absent in ("alone", "absent", "no\udcff", ""):
        assert rows(pending_file, OURS, absent) is None
        assert rows(upload_and_file, OURS, absent) == (upload(OURS), None)
    assert rows(pending_file, 10, "sent") is None
    assert rows(upload_and_file, 10, "sent") == (None, None)


def test_undertakings_in_parts_are_those_of_files_that_are_sent(rows: Rows) -> None:
    assert rows(parts_names, OURS) == [("named", "N")]
    assert rows(name_parts, OURS, "parts", "", "M")
    assert sorted(rows(parts_names, OURS)) == [("named", "N"), ("parts", "M")]


def test_an_undertaking_is_named_by_whoever_saw_it_as_it_is(rows: Rows) -> None:
    before = rows.state(OURS)
    assert not rows(name_parts, OURS, "parts", "N", "M")
    assert not rows(name_parts, OURS, "named", "", "M")
    assert not rows(name_parts, OURS, "absent", "", "M")
    assert rows.state(OURS) == before
    assert rows(name_parts, OURS, "named", "N", "")
    assert rows(pending_file, OURS, "named") == in_parts("named")
    assert rows(pending_file, OURS, "parts") == in_parts("parts")


def test_files_that_are_copied_are_marked_where_they_are_not(rows: Rows) -> None:
    rows(put_files, OURS, [copied("before", 4, "earlier")])
    rows(mark_copies, OURS)
    names = {file.path: file.parts_name for file in rows(every_file, OURS)}
    assert names == {
        "before": "earlier", "copied": "copying", "marked": "copying", "named": "N", "parts": "", "sent": "",
    }  # fmt: skip


def test_who_copies_from_whom(rows: Rows) -> None:
    rows(insert_upload, upload(9), [copied("f", 4), replace(copied("g"), source_key="of/no/artifact")])
    assert rows(copied_by) == {3: {OURS, THEIRS}, 4: {OURS, THEIRS, 9}}
    rows(drop_upload, THEIRS)
    assert rows(copied_by) == {3: {OURS}, 4: {OURS, 9}}


def test_who_copies_very_much_is_found_in_little_memory(rows: Rows) -> None:
    rows(insert_upload, upload(9), [copied(f"{number:05}", 3 + number % 2) for number in range(1)])
    few = most(lambda: rows(copied_by))
    rows(put_files, 9, [copied(f"{number:05}", 3 + number % 2) for number in range(4 * CHUNK + 1)])
    many = most(lambda: rows(copied_by))
    assert rows(copied_by) == {3: {OURS, THEIRS, 9}, 4: {OURS, THEIRS, 9}}
    assert many - few < 350 * CHUNK, "a page of rows"


def test_files_whose_digests_are_not_told_are_counted_and_a_few_named(rows: Rows) -> None:
    open_files = [replace(in_parts(f"p{number}"), sha256=b"", md5s=()) for number in range(7)]
    rows(insert_upload, replace(upload(9), digest=b""), open_files)
    shown = "'p0', 'p1', 'p2', 'p3', 'p4'"
    with pytest.raises(FailedPrecondition, match=rf"the digests of 7 files are not told yet \({shown}\); declare"):
        rows(lambda tx: seal(tx, 9, marks_copies=False))


def test_a_locked_upload_is_what_it_is_when_the_lock_is_had(rows: Rows) -> None:
    locked, go_on = threading.Event(), threading.Event()

    def first(tx: Transaction) -> None:
        assert find_upload(tx, OURS, locked=True) is not None
        locked.set()
        assert go_on.wait(60)
        set_state(tx, OURS, UploadState.ABORTED)

    with ThreadPoolExecutor(2) as pool:
        ending = pool.submit(rows.store.database.write, LOCAL, first)
        assert locked.wait(60)
        beside = pool.submit(rows, find_upload, OURS, locked=True)
        wait([beside], timeout=1)
        go_on.set()
        ending.result()
        assert beside.result().state is UploadState.ABORTED


def test_what_a_file_says_of_itself() -> None:
    whole, parts, copy = sent("f"), in_parts("f", "N"), copied("f")
    assert [file.in_parts for file in (whole, parts, copy)] == [False, True, False]
    assert [file.is_being_copied for file in (whole, parts, copy)] == [False, False, False]
    assert copied("f", parts_name="copying").is_being_copied
    assert [file.count for file in (whole, parts)] == [1, 2]
    assert whole.etag == md5(b"f").hex()
    assert parts.etag == f"{md5(md5(b'1') + md5(b'2')).hex()}-2"
    assert [file.expected_etag for file in (whole, parts, copy)] == [whole.etag, parts.etag, "theirs"]
    assert parts.parts() == [Part(1, md5(b"1").hex(), 5), Part(2, md5(b"2").hex(), 4)]
    assert [whole.span(1), parts.span(1), parts.span(2)] == [(0, 10), (0, 5), (5, 4)]
    in_one = in_one_part(whole)
    assert (in_one.in_parts, in_one.part_size_bytes, in_one.count) == (True, LARGEST_PART_BYTES, 1)
    assert in_one.source_etag == in_one.etag == f"{md5(md5(b'f')).hex()}-1"


@pytest.mark.parametrize(
    ("md5s", "sha256", "is_open", "etag"),
    [
        ((), b"", True, ""),
        ((md5(b"f"),), b"", False, md5(b"f").hex()),
        ((), SHA256, False, SHA256.hex()),
        ((md5(b"f"),), SHA256, False, md5(b"f").hex()),
    ],
)
def test_digests_that_are_told(md5s: tuple[bytes, ...], sha256: bytes, is_open: bool, etag: str) -> None:
    file = sent("f", md5s=md5s, sha256=sha256)
    assert (file.is_open, file.etag) == (is_open, etag)
