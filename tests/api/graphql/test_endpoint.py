"""`/graphql` over HTTP: methods, types, errors, roles, tenants, deadlines, persisted queries."""

import gzip
import hashlib
import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest
from mlmd_api.callers import Identity
from mlmd_schemas.caller import Role
from mlmd_schemas.errors import Unauthenticated
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.api.conftest import LIMIT_BYTES, Served
from tests.api.wires import post, say

STRICT = "application/graphql-response+json"
JSON = {"content-type": "application/json"}


class Names:
    """An authenticator that believes whatever name it is told: name@tenant:role."""

    def identify(self, metadata: Mapping[str, str]) -> Identity:
        """Return who says so."""
        told = metadata.get("authorization")
        if told is None:
            raise Unauthenticated("authorization: missing.")
        name, _, rest = told.partition("@")
        tenant, _, role = rest.partition(":")
        ranks = list(Role)
        return Identity(name, tenant, frozenset(ranks[: ranks.index(Role(role)) + 1]))


def ask(served: Served, query: str | None, headers: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
    """Send one operation with POST."""
    body = json.dumps(({"query": query} if query is not None else {}) | more).encode()
    return post(served.doors, "/graphql", body, JSON | dict(headers or {}))


def get(served: Served, headers: Mapping[str, str] | None = None, **parameters: str) -> httpx.Response:
    """Send one operation with GET."""
    address = f"{served.doors.http}/graphql"
    return httpx.get(address, params=parameters, headers=dict(headers or {}), timeout=60, trust_env=False)


def error(response: httpx.Response) -> tuple[int, str, str]:
    """Return status, code and message of the first error."""
    (first, *_) = response.json()["errors"]
    assert first["extensions"]["requestId"] == response.headers["x-request-id"]
    return response.status_code, first["extensions"]["code"], first["message"]


def test_post_and_get_answer_the_same(served: Served, artifact_type: int) -> None:
    query = "query Q($name: String!) { artifactType(name: $name) { databaseId } }"
    variables = {"name": "Data"}
    posted = ask(served, query, variables=variables, operationName="Q")
    got = get(served, query=query, variables=json.dumps(variables))
    assert posted.json() == got.json() == {"data": {"artifactType": {"databaseId": str(artifact_type)}}}
    assert posted.headers["content-type"] == got.headers["content-type"] == "application/json"


def test_the_strict_content_type_tells_by_status(served: Served) -> None:
    said = {
        STRICT: 400,
        f"{STRICT}; charset=utf-8, application/json;q=0.9": 400,
        "Application/GraphQL-Response+JSON;q=0.5 , */*;q=0.1": 400,
        f"application/json, {STRICT}": 400,
        "application/json": 200,
        f"{STRICT};q=0": 200,
        f"{STRICT}; q=0.00, application/json": 200,
        f"{STRICT};q=0.5, application/json": 200,
        f"{STRICT}x": 200,
    }
    for accept, status in said.items():
        response = ask(served, "{ nonsense }", {"accept": accept})
        assert error(response)[:2] == (status, "INVALID_ARGUMENT")
        assert "data" not in response.json()
    partial = ask(served, '{ artifactType(name: "no") { id } }', {"accept": STRICT})
    assert error(partial)[:2] == (200, "NOT_FOUND")
    assert partial.headers["content-type"] == STRICT
    assert partial.json()["data"] == {"artifactType": None}


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"{", "no JSON"),
        (b"[]", "one operation"),
        (b'"x"', "no JSON object"),
        (b"\xff", "UTF-8"),
        (b'{"query": 1}', "query: is no string"),
        (b'{"query": "{a}", "variables": []}', "variables: is no JSON object"),
        (b'{"query": "{a}", "variables": {"a": NaN}}', "NaN is no JSON"),
        (b'{"query": "{a}", "query": "{b}"}', "'query' stands twice"),
        (b'{"query": "{a}", "variables": {"a": [{"b": 1, "c": 2, "b": 1}]}}', "'b' stands twice"),
        (b'{"query": "{a}", "variables": {"a": "\\ud800"}}', "surrogate"),
        (b'{"query": "{a}", "variables": {"a": ' + b"[" * 100_000, "deep"),
    ],
)
def test_a_body_that_is_no_request(served: Served, body: bytes, part: str) -> None:
    status, code, message = error(post(served.doors, "/graphql", body, JSON))
    assert (status, code) == (400, "INVALID_ARGUMENT")
    assert part in message


def test_a_number_of_thousands_of_digits_is_told_by_its_field(served: Served) -> None:
    for kind, field in (("Int", "artifacts(first: $n) { nodes { id } }"), ("ID!", "artifact(id: $n) { id }")):
        body = b'{"query": "query($n: %b) { %b }", "variables": {"n": %b}}'
        sent = body % (kind.encode(), field.encode(), b"9" * 5_000)
        _, code, message = error(post(served.doors, "/graphql", sent, JSON))
        assert code == "INVALID_ARGUMENT"
        assert "sys." not in message
        assert "$n" in message or message.startswith("id: ")
        assert len(message) < 6_000


def test_what_the_path_does_not_take(served: Served) -> None:
    plain = post(served.doors, "/graphql", b"{}", {"content-type": "text/plain"})
    assert error(plain)[:2] == (415, "INVALID_ARGUMENT")
    put = httpx.put(f"{served.doors.http}/graphql", content=b"{}", timeout=60, trust_env=False)
    assert error(put)[:2] == (405, "UNIMPLEMENTED")
    assert "POST" in put.headers["allow"]
    assert error(ask(served, None))[:2] == (200, "INVALID_ARGUMENT")
    large = ask(served, "{ artifacts { nodes { id } } }", variables={"x": "y" * 2 * LIMIT_BYTES})
    assert error(large)[:2] == (429, "RESOURCE_EXHAUSTED")


