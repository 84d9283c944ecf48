"""Contexts that come along with executions: reused by name or id, created, or updated (mlmd-write contract, 4.9)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from mlmd_schemas.errors import Aborted, AlreadyExists, InvalidArgument, NotFound
from mlmd_schemas.pb import metadata_store_pb2 as pb
from mlmd_schemas.tables.v10 import CONTEXT, Kind

from mlmd_metadata_store.database import Contradicted
from mlmd_metadata_store.node_order import NeedsOrder, spelling
from mlmd_metadata_store.node_writes import put_nodes
from mlmd_metadata_store.one_by_one import one_by_one
from mlmd_metadata_store.transaction import Transaction

_BY_NAME = sa.select(CONTEXT.c.id, CONTEXT.c.type_id, CONTEXT.c.name).where(
    CONTEXT.c.type_id.in_(sa.bindparam("type_ids", expanding=True)),
    CONTEXT.c.name.in_(sa.bindparam("ids", expanding=True)),
)
_EXISTING = sa.select(CONTEXT.c.id).where(CONTEXT.c.id.in_(sa.bindparam("ids", expanding=True)))


@dataclass(frozen=True, slots=True)
class Reuse:
    """What may be done with a context that is there already."""

    by_name: bool = False
    """`reuse_context_if_already_exist`: take the stored one of that type and name as it is."""
    by_id: bool = False
    """`force_reuse_context`: of a context with an id use nothing but the id."""


@dataclass(frozen=True, slots=True)
class ContextPlan:
    """The contexts of a call and which of them are stored: all that is read before any is written."""

    contexts: Sequence[pb.Context]
    reuse: Reuse
    ids: list[int | None]
    """The id of each context that is taken as it is stored, None for those to put."""


def put_contexts(tx: Transaction, contexts: Sequence[pb.Context], reuse: Reuse) -> list[int]:
    """Reuse, create or update each context; return their ids in order.

    Raises NotFound for an id that `by_id` does not find, InvalidArgument without type_id or name, Aborted when a
    context of that name was made at the same moment.
    """
    if len(contexts) > 1 and tx.careful:
        return one_by_one("context", contexts, lambda context: put_contexts(tx, [context], reuse)[0])
    tx.setwise = tx.setwise or len(contexts) > 1
    return put_planned(tx, plan_contexts(tx, contexts, reuse))


def plan_contexts(tx: Transaction, contexts: Sequence[pb.Context], reuse: Reuse) -> ContextPlan:
    """Look up the contexts that are reused; raises what `put_contexts` raises before it writes, and NeedsOrder.

    A call that plans before it writes anything, and then has to be run again carefully, has used up none of MySQL's
    ids. Whoever plans sets `tx.setwise` for it.
    """
    named = [context for context in contexts if not _is_forced(context, reuse)]
    for context in named:
        _check_named(context)
    _check_forced(tx, [context.id for context in contexts if _is_forced(context, reuse)])
    found = _by_name(tx, [c for c in named if not c.HasField("id")]) if reuse.by_name else {}
    updated = [context.id for context in named if context.HasField("id")]
    if len(set(updated)) < len(updated) or set(found.values()) & set(updated):
        raise NeedsOrder("A context is updated and named again in one request.")
    ids = [
        context.id
        if _is_forced(context, reuse)
        else None
        if context.HasField("id")
        else found.get((context.type_id, context.name))
        for context in contexts
    ]
    put = [context for context, context_id in zip(contexts, ids, strict=True) if context_id is None]
    _check_named_once(put, reuse)
    return ContextPlan(contexts, reuse, ids)


def put_planned(tx: Transaction, plan: ContextPlan) -> list[int]:
    """Put what `plan_contexts` found to be put; return the ids of all the contexts in order."""
    tx.setwise = tx.setwise or len(plan.contexts) > 1
    rest = [context for context, context_id in zip(plan.contexts, plan.ids, strict=True) if context_id is None]
    made = iter(_put(tx, rest, plan.reuse))
    return [next(made) if context_id is None else context_id for context_id in plan.ids]


def _is_forced(context: pb.Context, reuse: Reuse) -> bool:
    return reuse.by_id and context.HasField("id")


def _check_named(context: pb.Context) -> None:
    for name in ("type_id", "name"):
        if not context.HasField(name):
            raise InvalidArgument(f"contexts: {name} is missing; a context that comes with an execution needs it.")


def _check_named_once(put: Sequence[pb.Context], reuse: Reuse) -> None:
    """Raise NeedsOrder when one of the contexts to put may find another by its name, which is written before it."""
    fresh = [(context.type_id, context.name) for context in put if not context.HasField("id")]
    if len(set(fresh)) < len(fresh):
        raise NeedsOrder("The same new context is named twice.")
    if not reuse.by_name or not fresh:
        return
    spelt: dict[int, list[str | None]] = {}
    for context in put:
        spelt.setdefault(context.type_id, []).append(spelling(context.name))
    for type_id in {type_id for type_id, _ in fresh}:
        names = spelt[type_id]
        if len(names) > 1 and (None in names or len(set(names)) < len(names)):
            raise NeedsOrder("A new context may have the name of another that the call makes or renames.")


def _check_forced(tx: Transaction, ids: Sequence[int]) -> None:
    found = {context_id for (context_id,) in tx.rows_in(_EXISTING, ids)} if ids else set()
    for context_id in ids:
        if context_id not in found:
            raise NotFound(f"contexts: there is no context with id {context_id} to reuse.")


def _by_name(tx: Transaction, contexts: Sequence[pb.Context]) -> dict[tuple[int, str], int]:
    """Return the ids of stored contexts by the (type_id, name) of these.

    The database decides which names are equal. Only a question about one name tells which context was found by another
    spelling, so several are asked about one by one when that happened.
    """
    if not contexts:
        return {}
    encode, decode = tx.text.encode, tx.text.decode
    wanted = {(context.type_id, context.name) for context in contexts}
    names = {name for _, name in wanted}
    type_ids = sorted({type_id for type_id, _ in wanted})
    rows: list[Any] = tx.rows_in(_BY_NAME, {encode(name) for name in names}, type_ids=type_ids)
    found = {(type_id, decode(name)): context_id for context_id, type_id, name in rows}
    if len(wanted) == 1:
        return dict.fromkeys(wanted, next(iter(found.values()))) if found else {}
    if any(_may_be_one(key, other) for key in wanted - found.keys() for other in found):
        raise NeedsOrder("A context was found by another spelling of its name.")
    return {key: context_id for key, context_id in found.items() if key in wanted}


def _may_be_one(key: tuple[int, str], other: tuple[int, str]) -> bool:
    """Tell whether a database may have found a context by another spelling: keys are (type_id, name)."""
    spelt, found = spelling(key[1]), spelling(other[1])
    return key[0] == other[0] and (spelt is None or found is None or spelt == found)


def _put(tx: Transaction, contexts: Sequence[pb.Context], reuse: Reuse) -> list[int]:
    fresh = [context for context in contexts if not context.HasField("id")]
    if not reuse.by_name:
        return put_nodes(tx, Kind.CONTEXT, contexts)
    try:
        return put_nodes(tx, Kind.CONTEXT, contexts)
    except AlreadyExists as error:
        if not fresh or (len(contexts) > 1 and not tx.careful):  # one by one, each may find those before it
            raise
        if _by_name(tx, fresh):
            raise Aborted("A context of that type and name was made at the same moment; try again.") from error
        raise Contradicted(f"contexts: {error.message}") from error
