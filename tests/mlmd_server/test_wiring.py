"""What the parts of a server are made from: whose bytes are where, and who may read which of others."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from mlmd_api.tenants import TenantStores
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.s3 import S3Store
from mlmd_metadata_store.connections import LEAST_IDLE
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Aborted, FailedPrecondition, PermissionDenied, StoreError, Unavailable
from mlmd_server.google_flags import read_flags, to_config
from mlmd_server.settings import load_config
from mlmd_server.wiring import (
    http_address,
    open_connections,
    open_default,
    store_options,
    tenant_artifacts,
    tenant_stores,
)

from tests.artifact_store.uploads import begin, upload_file
from tests.migrations.databases import DUMPS
from tests.services.certificates import make_certificates

TENANTS = """
[tenant.vision]
database = "sqlite:///{folder}/vision.db"
bucket_prefix = "{folder}/apart"
external_roots = ["file://{folder}/shared"]

[tenant.speech]
database = "sqlite:///{folder}/speech.db"
"""


def _begun(artifacts: Artifacts) -> str:
    """Begin an upload of one file; return where its bytes will be."""
    return artifacts.begin_upload(begin(artifacts.store, upload_file("f", b"x"), name="d")).uri


def _readable(artifacts: Artifacts) -> list[str]:
    return [root.uri for root in artifacts.externals.roots]


def test_bytes_of_tenants_are_below_their_prefix_or_the_servers_and_below_their_name(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(TENANTS.format(folder=tmp_path))
    (tmp_path / "shared").mkdir()
    flags = {
        "tenants": str(file),
        "database": f"sqlite:///{tmp_path}/ours.db",
        "artifacts": str(tmp_path / "ours"),
        "artifacts-external-roots": f"{tmp_path.as_uri()}/theirs",
    }
    config = load_config(flags, {}, None)
    stores = tenant_stores(config)
    assert stores.names == ["", "speech", "vision"]
    tenants = tenant_artifacts(config, stores)
    places = {name: tenants.of(name).artifacts for name in stores.names}
    roots = {name: artifacts.blobs.uri() for name, artifacts in places.items()}
    ours = (tmp_path / "ours").as_uri()
    assert roots == {"": ours, "speech": ours, "vision": (tmp_path / "apart").as_uri()}
    for name, artifacts in places.items():
        assert _begun(artifacts).startswith(f"{roots[name]}/{name or '_'}/system.Model/d/")
    # What the default database may read of others is not for tenants to read.
    assert _readable(places[""]) == [f"{tmp_path.as_uri()}/theirs"]
    assert _readable(places["speech"]) == []
    assert _readable(places["vision"]) == [(tmp_path / "shared").as_uri()]
    with pytest.raises(PermissionDenied):
        tenants.of("audio")
    stores.close()


@pytest.mark.parametrize(("said", "host"), [("auto", ""), ("path", ""), ("virtual-host", "bkt.minio.example")])
def test_where_the_bucket_is_named(tmp_path: Path, said: str, host: str) -> None:
    flags = {"database": f"sqlite:///{tmp_path}/m.db", "artifacts": "s3://bkt", "artifacts-addressing": said}
    config = load_config(flags | {"artifacts-endpoint": "http://minio.example:9000"}, {}, None)
    stores = tenant_stores(config)
    blobs = tenant_artifacts(config, stores).of("").artifacts.blobs
    assert isinstance(blobs, S3Store)
    assert blobs.settings.virtual_host == host
    stores.close()


def test_an_object_store_is_reached_as_the_options_say(tmp_path: Path) -> None:
    authority = make_certificates(tmp_path).authority
    flags = {
        "database": f"sqlite:///{tmp_path}/m.db",
        "artifacts": "s3://bkt",
        "artifacts-endpoint": "https://minio.inside:9000",
        "artifacts-region": "eu-west-1",
        "artifacts-ca": str(authority),
        "artifacts-public-endpoint": "https://minio.outside",
        "artifacts-delete-versions": "true",
    }
    stores = tenant_stores(load_config(flags, {}, None))
    blobs = tenant_artifacts(load_config(flags, {}, None), stores).of("").artifacts.blobs
    assert isinstance(blobs, S3Store)
    told = blobs.settings
    assert (told.bucket, told.endpoint, told.region) == ("bkt", "https://minio.inside:9000", "eu-west-1")
    assert (told.ca_file, told.public_endpoint) == (str(authority), "https://minio.outside")
    assert told.delete_versions is True
    stores.close()


@pytest.mark.parametrize("in_the_way", ["file/m.db", "folder"])
def test_where_a_tenants_store_would_be_is_told_to_the_log_alone(
    tmp_path: Path, in_the_way: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    file = tmp_path / "tenants.toml"
    file.write_text(f'[tenant.vision]\ndatabase = "sqlite:///{tmp_path}/{in_the_way}"\n')
    flags = {"tenants": str(file), "artifacts": str(tmp_path / "ours")}
    stores = tenant_stores(load_config(flags, {}, None))
    with pytest.raises(Unavailable) as told:
        stores.of("vision")
    assert told.value.message == "The store of this tenant cannot be opened; the server's log says why."
    assert f"{tmp_path}/" in caplog.text
    assert "of a tenant" in caplog.text
    # The start tells its operator, who set it.
    alone = tenant_stores(load_config({"database": f"sqlite:///{tmp_path}/{in_the_way}"}, {}, None))
    with pytest.raises(StoreError, match=f"database: .*{tmp_path}"):
        alone.of("")


def test_what_a_tenants_callers_can_use_of_an_opening_that_failed_they_hear(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(f'[tenant.vision]\ndatabase = "sqlite:///{tmp_path}/old.db"\n')
    with closing(sqlite3.connect(tmp_path / "old.db")) as connection:
        connection.executescript((DUMPS / "sqlite_v4.sql").read_text(encoding="utf-8"))
    stores = tenant_stores(load_config({"tenants": str(file), "artifacts": str(tmp_path / "ours")}, {}, None))
    with pytest.raises(FailedPrecondition, match="schema version 4"):
        stores.of("vision")


@pytest.mark.parametrize(
    ("refusal", "refused", "tried"),
    [(Aborted("busy"), 2, 3), (Aborted("busy"), 99, 3), (FailedPrecondition("old"), 99, 1)],
    ids=["opened at last", "busy for ever", "no use in trying"],
)
def test_a_database_that_others_are_busy_with_is_opened_again(
    tmp_path: Path, refusal: StoreError, refused: int, tried: int
) -> None:
    words = ["--metadata_store_connection_retries=2"]
    config, _ = to_config(read_flags(words, {}), {}, lambda: tmp_path)
    opened: list[str] = []

    def open_store(url: str) -> Store:
        opened.append(url)
        if len(opened) <= refused:
            raise refusal
        return Store.open(url)

    stores = TenantStores({"": config.database.url}, open_store)
    if refused > tried:
        with pytest.raises(type(refusal)):
            open_default(config, stores)
    else:
        open_default(config, stores)
    assert len(opened) == tried
    stores.close()


def test_databases_are_opened_as_the_options_say() -> None:
    flags = {"enable-upgrade": "true", "google-text": "true", "pool-size": "3", "database-ssl-ca": "ca.pem"}
    assert store_options(load_config(flags, {}, None).database) == StoreOptions(
        enable_upgrade=True, google_text=True, pool_size=3, ssl_ca="ca.pem"
    )
    usual = load_config({}, {}, None).database
    assert store_options(replace(usual, downgrade_to=9, create=False, read_only=True)) == StoreOptions(
        downgrade_to=9, create_database=False, read_only=True
    )


@pytest.mark.parametrize(
    ("flags", "tenants", "most_idle", "visits"),
    [
        ({}, 0, 32, False),
        ({"pool-size": "20"}, 1, 40, False),
        ({"database": "sqlite:///ours.db"}, 1, 32, True),
        ({"workers": "3"}, 2, 10, True),
        ({"workers": "64"}, 0, LEAST_IDLE, False),
    ],
)
def test_workers_keep_together_what_one_of_them_would(
    tmp_path: Path, flags: dict[str, str], tenants: int, most_idle: int, visits: bool
) -> None:
    (tmp_path / "tenants.toml").write_text(
        "".join(f"[tenant.t{number}]\ndatabase = 'sqlite:///{number}.db'\n" for number in range(tenants))
    )
    given = {"tenants": str(tmp_path / "tenants.toml")} if tenants else {}
    connections = open_connections(load_config({**given, **flags}, {}, None))
    assert (connections.most_idle, connections.visits) == (most_idle, visits)


def test_without_a_default_database_nobody_is_nobodys_tenant(tmp_path: Path) -> None:
    file = tmp_path / "tenants.toml"
    file.write_text(TENANTS.format(folder=tmp_path))
    config = load_config({"tenants": str(file), "artifacts": str(tmp_path / "ours")}, {}, None)
    stores = tenant_stores(config)
    assert stores.names == ["speech", "vision"]
    with pytest.raises(PermissionDenied, match="callers without a tenant"):
        tenant_artifacts(config, stores).of("")
    stores.close()


@pytest.mark.parametrize(
    ("flags", "address"),
    [
        ({}, "http://127.0.0.1:8081"),
        ({"host": "::1", "http-port": "9"}, "http://[::1]:9"),
        ({"http-port": "0"}, ""),
        ({"http-address": "https://store.example/mlmd"}, "https://store.example/mlmd"),
        ({"http-port": "0", "http-address": "https://store.example"}, "https://store.example"),
    ],
)
def test_the_address_that_clients_are_told(flags: dict[str, str], address: str) -> None:
    assert http_address(load_config(flags, {}, None)) == address
