"""The same sentence on every wire gets the same answer."""

import re
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mlmd_api.callers import Identity
from mlmd_schemas.caller import Role
from mlmd_schemas.errors import Code, Unauthenticated
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import server_pb2

from tests.api.conftest import LIMIT_BYTES, MLMD, ODD, Served
from tests.api.wires import WIRES, Outcome, read, say

pytestmark = pytest.mark.parametrize("wire", WIRES)


def _artifact(type_id: int, **fields: Any) -> service.PutArtifactsRequest:
    return service.PutArtifactsRequest(artifacts=[mlmd.Artifact(type_id=type_id, **fields)])


def test_what_is_put_is_read_back_exactly(wire: str, served: Served, artifact_type: int) -> None:
    request = _artifact(artifact_type, uri="s3://bücket/a", name="ünïcode ✓")
    values = request.artifacts[0].custom_properties
    values["big"].int_value = 2**62 + 1
    values["exact"].double_value = 0.1 + 0.2
    values["nan"].double_value = float("nan")
    values["less"].double_value = float("-inf")
    values["text"].string_value = "line\nbreak \u0000 zero"
    put = read(wire, say(wire, served.doors, f"{MLMD}PutArtifacts", request), service.PutArtifactsResponse)
    get = service.GetArtifactsByIDRequest(artifact_ids=put.artifact_ids)
    found = read(wire, say(wire, served.doors, f"{MLMD}GetArtifactsByID", get), service.GetArtifactsByIDResponse)
    (artifact,) = found.artifacts
    assert (artifact.uri, artifact.name) == ("s3://bücket/a", "ünïcode ✓")
    assert str(artifact.custom_properties["nan"].double_value) == "nan"
    for name in ("big", "exact", "less", "text"):
        assert artifact.custom_properties[name] == values[name]


@pytest.mark.parametrize("engine", ["core", "grpcio"])
def test_facts_are_read_and_written_while_all_who_need_bytes_wait(wire: str, serve: Callable[..., Served]) -> None:
    served = serve(threads=1)
    with ThreadPoolExecutor(4) as threads:
        paths = [f"{ODD}ReadBytes", f"{ODD}WriteBytes"] * 2
        waiting = [threads.submit(say, wire, served.doors, path, mlmd.Artifact()) for path in paths]
        assert all(served.odd.moving.acquire(timeout=60) for _ in range(2)), "neither waits for the other"
        put = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Data"))
        assert say(wire, served.doors, f"{MLMD}PutArtifactType", put, timeout=60).code is Code.OK
        get = service.GetArtifactTypesRequest()
        assert say(wire, served.doors, f"{MLMD}GetArtifactTypes", get, timeout=60).code is Code.OK
        assert not any(one.done() for one in waiting)
        served.odd.release.set()
        assert {one.result(60).code for one in waiting} == {Code.OK}


def test_an_empty_answer_is_an_answer(wire: str, served: Served) -> None:
    outcome = say(wire, served.doors, f"{ODD}Empty", mlmd.Artifact())
    assert outcome.code is Code.OK
    assert outcome.body == (b"{}" if wire == "connect-json" else b"")


def test_errors_have_one_code_and_one_sentence(wire: str, served: Served, artifact_type: int) -> None:
    cases = [
        (f"{MLMD}PutArtifacts", _artifact(9_999_999)),
        (f"{MLMD}PutArtifacts", service.PutArtifactsRequest(artifacts=[mlmd.Artifact(type_id=artifact_type, id=77)])),
        (f"{MLMD}GetArtifactType", service.GetArtifactTypeRequest(type_name="nömen non est ✗")),
        (f"{MLMD}PutArtifactsTypo", mlmd.Artifact()),
        ("/no.such.Service/Method", mlmd.Artifact()),
    ]
    for path, request in cases:
        here, there = (say(which, served.doors, path, request) for which in (wire, "grpc"))
        assert (here.code, here.message, here.body) == (there.code, there.message, b"")
        assert here.code is not Code.OK


