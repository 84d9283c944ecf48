"""Putting types: the write contract's edge cases 1 to 19, by name, and what they cost."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from mlmd_metadata_store.store import Store
from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.caller import LOCAL
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import TYPE, TYPE_PROPERTY

from tests.metadata_store.calls import Calls, counted

MESSAGES = {"artifact": pb.ArtifactType, "execution": pb.ExecutionType, "context": pb.ContextType}
INT, DOUBLE, STRING = pb.INT, pb.DOUBLE, pb.STRING
DATASET, MODEL = pb.ArtifactType.DATASET, pb.ArtifactType.MODEL


@pytest.fixture(params=MESSAGES)
def noun(request: pytest.FixtureRequest) -> str:
    """Each kind of type in turn."""
    return str(request.param)


def made(noun: str, name: str = "T", properties: Mapping[str, int] | None = None, **fields: Any) -> Any:
    """Return a type message."""
    return MESSAGES[noun](name=name, properties=properties or {}, **fields)


def fields_of(noun: str, name: str, given: tuple[Any, ...], flags: dict[str, Any]) -> dict[str, Any]:
    """Split the arguments of `put` into the request's fields."""
    wanted = {"can_add_fields", "can_omit_fields", "can_delete_fields", "all_fields_match"}
    options = {key: flags.pop(key) for key in wanted & flags.keys()}
    return {f"{noun}_type": made(noun, name, *given, **flags), **options}


def put(call: Calls, noun: str, name: str = "T", *given: Any, **flags: Any) -> int:
    """Put one type and return its id."""
    return int(call(f"Put{noun.capitalize()}Type", **fields_of(noun, name, given, flags)).type_id)


def code(call: Calls, noun: str, name: str = "T", *given: Any, **flags: Any) -> Code:
    """Put one type and return the code."""
    return call.code(f"Put{noun.capitalize()}Type", **fields_of(noun, name, given, flags))


def get(call: Calls, noun: str, name: str = "T", version: str = "") -> Any:
    """Return a type by name."""
    answer = call(f"Get{noun.capitalize()}Type", type_name=name, type_version=version)
    return getattr(answer, f"{noun}_type")


def is_absent(call: Calls, noun: str, name: str = "T") -> bool:
    return call.code(f"Get{noun.capitalize()}Type", type_name=name) is Code.NOT_FOUND


def test_write_1_the_first_type_has_id_10_and_simple_types_are_hidden_but_resolvable(call: Calls) -> None:
    assert put(call, "artifact") == 10
    assert [found.name for found in call("GetArtifactTypes").artifact_types] == ["T"]
    assert not call("GetExecutionTypes").execution_types
    assert get(call, "artifact", "mlmd.Model").id == 2
    assert [t.name for t in call("GetExecutionTypesByID", type_ids=[5, 9]).execution_types] == [
        "mlmd.Train",
        "mlmd.Deploy",
    ]


def test_write_2_an_identical_type_keeps_its_id(call: Calls, noun: str) -> None:
    properties = {"a": INT, "b": STRING}
    first = put(call, noun, "T", properties)
    assert put(call, noun, "T", properties) == first
    assert dict(get(call, noun).properties) == properties


def test_write_3_leaving_a_property_out_needs_leave(call: Calls, noun: str) -> None:
    first = put(call, noun, "T", {"a": INT, "b": STRING})
    assert code(call, noun, "T", {"a": INT}) is Code.ALREADY_EXISTS
    assert code(call, noun, "T", {"a": INT}, can_add_fields=True) is Code.ALREADY_EXISTS
    assert put(call, noun, "T", {"a": INT}, can_omit_fields=True) == first
    assert dict(get(call, noun).properties) == {"a": INT, "b": STRING}


def test_write_4_adding_a_property_needs_leave(call: Calls, noun: str) -> None:
    first = put(call, noun, "T", {"a": INT})
    assert code(call, noun, "T", {"a": INT, "c": DOUBLE}) is Code.ALREADY_EXISTS
    assert put(call, noun, "T", {"a": INT, "c": DOUBLE}, can_add_fields=True) == first
    assert dict(get(call, noun).properties) == {"a": INT, "c": DOUBLE}


