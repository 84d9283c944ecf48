"""Sessions that once differed, by name. Generated sessions come to such places seldom."""

from collections.abc import Sequence
from typing import Any, cast

import pytest
from google.protobuf.message import Message
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.differential.comparison import Comparison
from tests.differential.conftest import Pairs
from tests.differential.node_requests import UNKNOWN_FIELD
from tests.differential.prelude import prelude
from tests.differential.sides import differing_tables, set_times
from tests.differential.source import Call

pytestmark = pytest.mark.reference

FILTERS = (
    "id\b=\f1\vOR\xa0id\u2000=\u202f2\u205fOR\u3000id\u200a=3\u2003",
    "id\u1680= 1",
    "id = 1 -- one\rOR id = 2 # two\r\nOR id = 3",
    "id = 1 # one\r= 1",
    "id + NULL = 1",
    "-NULL = 1",
    "~(NULL) = 1",
    "NOT NULL",
    "name || NULL = 'a'",
    "name NOT LIKE NULL",
    "id & NULL = 1",
    "id IN (1, 9223372036854775808)",
    "id NOT IN (18446744073709551615)",
    "id BETWEEN 1 AND 9223372036854775808",
    "id * 9223372036854775808 = 1",
    "CASE id WHEN 0x8000000000000000 THEN TRUE END",
    "COALESCE(id, 9223372036854775808) = 1",
    "id IN (9223372036854775807, 1)",
    "id < 1.OR id = 2.AND id > .5",
    "id = 1.5OR id = 2",
    "id = 1.x",
    "CAST(id AS `INT64`) = 1",
)


NUMBER, TEXT = b"\x10\x01", b"\x12\x01a"
"""Field 2 of an entry of a map, as a number and as a text: one of them is what the map's values are not."""


def compared(pairs: Pairs, *calls: Call) -> None:
    with pairs() as comparison:
        comparison.run([*prelude(), *calls])


def lists(filter_query: str) -> list[Call]:
    """Return the three lists with a filter."""
    options = pb.ListOperationOptions(filter_query=filter_query)
    names = ("GetArtifacts", "GetExecutions", "GetContexts")
    return [Call(name, getattr(service, f"{name}Request")(options=options)) for name in names]


def dangling_walks() -> list[Call]:
    """Return an event of an execution that is not there, and walks that end there or do not."""
    put = service.PutLineageSubgraphRequest()
    put.event_edges.add(event=pb.Event(artifact_id=1, execution_id=99, type=pb.Event.INPUT))
    put.event_edges.add(event=pb.Event(artifact_id=98, execution_id=1, type=pb.Event.OUTPUT))
    walks = []
    for filter_query in ("", "TRUE", "id > 90", "id = 1"):
        for included in (False, True):
            ending = pb.LineageSubgraphQueryOptions.EndingNodes(
                filter_query=filter_query, include_ending_nodes=included
            )
            options: Any = {"ending_artifacts": ending, "ending_executions": ending}
            walk = service.GetLineageSubgraphRequest()
            walk.lineage_subgraph_query_options.CopyFrom(pb.LineageSubgraphQueryOptions(**options))
            walk.lineage_subgraph_query_options.starting_artifacts.filter_query = "id IN (1, 2)"
            walks.append(Call("GetLineageSubgraph", walk))
    return [Call("PutLineageSubgraph", put), *walks]


def zeros() -> list[Call]:
    """Return updates of a double that is 0 to either zero; none of them is a change."""
    artifact = pb.Artifact(id=1, type_id=10, type="A", name="a", uri="u", state=pb.Artifact.LIVE)
    calls = []
    for zero in (-0.0, -0.0, 0.0, -0.0):
        artifact.properties["d"].double_value = artifact.custom_properties["x"].double_value = zero
        calls.append(Call("PutArtifacts", service.PutArtifactsRequest(artifacts=[artifact])))
    return calls


def zeros_in_structs() -> list[Call]:
    """Return updates of a struct in which the sign of a zero changes, which is no change, and with it a number."""
    artifact = pb.Artifact(id=1, type_id=10, type="A", name="a", uri="u", state=pb.Artifact.LIVE)
    calls = []
    for zero, one in ((-0.0, 1), (0.0, 1), (-0.0, 1), (0.0, 2), (-0.0, 2)):
        for values in (artifact.properties["t"], artifact.custom_properties["x"]):
            values.struct_value.Clear()
            values.struct_value.update({"k": zero, "l": [zero, {"k": zero}], "m": one, "n": {"k": [zero]}})
        calls.append(Call("PutArtifacts", service.PutArtifactsRequest(artifacts=[artifact])))
    return calls


