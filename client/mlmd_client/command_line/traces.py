"""`mlmd lineage`, `provenance`, `impact`, `path`, `diff`: what came from what."""

from typing import Any

import click
from mlmd_schemas.pb.v1 import lineage_pb2 as v1
from rich.text import Text
from rich.tree import Tree

from mlmd_client.command_line.graph_data import graph_data
from mlmd_client.command_line.offers import SUBJECTS
from mlmd_client.command_line.registrations import served_by
from mlmd_client.command_line.session import Count, Failure, Session, command
from mlmd_client.command_line.statuses import ABSENT
from mlmd_client.command_line.subjects import Subject, subject_of
from mlmd_client.failures import refused
from mlmd_client.tables import Table, table_of
from mlmd_client.terminal_text import harmless
from mlmd_client.versions import Version
from mlmd_client.walks import Graph, plain_value, walk_options

HOPS = click.option(
    "--hops", default=0, type=Count(), help="How many events away; 0: as many as the server walks (100)."
)
SYSTEM = click.option("--system", is_flag=True, help="Show what orchestrators write for themselves too.")
DOCUMENTS = {
    "svg": v1.LINEAGE_FORMAT_SVG,
    "dot": v1.LINEAGE_FORMAT_DOT,
    "mermaid": v1.LINEAGE_FORMAT_MERMAID,
    "openlineage": v1.LINEAGE_FORMAT_OPENLINEAGE,
    "prov-json": v1.LINEAGE_FORMAT_PROV_JSON,
}
"""What the server writes."""
DIRECTIONS = {
    "up": v1.LINEAGE_DIRECTION_UPSTREAM,
    "down": v1.LINEAGE_DIRECTION_DOWNSTREAM,
    None: v1.LINEAGE_DIRECTION_UNSPECIFIED,
}


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@click.option("--up", is_flag=True, help="Only what it came from.")
@click.option("--down", is_flag=True, help="Only what came from it.")
@click.option("--format", "shape", type=click.Choice(["tree", "table", "json", *DOCUMENTS]), default="tree")
@click.option("--fold", is_flag=True, help="Show the runs of a step, and what they made, as one.")
@click.option(
    "--most",
    default=0,
    type=Count(),
    help="Draw or write the nearest so many nodes each way; 0: 500 in an svg, 1,000 elsewhere.",
)
@HOPS
@SYSTEM
@command
def lineage(
    session: Session, what: str, up: bool, down: bool, shape: str, fold: bool, most: int, hops: int, system: bool
) -> None:
    """Show what WHAT came from and what came from it, as a tree."""
    direction = None if up == down else "up" if up else "down"
    subject = subject_of(session.store, what)
    chosen: dict[str, Any] = {"with_system_nodes": system, "collapse_repeats": fold}
    if shape in DOCUMENTS and not session.as_json:
        _print_document(session, subject, shape, direction, most, walk_options(hops, chosen))
        return
    if most:
        raise refused("most: a tree, a table and JSON have all nodes; give --format svg, or --fold.")
    store, options = session.store, chosen
    graphs = []
    if direction != "down":
        graphs.append(store.provenance(subject, hops, **options))
    if direction != "up":
        graphs.append(store.impact(subject, hops, **options))
    whole = graphs[0].joined(graphs[-1])
    session.as_json = session.as_json or shape == "json"
    session.say(graph_data(whole), lambda: _print_graph(session, whole, graphs, shape, direction))
    if not whole.is_complete:
        session.remark(MORE)


MORE = "… and more, beyond the limits of this walk; ask for more --hops"


def _print_document(
    session: Session, subject: Subject, shape: str, direction: str | None, most: int, options: v1.LineageOptions
) -> None:
    request = v1.ExportGraphRequest(
        node=_ref(subject), direction=DIRECTIONS[direction], format=DOCUMENTS[shape], options=options, max_nodes=most
    )
    answer = session.store.service.read(request, v1.ExportGraphResponse)
    click.echo(answer.content)
    if answer.is_cut:
        session.remark("… and more, beyond the limits of this document; ask for more --hops or --most, or --fold")