def test_an_error_names_where_it_is(served: Served) -> None:
    response = ask(served, '{\n  ok: artifactTypes { id }\n  bad: artifact(id: "?") { id }\n}', {"x-request-id": "r-1"})
    (told,) = response.json()["errors"]
    assert told["path"] == ["bad"]
    assert told["locations"] == [{"line": 3, "column": 3}]
    assert told["extensions"] == {"code": "INVALID_ARGUMENT", "requestId": "r-1"}
    assert response.json()["data"] == {"ok": [], "bad": None}


def test_what_was_not_raised_on_purpose_is_internal_without_its_cause(
    served: Served, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("the secret cause")

    monkeypatch.setattr("mlmd_api.graphql.batches.nodes_by_id", broken)
    with caplog.at_level(logging.INFO, "mlmd.calls"):
        response = ask(served, "{ artifact(id: 1) { id } }")
    assert error(response)[1] == "INTERNAL"
    assert error(response)[2] == f"internal error (request id {response.headers['x-request-id']})"
    (record,) = [one for one in caplog.records if one.name == "mlmd.calls"]
    fields = record.__dict__["fields"]
    assert (fields["wire"], fields["method"], fields["code"]) == ("graphql", "/graphql", "INTERNAL")
    assert "the secret cause" in fields["cause"]
    assert b'method="graphql"' in served.measurements.page()


def test_who_asks_decides(serve: Callable[..., Served]) -> None:
    served = serve(Names(), tenants=("left", "right"))
    query = "{ artifactTypes { name } }"
    assert error(ask(served, query))[:2] == (401, "UNAUTHENTICATED")
    unknown = {"authorization": "x@nowhere:reader"}
    assert error(ask(served, query, unknown))[:2] == (403, "PERMISSION_DENIED")
    put = service.PutArtifactTypeRequest(artifact_type={"name": "Data"})
    path = "/ml_metadata.MetadataStoreService/PutArtifactType"
    say("grpc", served.doors, path, put, {"authorization": "x@left:writer"})
    for tenant, types in (("left", [{"name": "Data"}]), ("right", [])):
        found = ask(served, query, {"authorization": f"x@{tenant}:reader"}).json()
        assert found == {"data": {"artifactTypes": types}}


def test_who_says_twice_which_call_it_repeats_is_refused(served: Served) -> None:
    keys = [("mlmd-idempotency-key", "a"), ("mlmd-idempotency-key", "b")]
    answer = httpx.get(
        f"{served.doors.http}/graphql", params={"query": "{__typename}"}, headers=keys, timeout=60, trust_env=False
    )
    assert "mlmd-idempotency-key: the call has 2 different values of it; send one." in answer.text


def test_a_deadline_that_has_passed(served: Served) -> None:
    response = ask(served, "{ artifacts { nodes { id } } }", {"connect-timeout-ms": "0"})
    assert error(response)[:2] == (504, "DEADLINE_EXCEEDED")
    bad = ask(served, "{ artifacts { nodes { id } } }", {"connect-timeout-ms": "soon"})
    assert error(bad)[:2] == (400, "INVALID_ARGUMENT")


def test_pages_of_other_origins_may_ask(served: Served) -> None:
    origin = {"origin": "https://notebook.example"}
    asked = httpx.options(f"{served.doors.http}/graphql", headers=origin, timeout=60, trust_env=False)
    assert asked.headers["access-control-allow-origin"] == "https://notebook.example"
    answer = ask(served, "{ artifactTypes { name } }", origin)
    assert answer.headers["access-control-allow-origin"] == "https://notebook.example"


def test_gzip_in_both_directions(served: Served) -> None:
    body = gzip.compress(json.dumps({"query": "{ __schema { types { name description } } }"}).encode())
    response = post(served.doors, "/graphql", body, JSON | {"content-encoding": "gzip"})
    assert response.headers["content-encoding"] == "gzip"
    assert response.json()["data"]["__schema"]["types"]
    page = {"origin": "https://notebook.example", "content-encoding": "gzip"}
    assert post(served.doors, "/graphql", body, JSON | page).headers["vary"] == "accept-encoding, origin"


def test_persisted_queries(served: Served, artifact_type: int) -> None:
    query = '{ artifactType(name: "Data") { databaseId } }'
    digest = hashlib.sha256(query.encode()).hexdigest()
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": digest}}
    unknown = ask(served, None, {"accept": STRICT}, extensions=extensions)
    assert error(unknown) == (200, "NOT_FOUND", "PersistedQueryNotFound")
    wrong = ask(served, "{ artifactTypes { name } }", extensions=extensions)
    assert error(wrong)[1] == "INVALID_ARGUMENT"
    answer = {"data": {"artifactType": {"databaseId": str(artifact_type)}}}
    assert ask(served, query, extensions=extensions).json() == answer
    assert ask(served, None, extensions=extensions).json() == answer
    assert get(served, extensions=json.dumps(extensions)).json() == answer
    for odd in ({"version": 2, "sha256Hash": digest}, {"version": 1, "sha256Hash": "x"}, "x"):
        assert error(ask(served, None, extensions={"persistedQuery": odd}))[1] == "INVALID_ARGUMENT"
    invalid = "{ nonsense }"
    refused = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(invalid.encode()).hexdigest()}}
    ask(served, invalid, extensions=refused)
    assert error(ask(served, None, extensions=refused))[2] == "PersistedQueryNotFound"
