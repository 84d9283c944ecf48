"""The model registry of a running server on every wire: errors, ETags, watching over gRPC, Connect and events."""

import contextlib
import itertools
import json
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc
import httpx
import pytest
from google.protobuf.message import Message
from mlmd_schemas.errors import Code
from mlmd_schemas.pb import metadata_store_pb2 as mlmd
from mlmd_schemas.pb import metadata_store_service_pb2 as service
from mlmd_schemas.pb.v1 import registry_pb2 as v1
from mlmd_schemas.pb.v1.registry_pb2_grpc import ModelRegistryStub

from tests.api.wires import WIRES, Doors, Outcome, read, say
from tests.conftest import StartServer
from tests.services.receiver import receiving
from tests.services.server import NO_PROXY, Server
from tests.services.waiting import wait_for

REGISTRY = "/mlmd.v1.ModelRegistry/"
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", params=["sqlite", "mariadb"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for the module on each database; every test has models of its own."""
    folder = tmp_path_factory.mktemp("registry")
    with contextlib.ExitStack() as stack:
        url = f"sqlite:///{folder / 'metadata.db'}"
        if request.param == "mariadb":
            address = request.getfixturevalue("mariadb")
            url = stack.enter_context(address.database(f"registry_wires_{os.getpid()}"))
        yield stack.enter_context(Server(url, folder, http=True))


@dataclass(frozen=True)
class Ground:
    """A running server with three versions of a model and an alias on the first."""

    server: Server
    model: str

    @property
    def doors(self) -> Doors:
        return Doors(self.server.grpc_port, self.server.http_port)

    @property
    def uri(self) -> str:
        return f"models:/{quote(self.model, safe='')}@champion"

    @property
    def champion(self) -> dict[str, Any]:
        return {"model": self.model, "alias": "champion"}

    def lay(self, versions: int) -> "Ground":
        """Make the versions and point the alias at the first."""
        for number in range(versions):
            uri = f"s3://b/{self.model}/{number}".replace(" ", "-")
            ask(self.doors, "CreateModelVersion", model=self.model, create_model=True, uri=uri)
        ask(self.doors, "MoveModelAlias", **self.champion, version="1")
        return self


@pytest.fixture
def ground(running: Server) -> Ground:
    """The module's server with a model of the test's own."""
    return Ground(running, f"team/模型 {next(NUMBERS)}").lay(3)


def hear(wire: str, doors: Doors, method: str, **fields: Any) -> Outcome:
    request: Message = getattr(v1, f"{method}Request")(**fields)
    return say(wire, doors, REGISTRY + method, request)


def ask(doors: Doors, method: str, wire: str = "grpc", **fields: Any) -> Any:
    return read(wire, hear(wire, doors, method, **fields), getattr(v1, f"{method}Response"))


@pytest.fixture
def http(running: Server) -> Iterator[httpx.Client]:
    """A plain HTTP client of the server."""
    with httpx.Client(base_url=running.http_url, trust_env=False, timeout=30) as client:
        yield client


def laid_for_refusals(ground: Ground) -> int:
    """Make what calls are refused for; return an artifact that is deleted, and has never been a version."""
    doors = ground.doors
    typed = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="system.Model"))
    put = say("grpc", doors, "/ml_metadata.MetadataStoreService/PutArtifactType", typed)
    type_id = service.PutArtifactTypeResponse.FromString(put.body).type_id
    gone = mlmd.Artifact(type_id=type_id, uri="s3://b/gone", state=mlmd.Artifact.DELETED)
    request = service.PutArtifactsRequest(artifacts=[gone])
    put = say("grpc", doors, "/ml_metadata.MetadataStoreService/PutArtifacts", request)
    (gone_id,) = service.PutArtifactsResponse.FromString(put.body).artifact_ids
    lost = ask(doors, "CreateModelVersion", model=ground.model, uri="s3://b/lost", name="lost").version
    gone = mlmd.Artifact(id=lost.artifact_id, uri="s3://b/lost", state=mlmd.Artifact.DELETED)
    say("grpc", doors, "/ml_metadata.MetadataStoreService/PutArtifacts", service.PutArtifactsRequest(artifacts=[gone]))
    ask(doors, "ArchiveModelVersion", model=ground.model, version="3")
    running: dict[str, Any] = {"environment": "prod", "service": "scorer", "state": v1.DEPLOYMENT_STATE_RUNNING}
    ask(doors, "RecordDeployment", model=ground.model, version="2", **running)
    ask(doors, "SetModelGates", model=ground.model, alias="gated", rules=["auc >= 0.9"])
    return gone_id


