"""Every difference of docs/compatibility.md that a call can show, on both servers, so that neither changes unseen."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from mlmd_metadata_store.page_tokens import encode_token
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.differential.comparison import Comparison
from tests.differential.conftest import Pairs
from tests.differential.prelude import prelude
from tests.differential.sides import Side
from tests.metadata_store.calls import node
from tests.reference.client import Answer

pytestmark = pytest.mark.reference

Both = tuple[Any, Any]
"""What ours says or holds, and what Google's does."""
Order = pb.ListOperationOptions.OrderByField


@pytest.fixture
def on_sqlite(sqlite_pairs: Pairs) -> Iterator[Comparison]:
    """Two stores on SQLite after the prelude."""
    with sqlite_pairs() as comparison:
        comparison.run(prelude())
        yield comparison


@pytest.fixture
def on_maria(utf8_pairs: Pairs) -> Iterator[Comparison]:
    """Two stores on MariaDB after the prelude."""
    with utf8_pairs() as comparison:
        comparison.run(prelude())
        yield comparison


@pytest.fixture(params=["on_sqlite", "on_maria"])
def pair(request: pytest.FixtureRequest) -> Comparison:
    """Two stores after the prelude, on each database."""
    comparison: Comparison = request.getfixturevalue(request.param)
    return comparison


def ask(pair: Comparison, method: str, **fields: Any) -> tuple[Answer, Answer]:
    """Ask both the same; the times of what they write are their own."""
    request = getattr(service, f"{method}Request")(**fields)
    return pair.ours.call(method, request), pair.google.call(method, request)


def codes(pair: Comparison, method: str, **fields: Any) -> Both:
    ours, theirs = ask(pair, method, **fields)
    return ours.code, theirs.code


def done(pair: Comparison, method: str, **fields: Any) -> tuple[Any, Any]:
    """Ask both for what both do, and return the responses."""
    ours, theirs = ask(pair, method, **fields)
    assert (ours.code, theirs.code) == (Code.OK, Code.OK)
    return ours.response, theirs.response


def kept(pair: Comparison, given: Any) -> Both:
    """Put an artifact with one custom property and return what both read, a code where they cannot."""
    made = done(pair, "PutArtifacts", artifacts=[node(pb.Artifact, custom={"v": given}, type_id=10)])
    return tuple(
        _read(side, response.artifact_ids[0]) for side, response in zip((pair.ours, pair.google), made, strict=True)
    )


def _read(side: Side, artifact_id: int) -> Any:
    answer = side.call("GetArtifactsByID", service.GetArtifactsByIDRequest(artifact_ids=[artifact_id]))
    if answer.code is not Code.OK:
        return answer.code
    value = answer.response.artifacts[0].custom_properties["v"]
    return getattr(value, value.WhichOneof("value"))


def test_a_value_without_a_member(pair: Comparison) -> None:
    artifact = pb.Artifact(type_id=10)
    artifact.custom_properties["v"].SetInParent()
    ours, theirs = ask(pair, "PutArtifacts", artifacts=[artifact])
    assert theirs.crashed
    assert ours.code is Code.INVALID_ARGUMENT
    assert "custom_properties['v']" in ours.message


def test_an_entry_of_a_struct_with_a_field_besides_key_and_value(pair: Comparison) -> None:
    struct = b"\x0a\x09\x0a\x01k\x12\x02\x20\x01\x18\x05"  # `k` is true, and field 3 of the entry is 5
    artifact = pb.Artifact(type_id=10)
    artifact.custom_properties["v"].struct_value.MergeFromString(struct)
    ours, theirs = done(pair, "PutArtifacts", artifacts=[artifact])
    assert _read(pair.ours, ours.artifact_ids[0]).SerializeToString() == struct
    assert dict(_read(pair.google, theirs.artifact_ids[0])) == {"k": True}


def test_a_value_that_is_a_number_on_the_wire(pair: Comparison) -> None:
    artifact = pb.Artifact(type_id=10)
    artifact.MergeFromString(b"\x2a\x05\x0a\x01v\x10\x01")  # a custom property `v` with 1 in the place of its Value
    ours, theirs = ask(pair, "PutArtifacts", artifacts=[artifact])
    assert theirs.crashed
    assert ours.code is Code.INVALID_ARGUMENT
    assert "custom_properties['v']" in ours.message


