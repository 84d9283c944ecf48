"""What notebooks show: HTML with inline SVG, no scripts, nothing to load."""

import html
from typing import TYPE_CHECKING, Any

from mlmd_schemas.counting import counted

from mlmd_client.drawing import in_frame
from mlmd_client.failures import NotFound
from mlmd_client.tables import moment, shown, table_of

if TYPE_CHECKING:
    from mlmd_client.finding import RunFacts
    from mlmd_client.model_versions import ModelVersion
    from mlmd_client.models import Model
    from mlmd_client.run import Run
    from mlmd_client.versions import Version
    from mlmd_client.walks import Graph

_DRAWN = 60
"""So many nodes can be overlooked in a notebook."""


def card(title: str, facts: dict[str, Any]) -> str:
    """Return a heading and a list of facts.

    >>> "<b>churn@3</b>" in card("churn@3", {"type": "system.Model"})
    True
    """
    told = {name: shown(value) for name, value in facts.items() if value not in (None, "", [], {})}
    rows = "".join(
        f'<tr><td style="padding-right:1em;opacity:.7">{html.escape(name)}</td><td>{html.escape(text)}</td></tr>'
        for name, text in told.items()
    )
    return f"<div><b>{html.escape(title)}</b><table>{rows}</table></div>"


def run_html(run: "Run") -> str:
    """Return a run as HTML.

    >>> with store.run("doc/html") as run:
    ...     "doc/html" in run_html(run)
    True
    """
    return card(f"run {run.name}", {"number": run.number or None, "state": run.state, "store": run.store.target})


def version_html(version: "Version") -> str:
    """Return a version as HTML.

    >>> "churn@1" in version_html(store["churn@1"])
    True
    """
    facts = {
        "type": version.type,
        "aliases": version.aliases,
        "state": version.state,
        "created": version.created,
        "uri": version.uri,
        "url": version.url,
    }
    return card(version.ref, facts) + table_of([version.properties]).html()


def graph_html(graph: "Graph") -> str:
    """Return a graph as HTML: the drawing, of a large graph the nearest part, then the nodes.

    >>> "<svg" in graph_html(store.provenance("churn@1"))
    True
    """
    more = "" if graph.is_complete else f"<p>{html.escape(graph.beyond)}</p>"
    if not graph.nodes:
        return graph.table().html() + more
    if graph.is_part and len(graph) > _DRAWN:
        more = f"<p>{len(graph):,} nodes, of which the nearest {_DRAWN} are drawn; drawing() draws up to 500.</p>{more}"
        return in_frame(graph.nearest(_DRAWN).drawing().svg) + more + graph.table().html()
    if len(graph) > _DRAWN:
        each, way = (_DRAWN // 2, " each way") if graph.has_two_directions else (_DRAWN, "")
        more = (
            f"<p>{len(graph):,} nodes, of which the nearest {each}{way} are drawn; drawing() draws them all, up to "
            f"500{way}, and collapse_repeats=True shows the runs of a step as one.</p>{more}"
        )
        return in_frame(graph.drawing(each).svg) + more + graph.table().html()
    return in_frame(graph.drawing().svg) + graph.table().html() + more


def facts_html(run: "RunFacts") -> str:
    """Return what is known of a run as HTML; of its packages, only how many there are.

    >>> "<b>run doc/setup/1</b>" in facts_html(store.run_facts("doc/setup/1"))
    True
    """
    facts = {name: getattr(run, name) for name in ("id", "state", "reason", "started", "ended")}
    packages = run.properties.get("environment")
    told = {"environment": counted(len(packages), "package")} if isinstance(packages, dict) else {}
    rest = {name: value for name, value in run.properties.items() if not name.startswith("param.")}
    parts = (("parameters", run.params), ("properties", {**rest, **told}))
    return card(f"run {run.name}", facts) + "".join(card(title, part) for title, part in parts if part)


def model_html(model: "Model") -> str:
    """Return a registered model with its versions as HTML.

    >>> made = store.models["doc-html"].register(store["churn@1"])
    >>> "<b>model doc-html</b>" in model_html(store.models["doc-html"])
    True
    """
    try:
        message = model.message
    except NotFound:
        return card(f"model {model.name}", {"state": "not registered; register(version) makes it"})
    facts = {"owner": message.owner, "description": message.description, "tags": dict(message.tags)}
    return card(f"model {model.name}", facts) + model.versions().html()


def model_version_html(version: "ModelVersion") -> str:
    """Return a version of a registered model as HTML.

    >>> made = store.models["doc-version-html"].register(store["churn@1"])
    >>> "<b>models:/doc-version-html/1" in model_version_html(made)
    True
    """
    message = version.message
    facts = {
        "name": version.name,
        "aliases": version.aliases,
        "state": "archived" if version.archived else "",
        "author": message.author,
        "description": message.description,
        "tags": dict(message.tags),
        "created": moment(message.create_ms),
        "uri": message.uri,
    }
    return card(version.ref, facts)
