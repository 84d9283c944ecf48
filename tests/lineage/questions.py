"""Answers of `mlmd.v1.Lineage` in few words."""

from collections.abc import Iterable
from typing import Any

from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from tests.metadata_store.calls import Calls


def artifact(node_id: int) -> v1.LineageRef:
    """Name an artifact."""
    return v1.LineageRef(artifact_id=node_id)


def execution(node_id: int) -> v1.LineageRef:
    """Name an execution."""
    return v1.LineageRef(execution_id=node_id)


def short(ref: v1.LineageRef) -> str:
    """Return `a1` or `e1`."""
    return f"a{ref.artifact_id}" if ref.WhichOneof("node") == "artifact_id" else f"e{ref.execution_id}"


def ref(name: str) -> v1.LineageRef:
    """Return the node that `short` calls so."""
    return (artifact if name[0] == "a" else execution)(int(name[1:]))


def nodes(page: v1.LineagePage) -> list[str]:
    """Return the nodes of a page, in their order."""
    return [short(node.node) for node in page.nodes]


def edges(page: v1.LineagePage) -> list[str]:
    """Return the edges of a page, `a1>e1`; one through hidden nodes is `a1~a2`, one of equal content `a1=a2`."""
    signs = {v1.LINEAGE_EDGE_KIND_HIDDEN: "~", v1.LINEAGE_EDGE_KIND_SAME_CONTENT: "="}
    return [f"{short(edge.source)}{signs.get(edge.kind, '>')}{short(edge.target)}" for edge in page.edges]


def cuts(page: v1.LineagePage) -> dict[str, str]:
    """Return where the graph was cut, and why."""
    found = {short(node.node): v1.LineageCut.Name(node.cut) for node in page.nodes if node.cut}
    return {name: cut.removeprefix("LINEAGE_CUT_").lower() for name, cut in found.items()}


def plain(values: Any) -> dict[str, Any]:
    """Return a map of LineageValue as Python has it."""
    return {name: getattr(value, value.WhichOneof("value")) for name, value in values.items()}


def pages(call: Calls, method: str, *, deeper: bool = False, **fields: Any) -> list[Any]:
    """Return every page of an answer; `deeper` goes on below the deepest hop too."""
    answers = [call(method, **fields)]
    while token := answers[-1].next_page_token or (deeper and answers[-1].deeper_page_token):
        answers.append(call(method, **fields, page_token=token))
    return answers


def all_nodes(answers: Iterable[Any]) -> list[str]:
    """Return the nodes of all pages, in their order."""
    return [name for answer in answers for name in nodes(answer.graph)]


def all_edges(answers: Iterable[Any]) -> list[str]:
    """Return the edges of all pages, sorted."""
    return sorted(name for answer in answers for name in edges(answer.graph))
