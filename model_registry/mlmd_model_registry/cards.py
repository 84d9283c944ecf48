"""Model cards as Markdown and as one HTML page without scripts."""

import html
import re

from mlmd_metadata_store.transaction import Transaction
from mlmd_schemas.counting import counted
from mlmd_schemas.pb.v1 import registry_pb2 as v1

from mlmd_model_registry.card_facts import Card, Section, card_of
from mlmd_model_registry.model_calls import selected_version
from mlmd_model_registry.models import model_by_id

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:.5rem 0}td,th{border:1px solid #ccc;padding:.25rem .6rem;text-align:left;"
    "overflow-wrap:anywhere}th{background:#f4f4f4}svg{max-width:100%;height:auto}"
)


def get_model_card(tx: Transaction, request: v1.GetModelCardRequest) -> v1.GetModelCardResponse:
    """Return the card of a version in the form that is asked for."""
    version = selected_version(tx, request)
    card = card_of(tx, model_by_id(tx, version.model_id), version)
    if request.format == v1.CARD_FORMAT_HTML:
        return v1.GetModelCardResponse(card=as_html(card), media_type="text/html")
    return v1.GetModelCardResponse(card=as_markdown(card), media_type="text/markdown")


def as_markdown(card: Card) -> str:
    """Return a card as Markdown; what users wrote is escaped, and drawings are left to the other form."""
    parts = [f"# {_escaped(card.title)}"]
    if card.description:
        parts.append(_escaped(card.description))
    for section in card.sections:
        if section.rows:
            parts.append(f"## {section.title}")
            parts.append("\n".join(_markdown_table(section)))
        elif section.drawings:
            parts.append(f"## {section.title}\n\nThe HTML card has {counted(len(section.drawings), 'drawing')}.")
    return "\n\n".join(parts) + "\n"


def _markdown_table(section: Section) -> list[str]:
    lines = [f"| {' | '.join(section.headers)} |", f"|{'---|' * len(section.headers)}"]
    lines += [f"| {' | '.join(map(_escaped_cell, row))} |" for row in section.rows]
    return [*lines, *([f"\n… and {section.left_out} more."] if section.left_out else [])]


def _escaped_cell(text: str) -> str:
    return _escaped(" ".join(text.split()))


def _escaped(text: str) -> str:
    return _MARKDOWN.sub(r"\\\1", text)


def as_html(card: Card) -> str:
    """Return a card as one HTML page; what users wrote is escaped."""
    title = html.escape(card.title)
    parts = [
        '<!doctype html><html lang="en"><head><meta charset="utf-8">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
    ]
    parts += [f"<p>{html.escape(text)}</p>" for text in card.description.split("\n\n") if text]
    for section in card.sections:
        parts.append(f"<h2>{html.escape(section.title)}</h2>")
        parts += _html_table(section) if section.rows else []
        parts += [f"<figure>{drawing}</figure>" for drawing in section.drawings]
    return "\n".join([*parts, "</body></html>"])


def _html_table(section: Section) -> list[str]:
    head = "".join(f"<th>{html.escape(name)}</th>" for name in section.headers)
    rows = ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in section.rows]
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(f'<tr>{row}</tr>' for row in rows)}</tbody></table>"
    return [table, *([f"<p>… and {section.left_out} more.</p>"] if section.left_out else [])]
