"""Texts at the ends of their columns, in databases whose text is kept as Google's server keeps it."""

from collections.abc import Iterator

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import AlreadyExists, InvalidArgument

from tests.model_registry.kubeflow.direct import Direct
from tests.services.sql_server import Address

LONG = f"s3://bucket/{'é' * 32_000}"
"""64,012 bytes of UTF-8, which a column of latin1 keeps as they are, and one of utf8mb4 as twice as many."""


@pytest.fixture
def charset() -> str:
    return "latin1"


@pytest.fixture
def api(charset: str, mariadb: Address, mariadb_url: str, database_name: str) -> Iterator[Direct]:
    mariadb.execute(f"ALTER DATABASE `{database_name}` CHARACTER SET {charset}")
    store = Store.open(mariadb_url, StoreOptions(google_text=True))
    yield Direct(store)
    store.close()


def test_a_uri_may_have_all_the_bytes_that_a_column_of_latin1_holds(api: Direct) -> None:
    made = api("createArtifact", body={"artifactType": "doc-artifact", "name": "notes", "uri": LONG})
    assert api("getArtifact", made["id"])["uri"] == LONG
    changed = api("updateArtifact", made["id"], body={"artifactType": "doc-artifact", "uri": LONG.swapcase()})
    assert changed["uri"] == LONG.swapcase()


@pytest.mark.parametrize("charset", ["latin1", "utf8mb4"])
@pytest.mark.parametrize("uri", ["s" * 65_536, "é" * 32_768])
def test_a_uri_that_no_column_holds_is_refused_with_its_bytes(api: Direct, uri: str) -> None:
    with pytest.raises(InvalidArgument, match="uri: has 65536 bytes, more than the 65535 that"):
        api("createArtifact", body={"artifactType": "doc-artifact", "name": "notes", "uri": uri})


@pytest.mark.parametrize("charset", ["utf8mb4"])
def test_a_uri_that_this_column_does_not_hold_is_the_callers_error(api: Direct) -> None:
    made = api("createArtifact", body={"artifactType": "doc-artifact", "name": "notes", "externalId": "a"})
    for operation, node_id, fields in (
        ("createArtifact", "", {"name": "others"}),
        ("updateArtifact", made["id"], {}),
        ("updateArtifact", made["id"], {"externalId": "b"}),
    ):
        with pytest.raises(InvalidArgument, match="uri: the text is longer than its column in the database"):
            api(operation, node_id, body={"artifactType": "doc-artifact", "uri": LONG, **fields})
    assert api("getArtifact", made["id"]) == made, "nothing of it is written"


@pytest.mark.parametrize("charset", ["latin1", "utf8mb4"])
def test_names_are_measured_in_bytes(api: Direct) -> None:
    body = {"artifactType": "doc-artifact", "uri": "s3://bucket/notes"}
    with pytest.raises(InvalidArgument, match="has 256 bytes, and 255 fit"):
        api("createArtifact", body={**body, "externalId": "é" * 128})
    made = api("createArtifact", body={**body, "externalId": "é" * 127})
    assert made["externalId"] == "é" * 127
    with pytest.raises(AlreadyExists, match="externalId"):
        api("updateArtifact", api("createArtifact", body=body)["id"], body={**body, "externalId": "é" * 127})