def test_write_5_adding_and_leaving_out_needs_both(call: Calls, noun: str) -> None:
    put(call, noun, "T", {"a": INT, "b": STRING})
    for flag in ("can_add_fields", "can_omit_fields"):
        assert code(call, noun, "T", {"d": INT}, **{flag: True}) is Code.ALREADY_EXISTS
    put(call, noun, "T", {"d": INT}, can_add_fields=True, can_omit_fields=True)
    assert dict(get(call, noun).properties) == {"a": INT, "b": STRING, "d": INT}


def test_write_6_a_property_keeps_its_type(call: Calls, noun: str) -> None:
    put(call, noun, "T", {"a": INT})
    assert code(call, noun, "T", {"a": STRING}, can_add_fields=True, can_omit_fields=True) is Code.ALREADY_EXISTS
    assert dict(get(call, noun).properties) == {"a": INT}


def test_write_7_all_fields_match_false_is_unimplemented_and_can_delete_does_nothing(call: Calls, noun: str) -> None:
    assert code(call, noun, all_fields_match=False) is Code.UNIMPLEMENTED
    assert call.code("PutTypes", all_fields_match=False) is Code.UNIMPLEMENTED
    assert is_absent(call, noun)
    put(call, noun, "T", {"a": INT, "b": INT}, all_fields_match=True)
    assert code(call, noun, "T", {"a": INT}, can_delete_fields=True) is Code.ALREADY_EXISTS
    put(call, noun, "T", {"a": INT}, can_delete_fields=True, can_omit_fields=True)
    assert dict(get(call, noun).properties) == {"a": INT, "b": INT}


def test_write_8_no_name_and_unknown_properties(call: Calls, noun: str) -> None:
    method = f"Put{noun.capitalize()}Type"
    assert call.code(method) is Code.INVALID_ARGUMENT
    assert call.code(method, **{f"{noun}_type": MESSAGES[noun]()}) is Code.INVALID_ARGUMENT
    assert code(call, noun, "") is Code.INVALID_ARGUMENT
    assert code(call, noun, "T", {"a": INT, "u": pb.UNKNOWN}) is Code.INVALID_ARGUMENT
    assert is_absent(call, noun)
    put(call, noun, "T", {"": INT})
    assert code(call, noun, "T", {"": INT, "u": pb.UNKNOWN}, can_add_fields=True) is Code.INVALID_ARGUMENT
    assert dict(get(call, noun).properties) == {"": INT}, "an empty property name is a name"


def test_write_9_versions_are_types_of_their_own(call: Calls, noun: str) -> None:
    first = put(call, noun, "T", {"a": INT})
    second = put(call, noun, "T", {"b": STRING}, version="v1")
    assert first != second
    assert put(call, noun, "T", {"a": INT}, version="") == first
    assert get(call, noun, version="").id == first
    assert not get(call, noun).HasField("version")
    assert (get(call, noun, version="v1").id, get(call, noun, version="v1").version) == (second, "v1")
    assert call.code(f"Get{noun.capitalize()}Type", type_name="T", type_version="v2") is Code.NOT_FOUND
    put(call, noun, "OnlyVersioned", version="v1")
    assert is_absent(call, noun, "OnlyVersioned"), "no version means no version"


def test_write_10_a_description_stays(call: Calls, noun: str) -> None:
    put(call, noun, description="d1")
    put(call, noun, description="d2")
    assert get(call, noun).description == "d1"
    put(call, noun, "Empty", description="")
    assert get(call, noun, "Empty").HasField("description")
    put(call, noun, "None")
    assert not get(call, noun, "None").HasField("description")


def test_write_11_an_external_id_can_be_given_later_without_flags(call: Calls, noun: str) -> None:
    put(call, noun)
    put(call, noun, external_id="x")
    assert get(call, noun).external_id == "x"
    put(call, noun)
    put(call, noun, external_id="")
    assert get(call, noun).external_id == "x"
    put(call, noun, external_id="y")
    assert get(call, noun).external_id == "y"
    put(call, noun, "Other", external_id="x")


def test_write_12_external_ids_are_unique_across_kinds(call: Calls) -> None:
    put(call, "artifact", external_id="x")
    assert code(call, "artifact", "U", external_id="x") is Code.ALREADY_EXISTS
    assert code(call, "execution", "U", external_id="x") is Code.INTERNAL
    put(call, "artifact", "V")
    assert code(call, "artifact", "V", external_id="x") is Code.INTERNAL
    put(call, "artifact", "E", external_id="")
    assert code(call, "artifact", "F", external_id="") is Code.ALREADY_EXISTS
    assert code(call, "context", "F", external_id="") is Code.INTERNAL
    assert is_absent(call, "artifact", "U")
    assert is_absent(call, "execution", "U")


