"""Types, events and collections on MySQL as Google's server leaves it: no case, and UTF-8 bytes over latin1."""

from collections.abc import Iterator
from typing import Any

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.metadata_store.calls import Calls
from tests.reference.client import Reference, absence
from tests.reference.databases import mysql_config
from tests.services.missing import missing
from tests.services.sql_server import Address

INT = pb.INT


@pytest.fixture
def adopted(mariadb: Address, mariadb_url: str, database_name: str) -> Iterator[Calls]:
    """Calls on a store whose text compares without case and is kept in Google's way."""
    mariadb.execute(f"ALTER DATABASE `{database_name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    store = Store.open(mariadb_url, StoreOptions(google_text=True))
    yield Calls(store)
    store.close()


def put(call: Calls, name: str, **fields: Any) -> Code:
    return call.code("PutArtifactType", artifact_type=pb.ArtifactType(name=name, **fields))


def found(call: Calls, name: str) -> str:
    return str(call("GetArtifactType", type_name=name).artifact_type.name)


def test_types_that_differ_by_case_are_two_and_each_is_found(adopted: Calls) -> None:
    assert put(adopted, "T", properties={"a": INT}) is Code.OK
    assert found(adopted, "t") == "T", "the database finds it under another spelling"
    assert put(adopted, "t", properties={"b": INT}) is Code.OK
    assert (found(adopted, "T"), found(adopted, "t")) == ("T", "t")
    assert put(adopted, "T", properties={"a": INT}) is Code.OK
    assert [each.name for each in adopted("GetArtifactTypes").artifact_types] == ["T", "t"]


@pytest.mark.reference
def test_where_we_find_the_exact_spelling_googles_server_finds_the_first(
    adopted: Calls, mariadb: Address, database_name: str
) -> None:
    if (sentence := absence()) is not None:
        missing(sentence)
    assert put(adopted, "T") is put(adopted, "t") is Code.OK
    google = Reference(lambda: mysql_config(mariadb, database_name))
    theirs = google.put("GetArtifactType", service.GetArtifactTypeRequest(type_name="t")).artifact_type.name
    google.close()
    assert (found(adopted, "t"), theirs) == ("t", "T")


def test_external_ids_that_differ_by_case_are_one(adopted: Calls) -> None:
    assert put(adopted, "T", external_id="x") is Code.OK
    assert put(adopted, "U", external_id="X") is Code.ALREADY_EXISTS
    other = pb.ExecutionType(name="U", external_id="X")
    assert adopted.code("PutExecutionType", execution_type=other) is Code.INTERNAL
    assert put(adopted, "V") is Code.OK
    assert put(adopted, "V", external_id="X") is Code.INTERNAL
    both = [pb.ArtifactType(name="W", external_id="w"), pb.ArtifactType(name="Y", external_id="W")]
    assert adopted.code("PutTypes", artifact_types=both) is Code.ALREADY_EXISTS
    assert [each.name for each in adopted("GetArtifactTypes").artifact_types] == ["T", "V"]


def test_properties_that_differ_by_case_cannot_be_told_apart(adopted: Calls) -> None:
    assert put(adopted, "T", properties={"a": INT, "A": INT}) is Code.INTERNAL
    assert adopted.code("GetArtifactType", type_name="T") is Code.NOT_FOUND


def test_text_is_kept_in_googles_way(adopted: Calls, mariadb: Address, database_name: str) -> None:
    name = "é 模型 🎲"
    assert put(adopted, name, properties={name: INT}, description=name, external_id=name, version=name) is Code.OK
    got = adopted("GetArtifactType", type_name=name, type_version=name).artifact_type
    assert (got.name, got.description, got.external_id, list(got.properties)) == (name, name, name, [name])
    (row,) = mariadb.execute("SELECT HEX(name) FROM Type WHERE id = 10", database_name)
    assert row[0].startswith("C383C2A9"), "each byte of é is a character of its own"


def test_paths_and_collections_in_googles_text(adopted: Calls) -> None:
    put(adopted, "Dataset")
    execution_type = adopted("PutExecutionType", execution_type=pb.ExecutionType(name="E")).type_id
    adopted("PutExecutions", executions=[pb.Execution(type_id=execution_type)])
    for number in (1, 2):
        assert adopted("AddVersion", type_name="Dataset", name="Blüte").version.number == number
    event = pb.Event(artifact_id=1, execution_id=1, type=pb.Event.INPUT, path={"steps": [{"key": "schlüssel"}]})
    adopted("PutEvents", events=[event])
    (got,) = adopted("GetEventsByArtifactIDs", artifact_ids=[1]).events
    assert got.path.steps[0].key == "schlüssel"
    (collection,) = adopted("ListCollections", type_name="Dataset").collections
    assert (collection.name, collection.latest_number) == ("Blüte", 2)
    assert [a.name for a in adopted("GetArtifactsByID", artifact_ids=[1, 2]).artifacts] == ["Blüte/1", "Blüte/2"]
