"""Random sessions of types, events and links on our store and on Google's: every code and every answer is the same."""

import random
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.message import Message
from mlmd_metadata_store.store import Store
from mlmd_schemas.errors import Code, StoreError
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.pb import metadata_store_service_pb2 as service

from tests.differential.type_requests import keep_external_ids
from tests.metadata_store.calls import Calls
from tests.reference.client import Reference

pytestmark = pytest.mark.reference

CALLS_IN_A_SESSION = 60
KINDS = {"artifact": pb.ArtifactType, "execution": pb.ExecutionType, "context": pb.ContextType}


@pytest.fixture
def ours(sqlite_url: str) -> Iterator[Calls]:
    """Calls on our store, on SQLite: MySQL's ids have gaps where Google's server rolled other inserts back."""
    store = Store.open(sqlite_url)
    yield Calls(store)
    store.close()


class Session:
    """A source of random requests over few names, so that they meet one another."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def maybe(self, chance: float = 0.5) -> bool:
        return self.random.random() < chance

    def type_message(self, noun: str) -> Any:
        pick = self.random.choice
        name = pick(["a", "a", "b", "b", "c", "mlmd.Dataset", "mlmd.Train", ""] if self.maybe(0.3) else ["a", "b"])
        message = KINDS[noun](properties={p: pick([pb.INT] * 5 + [pb.STRING]) for p in "pqr" if self.maybe()})
        if self.maybe(0.1):  # alone, because Google's server takes several wrong properties in no order
            message = KINDS[noun](properties={"p": pb.UNKNOWN})
        if name or self.maybe():
            message.name = name
        if self.maybe(0.3):
            message.version = pick(["", "v"])
        if self.maybe(0.2):
            message.external_id = pick(["", "x", "y", "z"])
        if self.maybe(0.2):
            message.base_type = 0 if noun == "context" else pick([0, 1, 1, 1, 2])
        if self.maybe(0.2):
            message.description = pick(["", "d"])
        if noun == "execution" and self.maybe(0.2):
            message.input_type.dict.properties["k"].simple.name = name
        return message

    def flags(self) -> dict[str, Any]:
        chances = {"can_add_fields": 0.5, "can_omit_fields": 0.5, "can_delete_fields": 0.1}
        flags = {name: True for name, chance in chances.items() if self.maybe(chance)}
        return flags | ({"all_fields_match": False} if self.maybe(0.03) else {})

    def put_type(self) -> tuple[str, Message]:
        noun = self.random.choice(list(KINDS))
        request = getattr(service, f"Put{noun.capitalize()}TypeRequest")
        return f"Put{noun.capitalize()}Type", request(**{f"{noun}_type": self.type_message(noun)}, **self.flags())

    def put_types(self) -> tuple[str, Message]:
        types: dict[str, Any] = {}
        for noun in KINDS:
            types[f"{noun}_types"] = [self.type_message(noun) for _ in range(self.random.randrange(4))]
            keep_external_ids(types[f"{noun}_types"])
        return "PutTypes", service.PutTypesRequest(**types, **self.flags())

    def some_id(self) -> int:
        return self.random.choice([1, 2, 3, 4] if self.maybe(0.97) else [0, -1, 99])

    def ids(self, *fields: str) -> dict[str, Any]:
        return {field: self.some_id() for field in fields if self.maybe(0.98)}

    def put_events(self) -> tuple[str, Message]:
        events = []
        for _ in range(self.random.randrange(4)):
            event = pb.Event(**self.ids("artifact_id", "execution_id"))
            event.milliseconds_since_epoch = self.random.choice([-1, 0, 5])
            if self.maybe(0.97):
                kinds: list[Any] = pb.Event.Type.values()
                event.type = self.random.choice(kinds[0 if self.maybe(0.1) else 1 :])
            for _ in range(self.random.randrange(4)):
                step: dict[str, Any] = self.random.choice([{"index": 3}, {"key": "k"}, {"key": ""}, {}])
                event.path.steps.add(**step)
            events.append(event)
        return "PutEvents", service.PutEventsRequest(events=events)

    def put_members(self) -> tuple[str, Message]:
        request = service.PutAttributionsAndAssociationsRequest(
            attributions=[pb.Attribution(**self.ids("context_id", "artifact_id")) for _ in range(3)],
            associations=[pb.Association(**self.ids("context_id", "execution_id")) for _ in range(3)],
        )
        return "PutAttributionsAndAssociations", request

    def put_parents(self) -> tuple[str, Message]:
        links = [pb.ParentContext(**self.ids("child_id", "parent_id")) for _ in range(self.random.randrange(1, 4))]
        return "PutParentContexts", service.PutParentContextsRequest(parent_contexts=links)

    def call(self) -> tuple[str, Message]:
        puts = [self.put_type, self.put_type, self.put_types, self.put_events, self.put_members, self.put_parents]
        return self.random.choice(puts)()


def nodes() -> list[tuple[str, Message]]:
    """Return the calls that make artifacts, executions and contexts 1 to 4."""
    return [
        ("PutArtifacts", service.PutArtifactsRequest(artifacts=[pb.Artifact(type_id=1) for _ in range(4)])),
        ("PutExecutions", service.PutExecutionsRequest(executions=[pb.Execution(type_id=5) for _ in range(4)])),
        ("PutContextType", service.PutContextTypeRequest(context_type=pb.ContextType(name="C"))),
        (
            "PutContexts",
            service.PutContextsRequest(contexts=[pb.Context(type_id=10, name=f"c{n}") for n in range(4)]),
        ),
    ]


def reads() -> list[tuple[str, Message]]:
    """Return the calls that show all that a session wrote."""
    found: list[tuple[str, Message]] = []
    for noun in KINDS:
        kind = noun.capitalize()
        found.append((f"Get{kind}Types", getattr(service, f"Get{kind}TypesRequest")()))
        found.append((f"Get{kind}TypesByID", getattr(service, f"Get{kind}TypesByIDRequest")(type_ids=range(1, 60))))
        by_external_id = getattr(service, f"Get{kind}TypesByExternalIdsRequest")
        found += [(f"Get{kind}TypesByExternalIds", by_external_id(external_ids=[x])) for x in ("x", "y", "z", "")]
        by_name = getattr(service, f"Get{kind}TypeRequest")
        names = ("a", "b", "c", "mlmd.Dataset")
        found += [(f"Get{kind}Type", by_name(type_name=name, type_version=v)) for name in names for v in ("", "v", "w")]
    found.append(("GetEventsByArtifactIDs", service.GetEventsByArtifactIDsRequest(artifact_ids=range(-1, 100))))
    found.append(("GetEventsByExecutionIDs", service.GetEventsByExecutionIDsRequest(execution_ids=[2, 1, 2])))
    for number in (1, 2, 3, 4, 9):
        found.append(("GetContextsByArtifact", service.GetContextsByArtifactRequest(artifact_id=number)))
        found.append(("GetContextsByExecution", service.GetContextsByExecutionRequest(execution_id=number)))
        found.append(("GetParentContextsByContext", service.GetParentContextsByContextRequest(context_id=number)))
        found.append(("GetChildrenContextsByContext", service.GetChildrenContextsByContextRequest(context_id=number)))
    return found


def answer_of(calls: Calls, method: str, request: Message) -> tuple[Code, Any]:
    try:
        return Code.OK, calls(method, request)
    except StoreError as error:
        return error.code, error.message


def shown(method: str, response: Any) -> Any:
    """Return what must be equal: not the order of events, nor times of nodes, nor the external ids that lists lack."""
    if response is None or isinstance(response, str):
        return None
    if method.startswith("GetEvents"):
        return sorted(event.SerializeToString(deterministic=True) for event in response.events)
    if method.startswith("Get") and "Contexts" in method:
        return [(context.id, context.name) for context in response.contexts]
    if method in ("GetArtifactTypes", "GetExecutionTypes", "GetContextTypes"):
        for _, types in response.ListFields():
            for message in types:
                message.ClearField("external_id")
    return response


@pytest.mark.parametrize("seed", range(12))
def test_a_random_session_goes_as_on_googles_server(ours: Calls, reference: Reference, seed: int) -> None:
    session = Session(seed)
    codes: dict[Code, int] = {}
    writes = [*nodes(), *(session.call() for _ in range(CALLS_IN_A_SESSION))]
    for method, request in [*writes, *reads()]:
        code, answer = answer_of(ours, method, request)
        theirs = reference.call(method, request)
        told = f"{method} {request}: {answer} / {theirs.message}"
        assert code is theirs.code, told
        if code is Code.OK:
            assert shown(method, answer) == shown(method, theirs.response), told
        codes[code] = codes.get(code, 0) + 1
    assert codes[Code.OK] > 40, "a session that mostly fails shows little"
