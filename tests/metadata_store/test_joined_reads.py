"""SELECTs that go to the database at once answer what they answer one after the other."""

from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.node_rows import READERS, nodes_by_id
from mlmd_metadata_store.transaction import CHUNK, Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import DataLoss
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import ARTIFACT, Kind

from tests.metadata_store.calls import Calls, node
from tests.services.mysql_packets import kinds
from tests.services.proxy import Proxy
from tests.services.waiting import wait_for

READER = READERS[Kind.ARTIFACT]
BOTH = (READER.by_id, READER.properties)
BROKEN: sa.Select[Any] = sa.select(sa.literal_column("no_such_column")).where(
    ARTIFACT.c.id.in_(sa.bindparam("ids", expanding=True))
)


@pytest.fixture
def ids(call: Calls) -> list[int]:
    """Artifacts with properties, some with none."""
    type_id = call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    made = [node(pb.Artifact, custom={"n": n, "%s": "100 %"} if n % 3 else {}, type_id=type_id) for n in range(9)]
    return list(call("PutArtifacts", artifacts=made).artifact_ids)


@pytest.mark.parametrize("asked", [[], [1], [1, 2, 3], [2, 5, 999], [999], [3, 3, 1], range(1, CHUNK + 20)])
def test_each_has_its_own_rows(call: Calls, ids: list[int], asked: list[int]) -> None:
    together = call.store.read(LOCAL, lambda tx: tx.rows_in_each(BOTH, asked))
    assert list(map(sorted, together)) == [
        sorted(rows) for rows in call.store.read(LOCAL, lambda tx: [list(tx.rows_in(one, asked)) for one in BOTH])
    ]
    assert sorted(row[0] for row in together[0]) == sorted({*asked} & {*ids}), "each once"


def test_an_error_of_a_later_one_is_told_and_leaves_the_connection_whole(call: Calls, ids: list[int]) -> None:
    def body(tx: Transaction) -> None:
        with pytest.raises(DataLoss, match="gone or was changed"):
            tx.rows_in_each((READER.by_id, BROKEN), ids)
        assert len(tx.rows_in(READER.by_id, ids)) == len(ids)

    call.store.read(LOCAL, body)


def test_properties_of_a_node_that_is_not_there_are_left_out(call: Calls, ids: list[int]) -> None:
    def body(tx: Transaction) -> None:
        tx.execute_in(sa.delete(ARTIFACT).where(ARTIFACT.c.id.in_(sa.bindparam("ids", expanding=True))), [ids[1]])

    call.store.database.write(LOCAL, body)
    read = call.store.read(LOCAL, lambda tx: nodes_by_id(tx, Kind.ARTIFACT, ids))
    assert [one.id for one in read] == [ids[0], *ids[2:]]
    assert [len(one.custom_properties) for one in read] == [0, 2, 0, 2, 2, 0, 2, 2]


def test_a_node_and_its_properties_are_one_way_to_the_database(far: tuple[Calls, Proxy]) -> None:
    call, proxy = far
    type_id = call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    made = node(pb.Artifact, custom={"n": 1}, type_id=type_id)
    (made.id,) = call("PutArtifacts", artifacts=[made]).artifact_ids
    call("GetArtifactsByID", artifact_ids=[made.id])
    wait_for(lambda: proxy.statements[-1] == "ROLLBACK")
    proxy.calm()
    call("GetArtifactsByID", artifact_ids=[made.id])
    wait_for(lambda: kinds(proxy.statements) == ["SELECT SELECT", "ROLLBACK"])
    proxy.calm()
    made.custom_properties["n"].int_value = 2
    call("PutArtifacts", artifacts=[made])
    assert kinds(proxy.statements) == ["SELECT SELECT", "INSERT UPDATE", "COMMIT"]
