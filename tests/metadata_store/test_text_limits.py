"""Texts at the ends of MySQL's columns: Google's server takes and refuses the same, whatever charset a column has."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.metadata_store.calls import Calls, node
from tests.reference.client import Reference
from tests.reference.databases import mysql_config
from tests.services.sql_server import Address

pytestmark = pytest.mark.reference

Request = tuple[str, Any]
LONGEST = 65_535
TEXTS = ("t" * LONGEST, "t" * (LONGEST + 1), "é" * 16_383, "é" * 16_384, "é" * 32_768, "日" * 21_845, "😀" * 10_000)


@pytest.fixture(params=["utf8mb4", "latin1"])
def calls(request: pytest.FixtureRequest, mariadb: Address, mariadb_url: str, database_name: str) -> Iterator[Calls]:
    """Calls on a database in Google's text, whose columns have the character set of a younger or older MySQL."""
    mariadb.execute(f"ALTER DATABASE `{database_name}` CHARACTER SET {request.param}")
    store = Store.open(mariadb_url, StoreOptions(google_text=True))
    made = Calls(store)
    made("PutArtifactType", artifact_type=pb.ArtifactType(name="A"))
    made("PutExecutionType", execution_type=pb.ExecutionType(name="E"))
    yield made
    store.close()


@pytest.fixture
def google(calls: Calls, reference: Reference, mariadb: Address, database_name: str) -> Iterator[Reference]:
    """Google's core on the same database."""
    answer = reference.open(mysql_config(mariadb, database_name))
    assert answer.code is Code.OK, answer
    yield reference
    reference.release()


def uri(text: str) -> Request:
    return "PutArtifacts", service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=10, uri=text)])


def description(text: str) -> Request:
    made = pb.ArtifactType(name=f"{text[0]}{len(text)}", description=text)
    return "PutArtifactType", service.PutArtifactTypeRequest(artifact_type=made)


def step_key(text: str) -> Request:
    put = service.PutExecutionRequest(execution=pb.Execution(type_id=11))
    pair = put.artifact_event_pairs.add(artifact=pb.Artifact(type_id=10), event=pb.Event(type=pb.Event.INPUT))
    pair.event.path.steps.add(key=text)
    return "PutExecution", put


@pytest.mark.parametrize(
    ("made", "names"),
    [(uri, ("uri",)), (description, ("description",)), (step_key, ("step_key", "event.path.steps.key"))],
    ids=["uri", "description", "step"],
)
def test_long_texts_end_where_googles_do(
    calls: Calls, google: Reference, made: Callable[[str], Request], names: tuple[str, ...]
) -> None:
    requests = [made(text) for text in TEXTS]
    theirs = [google.call(*request).code for request in requests]
    assert [calls.code(*request) for request in requests] == theirs
    assert {Code.OK, Code.INTERNAL} == set(theirs)
    for request in (one for one, code in zip(requests, theirs, strict=True) if code is Code.INTERNAL):
        message = calls.message(*request)
        assert message.startswith(names), "by the column where the database tells, by the field where we do"
        assert "longer than its column" in message or f"holds {LONGEST}" in message


def test_a_name_that_is_too_long_is_told_as_it_was_sent(calls: Calls, google: Reference) -> None:
    for length, code in ((127, Code.OK), (128, Code.INTERNAL)):
        request = "PutArtifacts", service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=10, name="é" * length)])
        assert calls.code(*request) is code
        assert google.call(*request).code is (Code.ALREADY_EXISTS if code is Code.OK else code)
    assert calls.message(*request) == f"name: {'é' * 40!r}… has 256 bytes, and its column in this database holds 255."


def test_a_string_that_has_too_many_bytes_only_as_it_is_kept_comes_back(calls: Calls, google: Reference) -> None:
    text = "é" * 4_500_000
    made = calls("PutArtifacts", artifacts=[node(pb.Artifact, custom={"v": text}, type_id=10)]).artifact_ids
    (artifact,) = calls("GetArtifactsByID", artifact_ids=made).artifacts
    assert artifact.custom_properties["v"].string_value == text
    read = google.put("GetArtifactsByID", service.GetArtifactsByIDRequest(artifact_ids=made)).artifacts[0]
    assert read.custom_properties["v"].string_value.startswith("mlmd-exact::é")
