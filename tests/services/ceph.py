"""A throwaway S3 server: Ceph's radosgw over one monitor and one OSD that keeps everything in memory.

No manager and no cephx; every process belongs to the tests and listens on a free port of the loopback interface.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from dataclasses import dataclass
from pathlib import Path

from tests.services.certificates import Certificates, make_certificates
from tests.services.missing import HINT
from tests.services.ports import free_port

PROGRAMS = ("ceph", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
ACCESS_KEY, SECRET_KEY = "minioadmin", "minioadmin"
READY_SECONDS = 120.0

# radosgw asks for a 'secure' connection to the monitor, which without cephx is refused for ever: crc everywhere.
CONFIGURATION = """\
[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{monitor}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr1 = false
ms bind msgr2 = true
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
ms client mode = crc
ms service mode = crc
ms cluster mode = crc
auth allow insecure global id reclaim = true
run dir = {folder}/run
log file = {folder}/log/$name.log
admin socket = {folder}/run/$name.$pid.asok
crash dir = {folder}/run
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
paxos propose interval = 0.01
paxos min wait = 0.01
[mon.a]
mon data = {folder}/mon
mon cluster log file = {folder}/log/cluster.log
[osd.0]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 8589934592
osd max object name len = 1024
osd memory target = 939524096
osd class load list = *
osd class default list = *
osd op num shards = 2
[client.rgw]
rgw data = {folder}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} ssl_endpoint=127.0.0.1:{tls_port} ssl_certificate={certificate} \
ssl_private_key={key}
rgw rados pool pg num min = 4
rgw dns name = localhost
rgw s3 auth use keystone = false
rgw enable usage log = false
rgw run sync thread = false
rgw thread pool size = 64
"""


def absence() -> str | None:
    """Return the sentence that says what is missing, None when Ceph can be started."""
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"Ceph's S3 server is not installed (no {program}): {HINT}"
    return None


@dataclass(frozen=True)
class S3Address:
    """Where an S3 server listens, as a path-style and (`localhost`) a virtual-host address, and who may enter."""

    port: int
    tls_port: int
    authority: Path
    access_key: str = ACCESS_KEY
    secret_key: str = SECRET_KEY

    @property
    def endpoint(self) -> str:
        """The address without TLS."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_endpoint(self) -> str:
        """The address with TLS, by a certificate that `authority` signed."""
        return f"https://127.0.0.1:{self.tls_port}"


class Ceph:
    """The four steps from an empty folder to an S3 server, and the way back."""

    def __init__(self, folder: Path) -> None:
        """Choose ports; `start` starts it."""
        self.folder = folder
        self.port, self.tls_port, self.monitor = free_port(), free_port(), free_port()
        self.processes: list[subprocess.Popen[bytes]] = []

    def told(self) -> dict[str, object]:
        """Return what another process needs to make an `S3Address`."""
        return {"port": self.port, "tls_port": self.tls_port, "authority": str(self.folder / "authority.pem")}

    def start(self) -> None:
        """Start monitor, OSD and gateway, and make the user."""
        for name in ("mon", "osd", "rgw", "log", "run"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        certificates = make_certificates(self.folder)
        fsid = str(uuid.uuid4())
        (self.folder / "ceph.conf").write_text(self._configuration(fsid, certificates))
        self._start_monitor(fsid)
        self._start_osd()
        self._start_gateway()

    def _configuration(self, fsid: str, certificates: Certificates) -> str:
        return CONFIGURATION.format(
            fsid=fsid,
            monitor=self.monitor,
            folder=self.folder,
            port=self.port,
            tls_port=self.tls_port,
            certificate=certificates.certificate,
            key=certificates.key,
        )

    def _start_monitor(self, fsid: str) -> None:
        address = f"[v2:127.0.0.1:{self.monitor}]"
        self._run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", address, "monmap")
        self._run("ceph-mon", "-i", "a", "--mkfs", "--monmap", "monmap")
        self._launch("ceph-mon", "-i", "a", "-f")

    def _start_osd(self) -> None:
        identity = str(uuid.uuid4())
        self._run("ceph", "--connect-timeout", "60", "osd", "new", identity)
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)
        self._launch("ceph-osd", "-i", "0", "-f")
        self._run("ceph", "osd", "crush", "add", "osd.0", "1.0", "root=default", "host=h")
        until = time.monotonic() + READY_SECONDS
        while "1 up" not in self._run("ceph", "osd", "stat"):
            self._check(until)

    def _start_gateway(self) -> None:
        self._launch("radosgw", "-n", "client.rgw", "-f")
        until = time.monotonic() + READY_SECONDS
        while not self._answers():  # it makes its pools; radosgw-admin beside it would do so too
            self._check(until)
        self._run(
            "radosgw-admin", "-n", "client.rgw", "user", "create", "--uid=test", "--display-name=test",
            f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}", "--caps=buckets=*",
        )  # fmt: skip

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=5):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except OSError:
            return False

    def _check(self, until: float) -> None:
        dead = [process for process in self.processes if process.poll() is not None]
        if dead or time.monotonic() > until:
            logs = "".join(path.read_text(errors="replace")[-1500:] for path in (self.folder / "log").glob("*.out"))
            raise RuntimeError(f"Ceph did not start:\n{logs}")
        time.sleep(0.05)

    def _environment(self) -> dict[str, str]:
        return os.environ | {"CEPH_CONF": str(self.folder / "ceph.conf")}

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=READY_SECONDS,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout[-1000:]}{done.stderr[-2000:]}")
        return done.stdout

    def _launch(self, *command: str) -> None:
        with (self.folder / "log" / f"{command[0]}.out").open("ab") as log:
            self.processes.append(
                subprocess.Popen(
                    command,
                    cwd=self.folder,
                    env=self._environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )
            )

    def discard(self) -> None:
        """End every process at once (an orderly end takes ten seconds) and delete everything."""
        for process in reversed(self.processes):
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            process.wait()
        self.processes = []
        shutil.rmtree(self.folder, ignore_errors=True)