def _ref(subject: Subject) -> v1.LineageRef:
    return (
        v1.LineageRef(artifact_id=subject.id)
        if isinstance(subject, Version)
        else v1.LineageRef(execution_id=subject.id)
    )


def _print_graph(session: Session, whole: Graph, graphs: list[Graph], shape: str, direction: str | None) -> None:
    if shape == "table":
        session.table(whole.table())
        return
    if direction != "down":
        session.console.print(_tree(graphs[0], "came from", upstream=True))
    if direction != "up":
        session.console.print(_tree(graphs[-1], "went into", upstream=False))


def _tree(graph: Graph, label: str, *, upstream: bool) -> Tree:
    """Return a graph as a tree from the node that was asked for; what was shown before is named and not shown again."""
    names = {(row["kind"], row["id"]): row for row in graph.table()}
    beside: dict[Any, list[Any]] = {}
    for row in graph_data(graph)["edges"]:
        source, target = (row["source"], row["target"])
        near, far = (target, source) if upstream else (source, target)
        beside.setdefault(near, []).append((far, row["kind"], row["key"]))
    shown: set[str] = set()
    start = "{}:{}".format(*graph.start)
    root = Tree(_label(names, start) + Text(f"  {label}", style="dim"))

    def grow(branch: Tree, node: str) -> None:
        shown.add(node)
        for far, kind, key in beside.get(node, []):
            text = _label(names, far)
            if key or kind not in ("input", "output"):
                text += Text(f"  {harmless(key or kind)}", style="dim")
            if far in shown:
                branch.add(text + Text("  (shown above)", style="dim"))
            else:
                grow(branch.add(text), far)

    grow(root, start)
    return root


def _label(names: dict[Any, dict[str, Any]], node: str) -> Text:
    kind, _, number = node.partition(":")
    row = names.get((kind, int(number)))
    if row is None:
        return Text(node)
    style = "bold" if kind == "artifact" else "italic"
    aliases = "".join(f" @{alias}" for alias in row["aliases"])
    folded = f" and {row['stands_for'] - 1} more" if row["stands_for"] > 1 else ""
    beside = harmless(f"{aliases}{folded}  {row['type']} {row['state']}".rstrip())
    return Text(harmless(row["name"]), style=style) + Text(beside, style="dim")


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@HOPS
@SYSTEM
@command
def provenance(session: Session, what: str, hops: int, system: bool) -> None:
    """Tell what WHAT was made from: data at its versions, code, parameters."""
    graph = session.store.provenance(subject_of(session.store, what), hops, with_system_nodes=system)
    answer = {"data": data_table(graph), "code": code_table(graph), "parameters": parameter_table(graph)}
    session.say(answer, lambda: _print_parts(session, answer))
    if not graph.is_complete:
        session.remark("… and more, beyond the limits of this walk; ask for more --hops")


def _print_parts(session: Session, parts: dict[str, Table]) -> None:
    for name, table in parts.items():
        if len(table):
            session.table(table, name)
    if not any(map(len, parts.values())):
        session.remark("nothing is known that it was made from")


def data_table(graph: Graph) -> Table:
    """Return the data sets of a provenance, nearest first."""
    rows = [
        {
            "name": f"{source.versions[0].name}@{source.versions[0].number}" if source.versions else source.name,
            "type": source.type,
            "id": source.node.artifact_id,
            "aliases": sorted({alias for version in source.versions for alias in version.aliases}),
            "hops": source.hops,
            "origin": source.is_origin,
            "uri": source.uri,
        }
        for source in graph.data
    ]
    return table_of(rows)