def test_write_13_a_base_type_is_given_once(call: Calls) -> None:
    first = put(call, "artifact", "MyData", base_type=DATASET)
    assert put(call, "artifact", "MyData", base_type=DATASET) == first
    assert put(call, "artifact", "MyData") == first
    assert code(call, "artifact", "MyData", base_type=MODEL) is Code.UNIMPLEMENTED
    assert code(call, "artifact", "MyData", base_type=pb.ArtifactType.UNSET) is Code.UNIMPLEMENTED
    assert get(call, "artifact", "MyData").base_type == DATASET
    put(call, "execution", "Later")
    put(call, "execution", "Later", base_type=pb.ExecutionType.DEPLOY)
    assert get(call, "execution", "Later").base_type == pb.ExecutionType.DEPLOY


def test_write_14_base_type_unset_is_unimplemented_and_leaves_no_type(call: Calls, noun: str) -> None:
    assert code(call, noun, base_type=0) is Code.UNIMPLEMENTED
    assert is_absent(call, noun)


def test_write_15_simple_types_and_circles(call: Calls) -> None:
    assert code(call, "artifact", "mlmd.Dataset", base_type=DATASET) is Code.INVALID_ARGUMENT
    assert put(call, "artifact", "mlmd.Dataset", base_type=MODEL) == 1
    assert code(call, "artifact", "mlmd.Model", base_type=DATASET) is Code.INVALID_ARGUMENT
    both = [made("artifact", "mlmd.Metrics", base_type=4), made("artifact", "mlmd.Statistics", base_type=3)]
    assert call.code("PutTypes", artifact_types=both) is Code.INVALID_ARGUMENT
    assert not get(call, "artifact", "mlmd.Metrics").HasField("base_type")


def test_write_16_the_same_type_twice_in_one_request(call: Calls, noun: str) -> None:
    types = [made(noun, properties={"a": INT}), made(noun, properties={"a": INT})]
    ids = getattr(call("PutTypes", **{f"{noun}_types": types}), f"{noun}_type_ids")
    assert ids[0] == ids[1]
    types = [made(noun, "U", {"a": INT}), made(noun, "U", {"a": INT, "b": STRING})]
    assert call.code("PutTypes", **{f"{noun}_types": types}) is Code.ALREADY_EXISTS
    assert is_absent(call, noun, "U")
    ids = getattr(call("PutTypes", can_add_fields=True, **{f"{noun}_types": types}), f"{noun}_type_ids")
    assert ids[0] == ids[1]
    assert dict(get(call, noun, "U").properties) == {"a": INT, "b": STRING}


def test_a_third_entry_is_checked_against_the_first_definition(call: Calls, noun: str) -> None:
    grown = [made(noun, "T", p) for p in ({"a": INT}, {"a": INT, "b": STRING}, {"a": INT})]
    call("PutTypes", can_add_fields=True, **{f"{noun}_types": grown})
    assert dict(get(call, noun).properties) == {"a": INT, "b": STRING}, "the third left b out and was not told to"
    torn = [made(noun, "U", p) for p in ({"a": INT}, {"a": INT, "b": STRING}, {"a": INT, "b": INT})]
    assert call.code("PutTypes", can_add_fields=True, **{f"{noun}_types": torn}) is Code.ALREADY_EXISTS
    assert is_absent(call, noun, "U")


def test_write_17_one_bad_type_undoes_all(call: Calls) -> None:
    fields = {
        "artifact_types": [made("artifact")],
        "execution_types": [made("execution")],
        "context_types": [made("context"), made("context", "")],
    }
    assert call.code("PutTypes", **fields) is Code.INVALID_ARGUMENT
    assert all(is_absent(call, noun) for noun in MESSAGES)


