"""A folder in the same process: killed and taken up, files that change or are damaged, nothing hashed for nothing."""

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlmd_client.download import download
from mlmd_client.progress import Meter, Progress
from mlmd_client.transfer_errors import ChangedFile, DamagedBytes
from mlmd_client.transport import Transport, open_transport
from mlmd_client.upload import Uploaded, upload
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1

from tests.client.places import artifact, every_artifact, read_files, stored, write_files

MIB = 1 << 20
CONTENTS = {
    **{f"small/{number:03}": b"%d" % number * 100 for number in range(150)},
    "middle": os.urandom(MIB),
    "large": os.urandom(20 * MIB),
}
PROGRAM = """
import os, signal, sys
from pathlib import Path
from mlmd_client.transport import open_transport
from mlmd_client.upload import upload
from tests.client.places import artifact
from mlmd_client.progress import Meter
moved = Meter.moved
def dies(meter, path, size_bytes):
    moved(meter, path, size_bytes)
    if meter._bytes >= int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
Meter.moved = dies  # progress is told now and then; this is every time
store = open_transport(sys.argv[1])
upload(store, artifact(store), Path(sys.argv[2]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the store is; notes of uploads are beside it."""
    monkeypatch.setenv("MLMD_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "data"


@pytest.fixture
def store(folder: Path) -> Iterator[Transport]:
    """A store in this process."""
    with contextlib.closing(open_transport(str(folder))) as opened:
        yield opened


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Files of every size."""
    return write_files(tmp_path / "source", CONTENTS)


def sent(store: Transport, source: Path, **fields: Any) -> Uploaded:
    """Upload."""
    return upload(store, artifact(store), source, **fields)


def check(store: Transport, uploaded: Uploaded, target: Path, contents: dict[str, bytes] = CONTENTS) -> None:
    """See that an artifact is LIVE and reads back byte for byte."""
    assert stored(store, uploaded.artifact_id).state == pb.Artifact.LIVE
    download(store, uploaded.artifact_id, target)
    assert read_files(target) == contents


@pytest.mark.parametrize("at_bytes", [1, MIB, 15 * MIB, sum(map(len, CONTENTS.values()))])
def test_killed_anywhere_and_taken_up(folder: Path, source: Path, tmp_path: Path, at_bytes: int) -> None:
    command = [sys.executable, "-c", PROGRAM, str(folder), str(source), str(at_bytes)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == -signal.SIGKILL
    with contextlib.closing(open_transport(str(folder))) as store:
        (left,) = every_artifact(store)
        assert left.state == pb.Artifact.PENDING
        uploaded = sent(store, source)
        assert uploaded.artifact_id == left.id
        check(store, uploaded, tmp_path / "target")


def test_what_is_there_already_is_not_copied_again(store: Transport, source: Path, tmp_path: Path) -> None:
    first = sent(store, source)
    (source / "middle").write_bytes(b"other")
    told: list[Progress] = []
    second = sent(store, source, unchanged_from=first.artifact_id, progress=told.append)
    assert (told[-1].files_done, told[-1].bytes_done) == (len(CONTENTS), told[-1].bytes_total)
    check(store, second, tmp_path / "target", {**CONTENTS, "middle": b"other"})
    again = sent(store, source, reuse=True)
    assert (again.reused, again.artifact_id) == (True, second.artifact_id)
    (source / "middle").write_bytes(b"third")
    check(store, sent(store, source, reuse=True), tmp_path / "third", {**CONTENTS, "middle": b"third"})


def test_lost_notes_of_etags_do_no_harm(store: Transport, folder: Path, source: Path, tmp_path: Path) -> None:
    first = sent(store, source)
    notes = [path for path in (folder / "artifacts" / ".mlmd" / "etags").rglob("*") if path.is_file()]
    assert notes
    for note in notes:
        note.unlink()
    second = sent(store, source, unchanged_from=first.artifact_id)
    check(store, second, tmp_path / "target")


@pytest.mark.parametrize("path", ["small/000", "middle", "large"])
def test_a_file_that_changes_while_it_is_copied(
    store: Transport, source: Path, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = Meter.moved

    def change(meter: Meter, moving: str, size_bytes: int) -> None:
        if moving == path:
            (source / path).write_bytes(b"changed")
        moved(meter, moving, size_bytes)

    monkeypatch.setattr(Meter, "moved", change)
    with pytest.raises(ChangedFile, match=f"{path!r} (changed|became shorter)"):
        sent(store, source)
    assert [one.state for one in every_artifact(store)] != [pb.Artifact.LIVE]


@pytest.mark.parametrize("path", ["small/000", "middle", "large"])
def test_a_damaged_file_is_named_and_has_no_name(store: Transport, folder: Path, tmp_path: Path, path: str) -> None:
    source = write_files(tmp_path / "source", CONTENTS)
    uploaded = sent(store, source)
    (place,) = [found for found in (folder / "artifacts").rglob(path.rpartition("/")[2]) if found.is_file()]
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.write_bytes(content)
    target = tmp_path / "target"
    with pytest.raises(DamagedBytes, match=f"{path!r} of artifact {uploaded.artifact_id} has changed"):
        download(store, uploaded.artifact_id, target)
    assert not (target / path).exists()
    assert not [name for name in os.listdir(target) if name.startswith(".mlmd-")]
    for found, there in read_files(target).items():
        assert there == CONTENTS[found]


def test_one_that_is_damaged_ends_a_download_of_many(store: Transport, folder: Path, tmp_path: Path) -> None:
    contents = {f"{number:04}": b"%d" % number for number in range(600)}
    uploaded = upload(store, artifact(store), write_files(tmp_path / "many", contents))
    for damaged in ("0000", "0100", "0599"):
        (broken,) = folder.rglob(f"{uploaded.artifact_id}/{damaged}")
        broken.write_bytes(b"other")
        with pytest.raises(DamagedBytes, match=damaged):
            download(store, uploaded.artifact_id, tmp_path / f"to-{damaged}")
        broken.write_bytes(contents[damaged])
    found = download(store, uploaded.artifact_id, tmp_path / "to-0000")
    assert found.file_count == 600
    assert found.files_reused < 600
    assert read_files(tmp_path / "to-0000") == contents


def test_the_store_itself_says_what_it_wrote(store: Transport, source: Path) -> None:
    files = {file.path: file for file in _files(store, sent(store, source).artifact_id)}
    for path, content in CONTENTS.items():
        assert files[path].sha256 == hashlib.sha256(content).digest()
    assert files["large"].etag == files["large"].sha256.hex()
    assert files["small/001"].etag == hashlib.md5(CONTENTS["small/001"]).hexdigest()


def _files(store: Transport, artifact_id: int) -> list[v1.File]:
    request = v1.ListFilesRequest(artifact_id=artifact_id)
    return list(store.unary("/mlmd.v1.ArtifactStore/ListFiles", request, v1.ListFilesResponse).files)


def test_files_leave_together_up_to_so_many_and_so_many_bytes(
    store: Transport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = {f"large/{number}": bytes(size * MIB) for number, size in enumerate((5, 5, 5, 1))}
    contents = large | {f"small/{number:02}": b"x" for number in range(70)}
    uploaded = sent(store, write_files(tmp_path / "source", contents))
    together: list[dict[str, int]] = []
    give_out = type(store).give_out  # type: ignore[attr-defined]

    def noting(self: Any, artifact_id: int, files: Any) -> Any:
        together.append({file.path: file.size_bytes for file in files})
        return give_out(self, artifact_id, files)

    monkeypatch.setattr(type(store), "give_out", noting)
    check(store, uploaded, tmp_path / "target", contents)
    assert sorted(path for files in together for path in files) == sorted(contents)
    assert sorted(map(len, together)) == [4, 70 - 2 * 32, 32, 32]
    assert {path: len(content) for path, content in large.items()} in together, "what fills 16 MiB leaves"