def doubles_of_later_messages() -> list[Call]:
    """Return updates with the same double each time, with and without a field that nobody knows beside it."""
    artifact = pb.Artifact(id=1, type_id=10, type="A", name="a", uri="u", state=pb.Artifact.LIVE)
    calls = []
    for number, stray in ((0.5, b""), (0.5, UNKNOWN_FIELD), (0.5, b""), (0.0, b""), (-0.0, UNKNOWN_FIELD), (-0.0, b"")):
        for value in (artifact.properties["d"], artifact.custom_properties["x"]):
            value.ParseFromString(pb.Value(double_value=number).SerializeToString() + stray)
        calls.append(Call("PutArtifacts", service.PutArtifactsRequest(artifacts=[artifact])))
    return calls


def fields_of_later_messages() -> list[Call]:
    """Return writes with a field that nobody knows in the entries of maps, in their values, and beside them."""
    value = pb.Value(int_value=1).SerializeToString()
    entries = [
        _field(1, b"i") + _field(2, value),
        _field(1, b"i") + _field(2, value) + UNKNOWN_FIELD,
        UNKNOWN_FIELD + _field(1, b"i") + _field(2, value),
        _field(1, b"i") + UNKNOWN_FIELD,
        _field(1, b"i") + _field(2, value + UNKNOWN_FIELD),
        _field(1, b"zz") + _field(2, value) + UNKNOWN_FIELD,
        _field(1, b"i") + NUMBER,
        _field(1, b"i") + NUMBER + _field(2, value),
        _field(1, b"i") + _field(2, value) + NUMBER,
    ]
    known = pb.Artifact(id=2, type_id=10, type="A", uri="").SerializeToString()
    fresh = pb.Artifact(type_id=10).SerializeToString()
    artifacts = [node + _field(number, entry) for node in (known, fresh) for number in (4, 5) for entry in entries]
    artifacts += [known + b"\x20\x01", known + b"\x28\x01"]  # numbers in the place of maps
    ending = [_field(5, entry) for entry in (entries[3], entries[6])]  # a Value without a member ends Google's
    artifacts = [artifact for artifact in artifacts if not any(entry in artifact for entry in ending)]
    types = [
        _field(1, b"G") + _field(3, _field(1, b"i") + number + UNKNOWN_FIELD)
        for number in (NUMBER, b"\x10\x4d", b"\x10\x00", b"", NUMBER + TEXT, TEXT + NUMBER, TEXT, b"\x10\x4d" + NUMBER)
    ]
    struct = _field(1, b"H") + _field(4, _field(8, _field(1, _field(1, b"k") + _field(2, b"\x2a\x00") + UNKNOWN_FIELD)))
    subgraph = service.PutLineageSubgraphRequest
    return [
        *(Call("PutArtifacts", service.PutArtifactsRequest.FromString(_field(1, one))) for one in artifacts),
        *(Call("PutExecution", service.PutExecutionRequest.FromString(_pair_of(one))) for one in artifacts[:4]),
        *(Call("PutLineageSubgraph", subgraph.FromString(_field(2, one))) for one in artifacts),
        *(Call("PutArtifactType", service.PutArtifactTypeRequest.FromString(_field(1, one))) for one in types),
        Call("PutExecutionType", service.PutExecutionTypeRequest.FromString(_field(1, struct))),
        Call("GetExecutionType", service.GetExecutionTypeRequest(type_name="H")),
    ]


def _pair_of(artifact: bytes) -> bytes:
    return _field(1, pb.Execution(type_id=12).SerializeToString()) + _field(2, _field(1, artifact))