def test_write_18_input_and_output_types_come_back_and_stay(call: Calls) -> None:
    nested = pb.ArtifactStructType()
    nested.dict.none_type_not_required = True
    nested.dict.properties["m"].simple.name = "Modèle"
    nested.dict.properties["m"].simple.properties["span"] = INT
    nested.dict.properties["u"].union_type.candidates.add().none.SetInParent()
    nested.dict.properties["u"].union_type.candidates.add().list.element.any.SetInParent()
    nested.dict.extra_properties_type.tuple.elements.add().intersection.constraints.add().any.SetInParent()
    empty = pb.ArtifactStructType()
    put(call, "execution", input_type=nested, output_type=empty)
    other = pb.ArtifactStructType()
    other.any.SetInParent()
    put(call, "execution", input_type=other, output_type=other)
    found = get(call, "execution")
    assert found.input_type == nested
    assert found.HasField("output_type")
    assert found.output_type == empty
    put(call, "execution", "Without")
    assert not get(call, "execution", "Without").HasField("input_type")
    (row,) = rows(call, sa.select(TYPE.c.input_type, TYPE.c.output_type).where(TYPE.c.id == found.id))
    assert ('"noneTypeNotRequired":true' in row[0], row[1]) == (True, "{}")


def test_write_19_an_id_in_the_request_means_nothing(call: Calls, noun: str) -> None:
    first = put(call, noun, id=999)
    assert first == 10
    assert put(call, noun, id=4711) == first


def test_one_name_in_three_kinds(call: Calls) -> None:
    answer = call("PutTypes", **{f"{noun}_types": [made(noun)] for noun in MESSAGES})
    ids = [*answer.artifact_type_ids, *answer.execution_type_ids, *answer.context_type_ids]
    assert ids == [10, 11, 12]
    assert [get(call, noun).id for noun in MESSAGES] == ids
    assert call("PutTypes") == type(answer)()


def test_an_external_id_that_one_type_gives_up_another_takes(call: Calls) -> None:
    put(call, "artifact", "T", external_id="x")
    types = [made("artifact", "T", external_id="y"), made("artifact", "U", external_id="x")]
    call("PutTypes", artifact_types=types)
    assert (get(call, "artifact", "T").external_id, get(call, "artifact", "U").external_id) == ("y", "x")
    types = [made("artifact", "U", external_id="y"), made("artifact", "T", external_id="x")]
    assert call.code("PutTypes", artifact_types=types) is Code.INTERNAL, "the first takes what is not free yet"
    types = [made("artifact", name, external_id=new) for name, new in (("U", "z"), ("T", "x"), ("U", "y"))]
    call("PutTypes", artifact_types=types)
    assert (get(call, "artifact", "T").external_id, get(call, "artifact", "U").external_id) == ("x", "y")


def test_the_first_error_in_the_requests_order_is_the_answer(call: Calls, database_url: str) -> None:
    put(call, "artifact", "T", {"a": INT})
    incompatible, nameless = made("artifact", "T", {"a": STRING}), made("artifact", "")
    assert call.code("PutTypes", artifact_types=[incompatible, nameless]) is Code.ALREADY_EXISTS
    assert call.code("PutTypes", artifact_types=[nameless, incompatible]) is Code.INVALID_ARGUMENT
    if database_url.startswith("mysql"):
        endless = made("artifact", "n" * 256)
        assert call.code("PutTypes", artifact_types=[endless, nameless]) is Code.INTERNAL
        assert code(call, "artifact", "n" * 256, base_type=pb.ArtifactType.UNSET) is Code.INTERNAL
        assert code(call, "artifact", "D", description="d" * 65_536) is Code.INTERNAL
        assert code(call, "artifact", "P", {"p" * 256: INT}) is Code.INTERNAL


def test_names_may_be_anything(call: Calls, noun: str) -> None:
    name = "Tür 'x' \"y\" %s $0 \\ 模型 🎲"
    first = put(call, noun, name, {name: INT}, version=name, description=name, external_id=name)
    assert put(call, noun, name, {name: INT}, version=name) == first
    found = get(call, noun, name, name)
    assert (found.name, found.version, found.description, found.external_id) == (name,) * 4
    assert dict(found.properties) == {name: INT}


def rows(call: Calls, statement: sa.Select[Any]) -> list[Any]:
    """Return what the database holds."""

    def body(tx: Transaction) -> list[Any]:
        return list(tx.rows(statement))

    return call.store.database.read(LOCAL, body)


def test_a_type_that_is_there_costs_two_reads_and_no_lock(call: Calls) -> None:
    fields = {"execution_type": pb.ExecutionType(name="T", properties={"a": INT})}
    call("PutExecutionType", **fields)
    with counted(call.store) as statements:
        call("PutExecutionType", **fields)
    assert len(statements) == 2
    assert not [s for s in statements if "FOR UPDATE" in s or not s.startswith("SELECT")]