@pytest.mark.parametrize("depth", [31, 32, 47])
def test_structures_one_in_the_other(on_sqlite: Comparison, depth: int) -> None:
    nested = pb.ArtifactStructType()
    innermost = nested
    for _ in range(depth):
        innermost = innermost.list.element
    innermost.any.SetInParent()
    execution_type = pb.ExecutionType(name="nested", input_type=nested)
    ours, theirs = ask(on_sqlite, "PutExecutionType", execution_type=execution_type)
    assert (ours.code, theirs.crashed) == (Code.OK, depth > 31)
    read = service.GetExecutionTypeRequest(type_name="nested")
    assert on_sqlite.ours.call("GetExecutionType", read).response.execution_type.input_type == nested


def test_a_key_twice_in_a_structure_once_with_a_value_of_a_later_version(pair: Comparison) -> None:
    given = pb.ExecutionType(name="later")
    given.input_type.simple.properties["k"] = pb.INT
    later = pb.ExecutionType.FromString(given.SerializeToString())
    later.input_type.simple.MergeFromString(b"\x1a\x05\x0a\x01k\x10\x4d")  # `k` again, with 77 for its kind
    done(pair, "PutExecutionType", execution_type=later)
    ours, theirs = ask(pair, "GetExecutionType", type_name="later")
    assert ours.response.execution_type.input_type == given.input_type
    assert theirs.code is Code.INTERNAL


def test_doubles(pair: Comparison) -> None:
    assert kept(pair, 0.1234567891) == (0.1234567891, 0.123457)
    assert kept(pair, 1e-7) == (1e-7, 0.0)
    ours, theirs = kept(pair, -0.0)
    assert (math.copysign(1, ours), math.copysign(1, theirs)) == (1, 1)


def test_a_large_double_on_sqlite(on_sqlite: Comparison) -> None:
    assert kept(on_sqlite, 123456789012.123456) == (123456789012.123456, 123456789012.123)


@pytest.mark.parametrize("number", [1e65, 1e100, -1e300])
def test_a_double_of_more_digits_than_mysql_takes(on_maria: Comparison, number: float) -> None:
    assert kept(on_maria, number) == (number, math.copysign(1e65, number))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_doubles_that_are_no_number(pair: Comparison, number: float) -> None:
    artifact = node(pb.Artifact, custom={"v": number}, type_id=10)
    ours, theirs = ask(pair, "PutArtifacts", artifacts=[artifact])
    assert (ours.code, theirs.code) == (Code.OK, Code.INTERNAL)
    assert repr(_read(pair.ours, ours.response.artifact_ids[0])) == repr(number)


@pytest.mark.parametrize(
    ("text", "theirs"),
    [("mlmd-struct::?", Code.INVALID_ARGUMENT), ("__MLMD_NULL__", Code.INTERNAL)],
)
def test_strings_that_poison(pair: Comparison, text: str, theirs: Code) -> None:
    assert kept(pair, text) == (text, theirs)
    assert codes(pair, "GetArtifacts") == (Code.OK, theirs)


def test_an_any_without_type(pair: Comparison) -> None:
    artifact = pb.Artifact(type_id=10)
    artifact.custom_properties["v"].proto_value.value = b"x"
    done(pair, "PutArtifacts", artifacts=[artifact])
    ours, theirs = ask(pair, "GetArtifacts")
    assert theirs.code is Code.INTERNAL
    assert ours.response.artifacts[-1].custom_properties["v"].proto_value.value == b"x"


ARTIFACT, NO_ARTIFACT = "type.googleapis.com/ml_metadata.Artifact", "type.googleapis.com/ml_metadata.Nothing"
FORWARDS, BACKWARDS = b"\x08\x01\x1a\x01u", b"\x1a\x01u\x08\x01"
"""An artifact's id and uri, in either order: equal messages."""


@pytest.mark.parametrize(
    ("first", "second", "replaced_there"),
    [
        ((ARTIFACT, FORWARDS), (ARTIFACT, BACKWARDS), False),
        ((ARTIFACT, FORWARDS), ("example.org/ml_metadata.Artifact", FORWARDS), False),
        ((ARTIFACT, FORWARDS), (ARTIFACT, b"\x08\x02"), True),
        ((NO_ARTIFACT, FORWARDS), (NO_ARTIFACT, BACKWARDS), True),
    ],
)
def test_an_any_in_the_place_of_an_equal_one(
    pair: Comparison, first: tuple[str, bytes], second: tuple[str, bytes], replaced_there: bool
) -> None:
    before, after = (pb.Value(proto_value=AnyMessage(type_url=url, value=value)) for url, value in (first, second))
    made = done(pair, "PutArtifacts", artifacts=[pb.Artifact(type_id=10, custom_properties={"v": before})])
    artifact_id = made[0].artifact_ids[0]
    assert made[1].artifact_ids == [artifact_id]
    done(pair, "PutArtifacts", artifacts=[pb.Artifact(id=artifact_id, custom_properties={"v": after})])
    assert _read(pair.ours, artifact_id) == after.proto_value
    assert _read(pair.google, artifact_id) == (after if replaced_there else before).proto_value