class Wire:
    """A request of exactly these bytes, which protobuf's Python would put into another order."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def SerializeToString(self) -> bytes:
        """Return the bytes."""
        return self.body


def entries_of_one_key() -> list[bytes]:
    """Return artifacts with two or three entries of one key, of which some have a field that nobody knows."""
    known = pb.Artifact(id=2, type_id=10, uri="").SerializeToString()
    artifacts = []
    for number, key in ((4, b"i"), (5, b"x")):
        for strays in ("1", "2", "12", "23"):
            values = [_field(2, pb.Value(int_value=place).SerializeToString()) for place in (1, 2, 3)]
            ends = [UNKNOWN_FIELD if place in strays else b"" for place in "123"]
            entries = [_field(1, key) + value + end for value, end in zip(values, ends, strict=True)]
            first, second, third = (_field(number, entry) for entry in entries)
            artifacts += [known + first + second, known + first + second + third]
    return artifacts


def test_of_several_entries_of_one_key_the_last_counts(sqlite_pairs: Pairs) -> None:
    with sqlite_pairs() as comparison:
        comparison.run(prelude())
        for place, artifact in enumerate(entries_of_one_key()):
            put = cast(Message, Wire(_field(1, artifact)))
            for side in (comparison.ours, comparison.google):
                assert side.call("PutArtifacts", put).code is Code.OK
                set_times(side, 5000 + place)
            assert list(differing_tables(comparison.ours, comparison.google)) == []


def _field(number: int, content: bytes) -> bytes:
    """Return a field with up to 127 bytes in it."""
    return bytes((number << 3 | 2, len(content))) + content


def two_wrong_events() -> list[Call]:
    """Return an execution whose first event is there already and whose second contradicts its pair."""
    put = service.PutExecutionRequest(execution=pb.Execution(id=1))
    put.artifact_event_pairs.add(event=pb.Event(artifact_id=1, type=pb.Event.INPUT))
    second = put.artifact_event_pairs.add(artifact=pb.Artifact(type_id=11))
    second.event.CopyFrom(pb.Event(artifact_id=3, type=pb.Event.INPUT))
    return [Call("PutExecution", put)]


def two_wrong_fields_of_a_type() -> list[Call]:
    """Return types with a field that is too long for MySQL, and a base type that they cannot have."""
    train, transform = pb.ExecutionType.TRAIN, pb.ExecutionType.TRANSFORM
    first = pb.ExecutionType(name="mlmd.Transform", base_type=train)
    long_id = pb.ExecutionType(name="mlmd.Train", base_type=transform, external_id="x" * 256)
    long_name = pb.ExecutionType(name="mlmd.Train", base_type=transform, properties={"x" * 256: pb.INT})
    return [
        Call("PutTypes", service.PutTypesRequest(execution_types=[first, second], can_add_fields=True))
        for second in (long_id, long_name)
    ]


def integers_as_doubles() -> list[Call]:
    """Return integers of which some are equal as doubles, and filters that compare them with doubles."""
    artifacts = []
    for integer, double in ((1 << 53, 0.5), ((1 << 53) + 1, float(1 << 40)), ((1 << 63) - 1, 3.0), (-(1 << 63), 1.0)):
        values = {"y": pb.Value(int_value=integer), "z": pb.Value(double_value=double)}
        artifacts.append(pb.Artifact(type_id=10, custom_properties=values))
    filters = (
        "{} = 9007199254740993.0",
        "9007199254740993.0 >= {}",
        "{} < 9223372036854775807.0",
        "{} IN (9007199254740993.0)",
        "{} IN (9007199254740993, 1.0)",
        "{} BETWEEN 0.5 AND 9007199254740992",
        "CASE {} WHEN 9007199254740993.0 THEN TRUE END",
        "COALESCE({}, 1.0) = 9007199254740992.0",
        "NULLIF({}, 9007199254740993.0) IS NULL",
        "{} > custom_properties.z.double_value + 9007199254740992",
        "9007199254740993 - id * 0 = 9007199254740992.0 + {} * 0",
        "9007199254740993 = 9007199254740992.0",
    )
    lists_of = [lists(text.format("custom_properties.y.int_value")) for text in filters]
    return [
        Call("PutArtifacts", service.PutArtifactsRequest(artifacts=artifacts)),
        *(call for calls in lists_of for call in calls[:1]),
    ]


def types_by_external_ids() -> list[Call]:
    """Return types whose external ids are not in the order of their ids, and requests for several of them."""
    calls = []
    for noun, kind in (("Artifact", pb.ArtifactType), ("Execution", pb.ExecutionType), ("Context", pb.ContextType)):
        texts = [f"{text}{noun}" for text in ("c", "\u00e9", "B", "a", "\U0001f600", "b")]
        types = [kind(name=f"t{number}", external_id=text) for number, text in enumerate(texts)]
        put, get = getattr(service, f"Put{noun}TypeRequest"), getattr(service, f"Get{noun}TypesByExternalIdsRequest")
        calls += [Call(f"Put{noun}Type", put(**{f"{noun.lower()}_type": one})) for one in types]
        asked = (texts[:2], texts[::-1], [*texts[2:4], *texts[2:4], "none"], texts[:1])
        calls += [Call(f"Get{noun}TypesByExternalIds", get(external_ids=ids)) for ids in asked]
    return calls


def reused_by_another_spelling() -> list[Call]:
    """Return calls that reuse an artifact and contexts by what MySQL takes for their external id and names."""
    artifact, context = pb.Artifact(type_id=11, external_id="x "), pb.Context(type_id=14, name="a ")
    both = {"reuse_context_if_already_exist": True, "reuse_artifact_if_already_exist_by_external_id": True}
    put, graph = service.PutExecutionRequest.Options(**both), service.PutLineageSubgraphRequest.Options(**both)
    pairs = [service.PutExecutionRequest.ArtifactAndEvent(artifact=artifact)]
    execution = pb.Execution(type_id=12)
    return [
        Call("PutLineageSubgraph", service.PutLineageSubgraphRequest(contexts=[context], options=graph)),
        Call("PutLineageSubgraph", service.PutLineageSubgraphRequest(artifacts=[artifact], options=graph)),
        Call(
            "PutExecution",
            service.PutExecutionRequest(execution=execution, artifact_event_pairs=pairs, options=put),
        ),
        Call("PutExecution", service.PutExecutionRequest(execution=execution, contexts=[context], options=put)),
    ]


def several_reused_by_another_spelling() -> list[Call]:
    """Return calls with several contexts, of which some have the name of others but for the spelling or a renaming."""
    calls = []
    for names in (
        ((15, "a "), (14, "a"), (14, "b")),
        ((14, "a "), (14, "a")),
        ((14, "new"), (14, "new ")),
        ((14, "old"), (14, "b "), (15, "old ")),
    ):
        contexts = [pb.Context(type_id=type_id, name=name) for type_id, name in names]
        calls += _put_with(contexts)
    renamed = [pb.Context(id=2, type_id=14, name="other"), pb.Context(type_id=14, name="other")]
    respelt = [pb.Context(id=2, type_id=14, name="third"), pb.Context(type_id=14, name="third ")]
    return [*calls, *_put_with(renamed), *_put_with(renamed[::-1]), *_put_with(respelt)]


def _put_with(contexts: list[pb.Context]) -> list[Call]:
    """Return the two calls that reuse contexts by their names."""
    put, graph = service.PutExecutionRequest, service.PutLineageSubgraphRequest
    reuse: dict[str, Any] = {"reuse_context_if_already_exist": True}
    execution = pb.Execution(type_id=12)
    return [
        Call("PutExecution", put(execution=execution, contexts=contexts, options=put.Options(**reuse))),
        Call("PutLineageSubgraph", graph(contexts=contexts, options=graph.Options(**reuse))),
    ]


def padded_tokens() -> list[Call]:
    """Return lists that go on with tokens whose padding is right or wrong, of either sign."""
    tokens = [f"CAIQAhoCCAI{padding}" for padding in (".", " .\t", "..", "=.")]
    tokens += [f"CAIQAhoA{padding}" for padding in ("", ".")] + [f"CAIQAg{padding}" for padding in ("..", ".=", ".")]
    lists_on = [pb.ListOperationOptions(max_result_size=2, next_page_token=token) for token in tokens]
    return [Call("GetArtifacts", service.GetArtifactsRequest(options=options)) for options in lists_on]


SESSIONS = {
    "padded tokens": padded_tokens(),
    "reused by another spelling": reused_by_another_spelling(),
    "several reused by another spelling": several_reused_by_another_spelling(),
    "filters": [call for text in FILTERS for call in lists(text)],
    "types by external ids": types_by_external_ids(),
    "walks to nodes that are not there": dangling_walks(),
    "zeros": zeros(),
    "zeros in structs": zeros_in_structs(),
    "fields of later messages": fields_of_later_messages(),
    "doubles of later messages": doubles_of_later_messages(),
    "two wrong events": two_wrong_events(),
    "two wrong fields of a type": two_wrong_fields_of_a_type(),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_on_sqlite_goes_as_on_googles_server(sqlite_pairs: Pairs, name: str) -> None:
    compared(sqlite_pairs, *SESSIONS[name])


def test_integers_and_doubles_compare_as_doubles_as_on_googles_server(sqlite_pairs: Pairs) -> None:
    compared(sqlite_pairs, *integers_as_doubles())


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_on_mariadb_goes_as_on_googles_server(maria_pairs: Pairs, name: str) -> None:
    compared(maria_pairs, *SESSIONS[name])


def test_names_on_mysql_have_255_characters_and_in_googles_text_255_bytes(
    maria_pairs: Pairs, request: pytest.FixtureRequest
) -> None:
    is_google_text = "google_text" in request.node.callspec.id
    with maria_pairs() as comparison:
        comparison.run(prelude())
        codes = {name: _codes_of_a_name(comparison, name) for name in ("é" * 127, "é" * 200, "é" * 255, "é" * 256)}
    refused = (Code.INTERNAL, Code.INTERNAL)
    wider = refused if is_google_text else (Code.OK, Code.INTERNAL)
    assert list(codes.values()) == [(Code.OK, Code.OK), wider, wider, refused]


def _codes_of_a_name(comparison: Comparison, name: str) -> tuple[Code | None, Code | None]:
    put = service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=10, name=name)])
    return comparison.ours.call("PutArtifacts", put).code, comparison.google.call("PutArtifacts", put).code


def test_a_property_takes_the_place_of_one_that_mysql_takes_for_it(maria_pairs: Pairs) -> None:
    put = service.PutArtifactsRequest(artifacts=[pb.Artifact(id=2)])
    put.artifacts[0].custom_properties["x "].int_value = 2
    read = service.GetArtifactsByIDRequest(artifact_ids=[2])
    with maria_pairs() as comparison:
        comparison.run(prelude())
        assert comparison.google.call("PutArtifacts", put).code in (Code.OK, Code.INTERNAL)  # as its hash map has it
        assert comparison.ours.call("PutArtifacts", put).code is Code.OK
        (artifact,) = comparison.ours.call("GetArtifactsByID", read).response.artifacts
    assert {name: value.int_value for name, value in artifact.custom_properties.items()} == {"x ": 2}


@pytest.mark.parametrize("paths", [(), ("custom_properties.x ",)], ids=["whole", "masked"])
def test_a_property_beside_one_that_mysql_takes_for_it_changes_nothing(
    maria_pairs: Pairs, paths: Sequence[str]
) -> None:
    put = service.PutArtifactsRequest(artifacts=[pb.Artifact(id=2)])
    put.update_mask.paths.extend(paths)
    for name, number in (("x", 1), ("x ", 2), ("my param", 3)):
        put.artifacts[0].custom_properties[name].int_value = number
    if not paths:
        put.ClearField("update_mask")
        put.artifacts[0].custom_properties["my param"].string_value = "it's"
    read = service.GetArtifactsByIDRequest(artifact_ids=[2])
    with maria_pairs() as comparison:
        comparison.run([*prelude(), Call("PutArtifacts", put), Call("GetArtifactsByID", read)])
        answer = comparison.ours.call("PutArtifacts", put)
        assert answer.code is Code.INTERNAL
        assert "does not tell apart" in answer.message


STRUCTS = {
    "null": Code.INTERNAL,
    "[]": Code.INTERNAL,
    "3": Code.INTERNAL,
    "{bad": Code.INTERNAL,
    '{"simple":3}': Code.INTERNAL,
    '{"simple":{"name":5}}': Code.INTERNAL,
    '{"list":' * 2000 + "{}" + "}" * 2000: Code.INTERNAL,
    '{"simple":{"properties":{"k":3}}}': Code.OK,
    '{"simple":{"properties":{"k":"3"}}}': Code.OK,
    '{"simple":{"baseType":2}}': Code.OK,
    '{"simple":{"base_type":"MODEL"}}': Code.OK,
    " { } ": Code.OK,
}
"""What another hand may have written into Type.input_type, and the code with which it is read."""


@pytest.mark.parametrize("text", STRUCTS, ids=[text[:40] for text in STRUCTS])
def test_structures_that_another_hand_wrote(sqlite_pairs: Pairs, text: str) -> None:
    read = Call("GetExecutionType", service.GetExecutionTypeRequest(type_name="E"))
    with sqlite_pairs() as comparison:
        comparison.run(prelude())
        for side in (comparison.ours, comparison.google):
            side.database.rows(f"UPDATE Type SET input_type = '{text}' WHERE id = 12")
        ours, _ = comparison.one(read)
    assert ours.code is STRUCTS[text]