def test_an_unknown_method_or_service_is_unimplemented(wire: str, served: Served) -> None:
    for path in (f"{MLMD}GetEverything", "/no.such.Service/Method"):
        outcome = say(wire, served.doors, path, mlmd.Artifact())
        assert outcome.code is Code.UNIMPLEMENTED
        assert path in outcome.message


def test_an_answer_over_the_limit_says_so(wire: str, served: Served) -> None:
    outcome = say(wire, served.doors, f"{ODD}Flood", mlmd.Artifact())
    assert outcome.code is Code.RESOURCE_EXHAUSTED
    assert "max_result_size" in outcome.message


def test_a_request_over_the_limit_is_refused_and_the_server_goes_on(wire: str, served: Served) -> None:
    big = mlmd.Artifact(uri="x" * (LIMIT_BYTES * 2))
    assert say(wire, served.doors, f"{ODD}Note", big).code is Code.RESOURCE_EXHAUSTED
    assert say(wire, served.doors, f"{ODD}Note", mlmd.Artifact(uri="small")).code is Code.OK
    assert len(served.odd.callers) == 1


def test_malformed_bytes_are_an_invalid_argument(wire: str, served: Served) -> None:
    for body in (b"\xff\xff\xff", b"\x0a\x7fcut off", b"{not json", b'{"noSuchField": 1}', b'{"id": "x"}'):
        outcome = say(wire, served.doors, f"{ODD}Note", body)
        if outcome.code is Code.OK:
            assert body.startswith(b"{")
            assert wire != "connect-json"
            continue
        assert outcome.code is Code.INVALID_ARGUMENT
        assert outcome.message.startswith(("request: ", "id: "))


def test_deep_nesting_is_an_invalid_argument(wire: str, served: Served) -> None:
    if wire == "connect-json":
        body = b'{"type":' + b'{"baseType":' * 10_000 + b"1" + b"}" * 10_001
    else:
        query = mlmd.ArtifactStructType(simple=mlmd.ArtifactType(name="x")).SerializeToString()
        for _ in range(200):
            members = mlmd.UnionArtifactStructType.DESCRIPTOR.fields_by_name["candidates"].number
            query = _wrapped(members, query)
            query = _wrapped(mlmd.ArtifactStructType.DESCRIPTOR.fields_by_name["union_type"].number, query)
        input_type = mlmd.ExecutionType.DESCRIPTOR.fields_by_name["input_type"].number
        execution_type = service.PutExecutionTypeRequest.DESCRIPTOR.fields_by_name["execution_type"].number
        body = _wrapped(execution_type, _wrapped(input_type, query))
    assert say(wire, served.doors, f"{MLMD}PutExecutionType", body).code is Code.INVALID_ARGUMENT


def _wrapped(number: int, content: bytes) -> bytes:
    length, size = len(content), b""
    while True:
        size += bytes([length & 0x7F | (0x80 if length > 0x7F else 0)])
        length >>= 7
        if not length:
            return bytes([number << 3 | 2]) + size + content


def test_invalid_utf8_names_the_field(wire: str, served: Served, artifact_type: int) -> None:
    if wire == "connect-json":
        outcome = say(wire, served.doors, f"{MLMD}PutArtifacts", b'{"artifacts":[{"uri":"\xff"}]}')
        assert outcome.code is Code.INVALID_ARGUMENT
        assert "UTF-8" in outcome.message
        return
    body = _artifact(artifact_type, uri="good").SerializeToString().replace(b"good", b"\xff\xfegg")
    outcome = say(wire, served.doors, f"{MLMD}PutArtifacts", body)
    assert outcome.code is Code.INVALID_ARGUMENT
    assert outcome.message.startswith("artifacts[0].uri: ")


