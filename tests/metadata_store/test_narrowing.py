"""Filters on types and names find by an index what they find without."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.filter import parse_filter
from mlmd_metadata_store.narrowing import MOST_TYPES, narrow
from mlmd_metadata_store.node_pages import first_ids
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import TYPE, Kind

from tests.metadata_store import fixture
from tests.metadata_store.calls import Calls

Options = pb.ListOperationOptions
HELPED = [
    "type = 'Dataset'",
    "'Model' = type",
    "type IN ('Model', 'Dataset', 'Nope')",
    "type = 'Dataset' AND state = LIVE",
    "type = 'Dataset' AND type = 'Model'",
    "type = 'Dataset' AND type LIKE 'Data%'",
    "type = 'Dataset' AND (type IN ('Dataset', 'Nope') OR id = 3)",
    "type = 'Dataset' AND (UPPER(type) = 'DATASET' AND id = 1 OR id = 3)",
    "type IN ('Model', 'Dataset') AND type NOT IN ('Model')",
    "type = 'Trainer'",
    "type = 'Nope'",
    "type = 'Model' AND name = 'm1' AND custom_properties.n.int_value = 5",
    "type = 'Dataset' AND contexts_a.type = 'Run'",
    "name = 'd1'",
    "name IN ('d1', '', 'm1')",
    "name = 'uri' AND properties.note.string_value = 'note'",
    "('m1' = name) AND state != DELETED",
]
LEFT_ALONE = [
    "type != 'Dataset'",
    "type = 'Dataset' OR name = 'm1'",
    "NOT type = 'Dataset'",
    "type NOT IN ('Dataset')",
    "type LIKE 'M%'",
    "name LIKE 'd%'",
    "name = uri",
    "name = 'd1' OR id = 4",
    "name = 'd1' AND contexts_a.name = 'p1'",
    "contexts_a.type = 'Run' AND state = LIVE",
    "TRUE",
]


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Calls]:
    """The fixture of the read contract with a node of a type that is gone."""
    with fixture.opened(request, tmp_path_factory.mktemp("narrowing")) as calls:
        fixture.build(calls)
        calls("PutArtifactType", artifact_type=pb.ArtifactType(name="Gone"))
        calls("PutArtifacts", artifacts=[pb.Artifact(type_id=18, name="d1")])

        def drop(tx: Transaction) -> None:
            tx.execute(sa.delete(TYPE).where(TYPE.c.id == 18))

        calls.store.database.write(calls.caller, drop)
        calls.store.database.types.clear()
        yield calls


def _narrowed(call: Calls, filter_query: str) -> bool:
    query = parse_filter(Kind.ARTIFACT, filter_query)
    return call.store.database.read(call.caller, lambda tx: narrow(tx, query)[1] is not None)


def _plainly(call: Calls, filter_query: str) -> list[int]:
    return call.store.database.read(call.caller, lambda tx: first_ids(tx, Kind.ARTIFACT, filter_query, 100))


@pytest.mark.parametrize("filter_query", HELPED + LEFT_ALONE)
def test_the_same_nodes_are_found(shop: Calls, filter_query: str) -> None:
    assert _narrowed(shop, filter_query) == (filter_query in HELPED)
    found = shop("GetArtifacts", options=Options(filter_query=filter_query)).artifacts
    assert [artifact.id for artifact in found] == _plainly(shop, filter_query)


def test_nodes_whose_type_is_gone_are_found_by_name(shop: Calls) -> None:
    found = shop("GetArtifacts", options=Options(filter_query="name = 'd1'")).artifacts
    assert [artifact.id for artifact in found] == [1, 9]


def test_many_types_are_not_looked_through(call: Calls) -> None:
    kinds = [pb.ArtifactType(name=f"T{number}") for number in range(MOST_TYPES + 1)]
    ids = call("PutTypes", artifact_types=kinds).artifact_type_ids
    call("PutArtifacts", artifacts=[pb.Artifact(type_id=type_id, name="same") for type_id in ids[1:]])
    assert _narrowed(call, "name = 'same'")
    call("PutArtifacts", artifacts=[pb.Artifact(type_id=ids[0], name="same")])
    assert not _narrowed(call, "name = 'same'")
    found = call("GetArtifacts", options=Options(filter_query="name = 'same'", max_result_size=100))
    assert len(found.artifacts) == 100
    assert found.next_page_token
