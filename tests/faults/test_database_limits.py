"""What the database itself does not take: packets, numbers, a full disk, a read-only file."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.message import Message
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.conftest import StartServer
from tests.faults.contents import contents
from tests.faults.remote import Remote
from tests.faults.target import Target, check_sentence
from tests.faults.writes import WRITES, Ground
from tests.metadata_store.calls import Calls, node
from tests.migrations.databases import engine_of, load_old
from tests.services.disks import mounted
from tests.services.mariadb import MariaDB

MEGABYTE = 1 << 20


class TestPackets:
    """A MariaDB whose max_allowed_packet is small."""

    @pytest.fixture
    def ground(self, own_mariadb: MariaDB) -> Iterator[Ground]:
        """A store that tries each write once, on a server that takes a megabyte at a time."""
        own_mariadb.execute(f"SET GLOBAL max_allowed_packet = {MEGABYTE}")
        own_mariadb.execute("SET GLOBAL auto_increment_increment = 3")
        store = Store.open(own_mariadb.create("facts"), StoreOptions(attempts=1))
        yield Ground(Calls(store))
        store.close()

    def test_many_rows_go_in_several_statements(self, ground: Ground) -> None:
        """Ids are those of their rows, though the rows went in pieces and ids come in steps of three."""
        artifacts = [
            node(pb.Artifact, custom={"long": f"{number} " + "p" * 1000}, uri=f"{number} " + "u" * 1000)
            for number in range(3000)
        ]
        for artifact in artifacts:
            artifact.type_id = ground.data
        ids = ground.call("PutArtifacts", artifacts=artifacts).artifact_ids
        found = {artifact.id: artifact for artifact in ground.call("GetArtifactsByID", artifact_ids=ids).artifacts}
        for node_id, artifact in zip(ids, artifacts, strict=True):
            assert found[node_id].uri == artifact.uri
            assert found[node_id].custom_properties == artifact.custom_properties

    @pytest.mark.parametrize("neighbours", [0, 400])
    def test_a_value_that_is_too_large_is_named(self, ground: Ground, own_mariadb: MariaDB, neighbours: int) -> None:
        url = own_mariadb.url("facts")
        before, connected = contents(url), own_mariadb.execute("SHOW STATUS LIKE 'Connections'")
        artifact = ground.new_artifact("large")
        for number in range(neighbours):
            artifact.custom_properties[f"small{number}"].string_value = "x"
        artifact.custom_properties["heavy"].string_value = "x" * MEGABYTE
        call = ground.call
        assert isinstance(call, Calls)
        message = call.message("PutArtifacts", artifacts=[artifact])
        assert message.startswith("custom_properties['heavy']: ")
        assert f"max_allowed_packet = {MEGABYTE}" in message
        code = call.code("PutArtifacts", artifacts=[artifact])
        assert code is Code.RESOURCE_EXHAUSTED
        assert contents(url) == before
        ground.call("PutArtifacts", WRITES["PutArtifacts"](ground, "after"))
        again = own_mariadb.execute("SHOW STATUS LIKE 'Connections'")
        assert int(again[0][1]) <= int(connected[0][1]) + 2, "the store's connections were kept"


def test_numbers_that_a_database_of_googles_does_not_hold(mariadb_url: str) -> None:
    load_old(engine_of(mariadb_url), 9)
    store = Store.open(mariadb_url, StoreOptions(enable_upgrade=True))
    ground = Ground(Calls(store))
    before = contents(mariadb_url)
    wide = ground.new_artifact("wide")
    wide.custom_properties["big"].int_value = 2**31
    far = service.PutExecutionRequest(execution=ground.new_execution("wide"))
    far.artifact_event_pairs.add(event=pb.Event(type=pb.Event.INPUT, artifact_id=2**40))
    for method, request in (("PutArtifacts", service.PutArtifactsRequest(artifacts=[wide])), ("PutExecution", far)):
        assert Calls(store).code(method, request) is Code.OUT_OF_RANGE
        assert "mlmd-server migrate" in Calls(store).message(method, request)
    for number in (2**63 - 1, -(2**63), 2**31):
        assert not Calls(store)("GetArtifactsByID", artifact_ids=[number]).artifacts
        assert Calls(store).code("PutArtifacts", artifacts=[{"id": number}]) is Code.INVALID_ARGUMENT
        query = f"id = {number} OR custom_properties.big.int_value = {number}" if number > -(2**63) else "id = 0"
        assert not Calls(store)("GetArtifacts", options={"filter_query": query}).artifacts
    assert contents(mariadb_url) == before
    store.close()


def test_a_full_disk(tmp_path: Path, start_server: StartServer) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", "size=3m", "tmpfs"):
        url = f"sqlite:///{disk / 'metadata.db'}"
        target = Target(start_server(url, options=("--log-level", "error")), url)
        written = []
        for number in range(1000):
            artifact = target.ground.new_artifact(f"w{number}")
            artifact.custom_properties["bulk"].string_value = "x" * 20_000
            code, message = target.outcome("PutArtifacts", service.PutArtifactsRequest(artifacts=[artifact]))
            if code is not Code.OK:
                break
            written.append(artifact.name)
        assert code is Code.RESOURCE_EXHAUSTED
        assert "disk" in message
        assert len(written) > 10
        for _ in range(3):
            request = WRITES["PutExecution"](target.ground, "full")
            assert target.outcome("PutExecution", request)[0] in (Code.OK, Code.RESOURCE_EXHAUSTED)
        names = [artifact.name for artifact in target.remote("GetArtifacts").artifacts if artifact.name[:1] == "w"]
        assert names == written, "what was acknowledged is there, and nothing else"
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        target.works()
        target.server.stop()
        target.remote.close()


def test_a_store_is_opened_on_a_full_disk(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", "size=3m", "tmpfs"):
        url = f"sqlite:///{disk / 'metadata.db'}"
        Store.open(url).close()
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while filler.write(b"x" * 4096):
                pass
        with pytest.raises(StoreError, match="the disk of its file is full or fails; make room there") as caught:
            Store.open(url)
        assert caught.value.code is Code.UNAVAILABLE
        (disk / "filler").unlink()
        Store.open(url).close()


@pytest.mark.parametrize("closed", [True, False], ids=["closed", "left-open"])
def test_a_file_that_may_only_be_read(tmp_path: Path, start_server: StartServer, closed: bool) -> None:
    folder, view = tmp_path / "facts", tmp_path / "view"
    folder.mkdir()
    store = Store.open(f"sqlite:///{folder / 'metadata.db'}")
    ground = Ground(Calls(store))
    if closed:
        store.close()
    before = contents(f"sqlite:///{folder / 'metadata.db'}")
    with mounted(view, "--bind", str(folder)):
        subprocess.run(["mount", "-o", "remount,bind,ro", str(view)], check=True)
        server = start_server(f"sqlite:///{view / 'metadata.db'}", options=("--log-level", "error"))
        with contextlib.closing(Remote(server)) as remote:
            assert remote("GetArtifactsByID", artifact_ids=[ground.artifact]).artifacts
            for label in ("PutArtifacts", "PutExecution", "PutArtifactType"):
                _refused_as_read_only(remote, label, WRITES[label](ground, "read-only"))
            assert remote("GetContexts").contexts
        server.stop()
    store.close()
    assert contents(f"sqlite:///{folder / 'metadata.db'}") == before


def test_a_mysql_that_becomes_read_only(own_mariadb: MariaDB, start_server: StartServer) -> None:
    url = own_mariadb.create("facts")
    own_mariadb.execute("CREATE USER 'plain'@'127.0.0.1' IDENTIFIED BY 'plain'")
    own_mariadb.execute("GRANT ALL ON facts.* TO 'plain'@'127.0.0.1'")
    server = start_server(url.replace("mlmd:mlmd@", "plain:plain@"), options=("--log-level", "error"))
    target = Target(server, url)
    own_mariadb.execute("SET GLOBAL read_only = 1")
    before = contents(url)
    for label in ("PutArtifacts", "PutExecution", "PutArtifactType"):
        _refused_as_read_only(target.remote, label, WRITES[label](target.ground, "read-only"))
    assert target.remote("GetContexts").contexts
    assert contents(url) == before
    own_mariadb.execute("SET GLOBAL read_only = 0")
    target.works()
    target.remote.close()


def _refused_as_read_only(remote: Remote, label: str, request: Message) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        remote(label, request)
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    message = refused.value.details() or ""
    assert "read-only" in message
    check_sentence(message)


def test_a_database_that_goes_away_under_a_server(own_mariadb: MariaDB, start_server: StartServer) -> None:
    url = own_mariadb.create("facts")
    own_mariadb.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    server = start_server(url, http=True, options=("--log-level", "error"))
    target = Target(server, url)
    target.works()
    own_mariadb.kill()
    for method, request in (
        ("PutArtifacts", WRITES["PutArtifacts"](target.ground, "away")),
        ("GetArtifacts", service.GetArtifactsRequest()),
    ):
        code, message = target.refused(method, request)
        assert code is Code.UNAVAILABLE
        assert "database" in message
    own_mariadb.start()
    target.works()
    assert not contents(url).marked("away")
    target.remote.close()


CASES: dict[Code, tuple[int, ...]] = {
    Code.ABORTED: (1020, 1205, 1213, 1412, 3572),
    Code.UNAVAILABLE: (1040, 1045, 1047, 1049, 1053, 1129, 1158, 1203, 1317, 1927, 2002, 2006, 2013, 2061, 3024, 4031),
    Code.RESOURCE_EXHAUSTED: (1021, 1114, 1153),
    Code.FAILED_PRECONDITION: (1290, 1836),
    Code.OUT_OF_RANGE: (1264,),
    Code.ALREADY_EXISTS: (1062,),
    Code.DATA_LOSS: (1034, 1054, 1146, 1194, 1814, 1932),
    Code.INTERNAL: (1064, 1406, 1030, 9999),
}


@pytest.mark.parametrize(("code", "number"), [(code, number) for code, numbers in CASES.items() for number in numbers])
def test_error_numbers_of_mysql_become_sentences(code: Code, number: int) -> None:
    MySQLdb = pytest.importorskip("MySQLdb")
    from mlmd_metadata_store.dialect_choice import make_dialect

    translate: Callable[[Exception], StoreError] = make_dialect("mysql://u:p@h/d", StoreOptions()).translate
    error = translate(MySQLdb.OperationalError(number, "Secret driver text near 'SELECT 1'"))
    assert error.code is code
    check_sentence(error.message)
    assert "Secret" not in error.message
    if number == 1030:
        full = translate(MySQLdb.OperationalError(number, 'Got error 28 "No space left on device" from storage engine'))
        assert full.code is Code.RESOURCE_EXHAUSTED


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for path, code, words in (
        (tmp_path / "file" / "metadata.db", Code.UNAVAILABLE, "cannot be made: "),
        (Path("/proc/nowhere/metadata.db"), Code.UNAVAILABLE, "cannot be made: "),
        (Path("/proc/metadata.db"), Code.UNAVAILABLE, "let the server's user read and write the file and its folder"),
        (tmp_path / f"{'long' * 100}.db", Code.UNAVAILABLE, "cannot be looked at: File name too long; let"),
        (tmp_path, Code.INVALID_ARGUMENT, "is a folder"),
    ):
        with pytest.raises(StoreError) as refused:
            Store.open(f"sqlite:///{path}").close()
        assert refused.value.code is code, os.fspath(path)
        assert words in refused.value.message
        check_sentence(refused.value.message)
