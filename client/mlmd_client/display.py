"""What notebooks show: HTML with inline SVG, no scripts, nothing to load."""

import html
from typing import TYPE_CHECKING, Any

from mlmd_client.tables import shown, table_of

if TYPE_CHECKING:
    from mlmd_client.run import Run
    from mlmd_client.versions import Version
    from mlmd_client.walks import Graph


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
    """Return a graph as HTML: the drawing, then the nodes.

    >>> "<svg" in graph_html(store.provenance("churn@1"))
    True
    """
    more = "" if graph.is_complete else "<p>… and more, beyond the limits of this walk</p>"
    return graph.drawing().svg + graph.table().html() + more