def test_the_same_answers_and_errors_on_every_wire(ground: Ground) -> None:
    doors, model, gone_id = ground.doors, ground.model, laid_for_refusals(ground)
    mine = ask(doors, "GetModelVersion", model=model, version="1").version
    cases: list[tuple[str, dict[str, Any], Code, str]] = [
        ("GetModel", {"model": "unknown"}, Code.NOT_FOUND, "'unknown'"),
        ("MoveModelAlias", {"model": "unknown", "alias": "a", "version": "1"}, Code.NOT_FOUND, "'unknown'"),
        ("MoveModelAlias", {**ground.champion, "version": "3"}, Code.FAILED_PRECONDITION, "archived"),
        (
            "MoveModelAlias",
            {**ground.champion, "version": "2", "expected_number": 7},
            Code.FAILED_PRECONDITION,
            "version 1",
        ),
        (
            "MoveModelAlias",
            {**ground.champion, "alias": "gated", "version": "2"},
            Code.FAILED_PRECONDITION,
            "no metric 'auc'",
        ),
        ("MoveModelAlias", {**ground.champion, "alias": "latest", "version": "2"}, Code.INVALID_ARGUMENT, "'latest'"),
        ("CreateModelVersion", {"model": model, "artifact_id": gone_id}, Code.FAILED_PRECONDITION, "DELETED"),
        ("MoveModelAlias", {**ground.champion, "version": "lost"}, Code.FAILED_PRECONDITION, "gone"),
        (
            "ResolveModel",
            {"uri": f"models:/{quote(model, safe='')}/lost"},
            Code.FAILED_PRECONDITION,
            "gone",
        ),
        ("GetModelVersion", {"model": model, "version": "9"}, Code.NOT_FOUND, "'9'"),
        ("CreateModelVersion", {"model": model, "name": "a\nb", "uri": "s3://b/x"}, Code.INVALID_ARGUMENT, "name"),
        ("CreateModel", {"name": model}, Code.ALREADY_EXISTS, ground.model),
        ("ResolveModel", {"uri": "models:/unknown@x"}, Code.NOT_FOUND, "'unknown'"),
        ("ResolveModel", {"uri": "models:/a/b/c"}, Code.INVALID_ARGUMENT, "%2F"),
        ("RollbackModelAlias", ground.champion, Code.FAILED_PRECONDITION, "nothing"),
        ("ArchiveModelVersion", {"model": model, "version": "1"}, Code.FAILED_PRECONDITION, "'champion'"),
        ("ArchiveModelVersion", {"model": model, "version": "2"}, Code.FAILED_PRECONDITION, "'scorer'"),
        ("ArchiveModel", {"model": model}, Code.FAILED_PRECONDITION, "'scorer'"),
    ]
    named = f"models:/{quote(model, safe='')}"
    absent = {"models:/unknown/1": "model", f"{named}/9": "version", f"{named}@nobody": "alias"}
    for wire in WIRES:
        for method, fields, code, part in cases:
            heard = hear(wire, doors, method, **fields)
            assert (heard.code, part in heard.message) == (code, True), (wire, method, heard)
        elsewhere = hear(wire, doors, "MoveModelAlias", **ground.champion, version="2", expected_number=7)
        assert elsewhere.facts == {"mlmd-alias-number": "1"}, wire
        for uri, missing in absent.items():
            heard = hear(wire, doors, "ResolveModel", uri=uri)
            assert (heard.code, heard.facts) == (Code.NOT_FOUND, {"mlmd-missing": missing}), (wire, uri)
        answer = ask(doors, "ResolveModel", wire, uri=ground.uri)
        assert (answer.model, answer.number, answer.artifact_id) == (ground.model, 1, mine.artifact_id)


