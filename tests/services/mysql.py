"""A throwaway Oracle MySQL 9, from Debian sid's packages extracted beside the system and run with their own loader.

`make mysql9` extracts them into `.envs/mysql9`. A laid data directory takes seconds to make and a copy of it none, so
one is kept beside the programs as a template.
"""

import fcntl
import getpass
import os
import platform
import shutil
import subprocess
from pathlib import Path

from tests.services.sql_server import SqlServer

ROOT = Path(os.environ.get("MYSQL9_ROOT") or Path(__file__).resolve().parents[2] / ".envs" / "mysql9")
LIBRARIES = ROOT / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
LOADERS = {"x86_64": "ld-linux-x86-64.so.2", "aarch64": "ld-linux-aarch64.so.1"}
SMALL = ("--innodb-flush-log-at-trx-commit=0", "--innodb-flush-method=nosync", "--innodb-buffer-pool-size=64M")


def absence() -> str | None:
    """Return the sentence that says what is missing, None when MySQL 9 can be started."""
    if (ROOT / "usr" / "sbin" / "mysqld").exists():
        return None
    return f"MySQL 9 is absent (no mysqld below {ROOT}): extract it with `make test-deps`"


def program() -> list[str]:
    """Return the command that runs mysqld with its own C library and its own files."""
    loader = LIBRARIES / LOADERS[platform.machine()]
    share = ROOT / "usr" / "share" / "mysql"
    return [
        *(str(loader), "--library-path", str(LIBRARIES), str(ROOT / "usr" / "sbin" / "mysqld")),
        "--no-defaults",
        f"--user={getpass.getuser()}",
        f"--lc-messages-dir={share}",
        f"--character-sets-dir={share / 'charsets'}",
        f"--plugin-dir={ROOT / 'usr' / 'lib' / 'mysql' / 'plugin'}",
        *SMALL,
    ]


def template() -> Path:
    """Return a laid data directory to copy, made at the first call on a machine."""
    made = ROOT.with_name(ROOT.name + "-template")
    with ROOT.with_name(ROOT.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            fresh = made.with_name(made.name + ".partial")
            shutil.rmtree(fresh, ignore_errors=True)
            command = [*program(), f"--datadir={fresh}", "--initialize-insecure", "--innodb-redo-log-capacity=8M"]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
            if done.returncode:
                raise RuntimeError(f"mysqld --initialize-insecure failed:\n{done.stderr[-3000:]}")
            (fresh / "auto.cnf").unlink()
            fresh.rename(made)
    return made


class MySQL(SqlServer):
    """MySQL 9 with its default sql_mode and its default authentication (caching_sha2_password), not durable."""

    def command(self) -> list[str]:
        """Return the command line."""
        return [
            *program(),
            f"--datadir={self.data}",
            "--socket=m.sock",
            f"--pid-file={self.folder / 'm.pid'}",
            f"--port={self.port}",
            f"--bind-address={self.host}",
            f"--init-file={self.folder / 'accounts.sql'}",
            "--mysqlx=OFF",
            "--skip-log-bin",
            "--skip-name-resolve",
            "--innodb-redo-log-capacity=64M",
            "--innodb-doublewrite=OFF",
            "--performance-schema=OFF",
            "--secure-file-priv=NULL",
            "--lock-wait-timeout=10",
            "--max-allowed-packet=128M",
            "--max-connections=500",
        ]

    def initialise(self) -> None:
        """Copy the template."""
        shutil.copytree(template(), self.data)
