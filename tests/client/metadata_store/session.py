"""A program written for ml_metadata, whose imports nobody touches: asks a store everything and prints the answers.

usage: session.py HOST PORT, or session.py alone for a database in memory
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import ml_metadata as mlmd
from ml_metadata import errors, proto
from ml_metadata.metadata_store import mlmd_types
from ml_metadata.proto import metadata_store_pb2 as pb

TIMES = re.compile(r"(create|last_update|milliseconds)_\w*time\w*: \d+|milliseconds_since_epoch: \d+")
METHODS = sorted(name for name in dir(mlmd.MetadataStore) if name.startswith(("get_", "put_")))
CALLED: set[str] = set()


def text(answer: Any) -> Any:
    """Return an answer as JSON can say it: lists sorted, times left out."""
    if isinstance(answer, tuple):
        return [text(part) for part in answer]
    if isinstance(answer, list):
        return sorted((text(part) for part in answer), key=str)
    if hasattr(answer, "DESCRIPTOR"):
        return sorted(line for line in TIMES.sub("", str(answer)).splitlines() if line.strip())
    return answer


def ask(store: Any, method: str, *arguments: Any, **named: Any) -> Any:
    """Call a method and print what came of it."""
    CALLED.add(method)
    try:
        answer = getattr(store, method)(*arguments, **named)
    except errors.StatusError as error:
        said: Any = [type(error).__name__, error.error_code, error.message != "", str(error) == error.message]
        answer = None
    except (AttributeError, TypeError, ValueError) as error:
        said, answer = [type(error).__name__], None
    else:
        said = text(answer)
    print(json.dumps([method, said]))
    return answer


def put_types(store: Any) -> Iterator[int]:
    """Make a type of each kind; yields their ids."""
    for kind in ("artifact", "execution", "context"):
        made = getattr(pb, f"{kind.capitalize()}Type")(
            name=f"{kind} type", properties={"n": pb.INT, "s": pb.STRING}, external_id=f"x-{kind}"
        )
        method = f"put_{kind}_type"
        yield ask(store, method, made)
        made.properties["more"] = pb.DOUBLE
        ask(store, method, made)
        ask(store, method, made, True)
        del made.properties["s"]
        ask(store, method, made, can_add_fields=True)
        ask(store, method, made, can_omit_fields=True)
        ask(store, method, type(made)())
        ask(store, method, type(made)(name=f"{kind} type", version="v2"))
        ask(store, method, "no type")


def get_types(store: Any, ids: Iterable[int]) -> None:
    """Read types in every way."""
    for kind, type_id in zip(("artifact", "execution", "context"), ids, strict=True):
        ask(store, f"get_{kind}_type", f"{kind} type")
        ask(store, f"get_{kind}_type", f"{kind} type", "v2")
        ask(store, f"get_{kind}_type", f"{kind} type", type_version="")
        ask(store, f"get_{kind}_type", "nothing")
        ask(store, f"get_{kind}_types")
        ask(store, f"get_{kind}_types_by_id", [type_id, 999])
        ask(store, f"get_{kind}_types_by_id", iter({type_id}))
        ask(store, f"get_{kind}_types_by_external_ids", [f"x-{kind}"])
        ask(store, f"get_{kind}_types_by_external_ids", ["nothing"])
        ask(store, f"get_{kind}_types_by_external_ids", [])


def put_nodes(store: Any, kind: str, type_id: int) -> list[int]:
    """Make, refuse and change nodes of a kind; returns the ids made."""
    node = getattr(pb, kind.capitalize())
    values = {"n": pb.Value(int_value=1), "s": pb.Value(string_value="ü")}
    first = node(type_id=type_id, name="first", external_id=f"y-{kind}", properties=values)
    more = [node(type_id=type_id, name=f"more {n}", custom_properties=values) for n in range(3)]
    ids: list[int] = ask(store, f"put_{kind}s", [first, *more])
    first.id = ids[0]
    first.properties["n"].int_value = 2
    first.properties["s"].string_value = "changed"
    ask(store, f"put_{kind}s", [first], ["properties.n"])
    ask(store, f"get_{kind}s_by_id", ids[:1])
    ask(store, f"put_{kind}s", (first,), field_mask_paths=[])
    ask(store, f"put_{kind}s", [node(type_id=type_id, name="first")])
    ask(store, f"put_{kind}s", [node(type_id=999)])
    ask(store, f"put_{kind}s", [node(type_id=type_id, properties={"nothing": pb.Value(int_value=1)})])
    ask(store, f"put_{kind}s", [])
    ask(store, f"put_{kind}s", [pb.Event()])
    return ids


def get_nodes(store: Any, kind: str, ids: list[int]) -> None:
    """Read nodes of a kind in every way."""
    order = mlmd.OrderByField
    for options in (
        None,
        mlmd.ListOptions(),
        mlmd.ListOptions(2),
        mlmd.ListOptions(limit=0),
        mlmd.ListOptions(limit=-1),
        mlmd.ListOptions(limit=1, order_by=order.ID, is_asc=False),
        mlmd.ListOptions(order_by=order.UPDATE_TIME, filter_query="name != 'first'"),
        mlmd.ListOptions(filter_query="name ="),
        mlmd.ListOptions(order_by=3),
    ):
        ask(store, f"get_{kind}s", options)
    ask(store, f"get_{kind}s", list_options=mlmd.ListOptions(limit=3, order_by=order.CREATE_TIME), extra_options=None)
    ask(store, f"get_{kind}s_by_id", [*reversed(ids), 999])
    ask(store, f"get_{kind}s_by_id", iter(ids))
    ask(store, f"get_{kind}s_by_id", ["no id"])
    ask(store, f"get_{kind}s_by_type", f"{kind} type")
    ask(store, f"get_{kind}s_by_type", f"{kind} type", "v2")
    ask(store, f"get_{kind}s_by_type", "nothing")
    ask(store, f"get_{kind}_by_type_and_name", f"{kind} type", "first")
    ask(store, f"get_{kind}_by_type_and_name", f"{kind} type", "nothing")
    ask(store, f"get_{kind}_by_type_and_name", "nothing", "first", type_version="v2")
    ask(store, f"get_{kind}s_by_external_ids", [f"y-{kind}"])
    ask(store, f"get_{kind}s_by_external_ids", (name for name in ["nothing"]))


def put_edges(store: Any, artifacts: list[int], executions: list[int], contexts: list[int]) -> None:
    """Tie nodes together, and read the ties."""
    ask(
        store,
        "put_events",
        [
            pb.Event(artifact_id=artifacts[0], execution_id=executions[0], type=pb.Event.INPUT),
            pb.Event(artifact_id=artifacts[1], execution_id=executions[0], type=pb.Event.OUTPUT),
        ],
    )
    ask(store, "put_events", [pb.Event(artifact_id=999, execution_id=executions[0], type=pb.Event.INPUT)])
    ask(store, "put_events", [])
    attributions = [pb.Attribution(artifact_id=artifact, context_id=contexts[0]) for artifact in artifacts[:3]]
    associations = [pb.Association(execution_id=execution, context_id=contexts[0]) for execution in executions[:2]]
    ask(store, "put_attributions_and_associations", attributions, associations)
    ask(store, "put_attributions_and_associations", attributions, [])
    ask(store, "put_attributions_and_associations", [pb.Attribution(artifact_id=999, context_id=contexts[0])], [])
    parents = [pb.ParentContext(parent_id=contexts[0], child_id=contexts[1])]
    ask(store, "put_parent_contexts", parents)
    ask(store, "put_parent_contexts", parents)
    ask(store, "get_events_by_execution_ids", executions)
    ask(store, "get_events_by_artifact_ids", iter(artifacts))
    ask(store, "get_events_by_artifact_ids", [999])
    ask(store, "get_contexts_by_artifact", artifacts[0])
    ask(store, "get_contexts_by_artifact", 999)
    ask(store, "get_contexts_by_execution", executions[0])
    ask(store, "get_parent_contexts_by_context", contexts[1])
    ask(store, "get_children_contexts_by_context", contexts[0])
    for kind in ("artifacts", "executions"):
        ask(store, f"get_{kind}_by_context", contexts[0])
        ask(store, f"get_{kind}_by_context", contexts[0], mlmd.ListOptions(1, mlmd.OrderByField.ID))
        ask(store, f"get_{kind}_by_context", 999)
    print([execution.id for execution in store.get_executions_by_context(contexts[0])])
    print([artifact.id for artifact in store.get_artifacts_by_context(contexts[0])])


def put_together(store: Any, types: list[int], contexts: list[int]) -> None:
    """Write executions with all that belongs to them."""
    artifact_type, execution_type, context_type = types
    execution = pb.Execution(type_id=execution_type, name="whole")
    artifact = pb.Artifact(type_id=artifact_type, uri="u", external_id="by-external-id")
    event = pb.Event(type=pb.Event.OUTPUT)
    context = pb.Context(type_id=context_type, name="together")
    ask(store, "put_execution", execution, [(artifact, event), (artifact_only(artifact_type),), ()], [context])
    again = pb.Execution(type_id=execution_type, name="again")
    ask(store, "put_execution", again, [], [context])
    ask(store, "put_execution", again, [], [context], True)
    stored = pb.Context(id=contexts[0], type_id=context_type, name="another name")
    third = pb.Execution(type_id=execution_type, name="third")
    ask(store, "put_execution", third, [(artifact, event)], [stored], True, True, force_reuse_context=True)
    ask(store, "put_execution", pb.Execution(type_id=999), [], None)
    graph = [
        [pb.Execution(type_id=execution_type, name=f"graph {n}") for n in range(2)],
        [pb.Artifact(type_id=artifact_type, name=f"graph {n}") for n in range(2)],
        [pb.Context(type_id=context_type, name="graph")],
    ]
    edges = [(0, 0, event), (1, 0, pb.Event(type=pb.Event.INPUT)), (1, 1, event)]
    ask(store, "put_lineage_subgraph", *graph, edges)
    ask(store, "put_lineage_subgraph", *graph, [(7, 0, event)])
    ask(store, "put_lineage_subgraph", [], [], graph[2], [], reuse_context_if_already_exist=True)


def artifact_only(type_id: int) -> pb.Artifact:
    """Return an artifact for a pair without an event."""
    return pb.Artifact(type_id=type_id, uri="alone")


def get_graph(store: Any) -> None:
    """Walk the graph with every kind of mask."""
    query = pb.LineageSubgraphQueryOptions(
        starting_artifacts=pb.LineageSubgraphQueryOptions.StartingNodes(filter_query="name = 'graph 0'"),
        max_num_hops=4,
        direction=pb.LineageSubgraphQueryOptions.BIDIRECTIONAL,
    )
    for mask in (
        None,
        [],
        ["artifacts"],
        ["artifact_types", "events"],
        ["artifacts", "artifact_types"],
        ["execution_types"],
        ["executions", "execution_types", "associations"],
        ["contexts", "context_types", "attributions"],
        ["nothing"],
    ):
        ask(store, "get_lineage_subgraph", query, mask)
    ask(store, "get_lineage_subgraph", pb.LineageSubgraphQueryOptions(), field_mask_paths=["events"])


def refuse_configurations() -> None:
    """Open what cannot be opened."""
    client = proto.MetadataStoreClientConfig(host="127.0.0.1", port=1)
    for config, upgrade in ((proto.ConnectionConfig(), False), (client, True), ("config", False), (None, False)):
        try:
            mlmd.MetadataStore(config, upgrade)
        except (RuntimeError, ValueError) as error:
            print(type(error).__name__)
    try:
        mlmd.downgrade_schema(proto.ConnectionConfig(), -1)
    except errors.InvalidArgumentError as error:
        print(error.error_code, "downgrade_to_schema_version not specified" in error.message)
    try:
        mlmd.MetadataStore(client).get_artifacts()
    except errors.UnavailableError as error:
        print(error.error_code)


def main(arguments: list[str]) -> None:
    """Ask everything."""
    if arguments:
        config: Any = proto.MetadataStoreClientConfig(host=arguments[0], port=int(arguments[1]))
    else:
        config = proto.ConnectionConfig(fake_database=proto.FakeDatabaseConfig())
    store = mlmd.MetadataStore(config)
    types = list(put_types(store))
    get_types(store, types)
    ids = [put_nodes(store, kind, of) for kind, of in zip(("artifact", "execution", "context"), types, strict=True)]
    for kind, made in zip(("artifact", "execution", "context"), ids, strict=True):
        get_nodes(store, kind, made)
    ask(store, "get_artifacts_by_uri", "u")
    ask(store, "get_artifacts_and_types_by_artifact_ids", ids[0])
    put_edges(store, *ids)
    put_together(store, types, ids[2])
    ask(store, "get_artifacts_by_uri", "u")
    get_graph(store)
    refuse_configurations()
    print(store.pipeline_asset, mlmd.__version__)
    for own in (mlmd_types.Dataset, mlmd_types.Model, mlmd_types.Metrics, mlmd_types.Statistics):
        print(own().name, own().system_type)
    for own in (mlmd_types.Train, mlmd_types.Transform, mlmd_types.Process, mlmd_types.Evaluate, mlmd_types.Deploy):
        print(own().name, own().system_type)
    print("left out:", sorted(set(METHODS) - CALLED))


main(sys.argv[1:])
