"""Whether the items of one request depend on each other, so that they are taken one by one, in their order."""

from collections.abc import Sequence
from typing import Any

from mlmd_schemas.errors import StoreError

from mlmd_metadata_store.text import text_of
from mlmd_metadata_store.transaction import Transaction

_NEW = 0
"""In the place of an id, a node that is still to get one."""


class NeedsOrder(StoreError):
    """Items of one request depend on each other; the careful run takes them one by one."""


def check_updated_once(tx: Transaction, ids: Sequence[int]) -> None:
    """Raise NeedsOrder when a node is updated twice, unless the nodes are taken one by one anyway."""
    if len(set(ids)) < len(ids) and not tx.careful:
        tx.setwise = True
        raise NeedsOrder("The same node is updated twice.")


def check_exchanges(tx: Transaction, updates: Sequence[tuple[Any, Sequence[Any]]], fresh: Sequence[Any]) -> None:
    """Raise NeedsOrder when an update or a new node may take a name or external id that another update gives up.

    An update is a node as it is stored and its new row, which begins with its type, name and external id.
    """
    if not updates:
        return
    for place, name in enumerate(("name", "external_id"), start=1):
        given_up: dict[tuple[int, str | None], set[int]] = {}
        taken: list[tuple[int, int, str | None]] = []
        for stored, row in updates:
            before = text_of(getattr(stored, name)) if stored.HasField(name) else None
            after = None if row[place] is None else tx.text.decode(row[place])
            scope = stored.type_id if name == "name" else 0
            if before != after:
                if before is not None:
                    given_up.setdefault((scope, spelling(before)), set()).add(stored.id)
                if after is not None:
                    taken.append((stored.id, scope, spelling(after)))
        if given_up:
            taken += [
                (_NEW, node.type_id if name == "name" else 0, spelling(getattr(node, name)))
                for node in fresh
                if node.HasField(name)
            ]
        if any(_meet(given_up, *one) for one in taken):
            raise NeedsOrder(f"Nodes exchange their {name}s.")


def spelling(text: str) -> str | None:
    """Return what texts have in common that a database may take for equal; None where only the database knows."""
    return text.casefold().rstrip(" ") if text.isascii() and text.isprintable() else None


def _meet(given_up: dict[tuple[int, str | None], set[int]], node_id: int, scope: int, spelling: str | None) -> bool:
    for (other_scope, _), ids in given_up.items() if spelling is None else ():
        if other_scope == scope and ids - {node_id}:
            return True
    found = given_up.get((scope, spelling), set()) | given_up.get((scope, None), set())
    return bool(found - {node_id})