def types_request(count: int, prefix: str) -> dict[str, Any]:
    return {
        "artifact_types": [
            made("artifact", f"{prefix}{n}", {"a": INT, "b": STRING}, external_id=f"{prefix}{n}", base_type=DATASET)
            for n in range(count)
        ]
    }


@pytest.mark.parametrize("database_url", ["sqlite", "mariadb"], indirect=True)
def test_statements_do_not_grow_with_the_request(call: Calls) -> None:
    costs = {}
    for count in (1, 100, 5000):
        with counted(call.store) as statements:
            call("PutTypes", **types_request(count, f"n{count}_"))
        costs[count] = len(statements)
        with counted(call.store) as statements:
            call("PutTypes", **types_request(count, f"n{count}_"))
        costs[-count] = len(statements)
    # Names and external ids are looked up twice, before the lock and under it, in chunks of a thousand.
    assert costs[100] <= costs[1] + 2
    assert costs[5000] <= costs[1] + 2 * (2 + 1) * 5
    assert costs[-100] == costs[-1]
    assert costs[-5000] <= costs[-1] + 3 * 5


def test_writers_that_race_make_one_type(call: Calls) -> None:
    barrier = threading.Barrier(16)

    def race(number: int) -> tuple[int, int]:
        barrier.wait()
        grown = {"a": INT, f"p{number}": INT}
        return put(call, "context", "Run", grown, can_add_fields=True, can_omit_fields=True), number

    with ThreadPoolExecutor(16) as pool:
        ids = {type_id for type_id, _ in pool.map(race, range(16))}
    assert len(ids) == 1
    (found,) = call("GetContextTypes").context_types
    assert set(found.properties) == {"a", *(f"p{n}" for n in range(16))}


def test_two_servers_on_one_database_make_one_type(database_url: str) -> None:
    stores = [Store.open(database_url) for _ in range(2)]
    calls = [Calls(store) for store in stores]
    try:
        for name in map(str, range(10)):
            with ThreadPoolExecutor(2) as pool:
                ids = set(pool.map(lambda each, name=name: put(each, "artifact", name), calls))
            assert len(ids) == 1
    finally:
        for store in stores:
            store.close()


def test_a_property_that_another_server_declared_is_known_when_it_is_used(database_url: str) -> None:
    stores = [Store.open(database_url) for _ in range(2)]
    one, other = (Calls(store) for store in stores)
    artifact = pb.Artifact(type_id=put(one, "artifact"))
    assert other.code("PutArtifacts", artifacts=[artifact]) is Code.OK, "from here on it remembers the type"
    one("PutArtifactType", artifact_type=pb.ArtifactType(name="T", properties={"later": pb.INT}), can_add_fields=True)
    artifact.properties["later"].int_value = 1
    assert other.code("PutArtifacts", artifacts=[artifact]) is Code.OK
    for store in stores:
        store.close()


def test_a_later_entry_of_a_request_takes_no_external_id_away(call: Calls, noun: str) -> None:
    types = [made(noun, external_id="x"), made(noun), made(noun, external_id="")]
    call("PutTypes", **{f"{noun}_types": types})
    assert get(call, noun).external_id == "x", "Google's server stores an empty one here"


@pytest.mark.parametrize("number", [0, 99, -1, None])
def test_a_property_that_the_database_declares_as_nothing_known(call: Calls, noun: str, number: int | None) -> None:
    type_id = put(call, noun, "T", {"odd": INT, "even": STRING})

    def declare(tx: Transaction) -> None:
        tx.execute(sa.update(TYPE_PROPERTY).where(TYPE_PROPERTY.c.name == "odd").values(data_type=number))

    call.store.database.write(LOCAL, declare)
    call.store.database.types.clear()
    assert dict(get(call, noun).properties) == {"odd": pb.UNKNOWN, "even": STRING}
    assert code(call, noun, "T", {"odd": INT, "even": STRING}) is Code.ALREADY_EXISTS
    method, nodes = f"Put{noun.capitalize()}s", f"{noun}s"
    odd, even = {"odd": pb.Value(int_value=1)}, {"even": pb.Value(string_value="x")}
    wrong, right = ({"type_id": type_id, "name": "n", "properties": given} for given in (odd, even))
    assert call.code(method, **{nodes: [wrong]}) is Code.INTERNAL
    assert "'odd'" in call.message(method, **{nodes: [wrong]})
    assert call.code(method, **{nodes: [right]}) is Code.OK
