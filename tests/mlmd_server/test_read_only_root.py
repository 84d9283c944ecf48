"""The server on a root file system that is read-only, with no folder for temporary files: the image's default.

What it may write is the folder of its database alone.
"""

import ssl
import subprocess
from pathlib import Path

import httpx

from tests.mlmd_server.conftest import Authority
from tests.mlmd_server.processes import grpc_over_tls, launched, processes_of, put_types, said
from tests.services.read_only import DATA, read_only
from tests.services.server import PROGRAMS, Server
from tests.services.waiting import wait_for


class Confined(Server):
    """A server that may write one folder."""

    def __init__(self, tmp_path: Path, *options: str, shared_memory: bool = True) -> None:
        where = ("--artifacts", f"{DATA}/artifacts", *options)
        super().__init__(f"sqlite:///{DATA}/metadata.db", tmp_path / "server", http=True, options=where)
        self.data, self.shared_memory = tmp_path / "data", shared_memory

    def command(self) -> list[str]:
        """Return the command line."""
        return read_only(self.data, super().command(), shared_memory=self.shared_memory)


_SORTS = """
import contextlib, random, sqlite3, sys
from mlmd_server.surroundings import give_sqlite_a_place

give_sqlite_a_place(["", sys.argv[1]])
with contextlib.closing(sqlite3.connect(sys.argv[1].removeprefix("sqlite:///"))) as database:
    database.execute("CREATE TABLE sorted(text)")
    texts = ((random.randbytes(8).hex() + "x" * 1000,) for _ in range(20_000))
    database.executemany("INSERT INTO sorted VALUES (?)", texts)
    database.execute("CREATE INDEX large ON sorted(text)")
print("sorted")
"""


def test_it_serves(tmp_path: Path) -> None:
    with Confined(tmp_path, shared_memory=False) as server:
        assert put_types(server, 3)
        assert server.stop() == 0
    assert "Traceback" not in server.output()


def test_what_sqlite_sorts_may_be_larger_than_its_memory(tmp_path: Path) -> None:
    program = [str(PROGRAMS / "python"), "-c", _SORTS, f"sqlite:///{DATA}/it's new/sorted.db"]
    (tmp_path / "data" / "it's new").mkdir(parents=True)
    (tmp_path / "data" / "it's new").chmod(0o777)
    done = subprocess.run(
        read_only(tmp_path / "data", program, shared_memory=False), capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout) == (0, "sorted\n"), done.stderr


def test_tls_needs_no_folder(tmp_path: Path, authority: Authority) -> None:
    options = ("--tls-cert", str(authority.server.certificate), "--tls-key", str(authority.server.key))
    server = Confined(tmp_path, *options, "--tls-client-ca", str(authority.ca), shared_memory=False)
    launched(server)
    try:
        context = ssl.create_default_context(cafile=str(authority.ca))
        context.load_cert_chain(authority.client.certificate, authority.client.key)
        page = httpx.get(f"https://localhost:{server.http_port}/readyz", verify=context, timeout=60, trust_env=False)
        assert page.status_code == 200
        assert grpc_over_tls(server, authority, authority.client) == 0
        assert server.stop() == 0
    finally:
        server.kill()


def test_workers_count_in_shared_memory(tmp_path: Path) -> None:
    with Confined(tmp_path, "--workers", "2") as server:
        wait_for(lambda: said(server, "ready"))
        for _ in range(10):
            put_types(server, 1)
        page = httpx.get(f"{server.http_url}/metrics", timeout=60, trust_env=False).text
        assert 'method="ml_metadata.MetadataStoreService/PutArtifactType",wire="grpc"} 10.0' in page
        assert len(processes_of(server)) == 2
        assert server.stop() == 0


def test_workers_that_have_no_place_to_count_say_what_to_mount(tmp_path: Path) -> None:
    server = Confined(tmp_path, "--workers", "2", shared_memory=False)
    done = subprocess.run(server.command(), capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "mlmd-server: metrics: the workers have no place to count in" in done.stderr
    assert "mount a volume on /tmp, or set TMPDIR" in done.stderr


def test_googles_command_wants_a_folder_only_without_a_database(tmp_path: Path) -> None:
    program = [str(PROGRAMS / "metadata_store_server"), "--grpc_port=1"]
    without = read_only(tmp_path / "data", program, shared_memory=False)
    done = subprocess.run(without, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "mount a volume on /tmp, set TMPDIR, or name a database" in done.stderr
    assert "Traceback" not in done.stderr
    server = Server("", tmp_path / "server")
    config = tmp_path / "data" / "config.txt"
    config.write_text(f'connection_config {{ sqlite {{ filename_uri: "{DATA}/google.db" connection_mode: 3 }} }}')
    flags = [f"--grpc_port={server.grpc_port}", f"--metadata_store_server_config_file={DATA}/config.txt"]
    environment = ["env", "MLMD_HOST=127.0.0.1", f"MLMD_ARTIFACTS={DATA}/artifacts"]
    server.words = read_only(tmp_path / "data", [*environment, program[0], *flags], shared_memory=False)
    server.start()
    try:
        assert put_types(server, 1)
        assert server.stop() == 0
    finally:
        server.kill()
