"""A throwaway MariaDB with MySQL's default sql_mode."""

import getpass
import shutil
import subprocess

from tests.services.missing import HINT
from tests.services.sql_server import SQL_MODE, SqlServer

SEARCH = "/usr/sbin:/usr/bin:/usr/local/bin:/usr/local/sbin"


def absence() -> str | None:
    """Return the sentence that says what is missing, None when MariaDB can be started."""
    for program in ("mariadbd", "mariadb-install-db"):
        if shutil.which(program, path=SEARCH) is None:
            return f"MariaDB is not installed (no {program}): {HINT}"
    return None


class MariaDB(SqlServer):
    """MariaDB as Debian packages it, fast and not durable."""

    def command(self) -> list[str]:
        """Return the command line: no durability, small buffers, MySQL's default sql_mode, short lock waits."""
        return [
            f"{shutil.which('mariadbd', path=SEARCH)}",
            "--no-defaults",
            f"--user={getpass.getuser()}",
            f"--datadir={self.data}",
            f"--tmpdir={self.folder}",
            "--socket=m.sock",
            f"--pid-file={self.folder / 'm.pid'}",
            f"--port={self.port}",
            f"--bind-address={self.host}",
            f"--init-file={self.folder / 'accounts.sql'}",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=0",
            "--innodb-flush-method=nosync",
            "--innodb-doublewrite=OFF",
            "--innodb-buffer-pool-size=128M",
            "--innodb-log-file-size=64M",
            "--sync-binlog=0",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_bin",
            f"--sql-mode={SQL_MODE}",
            "--lock-wait-timeout=10",
            "--max-allowed-packet=128M",
            "--max-connections=2000",
        ]

    def initialise(self) -> None:
        """Run mariadb-install-db."""
        done = subprocess.run(
            [
                f"{shutil.which('mariadb-install-db', path=SEARCH)}",
                "--no-defaults",
                "--auth-root-authentication-method=normal",
                f"--user={getpass.getuser()}",
                f"--datadir={self.data}",
                f"--tmpdir={self.folder}",  # in a shared /tmp, two of the same process number break each other
                "--skip-test-db",
                "--skip-name-resolve",
                "--force",  # else it insists that the host's name resolves
            ],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise RuntimeError(f"mariadb-install-db failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
