"""A graph as OpenLineage run events (spec 2-0-2), a line of JSON each, by time.

Each execution is a run: an event when it began, and one with its data sets when it ended. The run's id is a UUID made
from the name of the execution, so the same execution is the same run whoever exports it, and whenever. Times are those
that were recorded: where clocks differ or went back, a reader's run may come before its writer's, but no run ends
before it began. What happened in one millisecond comes in the order of ids.
"""

import json
import uuid
from collections import defaultdict
from typing import Any
from urllib.parse import urlsplit

from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.documents import Graph, ends, is_execution, title
from mlmd_lineage.executions import step_of_name
from mlmd_lineage.moments import rfc3339
from mlmd_lineage.plain_values import value_json
from mlmd_lineage.repeats import Name, name_of

PRODUCER = "https://pypi.org/project/mlmd-server/"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
NAMESPACE = "mlmd"
_FACETS = "https://openlineage.io/spec/facets/1-0-0/"
_OWN_FACET = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunFacet"
_ENDS = {"COMPLETE": "COMPLETE", "CACHED": "COMPLETE", "FAILED": "FAIL", "CANCELED": "ABORT"}


def openlineage(graph: Graph) -> str:
    """Return the events of every execution of the graph."""
    nodes = {name_of(node.node): node for node in graph.nodes}
    inputs: dict[Name, list[Name]] = defaultdict(list)
    outputs: dict[Name, list[Name]] = defaultdict(list)
    for edge in graph.edges:
        source, target = ends(edge)
        if edge.kind == v1.LINEAGE_EDGE_KIND_INPUT:
            inputs[target].append(source)
        elif edge.kind == v1.LINEAGE_EDGE_KIND_OUTPUT:
            outputs[source].append(target)
    events: list[tuple[int, int, int, dict[str, Any]]] = []
    for name, node in nodes.items():
        if not is_execution(name):
            continue
        run = _run(graph, name, node)
        began_ms, ended_ms = node.create_ms, max(node.create_ms, node.update_ms)
        events.append((began_ms, name[1], 0, _event("START", began_ms, run)))
        data = {
            "inputs": [_dataset(graph, one, nodes[one]) for one in inputs[name]],
            "outputs": [_dataset(graph, one, nodes[one]) for one in outputs[name]],
        }
        end = _ENDS.get(node.state, "RUNNING" if node.state == "RUNNING" else "OTHER")
        events.append((ended_ms, name[1], 1, _event(end, ended_ms, run | data)))
    events.sort(key=lambda event: event[:3])
    return "".join(json.dumps(event, sort_keys=True, ensure_ascii=False) + "\n" for *_, event in events)


def _event(kind: str, ms: int, said: dict[str, Any]) -> dict[str, Any]:
    return {"eventType": kind, "eventTime": rfc3339(ms), "producer": PRODUCER, "schemaURL": SCHEMA, **said}


def _run(graph: Graph, name: Name, node: v1.LineageNode) -> dict[str, Any]:
    step = step_of_name(node.name) or node.name or node.type or title(node)
    properties = {key: value_json(value) for key, value in sorted(node.properties.items())}
    facet: dict[str, Any] = {
        "_producer": PRODUCER,
        "_schemaURL": _OWN_FACET,
        "name": graph.name(name),
        "type": node.type,
    }
    if properties:
        facet["properties"] = properties
    return {
        "run": {"runId": str(uuid.uuid5(uuid.NAMESPACE_URL, graph.name(name))), "facets": {"mlmd_execution": facet}},
        "job": {"namespace": NAMESPACE, "name": step},
    }


def _dataset(graph: Graph, name: Name, node: v1.LineageNode) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if node.uri:
        facets["dataSource"] = _facet("DatasourceDatasetFacet", name=title(node), uri=node.uri)
        namespace, path = _place(node.uri)
        if namespace:
            identifiers = [{"namespace": namespace, "name": path, "type": "FILE"}]
            facets["symlinks"] = _facet("SymlinksDatasetFacet", identifiers=identifiers)
    for version in node.versions[:1]:
        written = f"{version.type_name}/{version.name}/{version.number}"
        facets["version"] = _facet("DatasetVersionDatasetFacet", datasetVersion=written)
    return {"namespace": NAMESPACE, "name": graph.name(name), "facets": facets}


def _facet(kind: str, **said: Any) -> dict[str, Any]:
    return {"_producer": PRODUCER, "_schemaURL": f"{_FACETS}{kind}.json#/$defs/{kind}", **said}


def _place(uri: str) -> tuple[str, str]:
    """Return namespace and name as OpenLineage writes where files are; "" for what is no address."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return "", ""
    if not parts.scheme:
        return "", ""
    return (f"{parts.scheme}://{parts.netloc}" if parts.netloc else parts.scheme), parts.path.strip("/") or "/"
