"""An artifact of very many files, from begin to the last byte back; with MLMD_SOAK=1 there are 100,000 of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.client.conftest import server_at
from tests.client.test_transfer_memory import MOST_MIB, peak_mib
from tests.conftest import StartServer

MANY = 100_000 if os.environ.get("MLMD_SOAK") else 2_100
"""More than two pages of each list."""
PROGRAM = """
import json, sys, time
from pathlib import Path
from mlmd_client.download import download
from mlmd_client.transport import open_transport
from mlmd_client.upload import upload
from mlmd_schemas.pb.v1 import artifacts_pb2 as v1
from tests.client.places import artifact

store, told = open_transport(sys.argv[1]), {}

def timed(name, work):
    began = time.monotonic()
    done = work()
    told[f"{name}_seconds"] = round(time.monotonic() - began, 1)
    print(name, told, file=sys.stderr, flush=True)
    return done

def listed():
    count, token = 0, ""
    while True:
        request = v1.ListFilesRequest(artifact_id=uploaded.artifact_id, page_token=token)
        page = store.unary("/mlmd.v1.ArtifactStore/ListFiles", request, v1.ListFilesResponse)
        count, token = count + len(page.files), page.next_page_token
        if not token:
            return count

uploaded = timed("upload", lambda: upload(store, artifact(store), Path(sys.argv[2])))
told["listed"] = timed("list", listed)
downloaded = timed("download", lambda: download(store, uploaded.artifact_id, Path(sys.argv[3])))
told |= {"declared": uploaded.manifest.file_count, "downloaded": downloaded.file_count}
status = Path("/proc/self/status").read_text()
told["peak_mib"] = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
print(json.dumps(told))
"""


@pytest.mark.timeout(7200 if os.environ.get("MLMD_SOAK") else 300)
@pytest.mark.parametrize("place", ["http-folder", "s3"])
def test_many_files_go_up_and_come_back(
    place: str, sqlite_url: str, request: pytest.FixtureRequest, start_server: StartServer, tmp_path: Path
) -> None:
    server = server_at(place, sqlite_url, request, start_server, fresh=True)
    source, target = tmp_path / "source", tmp_path / "target"
    names = [f"part {number // 1000:03}/{number:06}.json" for number in range(MANY)]
    for name in names:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(name)
    command = [sys.executable, "-c", PROGRAM, server.target, str(source), str(target)]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, check=True)
    told = json.loads(done.stdout)
    assert server.process is not None
    server_peak = peak_mib(server.process.pid)
    print(f"{MANY} files, {place}: {told}, server {server_peak:.0f} MiB", file=sys.stderr)
    assert (told["declared"], told["listed"], told["downloaded"]) == (MANY, MANY, MANY)
    assert all((target / name).read_text() == name for name in names)
    assert told["peak_mib"] < MOST_MIB
    assert server_peak < MOST_MIB
