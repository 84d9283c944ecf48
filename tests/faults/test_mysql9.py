"""Oracle's MySQL 9: logging in with its default authentication, TLS on and off, and every write."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code, StoreError

from tests.conftest import StartServer
from tests.faults.contents import contents
from tests.faults.remote import Remote
from tests.faults.target import check_sentence
from tests.faults.writes import WRITES, Ground
from tests.metadata_store.calls import Calls
from tests.services import mysql as mysql_service
from tests.services.certificates import Certificates, make_certificates
from tests.services.mariadb import MariaDB
from tests.services.missing import missing
from tests.services.mysql import MySQL

pytestmark = pytest.mark.mysql9

PASSWORD = "p@/s:w%rd"
WRITTEN = {"as it is": "p@/s:w%25rd", "percent-encoded": "p%40%2Fs%3Aw%25rd"}
"""How the password may be written in a URL; `%` always as `%25`."""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """The authority that signed the servers' certificate."""
    return make_certificates(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, authority: Certificates) -> Iterator[MySQL]:
    """A MySQL with TLS and the account `odd`, whose password has what URLs are made of."""
    if (sentence := mysql_service.absence()) is not None:
        missing(sentence, tolerated=True)
    pytest.importorskip("MySQLdb")
    tls = (f"--ssl-ca={authority.authority}", f"--ssl-cert={authority.certificate}", f"--ssl-key={authority.key}")
    started = MySQL(tmp_path_factory.mktemp("mysql9") / "data", options=tls)
    started.start()
    started.execute(f"CREATE USER 'odd'@'127.0.0.1' IDENTIFIED WITH caching_sha2_password BY '{PASSWORD}'")
    started.execute("GRANT ALL ON *.* TO 'odd'@'127.0.0.1'")
    yield started
    started.discard()


def url(server: MySQL | MariaDB, database: str, password: str = "p@/s:w%25rd") -> str:
    return f"mysql://odd:{password}@{server.host}:{server.port}/{database}"


def cipher(store: Store) -> str:
    """Return the cipher of a connection of the store, empty without TLS."""
    connection = store.database.writer.raw_connection()
    cursor = connection.cursor()
    cursor.execute("SHOW STATUS LIKE 'Ssl_cipher'")
    ((_, found),) = cursor.fetchall()
    connection.close()
    return str(found)


@pytest.mark.parametrize("written", WRITTEN)
def test_the_default_authentication(server: MySQL, database_name: str, written: str) -> None:
    """First login, with the server's cache empty; cached login; again after FLUSH PRIVILEGES, which empties it."""
    address = url(server, database_name, WRITTEN[written])
    server.execute("FLUSH PRIVILEGES")
    for _ in range(2):
        store = Store.open(address)
        assert Calls(store).code("GetArtifactTypes") is Code.OK
        server.execute("FLUSH PRIVILEGES")
        store.database.reader.dispose()
        assert Calls(store).code("GetArtifactTypes") is Code.OK
        store.close()


