"""Graphs in the languages of Graphviz and Mermaid."""

import re
from collections.abc import Iterator

from mlmd_schemas.pb.v1 import lineage_pb2 as v1

from mlmd_lineage.documents import Graph, ends, heading, identifier, is_execution, subtitle
from mlmd_lineage.repeats import name_of

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
LONGEST_TEXT = 80
"""Characters of a label in a line."""


def dot(graph: Graph) -> str:
    """Return the graph for Graphviz, left to right with the flow of data."""
    lines = [
        "digraph lineage {",
        "  rankdir=LR;",
        '  node [fontname="Helvetica" fontsize=11];',
        '  edge [fontname="Helvetica" fontsize=9];',
    ]
    for node in graph.nodes:
        name = name_of(node.node)
        shape = 'shape=box style="rounded{}"' if is_execution(name) else 'shape=ellipse style="{}"'
        marks = ",dashed" if node.cut else ""
        marks += ",bold" if name == graph.root else ""
        style = shape.format(marks if is_execution(name) else marks.removeprefix(","))
        label = "\\n".join(_dot_text(text) for text in (heading(node), subtitle(node)) if text)
        lines.append(f'  {identifier(name)} [label="{label}" {style}];')
    for edge in graph.edges:
        source, target = map(identifier, ends(edge))
        lines.append(f"  {source} -> {target}{_dot_style(edge)};")
    return "\n".join([*lines, "}", ""])


def _dot_text(text: str) -> str:
    return _shortened(text).replace("\\", "\\\\").replace('"', '\\"')


def _dot_style(edge: v1.LineageEdge) -> str:
    said = [f'label="{_dot_text(edge.key)}"'] if edge.key else []
    if edge.kind == v1.LINEAGE_EDGE_KIND_HIDDEN:
        said.append("style=dashed")
    elif edge.kind == v1.LINEAGE_EDGE_KIND_SAME_CONTENT:
        said.append('style=dotted dir=none label="same content"')
    return f" [{' '.join(said)}]" if said else ""


def mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart."""
    return "\n".join([*_mermaid_lines(graph), ""])


def _mermaid_lines(graph: Graph) -> Iterator[str]:
    yield "flowchart LR"
    for node in graph.nodes:
        name = name_of(node.node)
        label = "<br/>".join(_mermaid_text(text) for text in (heading(node), subtitle(node)) if text)
        opening, closing = ('["', '"]') if is_execution(name) else ('(["', '"])')
        yield f"  {identifier(name)}{opening}{label}{closing}"
    for edge in graph.edges:
        source, target = map(identifier, ends(edge))
        if edge.kind == v1.LINEAGE_EDGE_KIND_HIDDEN:
            arrow = "-.->"
        elif edge.kind == v1.LINEAGE_EDGE_KIND_SAME_CONTENT:
            arrow = '-. "same content" .-'
        else:
            arrow = f'-- "{_mermaid_text(edge.key)}" -->' if edge.key else "-->"
        yield f"  {source} {arrow} {target}"
    cut = [identifier(name_of(node.node)) for node in graph.nodes if node.cut]
    if cut:
        yield "  classDef cut stroke-dasharray:4"
        yield f"  class {','.join(cut)} cut"
    if any(name_of(node.node) == graph.root for node in graph.nodes):
        yield f"  style {identifier(graph.root)} stroke-width:3px"


def _mermaid_text(text: str) -> str:
    """Return text that Mermaid shows as it is: whatever it could take for its own is written as a number."""
    return "".join(char if char.isalnum() or char in " ./:-_@·×" else f"#{ord(char)};" for char in _shortened(text))


def _shortened(text: str) -> str:
    line = _CONTROL.sub(" ", text).strip()
    return line if len(line) <= LONGEST_TEXT else line[: LONGEST_TEXT - 1] + "…"
