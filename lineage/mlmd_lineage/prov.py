"""A graph as W3C PROV-JSON: artifacts are entities, executions activities."""

import json
from typing import Any
from urllib.parse import quote

from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.documents import Graph, ends, is_execution, noun, title
from mlmd_lineage.moments import rfc3339
from mlmd_lineage.plain_values import value_json
from mlmd_lineage.repeats import Name, name_of

_EXECUTIONS_END = ("COMPLETE", "FAILED", "CACHED", "CANCELED")


def prov_json(graph: Graph) -> str:
    """Return the document; identifiers are `store:artifact/7` in the namespace of the store."""
    document: dict[str, dict[str, Any]] = {
        "prefix": {"store": f"urn:mlmd:{graph.store_uuid}/", "mlmd": "urn:mlmd:property/"},
        "entity": {},
        "activity": {},
    }
    for node in graph.nodes:
        name = name_of(node.node)
        kind, facts = ("activity", _activity(node)) if is_execution(name) else ("entity", _entity(node))
        document[kind][_identifier(name)] = facts
    for number, edge in enumerate(graph.edges, 1):
        relation, ends_of_it = _relation(edge)
        document.setdefault(relation, {})[f"_:r{number}"] = ends_of_it
    filled = {section: content for section, content in document.items() if content}
    return json.dumps(filled, indent=1, sort_keys=True, ensure_ascii=False)


def _identifier(name: Name) -> str:
    return f"store:{noun(name)}/{name[1]}"


def _facts(node: v1.LineageNode) -> dict[str, Any]:
    said = {"prov:label": title(node), "prov:type": node.type, "mlmd:state": node.state}
    properties = {f"mlmd:{quote(name, safe='')}": value_json(value) for name, value in node.properties.items()}
    return properties | {name: given for name, given in said.items() if given}


def _entity(node: v1.LineageNode) -> dict[str, Any]:
    facts = _facts(node)
    if node.uri:
        facts["prov:location"] = node.uri
    if node.versions:
        facts["mlmd:version"] = [f"{version.type_name}/{version.name}/{version.number}" for version in node.versions]
    return facts


def _activity(node: v1.LineageNode) -> dict[str, Any]:
    facts = _facts(node)
    if node.create_ms:
        facts["prov:startTime"] = rfc3339(node.create_ms)
    if node.update_ms and node.state in _EXECUTIONS_END:
        facts["prov:endTime"] = rfc3339(node.update_ms)
    return facts


def _relation(edge: v1.LineageEdge) -> tuple[str, dict[str, Any]]:
    source, target = ends(edge)
    first, second = _identifier(source), _identifier(target)
    if edge.kind == v1.LINEAGE_EDGE_KIND_SAME_CONTENT:
        return "alternateOf", {"prov:alternate1": first, "prov:alternate2": second}
    if edge.kind == v1.LINEAGE_EDGE_KIND_INPUT:
        return "used", _event(edge, {"prov:activity": second, "prov:entity": first})
    if edge.kind == v1.LINEAGE_EDGE_KIND_OUTPUT:
        return "wasGeneratedBy", _event(edge, {"prov:entity": second, "prov:activity": first})
    return _through_hidden(source, target)


def _through_hidden(source: Name, target: Name) -> tuple[str, dict[str, Any]]:
    """Return the relation of two nodes between which something is not shown."""
    first, second = _identifier(source), _identifier(target)
    if is_execution(source):
        if is_execution(target):
            return "wasInformedBy", {"prov:informed": second, "prov:informant": first}
        return "wasGeneratedBy", {"prov:entity": second, "prov:activity": first}
    if is_execution(target):
        return "used", {"prov:activity": second, "prov:entity": first}
    return "wasDerivedFrom", {"prov:generatedEntity": second, "prov:usedEntity": first}


def _event(edge: v1.LineageEdge, said: dict[str, Any]) -> dict[str, Any]:
    if edge.time_ms:
        said["prov:time"] = rfc3339(edge.time_ms)
    if edge.key:
        said["prov:role"] = edge.key
    return said