def test_a_registration_of_the_same_artifact_names_the_first(ground: Ground) -> None:
    doors = ground.doors
    path = "/ml_metadata.MetadataStoreService/"
    typed = service.PutArtifactTypeRequest(artifact_type=mlmd.ArtifactType(name="system.Model"))
    type_id = service.PutArtifactTypeResponse.FromString(
        say("grpc", doors, f"{path}PutArtifactType", typed).body
    ).type_id
    request = service.PutArtifactsRequest(artifacts=[mlmd.Artifact(type_id=type_id, uri="s3://b/mine")])
    (artifact,) = service.PutArtifactsResponse.FromString(
        say("grpc", doors, f"{path}PutArtifacts", request).body
    ).artifact_ids
    ask(doors, "CreateModelVersion", model=ground.model, artifact_id=artifact)
    for wire in WIRES:
        heard = hear(wire, doors, "CreateModelVersion", model=ground.model, artifact_id=artifact)
        assert (heard.code, "version 4" in heard.message) == (Code.ALREADY_EXISTS, True)


def test_resolving_over_plain_http_with_etag_and_304(ground: Ground, http: httpx.Client) -> None:
    first = http.get("/registry/resolve", params={"uri": ground.uri})
    assert first.status_code == 200, first.text
    answer = first.json()
    assert (answer["number"], first.headers["etag"]) == ("1", f'"{answer["digest"]}"')
    assert first.headers["cache-control"] == "private, no-cache"
    same = http.get("/registry/resolve", params={"uri": ground.uri}, headers={"if-none-match": first.headers["etag"]})
    assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", first.headers["etag"])
    weak = http.get(
        "/registry/resolve", params={"uri": ground.uri}, headers={"if-none-match": f'"x", W/{first.headers["etag"]}'}
    )
    assert weak.status_code == 304
    ask(ground.doors, "MoveModelAlias", **ground.champion, version="2")
    moved = http.get("/registry/resolve", params={"uri": ground.uri}, headers={"if-none-match": first.headers["etag"]})
    assert (moved.status_code, moved.json()["number"]) == (200, "2")
    links = http.get("/registry/resolve", params={"uri": ground.uri, "with_requests": "true"})
    assert links.headers["etag"] != moved.headers["etag"]
    for params, status, part in (
        ({"uri": "models:/unknown"}, 404, "unknown"),
        ({"uri": "nonsense"}, 400, "uri"),
        ({}, 400, "uri"),
        ({"uri": ground.uri, "colour": "red"}, 400, "colour"),
        ({"uri": ground.uri, "with_requests": "perhaps"}, 400, "with_requests"),
        ({"uri": ground.uri, "as_of": "yesterday"}, 400, "as_of"),
    ):
        refused = http.get("/registry/resolve", params=params)
        assert (refused.status_code, part in refused.json()["message"]) == (status, True), params
        assert refused.headers["x-request-id"]


def test_resolving_over_plain_http_says_what_is_not_there(ground: Ground, http: httpx.Client) -> None:
    for uri, missing in (
        ("models:/unknown", "model"),
        (ground.uri.replace("@champion", "/99"), "version"),
        (ground.uri.replace("@champion", "@nobody"), "alias"),
    ):
        refused = http.get("/registry/resolve", params={"uri": uri})
        assert (refused.status_code, refused.headers["mlmd-missing"]) == (404, missing)


