"""What an update writes of a node's own row."""

from typing import Any

import pytest
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls, counted, node
from tests.metadata_store.node_puts import KINDS, get, put, put_type


@pytest.fixture
def dataset(call: Calls) -> int:
    return put_type(call, "Artifact", "Dataset", i=pb.INT)


def _rewriting(call: Calls, *nodes: Any) -> str:
    """Return the UPDATE of a node's row that putting these artifacts sends."""
    with counted(call.store) as statements:
        put(call, "Artifact", *nodes)
    (sent,) = (statement for statement in statements if statement.startswith("UPDATE"))
    return sent


def test_an_update_leaves_the_indexed_columns_that_stay_alone(call: Calls, dataset: int) -> None:
    (made,) = put(call, "Artifact", pb.Artifact(type_id=dataset, name="n", uri="u", external_id="x"))
    changed = node(pb.Artifact, {"i": 1}, id=made, uri="u", external_id="x", state=pb.Artifact.LIVE)
    sent = _rewriting(call, changed)
    assert "last_update_time_since_epoch" in sent
    assert not any(name in sent for name in ("type_id", "name", "uri", "external_id", "create_time"))
    for field, text in (("uri", "v"), ("uri", ""), ("external_id", "y")):
        setattr(changed, field, text)
        assert field in _rewriting(call, changed)
        now = get(call, "Artifact", made)
        assert (now.name, now.uri, now.external_id) == ("n", changed.uri, changed.external_id)
        assert now.state == pb.Artifact.LIVE
    changed.ClearField("external_id")
    assert "external_id" in _rewriting(call, changed)
    assert not get(call, "Artifact", made).HasField("external_id")


def test_contexts_are_locked_when_one_of_them_changes(call: Calls) -> None:
    type_id = put_type(call, "Context")
    made = put(call, "Context", *(pb.Context(type_id=type_id, name=name) for name in ("a", "b")))
    same = [get(call, "Context", one) for one in made]

    def locked(*contexts: pb.Context) -> bool:
        with counted(call.store) as statements:
            put(call, "Context", *contexts)
        return any("FOR UPDATE" in statement for statement in statements)

    is_mysql = call.store.database.writer.dialect.name == "mysql"
    assert not locked(*same), "they come along with every execution of a run"
    for place in (0, 1):
        same[place].custom_properties["changed"].int_value = 1
        assert locked(*same) == is_mysql
        same = [get(call, "Context", one) for one in made]


def test_an_update_without_uri_makes_no_uri_an_empty_one(call: Calls, dataset: int) -> None:
    (made,) = put(call, "Artifact", pb.Artifact(type_id=dataset))
    with call.store.database.writer.begin() as connection:
        connection.exec_driver_sql("UPDATE Artifact SET uri = NULL")
    assert not get(call, "Artifact", made).HasField("uri")
    put(call, "Artifact", node(pb.Artifact, {"i": 1}, id=made))
    assert get(call, "Artifact", made).HasField("uri")


@pytest.mark.parametrize("kind", KINDS)
def test_an_update_of_several_leaves_every_other_node_alone(call: Calls, kind: str) -> None:
    type_id, message = put_type(call, kind), KINDS[kind][0]
    made = put(call, kind, *(message(type_id=type_id, name=f"n{number}", external_id=f"x{number}") for number in "123"))
    before = get(call, kind, made[1])
    changed = [node(message, {}, {"k": 1}, id=one, name=f"n{number}") for one, number in zip(made, "123", strict=True)]
    put(call, kind, changed[0], changed[2])
    assert get(call, kind, made[1]) == before
    for one in (made[0], made[2]):
        assert get(call, kind, one).custom_properties["k"].int_value == 1
        assert not get(call, kind, one).HasField("external_id")