def test_strings_with_a_nul(pair: Comparison) -> None:
    assert kept(pair, "a\0b") == ("a\0b", "a")


def test_integers_beyond_32_bits_on_mysql(on_maria: Comparison) -> None:
    artifact = node(pb.Artifact, custom={"v": 1 << 31}, type_id=10)
    ours, theirs = ask(on_maria, "PutArtifacts", artifacts=[artifact])
    assert theirs.code is Code.INTERNAL
    assert _read(on_maria.ours, ours.response.artifact_ids[0]) == 1 << 31


def test_a_declared_and_a_custom_property_of_one_name(pair: Comparison) -> None:
    artifact = node(pb.Artifact, {"i": 1}, {"i": "one"}, type_id=10)
    (ours, theirs) = done(pair, "PutArtifacts", artifacts=[artifact])
    artifact.id = ours.artifact_ids[0]
    assert ours == theirs
    artifact.properties["i"].int_value = 2
    done(pair, "PutArtifacts", artifacts=[artifact])
    ours, theirs = done(pair, "GetArtifactsByID", artifact_ids=[artifact.id])
    assert ours.artifacts[0].custom_properties["i"].string_value == "one"
    assert theirs.artifacts[0].custom_properties["i"].int_value == 2


def test_an_event_that_cannot_be_inserted(on_maria: Comparison) -> None:
    put = service.PutExecutionRequest(execution=pb.Execution(type_id=12))
    put.artifact_event_pairs.add(event=pb.Event(artifact_id=3_000_000_000, type=pb.Event.INPUT))
    assert codes(on_maria, "PutExecution", execution=put.execution, artifact_event_pairs=put.artifact_event_pairs) == (
        Code.OK,
        Code.OK,
    )
    ours, theirs = done(on_maria, "GetEventsByArtifactIDs", artifact_ids=[3_000_000_000])
    assert (len(ours.events), len(theirs.events)) == (1, 0)


def test_an_empty_pair_and_a_context(pair: Comparison) -> None:
    context = pb.Context(type_id=14, name="empty")
    pairs = [service.PutExecutionRequest.ArtifactAndEvent()]
    execution = pb.Execution(type_id=12)
    ours, theirs = done(pair, "PutExecution", execution=execution, contexts=[context], artifact_event_pairs=pairs)
    assert list(ours.artifact_ids) == list(theirs.artifact_ids) == [-1]
    assert codes(pair, "GetArtifactsByContext", context_id=ours.context_ids[0]) == (Code.OK, Code.INTERNAL)


def test_a_context_with_an_artifact_that_is_not_there(pair: Comparison) -> None:
    put = service.PutExecutionRequest(execution=pb.Execution(type_id=12), contexts=[pb.Context(type_id=14, name="gap")])
    put.artifact_event_pairs.add(artifact=pb.Artifact(type_id=10))
    put.artifact_event_pairs.add(event=pb.Event(artifact_id=4711, type=pb.Event.INPUT))
    ours, theirs = pair.ours.call("PutExecution", put), pair.google.call("PutExecution", put)
    assert ours.response.artifact_ids == theirs.response.artifact_ids
    ours, theirs = ask(pair, "GetArtifactsByContext", context_id=ours.response.context_ids[0])
    assert ([artifact.id for artifact in ours.response.artifacts], theirs.code) == ([5], Code.INTERNAL)


def test_pages_of_more_than_100(pair: Comparison) -> None:
    done(pair, "PutArtifacts", artifacts=[pb.Artifact(type_id=10)] * 150)
    ours, theirs = done(pair, "GetArtifacts", options=pb.ListOperationOptions(max_result_size=150))
    assert (len(ours.artifacts), bool(ours.next_page_token)) == (100, True)
    assert (len(theirs.artifacts), bool(theirs.next_page_token)) == (101, False)