class Watcher(threading.Thread):
    """Reads a gRPC watch in a thread and keeps what it hears."""

    def __init__(self, target: str, model: str, cursor: str = "") -> None:
        super().__init__(daemon=True)
        self.heard: list[v1.WatchModelsResponse] = []
        self._channel = grpc.insecure_channel(target, options=[NO_PROXY])
        self._call = ModelRegistryStub(self._channel).WatchModels(v1.WatchModelsRequest(models=[model], cursor=cursor))
        self.start()

    def run(self) -> None:
        try:
            for response in self._call:
                self.heard.append(response)
        except grpc.RpcError:
            pass

    def close(self) -> None:
        self._call.cancel()
        self.join(60)
        self._channel.close()

    @property
    def moves(self) -> list[int]:
        return [told.move.sequence for response in list(self.heard) for told in response.moves]

    def wait(self, condition: Any) -> None:
        wait_for(lambda: condition(self), says=lambda: self.heard)


def test_a_watcher_starts_with_the_state_and_hears_every_move_in_order(ground: Ground) -> None:
    doors = ground.doors
    with closing(Watcher(ground.server.target, ground.model)) as watcher:
        watcher.wait(lambda w: w.heard)
        (state,) = watcher.heard[0].models
        assert (state.model, dict(state.aliases), state.move_sequence) == (ground.model, {"champion": 1}, 1)
        for version in ("2", "1", "2"):
            ask(doors, "MoveModelAlias", **ground.champion, version=version, reason="r")
        ask(doors, "RollbackModelAlias", **ground.champion)
        watcher.wait(lambda w: len(w.moves) == 4)
        assert watcher.moves == [2, 3, 4, 5]
        last = watcher.heard[-1].moves[-1]
        assert (last.model, last.move.alias, last.move.rolls_back) == (ground.model, "champion", 4)
        cursor = watcher.heard[1].cursor
        seen = watcher.heard[1].moves[-1].move.sequence
    with closing(Watcher(ground.server.target, ground.model, cursor)) as again:
        again.wait(lambda w: len(w.moves) == 5 - seen)
        assert again.moves == list(range(seen + 1, 6)), "nothing is missed or told twice over a reconnect"
        assert not again.heard[0].models


def test_bad_watches_are_refused(ground: Ground) -> None:
    with grpc.insecure_channel(ground.server.target, options=[NO_PROXY]) as channel:
        stub = ModelRegistryStub(channel)
        for fields, code in (
            ({"models": []}, Code.INVALID_ARGUMENT),
            ({"models": [ground.model] * 2}, Code.INVALID_ARGUMENT),
            ({"models": ["unknown"]}, Code.NOT_FOUND),
            ({"models": [ground.model], "cursor": "yesterday"}, Code.INVALID_ARGUMENT),
        ):
            with pytest.raises(grpc.RpcError) as refused:
                next(stub.WatchModels(v1.WatchModelsRequest(**fields)))
            assert refused.value.code().value[0] == code


def events(lines: Iterator[str], count: int) -> list[dict[str, str]]:
    """Read so many server-sent events."""
    found: list[dict[str, str]] = []
    event: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, text = line.partition(": ")
            event[name] = text
        elif event:
            found.append(event)
            event = {}
            if len(found) == count:
                return found
    raise AssertionError(f"the stream ended after {found}")