def test_what_was_not_raised_on_purpose_is_internal_without_its_cause(
    wire: str, served: Served, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = say(wire, served.doors, f"{ODD}Break", mlmd.Artifact())
    assert outcome.code is Code.INTERNAL
    assert outcome.message == f"internal error (request id {outcome.request_id})"
    (record,) = [record for record in caplog.records if record.name == "mlmd.calls"]
    assert "the secret cause" in record.__dict__["fields"]["cause"]
    assert record.__dict__["fields"]["request_id"] == outcome.request_id


def test_the_caller_gets_the_request_id_it_sent(wire: str, served: Served) -> None:
    for path in (f"{ODD}Note", f"{ODD}Break", "/no.such.Service/Method"):
        outcome = say(wire, served.doors, path, mlmd.Artifact(), {"x-request-id": "run-42.step_1"})
        assert outcome.request_id == "run-42.step_1"
    assert [caller.request_id for caller in served.odd.callers] == ["run-42.step_1"]


@pytest.mark.parametrize("given", [None, "x" * 200, "has space", 'quo"te'])
def test_without_a_sane_request_id_a_fresh_one_is_made(wire: str, served: Served, given: str | None) -> None:
    metadata = {} if given is None else {"x-request-id": given}
    outcomes = [say(wire, served.doors, f"{ODD}Note", mlmd.Artifact(), metadata) for _ in range(2)]
    assert outcomes[0].request_id != outcomes[1].request_id
    assert all(re.fullmatch("[0-9a-f]{16}", outcome.request_id) for outcome in outcomes)


def test_a_deadline_that_passes_in_the_middle_ends_the_call(wire: str, served: Served) -> None:
    for seconds in (0.2, 1, 5, 25):  # a busy machine may need longer to get to the middle
        outcome = say(wire, served.doors, f"{ODD}Wait", mlmd.Artifact(), timeout=seconds)
        assert outcome.code is Code.DEADLINE_EXCEEDED
        if served.odd.entered.is_set():
            break
    assert served.odd.entered.is_set()


def test_the_deadline_reaches_the_method(wire: str, served: Served) -> None:
    say(wire, served.doors, f"{ODD}Note", mlmd.Artifact())
    say(wire, served.doors, f"{ODD}Note", mlmd.Artifact(), timeout=30)
    unbounded, bounded = served.odd.callers
    assert unbounded.remaining_seconds() is None
    remaining = bounded.remaining_seconds()
    assert remaining is not None
    assert 20 < remaining < 31  # gRPC rounds what is left up on its way


def test_the_idempotency_key_makes_a_repeat_safe(wire: str, served: Served, artifact_type: int) -> None:
    request = _artifact(artifact_type, uri="once")
    key = {"mlmd-idempotency-key": f"key-of-{wire}"}
    path = f"{MLMD}PutArtifacts"
    first, second = (
        read(wire, say(wire, served.doors, path, request, key), service.PutArtifactsResponse) for _ in range(2)
    )
    assert first == second
    request.artifacts[0].uri = "another"
    assert say(wire, served.doors, path, request, key).code is Code.ALREADY_EXISTS


def test_an_insane_idempotency_key_is_refused(wire: str, served: Served) -> None:
    outcome = say(wire, served.doors, f"{ODD}Note", mlmd.Artifact(), {"mlmd-idempotency-key": "k" * 256})
    assert outcome.code is Code.INVALID_ARGUMENT
    assert outcome.message.startswith("mlmd-idempotency-key: ")


def test_a_call_with_two_idempotency_keys_is_refused(wire: str, served: Served) -> None:
    keys = [("mlmd-idempotency-key", "a"), ("mlmd-idempotency-key", "b")]
    outcome = say(wire, served.doors, f"{ODD}Note", mlmd.Artifact(), besides=keys)
    assert outcome.code is Code.INVALID_ARGUMENT
    assert outcome.message == "mlmd-idempotency-key: the call has 2 different values of it; send one."
    assert served.odd.callers == []


def test_of_other_metadata_that_comes_twice_the_last_counts(wire: str, served: Served) -> None:
    ids = [("x-request-id", "first"), ("x-request-id", "last")]
    assert say(wire, served.doors, f"{ODD}Note", mlmd.Artifact(), besides=ids).request_id == "last"


KNOWN = {
    "Bearer r": Identity("rita", "", frozenset({Role.READER})),
    "Bearer w": Identity("walt", "", frozenset({Role.READER, Role.WRITER})),
    "Bearer o": Identity("otto", "other", frozenset(Role)),
    "Bearer n": Identity("nell", "nowhere", frozenset(Role)),
}


class Four:
    """Knows four callers."""

    def identify(self, metadata: Mapping[str, str]) -> Identity:
        """Return the owner of the token."""
        found = KNOWN.get(metadata.get("authorization", ""))
        if found is None:
            raise Unauthenticated("authorization: not known here.")
        return found


def _as(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def _put_type(wire: str, served: Served, token: str) -> Outcome:
    request = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="Secret"))
    return say(wire, served.doors, f"{MLMD}PutArtifactType", request, _as(token))