def walked(side: Side, field: pb.ListOperationOptions.OrderByField.Field, pages: int) -> list[int]:
    """Return the ids on up to so many pages of two artifacts each."""
    found: list[int] = []
    options = pb.ListOperationOptions(max_result_size=2, order_by_field=Order(field=field))
    for _ in range(pages):
        answer = side.call("GetArtifacts", service.GetArtifactsRequest(options=options)).response
        found += [artifact.id for artifact in answer.artifacts]
        options.next_page_token = answer.next_page_token
        if not answer.next_page_token:
            break
    return found


def test_pages_by_time(pair: Comparison) -> None:
    done(pair, "PutArtifacts", artifacts=[pb.Artifact(type_id=10)] * 2)
    for side in (pair.ours, pair.google):
        side.database.rows("UPDATE Artifact SET create_time_since_epoch = 100 - id, last_update_time_since_epoch = 7")
    assert walked(pair.ours, Order.CREATE_TIME, 9) == [6, 5, 4, 3, 2, 1]
    assert walked(pair.google, Order.CREATE_TIME, 9) == [6, 5]
    assert walked(pair.ours, Order.LAST_UPDATE_TIME, 9) == [1, 2, 3, 4, 5, 6]
    assert walked(pair.google, Order.LAST_UPDATE_TIME, 9) == [*[1, 2, 3, 4] * 4, 1, 2]


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ({"id_offset": 2}, (Code.OK, Code.INVALID_ARGUMENT)),
        ({}, (Code.INVALID_ARGUMENT, Code.INVALID_ARGUMENT)),
        ({"listed_ids": [2]}, (Code.OK, Code.OK)),
    ],
    ids=["by id", "by nothing", "by listed ids"],
)
def test_a_token_by_update_time(pair: Comparison, token: dict[str, Any], expected: Both) -> None:
    options = pb.ListOperationOptions(order_by_field=Order(field=Order.LAST_UPDATE_TIME))
    made = encode_token(pb.ListOperationNextPageToken(field_offset=1001, set_options=options, **token))
    options.next_page_token = made
    assert codes(pair, "GetArtifacts", options=options) == expected


def test_property_names_in_filters(pair: Comparison) -> None:
    filter_query = 'custom_properties.`zz" OR "1"="1`.int_value = 1'
    ours, theirs = done(pair, "GetArtifacts", options=pb.ListOperationOptions(filter_query=filter_query))
    assert (len(ours.artifacts), len(theirs.artifacts)) == (0, 1)


def test_a_type_named_twice_without_its_external_id(pair: Comparison) -> None:
    types = [pb.ArtifactType(name="twice", external_id="t"), pb.ArtifactType(name="twice")]
    types[1].properties["i"] = pb.INT
    ours, theirs = done(pair, "PutTypes", artifact_types=types, can_add_fields=True)
    assert ours == theirs
    ours, theirs = done(pair, "GetArtifactTypesByID", type_ids=ours.artifact_type_ids[:1])
    assert (ours.artifact_types[0].external_id, theirs.artifact_types[0].external_id) == ("t", "")


@pytest.mark.parametrize(("name", "version"), [("é", "v"), ("x", "é")])
def test_a_versioned_type_that_is_not_ascii(on_maria: Comparison, name: str, version: str) -> None:
    types = [pb.ArtifactType(name=name, version=version), pb.ArtifactType(name="o", version="v")]
    first, again = [done(on_maria, "PutTypes", artifact_types=types) for _ in range(2)]
    same = [
        list(before.artifact_type_ids) == list(after.artifact_type_ids)
        for before, after in zip(first, again, strict=True)
    ]
    assert same == [True, False]


def test_types_that_a_space_at_the_end_tells_apart(on_maria: Comparison) -> None:
    for name in ("T", "T "):
        done(on_maria, "PutArtifactType", artifact_type=pb.ArtifactType(name=name))
    more = pb.ArtifactType(name="T ", properties={"i": pb.INT})
    assert codes(on_maria, "PutArtifactType", artifact_type=more, can_add_fields=True) == (
        Code.OK,
        Code.INVALID_ARGUMENT,
    )
    found = [response.artifact_type.name for response in done(on_maria, "GetArtifactType", type_name="T ")]
    assert found == ["T ", "T"]


def test_words_of_a_node_in_the_error_of_the_database(on_maria: Comparison) -> None:
    artifact = node(pb.Artifact, custom={"Duplicate": 1}, type_id=10, uri="x" * 65_536)
    assert codes(on_maria, "PutArtifacts", artifacts=[artifact]) == (Code.INTERNAL, Code.ALREADY_EXISTS)