def test_server_sent_events_go_on_from_the_last_id(ground: Ground, http: httpx.Client) -> None:
    doors = ground.doors
    with http.stream("GET", "/registry/watch", params={"model": ground.model}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        (state,) = events(lines, 1)
        assert state["event"] == "models"
        ask(doors, "MoveModelAlias", **ground.champion, version="2")
        (told,) = events(lines, 1)
        move = json.loads(told["data"])["moves"][0]["move"]
        assert (told["event"], move["toNumber"], move["sequence"]) == ("moves", "2", "2")
    ask(doors, "MoveModelAlias", **ground.champion, version="1")
    with http.stream(
        "GET", "/registry/watch", params={"model": ground.model}, headers={"last-event-id": told["id"]}
    ) as stream:
        (missed,) = events(stream.iter_lines(), 1)
        assert json.loads(missed["data"])["moves"][0]["move"]["sequence"] == "3"
    with http.stream("GET", "/registry/watch", params={"model": ground.model, "cursor": missed["id"]}) as stream:
        assert next(stream.iter_lines()) == ": alive", "who goes on hears that the watch is on"


def test_what_is_wrong_with_a_watch_is_its_status(ground: Ground, http: httpx.Client) -> None:
    for params, status, code in (
        ({"model": "unknown"}, 404, "not_found"),
        ({}, 400, "invalid_argument"),
        ({"model": ground.model, "cursor": "yesterday"}, 400, "invalid_argument"),
    ):
        refused = http.get("/registry/watch", params=params)
        assert (refused.status_code, refused.json()["code"]) == (status, code)
        assert refused.headers["content-type"] == "application/json"
        assert refused.headers["x-request-id"]
    assert http.get("/registry/watch", params={"model": "unknown"}).headers["mlmd-missing"] == "model"
    wrong = http.post("/registry/watch")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "GET, OPTIONS")
    assert wrong.json()["message"] == "method: '/registry/watch' is not asked with POST, but with GET, OPTIONS."


def test_workers_share_what_counts_no_longer(start_server: StartServer, sqlite_url: str) -> None:
    server = start_server(sqlite_url, http=True, options=("--workers", "2"))
    ground = Ground(server, "fraud").lay(2)
    doors = ground.doors
    for turn in range(30):
        wanted = turn % 2 + 1
        ask(doors, "MoveModelAlias", **ground.champion, version=str(wanted))
        found = {ask(doors, "ResolveModel", uri=ground.uri).number for _ in range(6)}
        assert found == {wanted}, "every call is a connection of its own and may meet the other worker"


TOKENS = """
[[token]]
token = "reader"
subject = "rita"
roles = ["reader"]
[[token]]
token = "writer"
subject = "will"
roles = ["writer"]
[[token]]
token = "admin"
subject = "ada"
roles = ["admin"]
"""


def test_roles_and_a_webhook_of_a_running_server(start_server: StartServer, sqlite_url: str, tmp_path: Path) -> None:
    (tmp_path / "tokens.toml").write_text(TOKENS)
    options = ("--auth", f"tokens={tmp_path}/tokens.toml", "--webhook-private-addresses", "true")
    server = start_server(sqlite_url, http=True, options=options)

    def doors(token: str) -> Doors:
        return Doors(server.grpc_port, server.http_port, {"authorization": f"Bearer {token}"})

    with receiving() as hook:
        made: dict[str, Any] = {"model": "fraud", "create_model": True, "uri": "s3://b/1"}
        move = {"model": "fraud", "alias": "champion", "version": "1"}
        webhook = {"url": hook.url}
        assert hear("grpc", doors("reader"), "CreateModelVersion", **made).code is Code.PERMISSION_DENIED
        assert ask(doors("writer"), "CreateModelVersion", **made).version.subject == "will"
        for method, fields in (("SetModelGates", {"model": "fraud"}), ("CreateWebhook", webhook), ("ListWebhooks", {})):
            assert hear("grpc", doors("writer"), method, **fields).code is Code.PERMISSION_DENIED
        ask(doors("admin"), "CreateWebhook", **webhook)
        assert hear("grpc", doors("reader"), "MoveModelAlias", **move).code is Code.PERMISSION_DENIED
        assert ask(doors("writer"), "MoveModelAlias", **move).move.subject == "will"
        assert ask(doors("reader"), "ResolveModel", uri="models:/fraud@champion").number == 1
        asked = f"{server.http_url}/registry/resolve?uri=models:/fraud@champion"
        assert httpx.get(asked, timeout=60, trust_env=False).status_code == 401
        assert httpx.get(asked, headers=doors("reader").metadata, timeout=60, trust_env=False).status_code == 200
        ((_, body),) = wait_for(lambda: hook.heard)
        assert json.loads(body)["move"]["subject"] == "will"