def test_who_does_not_say_who_it_is_is_refused(wire: str, serve: Callable[..., Served]) -> None:
    served = serve(Four())
    for metadata in ({}, _as("x"), {"authorization": "Basic r"}):
        outcome = say(wire, served.doors, f"{ODD}Note", mlmd.Artifact(), metadata)
        assert outcome.code is Code.UNAUTHENTICATED
        assert outcome.message.startswith("authorization: ")
    assert served.odd.callers == []


def test_who_says_twice_that_it_is_the_same_is_let_in(wire: str, serve: Callable[..., Served]) -> None:
    served = serve(Four())
    outcome = say(wire, served.doors, f"{ODD}Note", mlmd.Artifact(), _as("w"), besides=[*_as("w").items()])
    assert outcome.code is Code.OK
    assert len(served.odd.callers) == 1


def test_who_says_two_things_about_who_it_is_is_refused(wire: str, serve: Callable[..., Served]) -> None:
    served = serve(Four())
    for path in (f"{ODD}Note", "/mlmd.v1.Server/GetInfo"):
        outcome = say(wire, served.doors, path, b"", _as("w"), besides=[("authorization", "Bearer r")])
        assert outcome.code is Code.INVALID_ARGUMENT
        assert outcome.message == "authorization: the call has 2 different values of it; send one."
    assert served.odd.callers == []


def test_a_reader_reads_and_does_not_write(wire: str, serve: Callable[..., Served]) -> None:
    served = serve(Four())
    refused = _put_type(wire, served, "r")
    assert refused.code is Code.PERMISSION_DENIED
    assert "'rita' has the role reader" in refused.message
    get = service.GetArtifactTypeRequest(type_name="Secret")
    assert say(wire, served.doors, f"{MLMD}GetArtifactType", get, _as("r")).code is Code.NOT_FOUND
    assert _put_type(wire, served, "w").code is Code.OK
    assert say(wire, served.doors, f"{MLMD}GetArtifactType", get, _as("r")).code is Code.OK


def test_a_tenant_does_not_see_another(wire: str, serve: Callable[..., Served]) -> None:
    served = serve(Four(), tenants=("", "other"))
    assert _put_type(wire, served, "w").code is Code.OK
    get = service.GetArtifactTypeRequest(type_name="Secret")
    assert say(wire, served.doors, f"{MLMD}GetArtifactType", get, _as("o")).code is Code.NOT_FOUND
    refused = say(wire, served.doors, f"{MLMD}GetArtifactType", get, _as("n"))
    assert refused.code is Code.PERMISSION_DENIED
    assert "'nowhere'" in refused.message


def test_everybody_may_ask_what_the_server_is(wire: str, serve: Callable[..., Served]) -> None:
    served = serve(Four(), tenants=("", "other"))
    path, request = "/mlmd.v1.Server/GetInfo", server_pb2.GetInfoRequest()
    infos = [
        read(wire, say(wire, served.doors, path, request, metadata), server_pb2.GetInfoResponse)
        for metadata in ({}, _as("r"), _as("o"), _as("wrong"))
    ]
    assert [info.version for info in infos] == ["1.2.3"] * 4
    assert list(infos[0].features) == ["collections", "lineage"]
    assert infos[0].limits.max_message_bytes == LIMIT_BYTES
    assert infos[0].store_uuid == infos[1].store_uuid == infos[3].store_uuid != infos[2].store_uuid