def test_a_name_that_is_too_long_by_a_space(on_maria: Comparison) -> None:
    artifact = pb.Artifact(type_id=10, name="n" * 255 + " ")
    assert codes(on_maria, "PutArtifacts", artifacts=[artifact]) == (Code.INTERNAL, Code.OK)


TAKEN = pb.Artifact(type_id=10, name="a")
FIVE = [pb.Artifact(type_id=10)] * 5


@pytest.mark.parametrize(
    ("artifacts", "used"),
    [([TAKEN], (1, 1)), ([*FIVE, TAKEN], (12, 6)), ([TAKEN, *FIVE], (7, 1))],
    ids=["one", "last of six", "first of six"],
)
def test_ids_that_a_failed_call_uses_up(on_maria: Comparison, artifacts: list[pb.Artifact], used: Both) -> None:
    refused = (Code.ALREADY_EXISTS, Code.ALREADY_EXISTS)
    assert codes(on_maria, "PutArtifacts", artifacts=artifacts) == refused
    made = done(on_maria, "PutArtifacts", artifacts=[pb.Artifact(type_id=10)])
    first = 1 + 4  # after the prelude's
    assert tuple(response.artifact_ids[0] - first for response in made) == used


def test_external_ids_on_every_type_message(pair: Comparison) -> None:
    for kind, message in (("Artifact", pb.ArtifactType), ("Execution", pb.ExecutionType), ("Context", pb.ContextType)):
        field = f"{kind.lower()}_type"
        done(pair, f"Put{kind}Type", **{field: message(name="ext", external_id=f"t{kind}")})
        listed = [getattr(response, f"{field}s")[-1].external_id for response in done(pair, f"Get{kind}Types")]
        assert listed == [f"t{kind}", ""]
        named = [getattr(response, field).external_id for response in done(pair, f"Get{kind}Type", type_name="ext")]
        assert named == [f"t{kind}", "" if pair.mysql else f"t{kind}"]


def test_calls_that_google_leaves_unimplemented(pair: Comparison) -> None:
    listed = pb.ListOperationOptions(max_result_size=20, filter_query="id = 1")
    options = pb.LineageGraphQueryOptions(artifacts_options=listed)
    assert codes(pair, "GetLineageGraph", options=options) == (Code.OK, Code.UNIMPLEMENTED)


@pytest.mark.parametrize("type_name", ["mlmd.Collection", "kf.RegisteredModel", "kf.ModelVersion"])
def test_other_names_for_contexts_that_aliases_go_by(pair: Comparison, type_name: str) -> None:
    made, _ = done(pair, "PutContextType", context_type=pb.ContextType(name=type_name))
    context = pb.Context(type_id=made.type_id, name="one")
    ids, _ = done(pair, "PutContexts", contexts=[context])
    context.id, context.name = ids.context_ids[0], "two"
    assert codes(pair, "PutContexts", contexts=[context]) == (Code.FAILED_PRECONDITION, Code.OK)


@pytest.mark.parametrize("given", [math.nan, {"k": math.nan}])
def test_a_nan_that_is_put_again(pair: Comparison, given: Any) -> None:
    artifact = node(pb.Artifact, custom={"v": given}, id=2, type_id=10, type="A", uri="")
    moved = []
    for side in (pair.ours, pair.google):
        times = []
        for _ in range(2):
            answer = side.call("PutArtifacts", service.PutArtifactsRequest(artifacts=[artifact]))
            read = side.call("GetArtifactsByID", service.GetArtifactsByIDRequest(artifact_ids=[2])).response
            times.append(read.artifacts[0].last_update_time_since_epoch)
            side.database.rows("UPDATE Artifact SET last_update_time_since_epoch = 7 WHERE id = 2")
        moved.append((answer.code, times[1] != 7))
    theirs = (Code.INTERNAL, False) if isinstance(given, float) else (Code.OK, True)
    assert moved == [(Code.OK, False), theirs]


def test_an_update_is_later_than_what_it_changes(pair: Comparison) -> None:
    later = 9_000_000_000_000
    moved = []
    for side in (pair.ours, pair.google):
        side.database.rows(f"UPDATE Artifact SET last_update_time_since_epoch = {later} WHERE id = 2")
        side.call("PutArtifacts", service.PutArtifactsRequest(artifacts=[pb.Artifact(id=2, uri="other")]))
        read = side.call("GetArtifactsByID", service.GetArtifactsByIDRequest(artifact_ids=[2])).response
        moved.append(read.artifacts[0].last_update_time_since_epoch > later)
    assert moved == [True, False]