@pytest.mark.parametrize("mode", ["", "DISABLED", "PREFERRED", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"])
def test_tls(server: MySQL, authority: Certificates, database_name: str, mode: str) -> None:
    ca = str(authority.authority) if mode.startswith("VERIFY") else ""
    server.execute("FLUSH PRIVILEGES")
    store = Store.open(url(server, database_name), StoreOptions(ssl_mode=mode, ssl_ca=ca))
    assert bool(cipher(store)) == (mode not in ("", "DISABLED"))
    Ground(Calls(store))
    store.close()


def test_a_certificate_alone_asks_for_tls(server: MySQL, authority: Certificates, database_name: str) -> None:
    store = Store.open(url(server, database_name), StoreOptions(ssl_ca=str(authority.authority)))
    assert cipher(store)
    store.close()


@pytest.mark.parametrize("mode", ["", "REQUIRED", "VERIFY_CA", "VERIFY_IDENTITY"])
def test_a_server_of_another_authority(server: MySQL, database_name: str, tmp_path: Path, mode: str) -> None:
    stranger = make_certificates(tmp_path)
    _refused(url(server, database_name), "TLS failed", ssl_mode=mode, ssl_ca=str(stranger.authority))


def test_tls_is_preferred_where_there_is_none(own_mariadb: MariaDB) -> None:
    own_mariadb.execute(f"CREATE USER 'odd'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
    own_mariadb.execute("GRANT ALL ON *.* TO 'odd'@'127.0.0.1'")
    store = Store.open(url(own_mariadb, "facts"), StoreOptions(ssl_mode="PREFERRED"))
    assert cipher(store) == ""
    store.close()
    _refused(url(own_mariadb, "facts"), "TLS failed", ssl_mode="REQUIRED")


@pytest.mark.parametrize("mode", ["", "DISABLED", "REQUIRED", "PREFERRED"])
@pytest.mark.parametrize("create", [True, False])
def test_a_wrong_password(server: MySQL, database_name: str, mode: str, create: bool) -> None:
    _refused(url(server, database_name, "s3cret"), "password is wrong", ssl_mode=mode, create_database=create)


def test_a_user_who_must_use_tls(server: MySQL, database_name: str) -> None:
    server.execute("CREATE USER IF NOT EXISTS 'tls'@'127.0.0.1' IDENTIFIED BY 'tls' REQUIRE SSL")
    server.execute("GRANT ALL ON *.* TO 'tls'@'127.0.0.1'")
    address = f"mysql://tls:tls@{server.host}:{server.port}/{database_name}"
    _refused(address, "the user may not connect", ssl_mode="DISABLED")
    Store.open(address, StoreOptions(ssl_mode="REQUIRED")).close()


def test_a_database_that_is_not_there(server: MySQL, database_name: str) -> None:
    _refused(url(server, database_name), "there is no database of that name", create_database=False)
    server.execute("CREATE USER IF NOT EXISTS 'small'@'127.0.0.1' IDENTIFIED BY 'small'")
    _refused(f"mysql://small:small@{server.host}:{server.port}/{database_name}", "the user may not use the database")
    Store.open(url(server, database_name)).close()
    charset = server.execute(
        f"SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{database_name}'"
    )
    assert charset == [("utf8mb4_bin",)]


def test_a_server_with_such_a_password(server: MySQL, database_name: str, start_server: StartServer) -> None:
    started = start_server(url(server, database_name), options=("--database-ssl-mode", "REQUIRED", "--workers", "2"))
    remote = Remote(started)
    Ground(remote)
    remote.close()
    assert PASSWORD not in started.output()
    assert started.stop() == 0


def _refused(address: str, reason: str, **options: Any) -> None:
    with pytest.raises(StoreError) as refused:
        Store.open(address, StoreOptions(**options)).close()
    assert refused.value.code is Code.UNAVAILABLE, refused.value.message
    assert reason in refused.value.message
    check_sentence(refused.value.message)
    assert "s3cret" not in refused.value.message


def test_every_write_does_what_it_does_on_mariadb(mysql9_url: str, mariadb_url: str) -> None:
    stores = [Store.open(address) for address in (mysql9_url, mariadb_url)]
    grounds = [Ground(Calls(store)) for store in stores]
    for label, make in WRITES.items():
        written = []
        for ground, address in zip(grounds, (mysql9_url, mariadb_url), strict=True):
            before, mark = contents(address), ground.mark()
            request = make(ground, mark)
            ground.call(label.partition(" ")[0], request)
            after = contents(address)
            written.append((after.more(before), after.marked(mark)))
        assert written[0] == written[1], label
    for query in ("name LIKE 'mark-%'", "properties.count.int_value = 7 AND custom_properties.number.double_value > 0"):
        found = [ground.call("GetArtifacts", options={"filter_query": query}).artifacts for ground in grounds]
        assert [a.name for a in found[0]] == [a.name for a in found[1]]
        assert found[0]
    for store in stores:
        store.close()
