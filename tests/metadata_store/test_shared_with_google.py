"""One database, both servers: what we write Google's library reads, and what it writes we read."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from mlmd_metadata_store.options import StoreOptions
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.metadata_store.calls import Calls, node, value
from tests.reference.client import Reference
from tests.reference.databases import mysql_config, sqlite_config
from tests.services.sql_server import Address

TEXTS = ["plain", 'it\'s 50% \\ "quoted"', "naïve", "日本語", "\U0001f600", "\x81\x8d tail", ""]
UNHOLDABLE: list[Any] = [
    math.nan,
    math.inf,
    -math.inf,
    "__MLMD_NULL__",
    "mlmd-struct::",
    "mlmd-struct::no base64",
    "mlmd-exact::NaN",
    AnyMessage(),
    AnyMessage(value=b"\x01"),
]
PLAIN: list[Any] = [0, -(2**31), 2**31 - 1, 0.5, -0.25, True, False, {"k": [1, None]}, {}]


@pytest.fixture(params=["sqlite", "mariadb-google-text", "mariadb"])
def shared(request: pytest.FixtureRequest) -> Iterator[tuple[Store, list[str]]]:
    """A store of ours, and the texts that Google's library can read from it."""
    database, _, google = str(request.param).partition("-")
    url = request.getfixturevalue(f"{database}_url")
    store = Store.open(url, StoreOptions(google_text=bool(google)))
    ascii_only = database == "mariadb" and not google
    yield store, [text for text in TEXTS if text.isascii() or not ascii_only]
    store.close()


@pytest.fixture
def google(shared: tuple[Store, list[str]], reference: Reference) -> Iterator[Reference]:
    """Google's core on the same database."""
    url = shared[0].database.dialect.url
    if url.get_backend_name() == "sqlite":
        config = sqlite_config(Path(str(url.database)))
    else:
        server = Address(int(url.port or 0), str(url.host), str(url.username), str(url.password))
        config = mysql_config(server, str(url.database))
    answer = reference.open(config)
    assert answer.code is Code.OK, answer
    yield reference
    reference.release()


def everything(texts: list[str], data: int) -> list[pb.Artifact]:
    """Return artifacts with every text in every place and every value that a property can have."""
    made = [
        node(pb.Artifact, {}, {f"p {text}": text}, type_id=data, name=f"n {text}", uri=f"u {text}", external_id=text)
        for text in texts
    ]
    made += [node(pb.Artifact, {}, {"v": given, "other": "text"}, type_id=data) for given in [*PLAIN, *UNHOLDABLE]]
    return made


def without_times(artifact: pb.Artifact) -> pb.Artifact:
    copy = pb.Artifact()
    copy.CopyFrom(artifact)
    for name in ("create_time_since_epoch", "last_update_time_since_epoch", "id", "type"):
        copy.ClearField(name)
    return copy


def test_write_72_google_reads_what_we_write(shared: tuple[Store, list[str]], google: Reference) -> None:
    store, texts = shared
    call = Calls(store)
    data = call("PutArtifactType", artifact_type={"name": "Data", "properties": {"p": pb.INT}}).type_id
    run = call("PutExecutionType", execution_type={"name": "Run"}).type_id
    group = call("PutContextType", context_type={"name": "Group"}).type_id
    written = everything(texts, data)
    ids = call("PutArtifacts", artifacts=written).artifact_ids
    contexts = [{"type_id": group, "name": f"c {text}"} for text in texts]
    event = {"type": pb.Event.INPUT, "artifact_id": ids[0], "path": {"steps": [{"key": texts[-2]}, {"index": 3}]}}
    execution = {"type_id": run, "name": texts[0]}
    call("PutExecution", execution=execution, contexts=contexts, artifact_event_pairs=[{"event": event}])

    found = google.put("GetArtifacts", service.GetArtifactsRequest()).artifacts
    assert [artifact.id for artifact in found] == list(ids)
    for sent, seen in zip(written, found, strict=True):
        given = sent.custom_properties.get("v")
        if given is not None and any(given.SerializeToString() == value(odd).SerializeToString() for odd in UNHOLDABLE):
            stand_in = seen.custom_properties["v"]
            exact = store.database.dialect.keeps_infinities and math.isinf(given.double_value)
            assert stand_in == given if exact else stand_in.string_value.startswith("mlmd-exact::")
        else:
            if not sent.HasField("uri"):
                sent.uri = ""
            assert without_times(seen) == without_times(sent)
    for name in ("GetExecutions", "GetContexts", "GetArtifactTypes", "GetExecutionTypes", "GetContextTypes"):
        theirs = google.put(name, getattr(service, f"{name}Request")())
        assert theirs.SerializeToString(deterministic=True) == call(name).SerializeToString(deterministic=True)
    events = service.GetEventsByArtifactIDsRequest(artifact_ids=ids)
    assert google.put("GetEventsByArtifactIDs", events) == call("GetEventsByArtifactIDs", events)


