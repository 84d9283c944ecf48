"""The doctor on parts that really fail: what is wrong, in which row, what to do, and the exit status."""

import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from minio import Minio
from mlmd_artifact_store.locations import encoded_segment
from mlmd_artifact_store.probing import PROBES
from mlmd_migrations import SchemaError, migrate
from mlmd_server.embedded import open_embedded

from tests.client.command_line.conftest import Run, Said, run_on
from tests.conftest import StartServer
from tests.migrations.databases import engine_of, execute
from tests.services.ceph import S3Address
from tests.services.disks import mounted
from tests.services.faulty_http import Fault, FaultyHttp
from tests.services.mariadb import MariaDB
from tests.services.ports import free_port
from tests.services.server import Server
from tests.services.skewed_clock import skewed

EVERY_ROW = [
    *("client", "server", "versions", "clock", "database", "schema"),
    *("object store", "object store clock", "bytes"),
]
TOKENS = """
[[token]]
token = "reads"
subject = "ana"
roles = ["reader"]
"""


def examined(server: Server) -> dict[str, dict[str, Any]]:
    """Return the rows by check; the exit status has to fit them, and every row that is not well says what to do."""
    said = run_on(f"grpc://{server.target}")("doctor", "--json")
    return checked(said)


def checked(said: Said, err: str = "") -> dict[str, dict[str, Any]]:
    """Return the rows of an answer beside which standard error had `err`."""
    assert said.err == err
    rows: list[dict[str, Any]] = said.json
    assert said.status == (0 if all(row["ok"] for row in rows) else 7)
    assert all(set(row) == {"check", "ok", "found", "mend"} for row in rows)
    assert all(row["found"] and row["ok"] == (row["mend"] == "") for row in rows)
    return {row["check"]: row for row in rows}


def wrong(rows: dict[str, dict[str, Any]]) -> list[str]:
    """Return the checks that found something."""
    return [check for check, row in rows.items() if not row["ok"]]


StartOnS3 = Callable[..., Server]


@pytest.fixture
def start_on_s3(start_server: StartServer, sqlite_url: str, s3: S3Address, bucket: str) -> StartOnS3:
    """A function that starts a server with its bytes in the test's bucket."""

    def start(endpoint: str = "", **environment: str) -> Server:
        where = ("--artifacts", f"s3://{bucket}/pre", "--artifacts-endpoint", endpoint or s3.endpoint)
        keys = {"AWS_ACCESS_KEY_ID": s3.access_key, "AWS_SECRET_ACCESS_KEY": s3.secret_key}
        return start_server(sqlite_url, options=where, environment=keys | environment)

    return start


def keys_of(s3_admin: Minio, bucket: str) -> list[str]:
    """Return the keys of a bucket, the store's own mark left out."""
    found = (one.object_name or "" for one in s3_admin.list_objects(bucket, recursive=True))
    return [key for key in found if "/.mlmd/" not in key]


def test_all_is_well_in_this_process(run: Run, tmp_path: Path) -> None:
    rows = checked(run("doctor", "--json"))
    assert list(rows) == EVERY_ROW
    assert rows["schema"]["found"] == "schema version 10, own tables v0009"
    assert "written, read back and deleted" in rows["object store"]["found"]
    assert [path for path in (tmp_path / "store" / "artifacts").rglob("*probe*/*") if path.is_file()] == []


def test_all_is_well_on_a_server_with_a_folder(start_server: StartServer, database_url: str) -> None:
    assert list(examined(start_server(database_url, http=True))) == [*EVERY_ROW, "http"]


def test_all_is_well_on_an_object_store(start_on_s3: StartOnS3, s3_admin: Minio, bucket: str) -> None:
    rows = examined(start_on_s3())
    assert list(rows) == [*EVERY_ROW[:-1], "http", "bytes"]
    assert rows["http"]["found"] == "the server has no HTTP listener", "nothing goes through it, so nothing is wrong"
    assert rows["object store"]["found"].startswith(f"s3://{bucket}/pre/: 32 bytes written, read back and deleted")
    assert keys_of(s3_admin, bucket) == []


def test_people_are_told_in_a_table(start_server: StartServer, sqlite_url: str) -> None:
    server = start_server(sqlite_url)
    said = run_on(f"grpc://{server.target}")("doctor")
    assert said.status == 7
    assert said.out.splitlines()[0].split() == ["check", "ok", "found", "mend"]
    (line,) = [line for line in said.out.splitlines() if line.startswith("http ")]
    assert "false" in line
    assert "start the server with --http-port" in line


