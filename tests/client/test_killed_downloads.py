"""What a download that was killed leaves behind, and that the next one takes nothing from a living one."""

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from mlmd_client.download import download
from mlmd_client.transport import open_transport
from mlmd_client.unfinished_files import begin_file, discard_abandoned
from mlmd_client.upload import upload

from tests.client.places import artifact, read_files, write_files

CONTENTS = {"a/small": b"s" * 1000, "large": b"l" * (17 << 20)}
PROGRAM = """
import sys, time
from pathlib import Path
from mlmd_client.download import download
from mlmd_client.transport import open_transport

def stop(progress):
    print("under way", flush=True)
    time.sleep(600)

store = open_transport(sys.argv[1])
download(store, int(sys.argv[2]), Path(sys.argv[3]), prefix=sys.argv[4], progress=stop, workers=1)
"""


def unfinished(folder: Path) -> list[str]:
    """Return the names of files that are not complete."""
    return [path.name for path in folder.rglob(".mlmd-*")]


@pytest.mark.parametrize("path", CONTENTS)
def test_the_next_download_deletes_what_a_dead_one_left_and_not_what_a_living_one_writes(
    path: str, sqlite_url: str, tmp_path: Path
) -> None:
    target = tmp_path / "target"
    store = open_transport(sqlite_url)
    uploaded = upload(store, artifact(store), write_files(tmp_path / "source", CONTENTS)).artifact_id
    command = [sys.executable, "-c", PROGRAM, sqlite_url, str(uploaded), str(target), path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "under way\n"
        (left,) = unfinished(target)
        download(store, uploaded, target)
        assert unfinished(target) == [left], "its process lives"
        process.send_signal(signal.SIGKILL)
    assert unfinished(target) == [left]
    download(store, uploaded, target)
    assert read_files(target) == CONTENTS
    store.close()


def test_files_of_others_are_left(tmp_path: Path) -> None:
    for name in (".mlmd-", ".mlmd-notes", "mlmd-0123456789abcdef", ".mlmd-0123456789abcdef0"):
        (tmp_path / name).write_text("mine")
    (tmp_path / ".mlmd-0123456789abcdef").symlink_to(tmp_path / ".mlmd-notes")
    (tmp_path / ".mlmd-0123456789abcdee").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    discard_abandoned(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    discard_abandoned(tmp_path / "absent")


def test_a_new_file_is_never_taken_for_an_abandoned_one(tmp_path: Path) -> None:
    stop = threading.Event()

    def discard() -> None:
        while not stop.is_set():
            discard_abandoned(tmp_path)

    def write(number: int) -> None:
        for turn in range(100):
            path, descriptor = begin_file(tmp_path)
            with open(descriptor, "wb") as file:
                file.write(b"%d" % turn)
                os.rename(path, tmp_path / f"{number}-{turn}")

    with ThreadPoolExecutor(6) as pool:
        discarding = [pool.submit(discard) for _ in range(2)]
        for written in [pool.submit(write, number) for number in range(4)]:
            written.result()
        stop.set()
        for done in discarding:
            done.result()
    assert len(list(tmp_path.iterdir())) == 400
