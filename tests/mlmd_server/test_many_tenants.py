"""A server with many tenants on a MariaDB that takes few connections."""

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from mlmd_metadata_store.connections import LEAST_IDLE

from tests.services.mariadb import MariaDB
from tests.services.server import Server
from tests.services.waiting import wait_for

MOST = 40
"""What the MariaDB takes: less than the tenants would keep in one process, two for each."""
TENANTS, THREADS, CALLS, POOL_SIZE, WORKERS = 24, 6, 12, 6, 2
STORE = "/ml_metadata.MetadataStoreService"
OTHERS = (
    "SELECT COUNT(*) FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
    "AND user NOT IN ('system user', 'event_scheduler')"
)


@pytest.fixture
def few(tmp_path: Path) -> Iterator[MariaDB]:
    """A MariaDB that takes few connections."""
    server = MariaDB(tmp_path / "mariadb", (f"--max-connections={MOST}",))
    server.start()
    yield server
    server.discard()


def serving(few: MariaDB, folder: Path) -> Server:
    """Return a server, not started, with a token and a database for each tenant."""
    tokens, tenants = folder / "tokens.toml", folder / "tenants.toml"
    names = [f"t{number}" for number in range(TENANTS)]
    entry = '[[token]]\ntoken = "{0}"\nsubject = "{0}"\ntenant = "{0}"\nroles = ["writer"]\n'
    tokens.write_text("".join(entry.format(name) for name in names))
    tenants.write_text("".join(f'[tenant.{name}]\ndatabase = "{few.url(name)}"\n' for name in names))
    told = ("--auth", f"tokens={tokens}", "--tenants", str(tenants), "--pool-size", str(POOL_SIZE))
    options = (*told, "--workers", str(WORKERS))
    server = Server("", folder / "server", http=True, options=options)
    server.words = [word for word in server.command() if word not in ("--database", "")]
    return server


def call_in_turns(server: Server, thread: int) -> None:
    """Write and read as any tenant, each time over a new connection, which any worker may get; nothing fails."""
    chance = random.Random(thread)
    for number in range(CALLS):
        headers = {"authorization": f"Bearer t{chance.randrange(TENANTS)}"}
        with httpx.Client(base_url=server.http_url, headers=headers, timeout=60, trust_env=False) as client:
            name = f"T{thread}-{number}"
            client.post(f"{STORE}/PutArtifactType", json={"artifactType": {"name": name}}).raise_for_status()
            got = client.post(f"{STORE}/GetArtifactTypes", json={}).raise_for_status().json()
            assert name in [kind["name"] for kind in got["artifactTypes"]]
            assert httpx.get(server.http_url + "/readyz", timeout=60, trust_env=False).status_code == 200


def test_tenants_in_turns_do_not_use_up_the_database(few: MariaDB, tmp_path: Path) -> None:
    with serving(few, tmp_path) as server, ThreadPoolExecutor(THREADS) as threads:
        list(threads.map(lambda thread: call_in_turns(server, thread), range(THREADS)))
        # All workers together keep what one would; then what rests goes, too.
        wait_for(lambda: few.execute(OTHERS)[0][0] <= 2 * POOL_SIZE)
        wait_for(lambda: few.execute(OTHERS)[0][0] <= WORKERS * LEAST_IDLE)
        assert few.execute("SHOW GLOBAL STATUS LIKE 'Connection_errors_max_connections'")[0][1] == "0"