def test_write_72_we_read_what_google_writes(shared: tuple[Store, list[str]], google: Reference) -> None:
    store, texts = shared
    call = Calls(store)
    data = google.put("PutArtifactType", service.PutArtifactTypeRequest(artifact_type={"name": "Data"})).type_id
    written = everything(texts, data)[: len(texts) + len(PLAIN)]
    ids = google.put("PutArtifacts", service.PutArtifactsRequest(artifacts=written)).artifact_ids
    found = call("GetArtifactsByID", artifact_ids=ids).artifacts
    for sent, seen in zip(written, found, strict=True):
        if not sent.HasField("uri"):
            sent.uri = ""
        assert without_times(seen) == without_times(sent)


def test_structs_of_a_later_version_that_google_wrote_are_read(
    shared: tuple[Store, list[str]], google: Reference
) -> None:
    made = pb.ExecutionType(name="later")
    simple = made.input_type.simple
    simple.properties["known"] = pb.INT
    base_type, entry = b"\x30\x63", b"\x1a\x07\n\x03new\x10\x63"  # each with the enum value 99
    simple.MergeFromString(base_type + entry)
    google.put("PutExecutionType", service.PutExecutionTypeRequest(execution_type=made))
    found = Calls(shared[0])("GetExecutionTypes").execution_types[-1]
    assert dict(found.input_type.simple.properties) == {"known": pb.INT}


def test_a_later_write_by_google_wins_over_an_exact_value(shared: tuple[Store, list[str]], google: Reference) -> None:
    store, _ = shared
    call = Calls(store)
    data = call("PutArtifactType", artifact_type={"name": "Data"}).type_id
    (artifact_id,) = call("PutArtifacts", artifacts=[node(pb.Artifact, {}, {"v": math.nan}, type_id=data)]).artifact_ids
    changed = node(pb.Artifact, {}, {"v": 1.5}, id=artifact_id)
    google.put("PutArtifacts", service.PutArtifactsRequest(artifacts=[changed]))
    (stored,) = call("GetArtifactsByID", artifact_ids=[artifact_id]).artifacts
    assert stored.custom_properties["v"].double_value == 1.5


@pytest.mark.parametrize("shared", ["sqlite", "mariadb-google-text"], indirect=True)
def test_bytes_that_are_no_utf8_come_back_as_google_stored_them(
    shared: tuple[Store, list[str]], google: Reference
) -> None:
    store, _ = shared
    data = google.put("PutArtifactType", service.PutArtifactTypeRequest(artifact_type={"name": "Data"})).type_id
    clean = node(pb.Artifact, {}, {"p": "VALUE"}, type_id=data, name="NAME!", uri="URI!", external_id="EXT!")
    request = service.PutArtifactsRequest(artifacts=[clean]).SerializeToString()
    for text in (b"VALUE", b"NAME!", b"URI!", b"EXT!"):
        request = request.replace(text, b"\xff\xfe" + text[2:])
    code, _answer = google.call_bytes("PutArtifacts", request)
    assert code is Code.OK
    theirs = google.put("GetArtifacts", service.GetArtifactsRequest())
    ours = Calls(store)("GetArtifacts")
    for text in (b"\xff\xfeLUE", b"\xff\xfeME!", b"\xff\xfeI!", b"\xff\xfeT!"):
        assert text in theirs.SerializeToString()
        assert text in ours.SerializeToString()


BROKEN = b"\xff\xfe\xc3"


