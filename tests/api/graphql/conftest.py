"""GraphQL on the real engine, without HTTP: both databases, and a graph to ask about."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mlmd_api.artifacts import TenantArtifacts, artifact_methods
from mlmd_api.graphql.engine import GraphqlEngine, GraphqlSettings
from mlmd_api.graphql.requests import GraphqlRequest
from mlmd_api.methods import by_path, store_methods
from mlmd_api.tenants import TenantStores
from mlmd_artifact_store.artifacts import Artifacts
from mlmd_artifact_store.calls import ARTIFACT_CALLS
from mlmd_artifact_store.opening import open_blobs
from mlmd_artifact_store.requests import Requests
from mlmd_lineage.methods import LINEAGE_METHODS
from mlmd_metadata_store.methods import METADATA_METHODS
from mlmd_metadata_store.store import Store
from mlmd_model_registry.methods import REGISTRY_METHODS
from mlmd_schemas.caller import Caller
from mlmd_schemas.pb import metadata_store_pb2 as pb

from tests.metadata_store.calls import Calls, counted

SIZES = (10, 30, 100)


@dataclass
class Graph:
    """One store, asked in GraphQL (`ask`, `answer`) and as the other wires do (`call`)."""

    store: Store
    engine: GraphqlEngine
    call: Calls
    artifacts: Artifacts

    def answer(self, query: str, variables: dict[str, Any] | None = None, caller: Caller | None = None) -> Any:
        """Return the whole response."""
        request = GraphqlRequest(query, variables or {})
        work = self.engine.work(request, caller or Caller(), may_write=True)
        return json.loads(work.body)

    def ask(self, query: str, **variables: Any) -> Any:
        """Return the data of a response without errors."""
        answer = self.answer(query, variables)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def refusal(self, query: str, **variables: Any) -> tuple[str, str]:
        """Return code and message of the first error."""
        error = self.answer(query, variables)["errors"][0]
        return error["extensions"]["code"], error["message"]


def assert_constant(graph: Graph, ask: Callable[[int], Any], most: int, sizes: Sequence[int] = SIZES) -> None:
    """Fail when asking for more nodes makes more statements, when there are more than `most`, or fewer nodes come."""
    ask(1)  # fills the cache of types
    found = []
    for size in sizes:
        with counted(graph.store) as statements:
            (listed,) = ask(size).values()
        nodes = listed if isinstance(listed, list) else listed["nodes"]
        assert len(nodes) == size
        found.append(len(statements))
    assert len(set(found)) == 1, f"statements at {sizes}: {found}"
    assert 0 < found[0] <= most


@pytest.fixture
def open_graph(tmp_path: Path) -> Iterator[Callable[..., Graph]]:
    """A function that opens a graph on a database."""
    opened: list[TenantStores] = []

    def start(url: str, settings: GraphqlSettings | None = None) -> Graph:
        stores = TenantStores({"": url}, Store.open)
        opened.append(stores)
        store = stores.of("")
        assert isinstance(store, Store)
        artifacts = Artifacts(store, open_blobs(str(tmp_path / "blobs")))
        tenants = TenantArtifacts(lambda tenant: Requests(artifacts, "http://here"))
        methods = [
            *store_methods((*METADATA_METHODS, *LINEAGE_METHODS, *REGISTRY_METHODS), stores),
            *artifact_methods(ARTIFACT_CALLS, tenants),
        ]
        return Graph(
            store,
            GraphqlEngine(stores, by_path(methods), tenants, settings or GraphqlSettings()),
            Calls(store),
            artifacts,
        )

    yield start
    for stores in opened:
        stores.close()


@pytest.fixture
def graph(open_graph: Callable[..., Graph], database_url: str) -> Graph:
    """An empty store, on SQLite and on MariaDB."""
    return open_graph(database_url)


@pytest.fixture
def small(open_graph: Callable[..., Graph], sqlite_url: str) -> Graph:
    """An empty store on SQLite, for what does not depend on the database."""
    return open_graph(sqlite_url)


@dataclass
class World:
    """Ids of what `populate` made."""

    types: dict[str, int]
    artifacts: list[int]
    executions: list[int]
    contexts: list[int]


def populate(call: Calls, count: int = 3) -> World:
    """Make a chain: each execution used one artifact and made the next; all in a run, which has a pipeline above it."""
    types = {
        "Data": call(
            "PutArtifactType", artifact_type={"name": "Data", "properties": {"rows": pb.INT}, "external_id": "t-data"}
        ).type_id,
        "Step": call("PutExecutionType", execution_type={"name": "Step", "version": "2"}).type_id,
        "Group": call("PutContextType", context_type={"name": "Group", "description": "of runs"}).type_id,
    }
    artifacts = call(
        "PutArtifacts",
        artifacts=[
            {
                "type_id": types["Data"],
                "name": f"data-{number}",
                "uri": f"s3://bucket/{number}",
                "external_id": f"x-{number}",
                "state": pb.Artifact.LIVE,
                "properties": {"rows": {"int_value": 2**53 + number}},
                "custom_properties": {"note": {"string_value": f"n{number}"}},
            }
            for number in range(count + 1)
        ],
    ).artifact_ids
    steps = [
        {"type_id": types["Step"], "name": f"step-{number}", "last_known_state": pb.Execution.COMPLETE}
        for number in range(count)
    ]
    executions = call("PutExecutions", executions=steps).execution_ids
    names = ["pipeline", *(f"run-{number}" for number in range(count))]
    contexts = call("PutContexts", contexts=[{"type_id": types["Group"], "name": name} for name in names]).context_ids
    events = []
    for number in range(count):
        ends = {"execution_id": executions[number], "milliseconds_since_epoch": 1_000 * number}
        path = {"steps": [{"key": "data"}, {"index": number}]}
        events.append({**ends, "artifact_id": artifacts[number], "type": pb.Event.INPUT, "path": path})
        events.append({**ends, "artifact_id": artifacts[number + 1], "type": pb.Event.OUTPUT})
    call("PutEvents", events=events)
    call(
        "PutAttributionsAndAssociations",
        attributions=[
            {"artifact_id": artifact, "context_id": context} for artifact in artifacts for context in contexts[:2]
        ],
        associations=[
            {"execution_id": execution, "context_id": contexts[number + 1]}
            for number, execution in enumerate(executions)
        ],
    )
    call("PutParentContexts", parent_contexts=[{"parent_id": contexts[0], "child_id": run} for run in contexts[1:]])
    return World(types, list(artifacts), list(executions), list(contexts))
