"""How many statements reads send: as many for one node as for five thousand, but for what a statement can carry."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from mlmd_metadata_store.transaction import CHUNK
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls, counted
from tests.metadata_store.test_node_lists import put_crowd

CROWD = 5000
PAGE = pb.ListOperationOptions(max_result_size=100)
FILTERED = pb.ListOperationOptions(max_result_size=100, filter_query="contexts_a.name = 'c'")


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def crowd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """5,000 artifacts with external ids, all in context 1; nobody writes to it."""
    with fixture.opened(request, tmp_path_factory.mktemp("costs")) as calls:
        put_crowd(calls, CROWD)
        artifacts = calls("GetArtifacts").artifacts
        for artifact in artifacts:
            artifact.external_id, artifact.uri = f"x{artifact.id}", f"u{artifact.id}"
        calls("PutArtifacts", artifacts=artifacts)
        yield calls


def _statements(call: Calls, method: str, expected: int, **fields: Any) -> int:
    with counted(call.store) as statements:
        assert len(call(method, **fields).artifacts) == expected
    return len(statements)


@pytest.mark.parametrize(
    ("method", "field", "form"),
    [
        ("GetArtifactsByID", "artifact_ids", int),
        ("GetArtifactsByExternalIds", "external_ids", "x{}".format),
        ("GetArtifactsByURI", "uris", "u{}".format),
    ],
)
def test_reads_by_many_keys(crowd: Calls, method: str, field: str, form: Any) -> None:
    crowd("GetArtifactsByID", artifact_ids=[1])  # the type is known from here on
    for count in (1, 100, 5000):
        sent = _statements(crowd, method, count, **{field: [form(number) for number in range(1, count + 1)]})
        assert sent == 2 * math.ceil(count / CHUNK)


def test_types_of_artifacts_cost_two_more(crowd: Calls) -> None:
    crowd("GetArtifactsByID", artifact_ids=[1])
    for count in (1, 100, 1000):
        ids = list(range(1, count + 1))
        assert _statements(crowd, "GetArtifactsByID", count, artifact_ids=ids, populate_artifact_types=True) == 4


@pytest.mark.parametrize(
    ("method", "fields", "before"),
    [
        ("GetArtifacts", {}, 0),
        ("GetArtifactsByType", {"type_name": "A"}, 1),
        ("GetArtifactsByContext", {"context_id": 1}, 0),
    ],
)
def test_lists(crowd: Calls, method: str, fields: dict[str, Any], before: int) -> None:
    crowd(method, options=PAGE, **fields)  # the type, and on SQLite the size of the store, are known from here on
    assert _statements(crowd, method, 100, options=PAGE, **fields) == before + 2
    assert _statements(crowd, method, 100, options=FILTERED, **fields) == before + 2
    assert _statements(crowd, method, CROWD, **fields) <= before + 1 + 2 * CROWD // CHUNK


def test_a_node_by_name_costs_two(call: Calls) -> None:
    fixture.build(call)
    call("GetContexts")
    with counted(call.store) as statements:
        assert call("GetContextByTypeAndName", type_name="Pipeline", context_name="p1").context.id == 1
    assert len(statements) == 2
    with counted(call.store) as statements:
        assert not call("GetContextByTypeAndName", type_name="Pipeline", context_name="p9").HasField("context")
    assert len(statements) == 1