@pytest.fixture
def broken(shared: tuple[Store, list[str]], google: Reference) -> tuple[Calls, list[int]]:
    """A store of Google's in which every text of two artifacts is not UTF-8."""
    store, _ = shared

    def put(method: str, request: Message) -> Any:
        body = request.SerializeToString().replace(b"BAD", BROKEN)
        code, answer = google.call_bytes(method, body)
        assert code is Code.OK
        return answer

    kind = service.PutArtifactTypeRequest(artifact_type={"name": "BADtype"})
    type_id = service.PutArtifactTypeResponse.FromString(put("PutArtifactType", kind)).type_id
    custom = {"BADkey": "BADvalue", "plain": "BADvalue", "other": 1}
    nodes = [
        node(pb.Artifact, {}, custom, type_id=type_id, name=f"BADname{n}", uri="BADuri", external_id=f"BADext{n}")
        for n in range(2)
    ]
    answer = put("PutArtifacts", service.PutArtifactsRequest(artifacts=nodes))
    return Calls(store), list(service.PutArtifactsResponse.FromString(answer).artifact_ids)


def texts(calls: Calls, ids: list[int]) -> list[tuple[str | bytes, ...]]:
    found = calls("GetArtifactsByID", artifact_ids=ids).artifacts
    return [
        (one.name, one.uri, one.external_id, one.type, one.custom_properties["plain"].string_value) for one in found
    ]


def test_filters_look_at_text_that_is_no_utf8(broken: tuple[Calls, list[int]]) -> None:
    calls, ids = broken
    columns = ("name", "uri", "type", "external_id", "custom_properties.plain.string_value")
    for column in columns:
        for condition in ("LIKE '%\\x00%'", "NOT LIKE 'a\\x00%'", "!= 'x'", "> 'a'", "IN ('a', 'b')", "= '\\x00'"):
            options = pb.ListOperationOptions(filter_query=f"{column} {condition}")
            found = [one.id for one in calls("GetArtifacts", options=options).artifacts]
            assert found in ([], ids), (column, condition)
    for call in ("UPPER(name)", "TRIM(name)", "CONCAT(name, 'a')", "REPLACE(name, 'a', 'b')", "GREATEST(name, 'a')"):
        options = pb.ListOperationOptions(filter_query=f"{call} != 'zz'")
        assert [one.id for one in calls("GetArtifacts", options=options).artifacts] == ids


def test_a_property_whose_name_is_no_utf8_is_shown_and_keeps_its_value(broken: tuple[Calls, list[int]]) -> None:
    calls, ids = broken
    for one in calls("GetArtifactsByID", artifact_ids=ids).artifacts:
        (name,) = set(one.custom_properties) - {"plain", "other"}
        assert name.rstrip("key") in ("\ufffd" * 3, "ÿþÃ")
        assert one.custom_properties[name].WhichOneof("value") == "string_value"


@pytest.mark.parametrize("many", [False, True])
def test_an_update_leaves_what_is_no_utf8_as_it_is(broken: tuple[Calls, list[int]], many: bool) -> None:
    calls, ids = broken
    before = texts(calls, ids)
    assert isinstance(before[0][0], bytes) or before[0][0].startswith("ÿþÃ"), "in utf8mb4, MySQL made it text"
    chosen = ids if many else ids[:1]
    mask = {"paths": ["state", "custom_properties.fresh"]}
    fresh: Any = {"fresh": {"int_value": 7}}
    nodes = [pb.Artifact(id=one, state=pb.Artifact.LIVE, custom_properties=fresh) for one in chosen]
    calls("PutArtifacts", artifacts=nodes, update_mask=mask)
    assert texts(calls, ids) == before
    calls(
        "PutArtifacts",
        artifacts=[pb.Artifact(id=one) for one in chosen],
        update_mask={"paths": ["custom_properties.other"]},
    )
    assert texts(calls, ids) == before, "what a property that goes leaves behind"
    found = calls("GetArtifactsByID", artifact_ids=ids).artifacts
    assert ["other" in one.custom_properties for one in found] == [one not in chosen for one in ids]
    assert [one.custom_properties["fresh"].int_value for one in found][: len(chosen)] == [7] * len(chosen)
    calls("PutArtifacts", artifacts=[pb.Artifact(id=one, uri="new") for one in chosen])
    assert [one[1] for one in texts(calls, chosen)] == ["new"] * len(chosen)
    assert [one[0] for one in texts(calls, ids)] == [one[0] for one in before]
