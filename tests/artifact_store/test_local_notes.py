"""Notes of ETags: never of other bytes than those that are there."""

import hashlib
import os
from pathlib import Path

from mlmd_artifact_store.local import LocalStore
from mlmd_artifact_store.local_copies import LITTLE_BYTES
from mlmd_artifact_store.local_notes import MOST_IN_MEMORY, Notes

from tests.artifact_store.conformance.suite import md5, put


def test_bytes_that_were_replaced_by_hand_are_read_again(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    put(store, "k", b"ours")
    other = tmp_path / "other"
    other.write_bytes(b"them")
    os.utime(other, ns=(1, (tmp_path / "k").stat().st_mtime_ns))
    os.replace(other, tmp_path / "k")  # size and time are those of ours
    assert store.stat("k").etag == md5(b"them").hex()


def test_another_process_replaces_what_this_one_wrote(tmp_path: Path) -> None:
    one, other = LocalStore(tmp_path), LocalStore(tmp_path)
    put(one, "k", b"first")
    put(other, "k", b"again")
    assert [one.stat("k").etag, other.stat("k").etag] == [md5(b"again").hex()] * 2


def test_memory_is_bounded(tmp_path: Path) -> None:
    notes, state = Notes(str(tmp_path / "etags")), os.stat(__file__)
    for number in range(MOST_IN_MEMORY + 5):
        notes.wrote(str(number), state, hashlib.md5(b"%d" % number).hexdigest())
    assert len(notes._fresh) == MOST_IN_MEMORY
    assert notes.find("0", state) is None
    assert notes.find(str(MOST_IN_MEMORY), state) == hashlib.md5(b"%d" % MOST_IN_MEMORY).hexdigest()
    assert not (tmp_path / "etags").exists()


def test_a_note_that_cannot_be_kept_leaves_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "artifacts")
    content = b"1" * (LITTLE_BYTES + 1)
    put(store, "k", content)
    (note,) = (path for path in (tmp_path / "artifacts" / ".mlmd" / "etags").rglob("*") if path.is_file())
    note.unlink()
    note.mkdir()  # in the way of every note
    for _ in range(3):
        fresh = LocalStore(tmp_path / "artifacts")
        assert fresh.stat("k").etag == md5(content).hex()
    assert [path for path in note.parent.iterdir() if path != note] == []