def code_table(graph: Graph) -> Table:
    """Return the code of a provenance, a row for each step that tells of it."""
    fields = ("step", "repository", "commit", "branch", "source", "image")
    rows = [
        {
            **{name: getattr(code, name) for name in fields},
            "dirty": code.dirty if code.commit or code.dirty else None,  # changes are those since a commit
        }
        for code in graph.code
    ]
    return Table([*fields, "dirty"], rows)


def parameter_table(graph: Graph) -> Table:
    """Return the parameters of a provenance, a row for each."""
    rows = []
    for step in graph.parameters:
        for name, value in sorted(step.parameters.items()):
            rows.append({"step": step.step, "name": name, "value": plain_value(value)})
    return Table(["step", "name", "value"], rows)


@click.command()
@click.argument("what", shell_complete=SUBJECTS)
@HOPS
@SYSTEM
@command
def impact(session: Session, what: str, hops: int, system: bool) -> None:
    """Tell what came from WHAT: models with their aliases and deployments first."""
    graph = session.store.impact(subject_of(session.store, what), hops, with_system_nodes=system)
    answer = {"models": model_table(graph), "nodes": graph.table()}
    session.say(answer, lambda: _print_parts(session, answer))


def model_table(graph: Graph) -> Table:
    """Return the models of an impact, those that serve first."""
    return Table(["model", "aliases", "deployed", "id", "hops", "uri"], [_model_row(model) for model in graph.models])


def _model_row(model: v1.ImpactedModel) -> dict[str, Any]:
    names = [f"{one.model}@{one.version}" for one in model.registrations]
    deployed = [served for one in model.registrations for served in served_by(one)]
    return {
        "model": ", ".join(dict.fromkeys(names)) or model.name or f"artifact {model.node.artifact_id}",
        "aliases": sorted({alias for one in model.registrations for alias in one.aliases}),
        "deployed": deployed,
        "id": model.node.artifact_id,
        "hops": model.hops,
        "uri": model.uri,
    }


@click.command()
@click.argument("first", shell_complete=SUBJECTS)
@click.argument("second", shell_complete=SUBJECTS)
@command
def path(session: Session, first: str, second: str) -> None:
    """Tell how FIRST and SECOND came from one another, in the direction of the data."""
    ends = [subject_of(session.store, one) for one in (first, second)]
    graph = session.store.path(*ends)
    rows = [{name: row.get(name) for name in ("kind", "id", "type", "name", "state")} for row in graph.table().rows]
    if not graph.is_complete:
        session.remark(MORE)
    if not rows:
        raise Failure(f"{first} and {second}: neither came from the other, as far as is recorded", ABSENT)
    session.say(Table(["kind", "id", "type", "name", "state"], rows))


@click.command()
@click.argument("before", shell_complete=SUBJECTS)
@click.argument("after", shell_complete=SUBJECTS)
@HOPS
@SYSTEM
@command
def diff(session: Session, before: str, after: str, hops: int, system: bool) -> None:
    """Tell why two versions or two runs differ: inputs, parameters, code, metrics, each where it entered."""
    first, second = subject_of(session.store, before), subject_of(session.store, after)
    options = v1.LineageOptions(max_hops=hops, with_system_nodes=system)
    request = v1.DiffProvenanceRequest(first=_ref(first), second=_ref(second), options=options)
    answer = session.store.service.read(request, v1.DiffProvenanceResponse)
    rows = [_difference(step, one, before, after) for step in answer.steps for one in step.differences]
    session.say(Table(["step", "what", "name", before, after], rows))
    if answer.same_content:
        session.remark("the two hold the same files, byte for byte")
    if answer.is_cut:
        session.remark(MORE)


def _difference(step: v1.StepDifference, one: v1.LineageDifference, before: str, after: str) -> dict[str, Any]:
    aspect = v1.LineageAspect.Name(one.aspect).removeprefix("LINEAGE_ASPECT_").lower()
    sides = {before: plain_value(one.first), after: plain_value(one.second)}
    return {"step": step.step, "what": aspect, "name": one.name, **sides}
