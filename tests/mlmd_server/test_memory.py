"""What a serving process keeps is bounded, however many connections read a large database."""

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from mlmd_server.memory import SQLITE_BYTES

CONNECTIONS = 8
READING = """
import sqlite3, sys
from pathlib import Path
from mlmd_server.memory import bound_memory

if sys.argv[2] == "bounded":
    bound_memory()
connections = [sqlite3.connect(sys.argv[1]) for _ in range(int(sys.argv[3]))]
for connection in connections:
    connection.execute("PRAGMA cache_size=-16000")
    for _ in range(2):
        assert connection.execute("SELECT count(*), sum(length(content)) FROM pages").fetchone() == (20000, 20000000)
status = Path("/proc/self/status").read_text()
print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
"""


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A database of 20 MB."""
    file = tmp_path / "large.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE pages (id INTEGER PRIMARY KEY, content BLOB)")
        connection.executemany("INSERT INTO pages (content) VALUES (?)", ((bytes(1000),) for _ in range(20_000)))
    connection.close()
    return file


def peak_bytes(large: Path, how: str) -> int:
    """Return the most memory that a process had which read it all over many connections."""
    command = [sys.executable, "-c", READING, str(large), how, str(CONNECTIONS)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout) * 1024


def test_connections_share_what_sqlite_may_keep(large: Path) -> None:
    unbounded, bounded = peak_bytes(large, "unbounded"), peak_bytes(large, "bounded")
    all_caches = CONNECTIONS * 16_000 * 1024
    assert unbounded - bounded > (all_caches - SQLITE_BYTES) // 2