def test_a_folder_without_http_takes_no_files(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    server = start_server(sqlite_url)
    rows = examined(server)
    assert wrong(rows) == ["http"]
    assert "--http-port" in rows["http"]["mend"]
    (tmp_path / "data").write_text("x")
    assert run_on(f"grpc://{server.target}")("put", str(tmp_path / "data"), "d").status != 0, "the doctor is right"


def test_an_http_address_where_no_http_is_spoken(start_server: StartServer, sqlite_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mail:
        elsewhere = f"http://127.0.0.1:{mail.getsockname()[1]}"

        def greet() -> None:
            caller, _ = mail.accept()
            with caller:
                caller.sendall(b"220 mail.example.org ESMTP\r\n")
                caller.recv(4096)

        greeter = threading.Thread(target=greet)
        greeter.start()
        rows = examined(start_server(sqlite_url, http=True, options=("--http-address", elsewhere)))
        greeter.join()
    assert wrong(rows) == ["http"]
    assert rows["http"]["found"].startswith(f"{elsewhere}: 220 mail")


def test_an_http_address_where_nobody_is(start_server: StartServer, sqlite_url: str) -> None:
    elsewhere = f"http://127.0.0.1:{free_port()}"
    rows = examined(start_server(sqlite_url, http=True, options=("--http-address", elsewhere)))
    assert wrong(rows) == ["http"]
    assert rows["http"]["found"].startswith(elsewhere)
    assert "--http-address" in rows["http"]["mend"]


@pytest.mark.parametrize(("seconds", "direction"), [(90, r"[5-9]\d s ahead of"), (-7200, r"7[12]\d\d s behind")])
def test_a_server_whose_clock_is_wrong(
    start_server: StartServer, sqlite_url: str, tmp_path: Path, seconds: int, direction: str
) -> None:
    rows = examined(start_server(sqlite_url, http=True, environment=skewed(seconds, tmp_path)))
    assert wrong(rows) == ["clock"]
    # Seldom to the second: what passes between looking at the one clock and at the other makes them seem nearer.
    assert re.fullmatch(f"the server's is {direction} this machine's", rows["clock"]["found"])
    assert "NTP" in rows["clock"]["mend"]


def test_a_clock_that_the_object_store_still_takes(start_on_s3: StartOnS3, tmp_path: Path) -> None:
    rows = examined(start_on_s3(**skewed(120, tmp_path)))
    assert wrong(rows) == ["clock", "object store clock"]
    assert rows["object store"]["ok"]
    assert re.fullmatch(r"1[12]\d s behind the server's", rows["object store clock"]["found"])
    assert "NTP" in rows["object store clock"]["mend"]


def test_a_clock_that_the_object_store_refuses(start_on_s3: StartOnS3, tmp_path: Path) -> None:
    rows = examined(start_on_s3(**skewed(7200, tmp_path)))
    assert wrong(rows) == ["clock", "object store"], rows["object store"]
    assert re.search(r"7[12]\d\d s apart", rows["object store"]["found"])
    assert rows["object store"]["mend"] == "set them by NTP"


CHANGES = (
    ("UPDATE MLMDEnv SET schema_version = 11", "schema version 11, own tables v0009", "upgrade this server"),
    ("UPDATE MLMDEnv SET schema_version = 10", "", ""),
    ("UPDATE mlmd_alembic_version SET version_num = 'v0008'", "v0008; this server expects 10", "mlmd-server migrate"),
    ("UPDATE mlmd_alembic_version SET version_num = 'v9999'", "A newer mlmd-server", "use that version"),
    ("UPDATE mlmd_alembic_version SET version_num = 'v0009'", "", ""),
    ("DELETE FROM MLMDEnv", "MLMDEnv has no schema version", "if it stays so"),
    ("INSERT INTO MLMDEnv VALUES (10)", "", ""),
    ("DROP TABLE EventPath", "something is gone: EventPath", "restore a backup"),
)


def test_a_database_that_others_changed(start_server: StartServer, database_url: str) -> None:
    server = start_server(database_url, http=True)
    for change, found, mend in CHANGES:
        execute(engine_of(database_url), change)
        rows = examined(server)
        assert wrong(rows) == (["schema"] if mend else []), change
        assert found in rows["schema"]["found"]
        assert mend in rows["schema"]["mend"]


def test_a_database_of_an_old_schema(start_server: StartServer, database_url: str) -> None:
    server = start_server(database_url, http=True)
    with suppress(SchemaError):  # which says that it was done
        migrate(engine_of(database_url), downgrade_to=8)
    rows = examined(server)
    assert wrong(rows) == ["schema", "bytes"], "without its columns no artifact can be looked for"
    assert rows["schema"]["found"] == "schema version 8, own tables v0009; this server expects 10 and v0009"
    assert "mlmd-server migrate" in rows["schema"]["mend"]


def test_an_old_database_is_told_before_anything_is_opened(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'metadata.db'}"
    open_embedded(url).close()
    with suppress(SchemaError):
        migrate(engine_of(url), downgrade_to=8)
    rows = checked(run_on(url)("doctor", "--json"))
    assert list(rows) == ["client", "server"]
    assert "schema version 8" in rows["server"]["found"]
    assert "migrate" in f"{rows['server']['found']} {rows['server']['mend']}"


def test_a_database_that_is_away(own_mariadb: MariaDB, start_server: StartServer) -> None:
    server = start_server(own_mariadb.create("facts"), http=True)
    own_mariadb.kill()
    said = run_on(f"grpc://{server.target}")("doctor", "--json")
    (waits,) = said.err.splitlines()
    assert waits.startswith(f"mlmd: waiting for {server.target}, and trying again: The database cannot be used")
    rows = checked(said, err=f"{waits}\n")
    assert wrong(rows) == ["database", "bytes", "http"]
    assert rows["database"]["mend"] == rows["bytes"]["mend"] == "check that the database runs"
    assert rows["http"]["found"].endswith("/readyz: 503")
    assert "schema" not in rows


def test_a_folder_that_may_only_be_read(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    with mounted(folder, "-t", "tmpfs", "-o", "ro,size=1m", "tmpfs"):
        server = start_server(sqlite_url, http=True, options=("--artifacts", str(folder)))
        rows = examined(server)
        server.stop()
    assert wrong(rows) == ["object store"]
    assert str(folder) in rows["object store"]["found"]
    assert rows["object store"]["mend"].startswith("mount its volume for writing.")


def test_a_folder_that_is_full(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    with mounted(folder, "-t", "tmpfs", "-o", "size=64k", "tmpfs"):
        server = start_server(sqlite_url, http=True, options=("--artifacts", str(folder)))
        assert wrong(examined(server)) == []
        with suppress(OSError):
            (folder / "ballast").write_bytes(bytes(1 << 20))
        rows = examined(server)
        server.stop()
    assert wrong(rows) == ["object store"]
    assert "make room" in rows["object store"]["mend"]


def test_a_place_of_bytes_that_is_gone_and_one_of_another_store(
    start_server: StartServer, sqlite_url: str, tmp_path: Path
) -> None:
    place = tmp_path / "artifacts"
    server = start_server(sqlite_url, http=True, options=("--artifacts", place.as_uri()))
    assert wrong(examined(server)) == []
    place.rename(tmp_path / "away")
    gone = examined(server)["object store"]
    assert gone["found"].endswith("Nothing was written")
    assert gone["mend"].startswith("mount or put back")
    assert "claim --take-over" in gone["mend"]
    away = ("--artifacts", (tmp_path / "away").as_uri())
    other = start_server(f"sqlite:///{tmp_path / 'other.db'}", options=away)
    taken = examined(other)["object store"]
    assert "keeps the bytes of another store" in taken["found"]
    assert taken["mend"].startswith("give this one a root of its own")
    assert "claim --take-over" in taken["mend"]


def test_a_bucket_that_may_only_be_read(start_on_s3: StartOnS3, s3_admin: Minio, bucket: str) -> None:
    server = start_on_s3()
    denied = {"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"}
    s3_admin.set_bucket_policy(bucket, json.dumps({"Version": "2012-10-17", "Statement": [denied]}))
    rows = examined(server)
    assert wrong(rows) == ["object store"]
    assert "AccessDenied" in rows["object store"]["found"]
    assert "grant it reading, writing" in rows["object store"]["mend"]


def test_a_bucket_that_is_not_there(start_on_s3: StartOnS3, s3_admin: Minio, bucket: str) -> None:
    server = start_on_s3()
    s3_admin.remove_bucket(bucket)
    rows = examined(server)
    assert wrong(rows) == ["object store"]
    assert f"no bucket '{bucket}'" in rows["object store"]["found"]
    assert "make it" in rows["object store"]["mend"]


def test_keys_that_the_object_store_does_not_know(start_on_s3: StartOnS3) -> None:
    rows = examined(start_on_s3(AWS_ACCESS_KEY_ID="nobody"))
    assert wrong(rows) == ["object store"]
    assert "InvalidAccessKeyId" in rows["object store"]["found"]
    assert "AWS_ACCESS_KEY_ID" in rows["object store"]["mend"]


def test_an_object_store_that_is_away(start_on_s3: StartOnS3) -> None:
    rows = examined(start_on_s3(f"http://127.0.0.1:{free_port()}"))
    assert wrong(rows) == ["object store"]
    assert "cannot be reached" in rows["object store"]["found"]
    assert "check that it runs" in rows["object store"]["mend"]


def test_a_probe_that_cannot_be_deleted_is_told(
    start_on_s3: StartOnS3, s3: S3Address, s3_admin: Minio, bucket: str
) -> None:
    with FaultyHttp(s3.port) as proxy:
        server = start_on_s3(proxy.url)
        proxy.plan(1, Fault.INTERNAL, times=100, where=lambda request: "?delete" in request.target)
        rows = examined(server)
        assert wrong(rows) == ["object store"]
        assert "busy or ill" in rows["object store"]["found"]
        assert len(keys_of(s3_admin, bucket)) == 1


def test_probes_that_were_left_behind_are_deleted_by_a_later_one(run: Run, tmp_path: Path) -> None:
    assert wrong(checked(run("doctor", "--json"))) == []
    folder = tmp_path / "store" / "artifacts" / "_" / PROBES
    folder.mkdir(parents=True, exist_ok=True)
    for name, hours in (("old", 2), ("young", 0)):
        (folder / name).write_text("left")
        then = time.time() - hours * 3600
        os.utime(folder / name, (then, then))
    assert wrong(checked(run("doctor", "--json"))) == []
    assert [path.name for path in folder.iterdir()] == ["young"], "somebody may be about to read that one"


def test_an_artifact_of_whatever_type_is_no_probe(run: Run, tmp_path: Path) -> None:
    assert encoded_segment(PROBES) != PROBES, "the files of a type of that name are elsewhere"
    for name in (PROBES, PROBES.removeprefix(".")):
        kept = tmp_path / "store" / "artifacts" / "_" / encoded_segment(name) / "_" / "1" / "f"
        kept.parent.mkdir(parents=True)
        kept.write_text("kept")
        os.utime(kept, (0, 0))
        assert wrong(checked(run("doctor", "--json"))) == []
        assert kept.read_text() == "kept"


def test_a_server_of_another_version(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    for version, mend in (("9.1.0", "upgrade the client: pip install --upgrade mlmd-server"), ("0.0.9", "the server")):
        package = tmp_path / version / f"mlmd_server-{version}.dist-info"
        package.mkdir(parents=True)
        (package / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mlmd-server\nVersion: {version}\n")
        server = start_server(sqlite_url, http=True, environment={"PYTHONPATH": str(package.parent)})
        rows = examined(server)
        server.stop()
        assert wrong(rows) == ["versions"]
        assert f"server {version} differ" in rows["versions"]["found"]
        assert mend in rows["versions"]["mend"]


def test_whoever_may_only_read_writes_nothing(
    start_server: StartServer, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens, folder = tmp_path / "tokens.toml", tmp_path / "artifacts"
    tokens.write_text(TOKENS)
    folder.mkdir()
    server = start_server(sqlite_url, http=True, options=("--auth", f"tokens={tokens}", "--artifacts", str(folder)))
    refused = examined(server)
    assert wrong(refused) == ["database", "bytes"]
    assert "MLMD_TOKEN" in refused["database"]["mend"]
    monkeypatch.setenv("MLMD_TOKEN", "reads")
    rows = examined(server)
    assert wrong(rows) == []
    assert "writing was not tried" in rows["object store"]["found"]
    assert "object store clock" not in rows
    assert list(folder.rglob("*")) == []


def test_the_program_says_it_by_its_status(start_server: StartServer, sqlite_url: str) -> None:
    program = [str(Path(sys.executable).parent / "mlmd"), "--server"]
    well = start_server(sqlite_url, http=True)
    assert (
        subprocess.run([*program, f"grpc://{well.target}", "doctor"], capture_output=True, check=False).returncode == 0
    )
    well.stop()
    ill = subprocess.run([*program, f"grpc://{well.target}", "doctor"], capture_output=True, text=True, check=False)
    assert ill.returncode == 7
    assert "start the server" in ill.stdout
